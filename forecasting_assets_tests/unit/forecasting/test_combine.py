import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.combine import (
    combination_weights,
    combine,
    segment_codes,
    weighted_average,
    weights_from_report,
)
from forecasting_assets.forecasting.forecast_arrays import FORECAST_COLUMNS, SeriesIndex, forecast_table
from forecasting_assets.forecasting.metrics import SUMS

SERIES = pd.DataFrame({"part_id": ["A", "B", "C"], "region": "x"})
ORIGIN = np.datetime64("2024-01-01")


def losses(loss, cells):
    total = np.zeros(len(SUMS))
    total[SUMS.index("scaled_pinball")] = loss * cells
    total[SUMS.index("scaled_quantile_cells")] = cells
    return total


def table(rows, value, horizons=2):
    series = SERIES.iloc[rows]
    return forecast_table(series, np.full(len(rows), ORIGIN), np.full((len(rows), horizons, 8), float(value)))


def report(weights, horizons=2, width=1.0):
    rows = [
        ("sarimax", segment, h, "weight", weights.get((segment, h), weights.get(segment, 0.5)))
        for segment in SEGMENTS
        for h in range(horizons + 1)
    ]
    return pd.DataFrame(
        rows + [("combined", segment, 0, "width", width) for segment in SEGMENTS],
        columns=["model", "segment", "horizon", "metric", "value"],
    )


def weight_of(one, other, equal, cells, prior):
    return combination_weights(losses(one, cells), losses(other, cells), losses(equal, cells), prior)


def test_without_observations_the_weights_are_equal():
    assert weight_of(0, 0, 0, 0, 500) == 0.5


def test_weights_by_hand():
    # The losses of (2 - 3w)² are 4, 0.25 and 1 at the weights 0, 1/2 and 1; the least is at 2/3.
    assert weight_of(1.0, 4.0, 0.25, 1e12, 500) == pytest.approx(2 / 3)
    assert weight_of(1.0, 4.0, 0.25, 500, 500) == pytest.approx((0.5 + 2 / 3) / 2)
    assert weight_of(1.0, 2.0, 1.5, 10, 0) == 1.0
    assert weight_of(2.0, 1.0, 1.6, 10, 0) == 0.0
    assert weight_of(0.0, 0.0, 0.0, 10, 0) == 0.5


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 1), st.integers(0, 10**6), st.floats(0, 1e4))
def test_weights_favour_the_smaller_loss_and_add_up_to_one(one, other, share, cells, prior):
    equal = share * (one + other) / 2  # the loss of an average is at most the average loss
    weight = weight_of(one, other, equal, cells, prior)
    mirrored = weight_of(other, one, equal, cells, prior)
    assert 0 <= weight <= 1
    assert weight + mirrored == pytest.approx(1)
    if one < other:
        assert weight >= 0.5 - 1e-9


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(-10, 10)), min_size=3, max_size=20))
def test_the_weight_is_optimal_for_squared_losses(errors):
    one, other = np.array(errors).T

    def loss(w):
        return ((w * one + (1 - w) * other) ** 2).mean()

    weight = weight_of(loss(1), loss(0), loss(0.5), 100, 0)
    assert loss(weight) <= min(loss(w) for w in np.linspace(0, 1, 101)) + 1e-6


@given(
    arrays(float, (2, 2, 8), elements=st.floats(0, 1e6)), arrays(float, (2, 2, 8), elements=st.floats(0, 1e6))
)
def test_a_weighted_mean_lies_between_and_uses_the_other_where_one_is_missing(one, other):
    mixed = weighted_average(one, other, np.full((2, 2), 0.3))
    assert (mixed >= np.minimum(one, other) * (1 - 1e-12)).all()
    assert (mixed <= np.maximum(one, other) * (1 + 1e-12)).all()
    missing = np.full_like(one, np.nan)
    assert np.array_equal(weighted_average(one, missing, np.full((2, 2), 0.3)), one)
    assert np.array_equal(weighted_average(missing, other, np.full((2, 2), 0.3)), other)


def test_combine_uses_the_weight_of_segment_and_horizon_and_keeps_every_series():
    segments = pd.DataFrame({"part_id": ["A", "B"], "region": "x", "segment": ["smooth", "lumpy"]})
    weights = report({("smooth", 1): 0.9, ("smooth", 2): 0.2, "lumpy": 0.6, "all": 0.0})
    combined = combine(table([0, 1], 10), table([1, 0, 2], 20), segments, weights)
    assert list(combined.columns) == FORECAST_COLUMNS
    assert combined["part_id"].tolist() == ["A", "A", "B", "B", "C", "C"]
    assert combined["mean"].tolist() == pytest.approx([11, 18, 14, 14, 20, 20])
    assert combined["q95"].tolist() == combined["mean"].tolist()


def test_a_series_without_segment_uses_the_weights_of_all():
    none = pd.DataFrame({"part_id": [], "region": [], "segment": []})
    combined = combine(table([0], 10), table([0], 20), none, report({"all": 1.0}))
    assert combined["mean"].tolist() == [10, 10]


def test_no_forecasts_give_an_empty_table():
    combined = combine(table([], 1), table([], 1), SERIES.assign(segment="new"), report({}))
    assert list(combined.columns) == FORECAST_COLUMNS
    assert combined.empty


def test_several_origins_and_missing_weights_are_rejected():
    later = table([1], 1).assign(origin_week=pd.Timestamp("2024-01-08"))
    with pytest.raises(ValueError, match="2 origins"):
        combine(table([0], 1), later, SERIES.assign(segment="new"), report({}))
    with pytest.raises(ValueError, match="6 of 12 weights"):
        weights_from_report(report({}, horizons=1), 2)
    with pytest.raises(ValueError, match="6 of 6 interval widths"):
        combine(
            table([0], 1), table([0], 1), SERIES.assign(segment="new"), report({}).query("metric != 'width'")
        )


def test_intervals_of_the_combination_are_widened():
    one = forecast_table(SERIES.iloc[[0]], np.full(1, ORIGIN), np.tile(np.arange(8.0) + 10, (1, 2, 1)))
    combined = combine(one, one, SERIES.assign(segment="new"), report({}, width=1.5))
    assert combined[["mean", "q05", "q50", "q95"]].to_numpy()[0].tolist() == [10, 14 - 4.5, 14, 14 + 4.5]
    due = pd.Timestamp(ORIGIN) + pd.Timedelta(weeks=1)
    book = SERIES.iloc[[0]].assign(due_week=due, quantity=9.75)
    booked = combine(one, one, SERIES.assign(segment="new"), report({}, width=1.5), book)
    assert booked["q05"].tolist() == [9.75, 14 - 4.5]


def test_segment_codes_follow_the_index():
    segments = pd.DataFrame(
        {"part_id": ["C", "A", "Z"], "region": "x", "segment": ["new", "smooth", "lumpy"]}
    )
    codes = segment_codes(SeriesIndex(SERIES), segments)
    assert [SEGMENTS[c] for c in codes] == ["smooth", "all", "new"]
