"""Rarely ordered series are blended with the distribution of their own last year; others are left alone."""

import numpy as np
import pytest

from forecasting_assets.features.demand_patterns import PATTERNS
from forecasting_assets.forecasting.forecast_arrays import LEVELS, VALUES
from forecasting_assets.forecasting.own_history import (
    ENDING,
    OWN_WEEKS,
    PAUSED,
    blend_own_history,
    own_distributions,
    probability_not_ended,
)
from forecasting_assets.forecasting.panel import mean_demand, to_log_scale
from forecasting_assets.forecasting.rolling import RollingForecasts, SeasonWeights

WEEKS, HORIZON = 80, 2
RNG = np.random.default_rng(3)
DEMAND = np.round(RNG.lognormal(3, 0.5, (4, WEEKS))) * (RNG.random((4, WEEKS)) < 0.4)
DEMAND[1, :70] = 0
DEMAND[1, 70] = 5


def rolling(demand=DEMAND):
    scale = mean_demand(demand, WEEKS - 1)
    pattern = np.repeat(
        [[PATTERNS.index(p)] for p in ("lumpy", "intermittent", "smooth", "new")], WEEKS, axis=1
    )
    nothing = np.zeros((len(demand), WEEKS, HORIZON))
    endog, no_weights = to_log_scale(demand, scale), SeasonWeights(np.ones(3), {})
    return RollingForecasts(endog, scale, pattern, nothing[..., 0], nothing, nothing, nothing, no_weights)


@pytest.mark.parametrize(("series", "column"), [(0, 79), (0, 30), (1, 79), (1, 70), (2, 60)])
def test_the_distribution_is_that_of_the_weeks_of_the_last_year_since_the_first_order(series, column):
    values, no_orders = own_distributions(rolling(), np.array([series]), np.array([column]))
    first = int((DEMAND[series] > 0).argmax())
    weeks = DEMAND[series, max(first, column - OWN_WEEKS + 1) : column + 1]
    alive = bayes(weeks)
    np.testing.assert_allclose(values[0, 0], alive * weeks.mean())
    levels = np.maximum(1 - (1 - LEVELS) / alive, 0)
    np.testing.assert_allclose(values[0, 1:], np.quantile(weeks, levels), atol=1e-9)
    assert no_orders[0] == pytest.approx(1 - alive * (1 - (weeks == 0).mean() * (1 - 1 / len(weeks))))


def bayes(weeks):
    """Return the probability that a series has not ended, over all weeks in which it may have."""
    share, quiet = (weeks > 0).mean(), int((weeks[::-1] > 0).argmax())
    likelihood = [(1 - share) ** n * (1 - ENDING) ** n * ENDING for n in range(quiet)]
    still = (1 - share) ** quiet * (1 - ENDING) ** quiet
    return max(still / (still + sum(likelihood)), PAUSED)


@pytest.mark.parametrize(
    ("share", "quiet", "low", "high"), [(0.95, 12, PAUSED, PAUSED), (0.1, 12, 0.8, 0.95)]
)
def test_a_series_has_probably_ended_once_it_is_quiet_for_much_longer_than_usual(share, quiet, low, high):
    ordered = np.random.default_rng(1).random(OWN_WEEKS - quiet - 1) < share
    weeks = np.concatenate([np.zeros(quiet), [1.0], ordered])[None]
    assert low <= probability_not_ended(weeks)[0] <= high
    assert probability_not_ended(weeks)[0] == pytest.approx(bayes(weeks[0, ::-1]), abs=1e-6)
    assert probability_not_ended(weeks[:, quiet:])[0] == 1.0


def test_an_unknown_week_is_left_out():
    outlier = rolling()
    outlier.endog[0, 75] = np.nan
    values, _ = own_distributions(outlier, np.array([0]), np.array([79]))
    weeks = np.delete(DEMAND[0], 75)[-(OWN_WEEKS - 1) :]
    levels = np.maximum(1 - (1 - LEVELS) / bayes(weeks), 0)
    np.testing.assert_allclose(values[0, 1:], np.quantile(weeks, levels), atol=1e-9)


def test_only_rarely_ordered_series_are_blended():
    values = np.tile(np.arange(1.0, 1 + len(VALUES)), (8, 1))
    series, column = np.repeat(np.arange(4), 2), np.full(8, WEEKS - 1)
    blended = blend_own_history(values, rolling(), series, column)
    np.testing.assert_array_equal(blended[4:], values[4:])
    assert (blended[:4] != values[:4]).any(axis=1).all()
    np.testing.assert_array_equal(blended[0], blended[1])  # two horizons of one series
    share = (DEMAND[0, -OWN_WEEKS:] == 0).mean()
    np.testing.assert_array_equal(blended[0, 1:][share - 0.05 > LEVELS], 0.0)
    assert (blended[0, 1:][share < LEVELS] > 0).all()


def test_later_weeks_change_nothing():
    changed = rolling()
    changed.endog[:, 61:] = 99.0
    one, other = (own_distributions(r, np.arange(4), np.full(4, 60))[0] for r in (rolling(), changed))
    np.testing.assert_array_equal(one, other)


def test_a_series_whose_weeks_are_all_excluded_keeps_its_forecast():
    excluded = rolling()
    excluded.endog[0, 20:79] = np.nan
    values = np.tile(np.arange(1.0, 1 + len(VALUES)), (4, 1))
    blended = blend_own_history(values, excluded, np.arange(4), np.full(4, 78))
    np.testing.assert_array_equal(blended[0], values[0])
    assert np.isfinite(blended).all()


def test_a_first_order_that_is_excluded_begins_the_series():
    excluded = rolling()
    excluded.endog[1, 70] = np.nan
    values, no_orders = own_distributions(excluded, np.array([1]), np.array([72]))
    since = DEMAND[1, 71:73]
    assert np.isfinite(values).all()
    assert values[0, 0] == pytest.approx(since.mean() * bayes(since) if since.any() else 0.0)
    assert 0 <= no_orders[0] < 1
