"""Checks of forecasts and of the backtest."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from forecasting_assets.findings import Finding
from forecasting_assets.forecasting.checks import check_intervals, check_unbiased, combined_finding


def report(shares: dict[str, float], model: str = "combined") -> pd.DataFrame:
    """Build the rows of a backtest report with the shares of weeks below, and at most at, two quantiles."""
    metrics = {"metric": list(shares), "value": list(shares.values())}
    return pd.DataFrame({"model": model, "segment": "all", "horizon": 0, **metrics})


def shares(demand: np.ndarray, q10: float, q90: float) -> dict[str, float]:
    return {
        "below_q10": (demand < q10).mean(),
        "at_most_q10": (demand <= q10).mean(),
        "below_q90": (demand < q90).mean(),
        "at_most_q90": (demand <= q90).mean(),
    }


@pytest.mark.parametrize(("coverage", "passed"), [(0.8, True), (0.751, True), (0.72, False), (0.88, False)])
def test_intervals_that_are_too_narrow_or_too_wide_are_found(coverage, passed):
    demand, outside = np.arange(2000.0), (1 - coverage) / 2
    of_combined = shares(demand, 2000 * outside - 0.5, 2000 * (1 - outside) - 0.5)
    finding = check_intervals(pd.concat([report(shares(demand, 0, 1), "sarimax"), report(of_combined)]))
    assert finding.passed == passed
    assert finding.metadata == pytest.approx({"coverage_80": coverage, "coverage_80_closest": coverage})


@pytest.mark.parametrize("mean", [0.1, 0.5, 1.0, 3.0])
def test_true_quantiles_of_rarely_ordered_parts_are_calibrated_and_others_are_not(mean):
    demand = np.random.default_rng(0).poisson(mean, 10_000)
    finding = check_intervals(report(shares(demand, *poisson.ppf([0.1, 0.9], mean))))
    assert finding.passed
    assert float(finding.metadata["coverage_80"]) > 0.8
    assert f"{finding.metadata['coverage_80']:.1%} of weeks" in finding.description
    assert not check_intervals(report(shares(demand, 0, 10 + 5 * mean))).passed
    assert not check_intervals(report(shares(demand, -1, -1))).passed


def test_nothing_to_compare_with_yet():
    assert check_intervals(report({"below_q10": float("nan")})).passed


def test_a_group_without_orders_has_no_share_of_bias():
    weeks = pd.date_range("2024-01-01", periods=26, freq="7D")
    errors = pd.DataFrame({"origin_week": weeks, "model": "combined", "horizon": 1, "forecast": 5.0})
    total = errors.assign(grouping="total", name="", actual=5.0)
    region = errors.assign(grouping="region", name="XX", actual=0.0)
    finding = check_unbiased(pd.concat([total, region], ignore_index=True))
    assert not finding.passed
    assert "region XX" in finding.description
    assert "nan" not in finding.description


def test_figures_of_the_parts_of_a_table_are_added_up():
    def part(series, incomplete):
        counts = {"series": series, "series_incomplete": incomplete, "rows_negative": 0, "rows_crossing": 0}
        return Finding(not incomplete, "", counts)

    finding = combined_finding([part(100, 0), part(50, 3), part(40, 2)])
    assert not finding.passed
    assert (finding.metadata["series"], finding.metadata["series_incomplete"]) == (190, 5)
    assert "190 series" in finding.description
    broken = Finding(False, "column part_id is missing", {})
    assert combined_finding([part(100, 0), broken]) == broken
    assert combined_finding([part(100, 0), part(50, 0)]).passed
