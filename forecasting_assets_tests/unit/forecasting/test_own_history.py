"""Rarely ordered series are blended with the distribution of their own last year; others are left alone."""

import numpy as np
import pytest

from forecasting_assets.features.demand_patterns import PATTERNS
from forecasting_assets.forecasting.forecast_arrays import LEVELS, VALUES
from forecasting_assets.forecasting.own_history import OWN_WEEKS, blend_own_history, own_distributions
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
    np.testing.assert_allclose(values[0, 0], weeks.mean())
    np.testing.assert_allclose(values[0, 1:], np.quantile(weeks, LEVELS), atol=1e-9)
    assert no_orders[0] == pytest.approx((weeks == 0).mean() * (1 - 1 / len(weeks)))


def test_an_unknown_week_is_left_out():
    outlier = rolling()
    outlier.endog[0, 75] = np.nan
    values, _ = own_distributions(outlier, np.array([0]), np.array([79]))
    weeks = np.delete(DEMAND[0], 75)[-(OWN_WEEKS - 1) :]
    np.testing.assert_allclose(values[0, 1:], np.quantile(weeks, LEVELS), atol=1e-9)


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
    np.testing.assert_array_equal(one[[0, 2, 3]], other[[0, 2, 3]])  # the second begins later
