import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.combine import (
    combine,
    segment_codes,
    weighted_average,
    weights_from_report,
)
from forecasting_assets.forecasting.forecast_arrays import FORECAST_COLUMNS, SeriesIndex, forecast_table

SERIES = pd.DataFrame({"part_id": ["A", "B", "C"], "region": "x"})
ORIGIN = np.datetime64("2024-01-01")


def table(rows, value, horizons=2):
    series = SERIES.iloc[rows]
    return forecast_table(series, np.full(len(rows), ORIGIN), np.full((len(rows), horizons, 8), float(value)))


def report(weights, horizons=2, width=1.0):
    rows = []
    for segment in SEGMENTS:
        for h in range(horizons + 1):
            weight = weights.get((segment, h), weights.get(segment, 0.5))
            rows += [("one", segment, h, "weight", weight), ("other", segment, h, "weight", 1 - weight)]
    return pd.DataFrame(
        rows + [("combined", segment, 0, "width", width) for segment in SEGMENTS],
        columns=["model", "segment", "horizon", "metric", "value"],
    )


def both(one, other):
    return {"one": one, "other": other}


@given(
    arrays(float, (2, 2, 8), elements=st.floats(0, 1e6)), arrays(float, (2, 2, 8), elements=st.floats(0, 1e6))
)
def test_a_weighted_mean_lies_between_and_uses_the_other_where_one_is_missing(one, other):
    def average(one, other):
        return weighted_average(
            np.stack([one, other]), np.stack([np.full((2, 2), 0.3), np.full((2, 2), 0.7)])
        )

    mixed = average(one, other)
    assert (mixed >= np.minimum(one, other) * (1 - 1e-12)).all()
    assert (mixed <= np.maximum(one, other) * (1 + 1e-12)).all()
    missing = np.full_like(one, np.nan)
    np.testing.assert_allclose(average(one, missing), one, rtol=1e-12)
    np.testing.assert_allclose(average(missing, other), other, rtol=1e-12)
    assert np.isnan(average(missing, missing)).all()


def test_combine_uses_the_weight_of_segment_and_horizon_and_keeps_every_series():
    segments = pd.DataFrame({"part_id": ["A", "B"], "region": "x", "segment": ["smooth", "lumpy"]})
    weights = report({("smooth", 1): 0.9, ("smooth", 2): 0.2, "lumpy": 0.6, "all": 0.0})
    combined = combine(both(table([0, 1], 100), table([1, 0, 2], 400)), segments, weights)
    assert list(combined.columns) == FORECAST_COLUMNS
    assert combined["part_id"].tolist() == ["A", "A", "B", "B", "C", "C"]
    assert combined["mean"].tolist() == pytest.approx([11**2, 18**2, 14**2, 14**2, 400, 400])
    assert combined["q95"].tolist() == combined["mean"].tolist()


def test_a_series_without_segment_uses_the_weights_of_all():
    none = pd.DataFrame({"part_id": [], "region": [], "segment": []})
    combined = combine(both(table([0], 10), table([0], 20)), none, report({"all": 1.0}))
    assert combined["mean"].tolist() == pytest.approx([10, 10])


def test_no_forecasts_give_an_empty_table():
    combined = combine(both(table([], 1), table([], 1)), SERIES.assign(segment="new"), report({}))
    assert list(combined.columns) == FORECAST_COLUMNS
    assert combined.empty


def test_several_origins_and_missing_weights_are_rejected():
    later = table([1], 1).assign(origin_week=pd.Timestamp("2024-01-08"))
    with pytest.raises(ValueError, match="2 origins"):
        combine(both(table([0], 1), later), SERIES.assign(segment="new"), report({}))
    with pytest.raises(ValueError, match="12 of 24 weights"):
        weights_from_report(report({}, horizons=1), ["one", "other"], 2)
    with pytest.raises(ValueError, match="6 of 6 interval widths"):
        combine(
            both(table([0], 1), table([0], 1)),
            SERIES.assign(segment="new"),
            report({}).query("metric != 'width'"),
        )


def test_intervals_of_the_combination_are_widened():
    one = forecast_table(SERIES.iloc[[0]], np.full(1, ORIGIN), np.tile(np.arange(8.0) + 10, (1, 2, 1)))
    combined = combine(both(one, one), SERIES.assign(segment="new"), report({}, width=1.5))
    ends = combined[["mean", "q05", "q50", "q95"]].to_numpy()[0].tolist()
    assert ends == pytest.approx([10, 14 - 4.5, 14, 14 + 4.5])
    due = pd.Timestamp(ORIGIN) + pd.Timedelta(weeks=1)
    book = SERIES.iloc[[0]].assign(due_week=due, quantity=9.75)
    booked = combine(both(one, one), SERIES.assign(segment="new"), report({}, width=1.5), book)
    assert booked["q05"].tolist() == pytest.approx([9.75, 14 - 4.5])


def test_the_average_is_reconciled_with_markets_where_nothing_is_planned():
    segments = SERIES.assign(segment="new", part_category="k")
    spread = [5.0, 6, 7, 8, 9, 10, 11, 12]  # the mean and the quantiles
    one = table([0, 1, 2], 1).assign(**dict(zip(FORECAST_COLUMNS[-8:], spread, strict=True)))
    market = table([0], 30).assign(part_category="k", q10=28.0, q90=32.0, series=3)
    market = market.drop(columns="part_id")
    book = pd.DataFrame({"part_id": ["A"], "region": "x", "due_week": ORIGIN + 7, "quantity": 6.0})

    def mean(change=one):
        combined = combine(both(one, change), segments, report({}), book, market)
        return combined.pivot(index="part_id", columns="horizon", values="mean")

    # Three series with a variance of v and a market with one of v share the gap of 15 as 1 : 1 : 1 : 1.
    np.testing.assert_allclose(mean(), 5 + 15 / 4)
    low = market.assign(mean=3.0, q10=3.0, q90=3.0)
    combined = combine(both(one, one), segments, report({}), book, low).set_index(["part_id", "horizon"])[
        "mean"
    ]
    assert combined["A", 1] == 6.0
    assert combined["A", 2] < 5.0
    planned = one.assign(without_covariates=one["q50"].where(one["horizon"] == 2))
    np.testing.assert_allclose(mean(planned)[2], 5)
    assert mean(planned)[1].equals(mean()[1])


def test_segment_codes_follow_the_index():
    segments = pd.DataFrame(
        {"part_id": ["C", "A", "Z"], "region": "x", "segment": ["new", "smooth", "lumpy"]}
    )
    codes = segment_codes(SeriesIndex(SERIES), segments)
    assert [SEGMENTS[c] for c in codes] == ["smooth", "all", "new"]
