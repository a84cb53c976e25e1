import numpy as np
import pytest
from scipy.stats import t

from forecasting_assets.forecasting.comparison import FEWEST, Comparison, compare_losses


def compared(d: np.ndarray) -> Comparison:
    found = compare_losses(d)
    assert found is not None
    return found


def test_statistic_follows_the_published_formula():
    d = np.random.default_rng(1).normal(0.4, 1.0, 30)
    n, m = 30, 3  # the cube root of 30
    weeks = np.arange(n)
    variance = 0.0
    for j in range(1, m + 1):
        cosine = (d * np.cos(2 * np.pi * j * weeks / n)).sum()
        sine = (d * np.sin(2 * np.pi * j * weeks / n)).sum()
        variance += 2 * np.pi * (cosine**2 + sine**2) / (2 * np.pi * n) / m
    error = np.sqrt(variance / n)
    found = compared(d)
    assert found.difference == pytest.approx(d.mean())
    assert found.p_value == pytest.approx(2 * (1 - t.cdf(abs(d.mean()) / error, 6)))
    assert found.high - found.difference == pytest.approx(2.446912 * error, rel=1e-6)  # t table, 6 degrees
    assert found.origins == n


def test_rate_of_false_alarms_holds_for_overlapping_forecasts():
    rng = np.random.default_rng(2)
    # Differences that depend on each other over 8 weeks, as those of forecasts up to 8 weeks ahead do.
    shocks = rng.normal(size=(800, 26 + 7))
    series = np.lib.stride_tricks.sliding_window_view(shocks, 8, axis=1).mean(axis=2)
    rejected = np.mean([compared(d).p_value < 0.05 for d in series])
    naive = np.mean(np.abs(series.mean(axis=1)) > 1.96 * series.std(axis=1, ddof=1) / np.sqrt(26))
    assert rejected < 0.15 < naive


def test_a_clear_difference_is_found_and_its_sign_is_kept():
    d = 5.0 + np.random.default_rng(3).normal(0, 1, 26)
    found = compared(d)
    assert found.low > 0
    assert found.p_value < 0.01
    assert compared(-d).high < 0


@pytest.mark.parametrize(("d", "p_value"), [(np.zeros(10), 1.0), (np.ones(10), 0.0)])
def test_differences_that_never_vary(d, p_value):
    assert compared(d).p_value == p_value


def test_few_origins_say_nothing():
    assert compare_losses(np.ones(FEWEST - 1)) is None
