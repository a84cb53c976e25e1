"""Correlations of forecast errors, learnt from normal scores."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri

from forecasting_assets.forecasting.correlation import (
    PRIOR_ORIGINS,
    MarketSums,
    error_correlations,
    normal_scores,
)
from forecasting_assets.forecasting.forecast_arrays import LEVELS
from forecasting_assets.tables import ASSUMED_CORRELATIONS, ERROR_CORRELATIONS
from forecasting_assets.tables.contract import check_contract

HORIZONS = 6


def sums_of(scores, markets, rare=False):
    return MarketSums.of(scores, np.full(scores.shape, rare), markets)


def test_scores_are_the_levels_of_the_forecast():
    quantiles = 100 + 20 * ndtri(LEVELS)
    actual = np.array([100.0, quantiles[1], (quantiles[2] + quantiles[3]) / 2, 0.0, 1e6, np.nan])
    scores = normal_scores(actual, np.tile(quantiles, (6, 1)))
    tail = ndtri(LEVELS[0] / 2)
    between = ndtri((LEVELS[2] + LEVELS[3]) / 2)
    np.testing.assert_allclose(scores, [0.0, ndtri(LEVELS[1]), between, tail, -tail, np.nan], atol=1e-12)


def test_demand_with_positive_probability_gets_the_middle_of_its_levels():
    rare = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 4.0])
    scores = normal_scores(np.array([0.0, 1.0]), np.tile(rare, (2, 1)))
    np.testing.assert_allclose(ndtr(scores), [LEVELS[4] / 2, LEVELS[5]])
    assert np.isnan(normal_scores(np.array([1.0]), np.full((1, LEVELS.size), np.nan))).all()


def simulated(part, week, origins=130, series=20, seed=0):
    """Scores of two markets whose series depend on each other as stated, within a market only."""
    rng = np.random.default_rng(seed)
    markets = pd.DataFrame({"part_category": np.repeat(["cnc", "sheet"], series), "region": "north"})
    of_market = np.repeat([0, 1], series)

    def process(size):
        z = rng.standard_normal((size, HORIZONS))
        for h in range(1, HORIZONS):
            z[:, h] = week * z[:, h - 1] + np.sqrt(1 - week**2) * z[:, h]
        return z

    known = []
    for _ in range(origins):
        common = process(2)[of_market]
        scores = np.sqrt(part)[of_market, None] * common + np.sqrt(1 - part)[of_market, None] * process(
            2 * series
        )
        known.append(sums_of(scores, markets))
    return known


def test_correlations_are_found_by_market():
    table = error_correlations(simulated(np.array([0.5, 0.1]), 0.6))
    assert check_contract(table, ERROR_CORRELATIONS).passed
    assert table["part_category"].tolist() == ["", "cnc", "sheet"]
    assert table["origins"].tolist() == [130, 130, 130]
    # Shrinkage takes a tenth of the way to the home's or the prior.
    assert table["part_correlation"].to_numpy() == pytest.approx([0.15, 0.47, 0.1], abs=0.06)
    assert table["week_correlation"].to_numpy() == pytest.approx([0.56, 0.6, 0.6], abs=0.05)


@pytest.mark.parametrize(("shift", "correlation"), [(0.0, 0.0), (1.0, 0.5)])
def test_forecasts_that_are_all_off_to_one_side_have_an_error_in_common(shift, correlation):
    rng = np.random.default_rng(1)
    markets = pd.DataFrame({"part_category": ["cnc"] * 30, "region": "north"})
    known = [sums_of(shift + rng.standard_normal((30, HORIZONS)), markets) for _ in range(600)]
    table = error_correlations(known)
    assert table["part_correlation"].to_numpy() == pytest.approx(correlation, abs=0.02)
    assert table["week_correlation"].to_numpy() == pytest.approx(correlation, abs=0.02)


def test_rarely_ordered_series_say_nothing():
    scores, markets = (
        np.full((10, HORIZONS), -0.3),
        pd.DataFrame({"part_category": ["cnc"] * 10, "region": "n"}),
    )
    table = error_correlations([sums_of(scores, markets, rare=True)] * 50)
    assert table["part_correlation"].tolist() == [ASSUMED_CORRELATIONS["part_correlation"]] * 2
    # Five others of one market count half as much as ten would.
    rare = np.repeat([True, False], 5)[:, None] & np.ones((1, HORIZONS), dtype=bool)
    half, all_of_them = (
        error_correlations([MarketSums.of(scores, of, markets)] * 50)["part_correlation"].iloc[0]
        for of in (rare, np.zeros_like(rare))
    )
    prior = ASSUMED_CORRELATIONS["part_correlation"]
    assert half - prior == pytest.approx((all_of_them - prior) / 2)


def test_little_data_is_shrunk_towards_home_and_home_towards_the_prior():
    none = error_correlations([])
    assert none[list(ASSUMED_CORRELATIONS)].to_dict("records") == [ASSUMED_CORRELATIONS]
    few = simulated(np.array([0.9, 0.9]), 0.9, origins=2)
    single = [sums_of(np.ones((1, HORIZONS)), pd.DataFrame({"part_category": ["cnc"], "region": ["north"]}))]
    table = error_correlations(few)
    limit = 2 / (2 + PRIOR_ORIGINS)
    assert table["part_correlation"].iloc[0] <= limit + (1 - limit) * ASSUMED_CORRELATIONS["part_correlation"]
    lonely = error_correlations(single)
    assert lonely["part_correlation"].tolist() == [ASSUMED_CORRELATIONS["part_correlation"]] * 2


def test_a_series_of_unknown_market_counts_for_the_home_alone():
    scores = np.random.default_rng(2).standard_normal((3, HORIZONS))
    markets = pd.DataFrame({"part_category": ["cnc", None, "cnc"], "region": ["north", None, "north"]})
    origin = sums_of(scores, markets)
    assert origin.sums[..., 0].sum(axis=0).tolist() == [2 * HORIZONS, 3 * HORIZONS]
    table = error_correlations([origin])
    assert table["part_category"].tolist() == ["", "cnc"]
