from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecasting_assets.features import window
from forecasting_assets.features.build import feature_columns
from forecasting_assets.features.window import (
    GROUP_WEEKS,
    LOOKBACK_WEEKS,
    FeatureWeeks,
    MarketContext,
    feature_rows,
)
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets_tests.unit.features import reference
from forecasting_assets_tests.unit.features.reference import Market, Order

START = date(2022, 1, 3)
HORIZON, COUNTRIES = 6, ("US", "DE")
TABLE = feature_columns(HORIZON)
#: Longer than any window, so that orders fall out of each.
WEEKS = 260
TYPES = {"string": object, "double": np.float64, "long": np.int64, "date": np.dtype("datetime64[s]")}


def week(n: int) -> date:
    return add_weeks(START, n)


# Cents and parts of a unit make sums inexact; few sizes, so that a pattern may be steady.
QUANTITIES = st.sampled_from([1.0, 2.0, 3.0, 17.0, 0.1, 0.7, 33.3])
ORDERS = st.builds(Order, QUANTITIES, st.sampled_from([0.1, 2.35, 10.0]), st.sampled_from(["A", "B"]))
SERIES = st.dictionaries(
    st.integers(0, WEEKS - 1).map(week), ORDERS, min_size=1, max_size=25
) | st.dictionaries(st.integers(150, 200).map(week), ORDERS, min_size=20, max_size=40)
MARKETS = st.dictionaries(
    st.tuples(st.sampled_from(["p", "q", "r"]), st.sampled_from(["EU", "US"])), SERIES, max_size=4
)
RANGES = st.tuples(st.integers(0, WEEKS - 1), st.integers(1, 6)).map(
    lambda r: (week(r[0]), week(min(r[0] + r[1], WEEKS) - 1))
)
ONCE: Market = {("p", "EU"): {week(5): Order(3.0, 2.0, "A")}}


def history(market: Market, first: date, last: date) -> pd.DataFrame:
    """Build the rows of weekly_demand from which the features of `first` to `last` are computed."""
    rows = [
        (*key, order.category, when, order.quantity, order.price)
        for key, orders in market.items()
        for when, order in orders.items()
        if add_weeks(first, 1 - LOOKBACK_WEEKS) <= when <= last
    ]
    names = ["part_id", "region", "part_category", "week", "quantity", "unit_price"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.astype({"week": "datetime64[s]", "quantity": float, "unit_price": float})


def compute(market: Market, first: date, last: date, start: date = START) -> pd.DataFrame:
    """Compute the rows of `first` to `last`, by week, part and region."""
    demand = history(market, first, last)
    recent = demand[demand["week"] >= pd.Timestamp(add_weeks(first, 1 - GROUP_WEEKS))]
    totals = recent.groupby(["part_category", "region", "week"], as_index=False)[["quantity"]].sum()
    context = MarketContext.from_totals(totals, FeatureWeeks(first, last, start, COUNTRIES))
    parts = [pd.DataFrame(rows)[TABLE.names] for rows in feature_rows(demand, context, HORIZON)]
    if not parts:
        return pd.DataFrame(columns=TABLE.names)
    return pd.concat(parts).sort_values(["week", "part_id", "region"], ignore_index=True)


@settings(deadline=None)
@given(MARKETS, RANGES)
@example({}, (week(0), week(3)))
@example(ONCE, (week(0), week(0)))
@example(ONCE, (week(5), week(5)))
@example(ONCE, (week(0), week(120)))
@example(
    {("p", "EU"): {week(0): Order(1.0, 1.0, "A"), week(110): Order(2.0, 5.0, "B")}}, (week(0), week(115))
)
def test_every_feature_equals_the_reference(market, span):
    rows = compute(market, *span)
    expected = [
        row for w in weeks_between(*span) for row in reference.features(market, w, START, HORIZON, COUNTRIES)
    ]
    assert len(rows) == len(expected)
    for column in TABLE.columns if expected else ():
        values = pd.Series([row[column.name] for row in expected])
        found = rows[column.name]
        assert found.dtype == TYPES[column.type], column.name
        if column.type == "double":
            # Of a steady series the root of a variance that is 0 up to rounding.
            slack = 1e-5 if column.name.startswith("std_") else 1e-9
            np.testing.assert_allclose(found, values.astype(float), slack, slack, err_msg=column.name)
        elif column.type == "date":
            assert list(found.dt.date) == list(values)
        else:
            assert list(found) == list(values), column.name


@settings(deadline=None)
@given(MARKETS, RANGES, st.data())
def test_a_single_week_is_the_same_as_in_a_range(market, span, data):
    alone = data.draw(st.sampled_from(weeks_between(*span)))
    rows = compute(market, *span)
    rows = rows[rows["week"] == pd.Timestamp(alone)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, compute(market, alone, alone).astype(rows.dtypes), check_exact=True)


@settings(deadline=None)
@given(MARKETS, RANGES)
def test_the_chunk_size_does_not_change_the_features(market, span):
    whole = compute(market, *span)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "_NUMBERS", 1)
        pd.testing.assert_frame_equal(compute(market, *span), whole, check_exact=True)


def test_sums_of_windows_without_orders_are_zero():
    market = {("p", "EU"): {week(0): Order(0.1, 1.0, "A"), week(1): Order(33.3, 1.0, "A")}}
    rows = compute(market, week(20), week(30))
    assert (rows[["mean_4", "mean_13", "std_13", "category_mean_13", "region_mean_13"]] == 0).all(axis=None)


def test_the_mean_of_a_group_counts_no_weeks_before_the_history():
    rows = compute(ONCE, week(5), week(40), start=week(3))
    assert list(rows["region_mean_13"][:3]) == [3 / 3, 3 / 4, 3 / 5]
    assert rows["region_mean_13"][12] == 3 / 13
    assert rows["region_mean_13"][13] == 0
