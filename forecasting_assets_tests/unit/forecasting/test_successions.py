"""Parts take over from other parts, and no demand is lost or counted twice."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.planner_notes import MIN_REMAINING, correction_notes
from forecasting_assets.forecasting.successions import succession_notes
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST

WEEKS = 20


def week(number: int) -> pd.Timestamp:
    return pd.Timestamp(add_weeks(FIRST, number))


def successors(*rows, region=None, entered=0):
    """Build rows from (part, successor, share, week from which)."""
    part, successor, share, begin = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "part_id": part,
            "successor_id": successor,
            "region": region,
            "from_week": [week(w) for w in begin],
            "share": share,
            "entered": week(entered),
        }
    )


def orders_of(demand: Mapping[str, list[float] | np.ndarray]) -> pd.DataFrame:
    rows = [
        (part, "R", "C", week(w), float(units))
        for part, values in demand.items()
        for w, units in enumerate(values)
        if units > 0
    ]
    return pd.DataFrame(rows, columns=[*SERIES, "part_category", "week", "quantity"])


def panel_of(orders: pd.DataFrame, notes: pd.DataFrame, last: int = WEEKS - 1) -> Panel:
    known = orders[orders["week"] <= week(last)]
    history = pd.concat([known, notes], ignore_index=True) if len(notes) else known
    return Panel.from_history(history, FIRST, add_weeks(FIRST, last))


def counted(demand: Mapping[str, list[float] | np.ndarray], rows: pd.DataFrame) -> dict[str, list[float]]:
    orders = orders_of(demand)
    panel = panel_of(orders, succession_notes(orders, rows))
    return {part: units.tolist() for part, units in zip(panel.series["part_id"], panel.demand, strict=True)}


def steps(*changes: tuple[int, float]) -> list[float]:
    """Build demand that changes in some weeks: (week, units a week from then on)."""
    units = np.zeros(WEEKS)
    for begin, level in changes:
        units[begin:] = level
    return units.tolist()


def test_successors_that_begin_at_different_times_have_their_share_of_the_whole_past():
    """Half of A moves to B, the other half to C later: what is ordered of A in between is C's half alone."""
    demand = {"A": steps((0, 100), (5, 50), (12, 0)), "B": steps((5, 50)), "C": steps((12, 50))}
    found = counted(demand, successors(("A", "B", 0.5, 5), ("A", "C", 0.5, 12)))
    assert found["B"] == steps((0, 50))
    assert found["C"] == steps((0, 50))
    assert found["A"] == pytest.approx(steps((0, 1), (5, 0.5), (12, 0)))


def test_a_part_keeps_what_its_successors_leave():
    found = counted(
        {"A": steps((0, 10)), "B": steps((5, 10)), "C": steps((12, 10))},
        successors(("A", "B", 0.25, 5), ("A", "C", 0.25, 12)),
    )
    assert found["A"] == pytest.approx(steps((0, 5), (5, 10 * (1 - 0.25 / 0.75)), (12, 10)))


def test_a_successor_of_a_successor_has_what_this_one_inherited():
    demand = {"A": steps((0, 100), (5, 40)), "B": steps((5, 60), (12, 0)), "C": steps((12, 60))}
    found = counted(demand, successors(("A", "B", 0.6, 5), ("B", "C", np.nan, 12)))
    assert found["A"] == pytest.approx(steps((0, 40)))
    assert found["C"] == pytest.approx(steps((0, 60)))
    assert max(found["B"]) <= 0.01 * 60


def test_a_successor_that_was_never_ordered_is_skipped():
    demand = {"A": steps((0, 100), (12, 0)), "C": steps((12, 100))}
    found = counted(demand, successors(("A", "B", np.nan, 5), ("B", "C", np.nan, 8)))
    assert found["C"] == steps((0, 100))
    assert max(found["A"]) <= 1


