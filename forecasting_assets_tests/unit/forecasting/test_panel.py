from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.forecasting.panel import ForecastDataError, Panel
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market


def history(*rows):
    table = pd.DataFrame(rows, columns=["part_id", "region", "week", "quantity"])
    return table.assign(week=pd.to_datetime(table["week"]))


def test_weeks_without_orders_are_zero_and_duplicates_are_added():
    table = history(("B", "x", "2024-01-15", 2), ("A", "x", "2024-01-01", 1), ("B", "x", "2024-01-15", 3))
    panel = Panel.from_history(table, date(2024, 1, 1), date(2024, 1, 22))
    assert panel.series[["part_id", "region"]].values.tolist() == [["A", "x"], ["B", "x"]]
    assert panel.demand.tolist() == [[1, 0, 0, 0], [0, 0, 5, 0]]
    assert panel.first_order.tolist() == [0, 2]
    assert panel.active(1).tolist() == [True, False]


def test_a_series_is_active_for_52_weeks_including_the_week_of_the_order():
    panel = Panel.from_history(
        history(("A", "x", "2024-01-01", 1)), date(2024, 1, 1), add_weeks(date(2024, 1, 1), 60)
    )
    assert [bool(panel.active(t)[0]) for t in (0, 51, 52)] == [True, True, False]


def test_weeks_outside_and_series_without_orders_inside_are_left_out():
    table = history(("A", "x", "2023-12-25", 1), ("B", "x", "2024-01-01", 1), ("C", "x", "2024-01-08", 1))
    panel = Panel.from_history(table, date(2024, 1, 1), date(2024, 1, 1))
    assert panel.series["part_id"].tolist() == ["B"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("A", "x", "2024-01-02", 1.0), "week: 2024-01-02 00:00:00 is not a Monday"),
        (("A", "x", "2024-01-01", -1.0), "quantity: -1.0"),
        (("A", "x", "2024-01-01", float("nan")), "quantity: nan"),
        ((None, "x", "2024-01-01", 1.0), "part_id: 1 rows"),
        (("A", None, "2024-01-01", 1.0), "region: 1 rows"),
    ],
)
def test_invalid_demand_names_column_and_value(row, message):
    with pytest.raises(ForecastDataError, match=message) as caught:
        Panel.from_history(history(row, ("B", "y", "2024-01-01", 1.0)), date(2024, 1, 1), date(2024, 1, 8))
    assert message.startswith(f"{caught.value.column}:")


def test_missing_columns_are_named():
    with pytest.raises(ForecastDataError, match="no column region"):
        Panel.from_history(history().drop(columns="region"), date(2024, 1, 1), date(2024, 1, 8))


def test_no_orders_give_an_empty_panel():
    panel = Panel.from_history(history(), date(2024, 1, 1), date(2024, 1, 8))
    assert panel.demand.shape == (0, 2)
    assert len(panel.first_order) == len(panel.active(1)) == 0


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    table = market(weeks=30, series=4)
    order = list(range(len(table)))
    random.shuffle(order)
    one = Panel.from_history(table, FIRST, add_weeks(FIRST, 29))
    other = Panel.from_history(table.iloc[order], FIRST, add_weeks(FIRST, 29))
    assert one.series.equals(other.series)
    assert np.array_equal(one.demand, other.demand)


def test_the_category_of_a_series_is_that_of_its_first_order_in_the_panel():
    table = history(
        ("A", "x", "2024-01-08", 1),
        ("A", "x", "2024-01-01", 1),
        ("A", "x", "2023-12-25", 1),
        ("A", "y", "2024-01-08", 1),
    ).assign(part_category=["second", "first", "before", "other"])
    for rows in (table, table[::-1]):
        panel = Panel.from_history(rows, date(2024, 1, 1), date(2024, 1, 8))
        assert panel.series["part_category"].tolist() == ["first", "other"]


def test_parts_without_a_category_share_the_default_category():
    panel = Panel.from_history(market().drop(columns="part_category"), FIRST, add_weeks(FIRST, 89))
    assert set(panel.series["part_category"]) == {"default"}
    assert Panel.from_history(market(), FIRST, add_weeks(FIRST, 89)).series["part_category"].nunique() == 2
