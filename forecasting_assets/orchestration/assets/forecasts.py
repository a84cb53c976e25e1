"""The models judged by rolling origin, and combined by how accurate they were."""

from collections.abc import Mapping
from datetime import date

import pandas as pd

from forecasting_assets.forecasting.checks import check_beats_naive
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import Table
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.workflows.forecasts import (
    backtest_weeks,
    combine_week,
    metrics_by_step,
    model_tables,
    write_backtest,
)
from forecasting_assets.workflows.parallel import each_week
from forecasting_assets.workflows.week_result import WeekResults

#: Forecasts that no single model makes: name of their MLflow run -> their name in the backtest.
_OTHER_FORECASTS = {"demand_forecast": "combined", "seasonal_naive": "seasonal_naive"}


def backtest_report(weeks: list[date], settings: Settings, lake: Lake, tracking: Tracking) -> WeekResults:
    """How accurate earlier forecasts were, by model, horizon and demand pattern.

    It also holds the accuracy of the seasonal naive forecast, and the weights of the models that follow from theirs.
    """
    models, backtests = model_tables(settings), backtest_weeks(settings, lake, weeks)
    reports = {week: backtest.report for week, backtest in backtests.items()}
    tasks = {week: (settings, lake, week, backtest) for week, backtest in backtests.items()}
    for week, result in each_week(write_backtest, tasks, tasks.values()):
        _log_metrics(models, tracking, week, reports[week])
        yield week, result
    findings = {week: check_beats_naive(report) for week, report in reports.items()}
    # A check passes without figures while no forecast can be judged yet.
    better = [week for week, finding in findings.items() if finding.passed and finding.metadata]
    if better:
        evidence = {name: f"{value:.4f}" for name, value in findings[max(better)].metadata.items()}
        for table in models.values():
            tracking.promote(table.name, max(better), evidence)


def _log_metrics(models: Mapping[str, Table], tracking: Tracking, week: date, report: pd.DataFrame) -> None:
    """Log the metrics of a model in its own run, and those of other forecasts in a run each."""
    for model, table in models.items():
        tracking.add_metrics(table.name, week, metrics_by_step(report, model))
    for name, model in _OTHER_FORECASTS.items():
        if metrics := metrics_by_step(report, model):
            tracking.log_scores(name, week, metrics)


def demand_forecast(weeks: list[date], settings: Settings, lake: Lake) -> WeekResults:
    """Expected demand of each active part and region for the coming weeks, with its uncertainty.

    All models averaged, each weighted by how accurate it was for that demand pattern and horizon.
    """
    yield from each_week(combine_week, weeks, ((settings, lake, week) for week in weeks))