def test_a_row_for_a_region_takes_precedence_over_one_for_all():
    demand = {"A": steps((0, 10)), "B": steps((5, 10))}
    for_all, here = successors(("A", "B", 1.0, 5)), successors(("A", "B", 0.3, 5), region="R")
    elsewhere = successors(("A", "B", 0.7, 5), region="S")
    found = counted(demand, pd.concat([for_all, here, elsewhere]))
    assert found["B"] == pytest.approx(steps((0, 3), (5, 10)))


def test_parts_that_succeed_each_other_in_a_circle_are_no_endless_chain():
    demand = {"A": steps((0, 10)), "B": steps((5, 10))}
    found = counted(demand, successors(("A", "B", 0.5, 5), ("B", "A", 0.5, 9)))
    assert np.sum([found["A"], found["B"]]) <= np.sum([demand["A"], demand["B"]])


@st.composite
def families(draw):
    """Draw the demand of some parts and who succeeds whom; shares of a part add up to at most one."""
    names = "ABCDE"[: draw(st.integers(2, 5))]
    begin = [draw(st.sampled_from([0, 4, 8, 12, WEEKS])) for _ in names]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    demand = {
        part: np.where(np.arange(WEEKS) >= first, rng.integers(0, 50, WEEKS), 0)
        for part, first in zip(names, begin, strict=True)
    }
    rows = []
    for old, part in enumerate(names[:-1]):
        later = draw(st.lists(st.sampled_from(names[old + 1 :]), unique=True, max_size=3))
        whole = draw(st.sampled_from([1.0, 0.7]))
        rows += [(part, new, whole / len(later), draw(st.sampled_from([0, 4, 10]))) for new in later]
    return demand, rows, draw(st.lists(st.integers(0, WEEKS - 1), min_size=len(rows), max_size=len(rows)))


@settings(max_examples=60, deadline=None)
@given(families())
def test_no_demand_is_lost_or_counted_twice(family):
    demand, rows, _ = family
    orders = orders_of(demand)
    if not rows or orders.empty:
        return
    panel = panel_of(orders, succession_notes(orders, successors(*rows)))
    total, kept = panel.ordered.sum(axis=0), MIN_REMAINING * (panel.ordered.sum(axis=0) * len(demand) + 1)
    assert (panel.demand.sum(axis=0) >= total - 1e-9).all()
    assert (panel.demand.sum(axis=0) <= total + kept).all()


@settings(max_examples=60, deadline=None)
@given(families(), st.integers(4, WEEKS - 1))
def test_rows_and_orders_of_later_weeks_change_nothing(family, last):
    demand, rows, entered = family
    orders = orders_of(demand)
    if not rows or orders[orders["week"] <= week(last)].empty:
        return
    written = successors(*rows).assign(entered=[week(w) for w in entered])
    in_a_range = panel_of(orders, succession_notes(orders, written), last)
    known = written[written["entered"] <= week(last)]
    alone = panel_of(orders, succession_notes(orders[orders["week"] <= week(last)], known), last)
    np.testing.assert_allclose(in_a_range.demand, alone.demand, rtol=1e-12)


def test_corrections_go_to_the_successor():
    demand = {"A": [10.0] * WEEKS, "B": steps((15, 10))}
    demand["A"][8], demand["A"][9] = 0.0, 1000.0
    orders = orders_of(demand)
    corrected = correction_notes(
        pd.DataFrame(
            {
                "part_id": "A",
                "region": "R",
                "week": [week(w) for w in (8, 9, 3, 16)],
                "action": ["exclude", "exclude", "keep", "exclude"],
                "entered": [week(w) for w in (9, 9, 18, 9)],
            }
        )
    )
    notes = succession_notes(orders, successors(("A", "B", np.nan, 14), entered=14), corrected)
    both = pd.concat([corrected, notes], ignore_index=True)
    corrections = panel_of(orders, both).corrections
    assert corrections
    assert np.flatnonzero(corrections.excluded[1]).tolist() == [8, 9]
    assert np.flatnonzero(corrections.kept[1])[0] == 3
    earlier = panel_of(orders, both, 17).corrections
    assert earlier
    assert not earlier.kept[1, 3]
