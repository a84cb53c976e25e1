"""Intervals are widened or narrowed until they hold the share of weeks that they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, poisson

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.calibration import (
    EDGES,
    INTERVALS,
    NARROWEST,
    PRIOR_WEEKS,
    WIDEST,
    ratio_counts,
    widen,
    width_factors,
)
from forecasting_assets.forecasting.forecast_arrays import LEVELS, VALUES

SMOOTH, LUMPY = SEGMENTS.index("smooth"), SEGMENTS.index("lumpy")
MANY_WEEKS = 10**6


def forecasts(n, spread=1.0, centre=100.0, horizons=2):
    quantiles = centre + 10 * spread * norm.ppf(LEVELS)
    return np.tile([centre, *quantiles], (n, horizons, 1))


def demand(n, seed=0, horizons=2):
    return 100 + 10 * np.random.default_rng(seed).standard_normal((n, horizons))


@pytest.mark.parametrize("spread", [0.7, 1.0, 1.2])
def test_intervals_hold_what_they_promise_after_calibration(spread):
    values, segment = forecasts(20_000, spread), np.full(20_000, SMOOTH)
    counts = ratio_counts(demand(20_000), values, segment).sum(axis=0)
    factor = width_factors(counts, MANY_WEEKS)[segment]
    assert factor[0] == pytest.approx(1 / spread, rel=0.025)
    calibrated, new = widen(values, factor, np.zeros((20_000, 2))), demand(20_000, seed=1)
    for low, high, share in INTERVALS:
        inside = (calibrated[..., VALUES.index(low)] <= new) & (new <= calibrated[..., VALUES.index(high)])
        assert inside.mean() == pytest.approx(share, abs=0.015)


def test_segments_are_calibrated_apart_and_unknown_ones_left_alone():
    values = np.concatenate([forecasts(5000, 0.7), forecasts(5000, 1.0)])
    counts = ratio_counts(demand(10_000), values, np.repeat([SMOOTH, LUMPY], 5000)).sum(axis=0)
    factor = width_factors(counts, MANY_WEEKS)
    assert factor[SMOOTH] > 1.25
    assert factor[LUMPY] == pytest.approx(1, abs=0.03)
    assert factor[LUMPY] < factor[SEGMENTS.index("all")] < factor[SMOOTH]
    assert factor[SEGMENTS.index("erratic")] == 1


def test_demand_that_no_factor_would_bring_inside_is_left_out():
    values, actual = forecasts(5000), demand(5000)
    actual[:1500] = 1000.0
    factor = width_factors(ratio_counts(actual, values, np.full(5000, SMOOTH)).sum(axis=0), MANY_WEEKS)
    assert factor[SMOOTH] == pytest.approx(1.0, abs=0.07)


def test_intervals_that_begin_at_zero_are_not_widened_by_weeks_without_demand():
    values = np.maximum(forecasts(5000, centre=0.1), 0.0)
    counts = ratio_counts(np.zeros((5000, 2)), values, np.full(5000, LUMPY)).sum(axis=0)
    assert width_factors(counts, MANY_WEEKS)[LUMPY] == 1


@pytest.mark.parametrize("mean", [0.3, 0.5, 1.2, 3.0])
def test_exact_quantiles_of_counts_stay_as_they_are(mean):
    """No demand falls below zero, so that intervals of rare orders hold more weeks than they promise."""
    counts = np.random.default_rng(0).poisson(mean, (20_000, 2)).astype(float)
    values = np.tile([mean, *poisson.ppf(LEVELS, mean)], (20_000, 2, 1))
    found = ratio_counts(counts, values, np.full(20_000, LUMPY)).sum(axis=0)
    assert width_factors(found, MANY_WEEKS)[LUMPY] == pytest.approx(1, abs=0.01)


def test_intervals_without_width_say_nothing_of_others():
    values = np.concatenate([forecasts(5000), np.zeros((5000, 2, len(VALUES)))])
    rare = (np.random.default_rng(1).random((5000, 2)) < 0.05).astype(float)
    counts = ratio_counts(np.concatenate([demand(5000), rare]), values, np.full(10_000, SMOOTH)).sum(axis=0)
    assert width_factors(counts, MANY_WEEKS)[SMOOTH] == pytest.approx(1, abs=0.025)


def test_few_weeks_change_little():
    counts = ratio_counts(demand(5000), forecasts(5000, 0.7), np.full(5000, SMOOTH)).sum(axis=0)
    factors = [width_factors(counts, weeks)[SMOOTH] for weeks in (0, 1, PRIOR_WEEKS, 100)]
    assert factors[0] == 1
    assert factors == sorted(factors)
    assert np.log(factors[2]) / np.log(factors[3]) == pytest.approx(0.5 / (100 / (100 + PRIOR_WEEKS)))


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(0, 99), st.floats(0.1, 3))
def test_counts_are_of_every_known_cell_and_factors_stay_within_their_limits(n, seed, spread):
    rng = np.random.default_rng(seed)
    actual = np.where(rng.random((n, 3)) < 0.2, np.nan, rng.poisson(1, (n, 3)).astype(float))
    values = forecasts(n, spread, centre=60.0, horizons=3)
    counts = ratio_counts(actual, values, rng.integers(1, len(SEGMENTS), n))
    assert counts.shape == (3, len(SEGMENTS), len(INTERVALS), len(EDGES) + 1)
    np.testing.assert_array_equal(
        counts[:, 0].sum(axis=-1), np.isfinite(actual).sum(axis=0)[:, None].repeat(2, 1)
    )
    np.testing.assert_array_equal(counts[:, 0], counts[:, 1:].sum(axis=1))
    factor = width_factors(counts.sum(axis=0), 10)
    assert ((factor >= NARROWEST) & (factor <= WIDEST)).all()
    booked = rng.uniform(0, 1, (n, 3))
    values = np.maximum(values, booked[..., None])
    widened = widen(values, factor[:1].repeat(n), booked)
    assert (widened >= booked[..., None]).all()
    assert (np.diff(widened[..., 1:], axis=-1) >= 0).all()
    np.testing.assert_array_equal(widened[..., 0], values[..., 0])
    # A model of a user's own may forecast less than is booked.
    more = widen(values, factor[:1].repeat(n), booked + 200)
    np.testing.assert_array_equal(more, np.maximum(widened, booked[..., None] + 200))
