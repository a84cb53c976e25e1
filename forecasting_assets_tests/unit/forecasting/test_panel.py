from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.forecasting.panel import DemandError, Panel
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.unit.forecasting.data import FIRST, market


def history(*rows):
    table = pd.DataFrame(rows, columns=["part_id", "region", "week", "quantity"])
    return table.assign(week=pd.to_datetime(table["week"]))


def test_weeks_without_orders_are_zero_and_duplicates_are_added():
    table = history(("B", "x", "2024-01-15", 2), ("A", "x", "2024-01-01", 1), ("B", "x", "2024-01-15", 3))
    panel = Panel.of(table, date(2024, 1, 1), date(2024, 1, 22))
    assert panel.series.values.tolist() == [["A", "x"], ["B", "x"]]
    assert panel.demand.tolist() == [[1, 0, 0, 0], [0, 0, 5, 0]]
    assert panel.first_order.tolist() == [0, 2]
    assert panel.alive(1).tolist() == [True, False]


def test_a_series_is_alive_for_52_weeks_its_order_week_counted():
    panel = Panel.of(history(("A", "x", "2024-01-01", 1)), date(2024, 1, 1), add_weeks(date(2024, 1, 1), 60))
    assert [bool(panel.alive(t)[0]) for t in (0, 51, 52)] == [True, True, False]


def test_weeks_outside_and_series_without_orders_inside_are_left_out():
    table = history(("A", "x", "2023-12-25", 1), ("B", "x", "2024-01-01", 1), ("C", "x", "2024-01-08", 1))
    panel = Panel.of(table, date(2024, 1, 1), date(2024, 1, 1))
    assert panel.series["part_id"].tolist() == ["B"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("A", "x", "2024-01-02", 1.0), "week: 2024-01-02 00:00:00 is no Monday"),
        (("A", "x", "2024-01-01", -1.0), "quantity: -1.0"),
        (("A", "x", "2024-01-01", float("nan")), "quantity: nan"),
    ],
)
def test_bad_demand_is_named(row, says):
    with pytest.raises(DemandError, match=says):
        Panel.of(history(row), date(2024, 1, 1), date(2024, 1, 8))


def test_absent_columns_are_named():
    with pytest.raises(DemandError, match="no column region"):
        Panel.of(history().drop(columns="region"), date(2024, 1, 1), date(2024, 1, 8))


def test_nothing_ordered_is_an_empty_panel():
    panel = Panel.of(history(), date(2024, 1, 1), date(2024, 1, 8))
    assert panel.demand.shape == (0, 2)
    assert len(panel.first_order) == len(panel.alive(1)) == 0


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    table = market(weeks=30, series=4)
    order = list(range(len(table)))
    random.shuffle(order)
    one = Panel.of(table, FIRST, add_weeks(FIRST, 29))
    other = Panel.of(table.iloc[order], FIRST, add_weeks(FIRST, 29))
    assert one.series.equals(other.series)
    assert np.array_equal(one.demand, other.demand)
