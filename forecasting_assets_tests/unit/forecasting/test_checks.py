"""Checks of the backtest: intervals hold as often as they say."""

import pandas as pd
import pytest

from forecasting_assets.forecasting.checks import check_intervals


def report(coverage: float, model: str = "combined") -> pd.DataFrame:
    return pd.DataFrame(
        {"model": model, "segment": "all", "horizon": 0, "metric": "coverage_80", "value": [coverage]}
    )


@pytest.mark.parametrize(("coverage", "passed"), [(0.8, True), (0.751, True), (0.72, False), (0.88, False)])
def test_intervals_that_are_too_narrow_or_too_wide_are_found(coverage, passed):
    finding = check_intervals(pd.concat([report(0.1, "sarimax"), report(coverage)]))
    assert finding.passed == passed
    assert finding.metadata == {"coverage_80": coverage}


def test_nothing_to_compare_with_yet():
    assert check_intervals(report(float("nan"))).passed
