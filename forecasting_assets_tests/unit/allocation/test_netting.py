"""Demand served from stock and units on their way, against one written unit by unit."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.allocation.netting import Netting

from .cases import monday

WEEKS = 5
SERIES = [("a", "north"), ("a", "south"), ("b", "north")]


@st.composite
def cases(draw):
    """Whole units: demand by series and due week (the first may be overdue), supply, first week, weeks late."""
    units = st.integers(0, 6)
    demand = np.array(draw(st.lists(units, min_size=3 * WEEKS, max_size=3 * WEEKS))).reshape(3, WEEKS)
    supply = np.array(draw(st.lists(units, min_size=3 * WEEKS, max_size=3 * WEEKS))).reshape(3, WEEKS)
    first = draw(st.integers(0, 2))
    supply[:, :first] = 0
    return demand, supply, first, draw(st.integers(0, 2))


def frame(units, week):
    rows = [(*SERIES[s], monday(w), float(units[s, w])) for s, w in np.ndindex(units.shape)]
    return pd.DataFrame(rows, columns=["part_id", "region", week, "quantity"])


def unit_by_unit(demand, supply, first, late):
    """Unmet units by series and week: one unit after the other takes the earliest unit that it may take."""
    left, unmet = supply.copy(), demand.copy()
    overdue, planned = range(first), range(first, WEEKS)
    for dues, allowed in ((overdue, late), (planned, 0), (planned, late)):
        for series in range(len(demand)):
            for due in dues:
                while unmet[series, due]:
                    usable = [w for w in range(first, WEEKS) if w <= due + allowed and left[series, w]]
                    if not usable:
                        break
                    left[series, usable[0]] -= 1
                    unmet[series, due] -= 1
    return unmet


@given(cases())
def test_units_serve_their_own_part_and_region_in_the_stated_order(case):
    demand, supply, first, late = case
    rows = frame(demand, "due_week")
    netting = Netting.of(rows, frame(supply, "week"), monday(first), late)
    unmet = netting.unmet(rows["quantity"].to_numpy()).reshape(demand.shape)
    np.testing.assert_array_equal(unmet, unit_by_unit(demand, supply, first, late))


@given(cases())
def test_what_serves_a_demand_adds_up_and_is_used_once(case):
    demand, supply, first, late = case
    rows = frame(demand, "due_week")
    netting = Netting.of(rows, frame(supply, "week"), monday(first), late)
    served = netting.served(rows["quantity"].to_numpy())
    of_row = np.bincount(served["row"], served["quantity"], minlength=len(rows))
    np.testing.assert_allclose(of_row, rows["quantity"] - netting.unmet(rows["quantity"].to_numpy()))
    series, due = np.divmod(served["row"].to_numpy(), WEEKS)
    used = np.zeros(supply.shape)
    np.add.at(used, (series, served["week"].to_numpy()), served["quantity"])
    assert (used <= supply + 1e-12).all()
    assert (served["week"] <= due + late).all()


def test_units_that_came_before_the_first_week_are_there_in_it():
    demand = frame(np.array([[0, 5, 0, 0, 0]] * 3), "due_week")
    supply = pd.DataFrame({"part_id": ["a"], "region": ["north"], "week": [monday(0)], "quantity": [3.0]})
    unmet = Netting.of(demand, supply, monday(1), 0).unmet(demand["quantity"].to_numpy())
    assert unmet.sum() == 15 - 3
