import numpy as np
import pytest
from statsmodels.tsa.statespace.sarimax import SARIMAX

from forecasting_assets.forecasting.candidates import (
    CANDIDATES,
    MEMORY,
    average_candidates,
    damped_trend,
    error_weights,
    exponential_smoothing,
    mean_reverting,
)

WALK = 5 + np.cumsum(np.random.default_rng(0).normal(0, 0.3, 300))


def forecast_one(endog, candidate, horizon=8, first=0):
    return average_candidates(endog[None], np.array([first]), horizon, [candidate])[0]


def of_statsmodels(endog, candidate, horizon):
    level, future = (np.ones(n) if candidate.level else None for n in (len(endog), horizon))
    model = SARIMAX(endog, exog=level, order=candidate.order, mle_regression=False)
    return model.filter([*candidate.parameters, 1.0], cov_type="none").forecast(horizon, exog=future)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=str)
def test_forecasts_are_those_of_statsmodels(candidate):
    predicted = forecast_one(WALK[:100], candidate)
    for week in (0, 1, 5, 40, 99):
        expected = of_statsmodels(WALK[: week + 1], candidate, 8)
        np.testing.assert_allclose(predicted[week], expected, rtol=1e-6)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=str)
def test_a_series_that_begins_later_is_forecast_as_if_it_began_the_panel(candidate):
    predicted = average_candidates(np.stack([WALK[:60], WALK[:60]]), np.array([0, 23]), 5, [candidate])[1]
    assert np.isnan(predicted[:23]).all()
    for week in (23, 24, 59):
        expected = of_statsmodels(WALK[23 : week + 1], candidate, 5)
        np.testing.assert_allclose(predicted[week], expected, rtol=1e-6)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=str)
def test_later_weeks_change_no_forecast(candidate):
    poisoned = np.where(np.arange(60) > 40, 1e6, WALK[:60])
    predicted, again = forecast_one(WALK[:60], candidate), forecast_one(poisoned, candidate)
    assert np.array_equal(predicted[:41], again[:41])
    assert (again[41] > 10 * predicted[41]).all()


@pytest.mark.parametrize("horizon", [4, 35])
def test_candidates_are_weighted_by_the_errors_of_forecasts_whose_week_has_closed(horizon):
    first = np.array([0, 7])
    endog = np.where(np.arange(30) == 18, np.nan, [WALK[:30], 2 * WALK[50:80]])
    average = average_candidates(endog, first, horizon)
    of_each = np.stack([average_candidates(endog, first, horizon, [c]) for c in CANDIDATES])
    for series, begin in enumerate(first):
        assert np.isnan(average[series, :begin]).all()
        for week in (begin, begin + 1, 18, 29):
            squared, count = np.zeros(len(CANDIDATES)), np.zeros(())
            for target in range(begin, week + 1):
                for origin in range(max(target - horizon, begin), target):
                    if np.isfinite(endog[series, target]):
                        error = of_each[:, series, origin, target - origin - 1] - endog[series, target]
                        squared += MEMORY ** (week - target) * error**2
                        count += MEMORY ** (week - target)
            expected = np.average(of_each[:, series, week], axis=0, weights=error_weights(squared, count))
            np.testing.assert_allclose(average[series, week], expected)


def test_smaller_errors_have_larger_weights():
    few, many = np.array(10.0), np.array(1000.0)
    np.testing.assert_allclose(error_weights(np.array([2.0, 2.0]), few), 0.5)
    of_few, of_many = (error_weights(np.array([1.0, 2.0, 4.0]) * count, count) for count in (few, many))
    assert of_few.sum() == pytest.approx(1.0)
    assert (np.diff(of_few) < 0).all()
    assert of_few[0] < of_many[0]


@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.9])
def test_exponential_smoothing_follows_the_textbook_recursion(alpha):
    level, levels = WALK[0], []
    for y in WALK:
        level = alpha * y + (1 - alpha) * level
        levels.append(level)
    predicted = forecast_one(WALK, exponential_smoothing(alpha))
    # The first level is estimated and not the first value; by the late weeks that is forgotten.
    np.testing.assert_allclose(predicted[250:], np.repeat(levels, 8).reshape(-1, 8)[250:], rtol=1e-5)


@pytest.mark.parametrize("parameters", [(0.3, 0.02, 0.95), (0.6, 0.1, 0.9)])
def test_damped_trend_is_holts_smoothing(parameters):
    alpha, beta, phi = parameters
    level, slope, expected = WALK[0], 0.0, []
    for y in WALK:
        error = y - level - phi * slope
        level, slope = level + phi * slope + alpha * error, phi * slope + beta * error
        expected.append(level + slope * np.cumsum(phi ** np.arange(1, 9)))
    predicted = forecast_one(WALK, damped_trend(alpha, beta, phi))
    np.testing.assert_allclose(predicted[250:], np.array(expected)[250:], rtol=1e-5)


def test_reverting_forecasts_go_to_the_mean_of_the_series():
    around = 7 + np.random.default_rng(1).normal(0, 1, 200)
    predicted = forecast_one(around, mean_reverting(0.8, -0.3), horizon=60)[-1]
    # The mean by generalised least squares is that of the weeks, but for the first and the last ones.
    assert predicted[-1] == pytest.approx(around.mean(), abs=0.05)
    distance = np.abs(predicted - predicted[-1])
    np.testing.assert_allclose(distance[1:10] / distance[:9], 0.8, rtol=1e-3)
