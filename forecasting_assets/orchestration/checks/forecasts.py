"""Checks of the forecasts and of the backtest."""

from datetime import date

import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.forecasting.checks import (
    check_beats_naive,
    check_forecast,
    check_intervals,
    check_unbiased,
    combined_finding,
)
from forecasting_assets.forecasting.part_sample import part_group
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import BACKTEST_REPORT, FORECAST_ERRORS, SERIES, Table
from forecasting_assets.tables.contract import check_contract

#: Rows of a forecast table that are checked at once.
_ROWS_AT_ONCE = 200_000


def forecast_findings(settings: Settings, lake: Lake, week: date, table: Table) -> dict[str, Finding]:
    """Check the forecasts in `table`, a few parts at a time so that no more than those are in memory."""
    horizon = settings.calendar.horizon_weeks
    groups = 1 + lake.rows(table, week) // _ROWS_AT_ONCE
    findings = []
    for group in range(groups):
        forecast, active = (
            pd.concat([part_group(rows, group, groups) for rows in lake.batches(of, [week], columns)])
            for of, columns in ((table, None), (feature_columns(horizon), SERIES))
        )
        findings.append(check_forecast(forecast, active, table, horizon))
    return {"forecast_contract": combined_finding(findings)}


def backtest_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check the backtest of a week, and that the combined forecast is better than seasonal naive and unbiased."""
    report = lake.read_pandas(BACKTEST_REPORT, [week])
    return {
        "contract": check_contract(report, BACKTEST_REPORT),
        "beats_seasonal_naive": check_beats_naive(report),
        "intervals_calibrated": check_intervals(report),
        "unbiased": check_unbiased(lake.read_pandas(FORECAST_ERRORS, [week])),
    }
