"""The models judged against what was ordered since, and combined by how they did."""

from datetime import date

import dagster as dg
import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting.backtest import PastForecasts, rolling_backtest
from forecasting_assets.forecasting.combine import combine
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.reports import write_report
from forecasting_assets.orchestration.checks.models import check_beats_naive
from forecasting_assets.orchestration.factory import Upstream, Weekly, WeekResult, add_week_result
from forecasting_assets.reporting import backtest_html, charts, png
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    BACKTEST_REPORT,
    DEMAND_FORECAST,
    QUANTILES,
    SARIMAX_MODEL,
    SERIES,
    WEEKLY_DEMAND,
    XGB_MODEL,
)
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.parallel import each_week

GROUP = "forecasts"
_MODELS = {"sarimax": SARIMAX_MODEL, "xgb": XGB_MODEL}
#: Forecasts that have no model: MLflow run -> their name in the report.
_JUDGED = {"demand_forecast": "combined", "seasonal_naive": "seasonal_naive"}
_VALUES = [*SERIES, "origin_week", "horizon", "mean", *QUANTILES]
_WEEKS_SHOWN = 52


def report_week(settings: Settings, week: date, report: pd.DataFrame) -> WeekResult:
    """Write the backtest report of one week, as table and as page."""
    rows = Lake(path=settings.lake_path).write_pandas(report, BACKTEST_REPORT, week)
    figures = {
        "error_by_horizon": charts.error_by_horizon(report),
        "error_by_segment": charts.error_by_segment(report),
    }
    page = backtest_html(week, report, list(figures.values()))
    path = write_report(settings.reports_path, week, "backtest.html", page)
    return WeekResult(rows, pictures={name: png(figure) for name, figure in figures.items()}, report=path)


def metrics_by_step(report: pd.DataFrame, model: str) -> dict[str, dict[int, float]]:
    """The metrics of a model as MLflow keeps them, name -> step -> value.

    `wape/smooth` and the like are over all horizons, with step 0; `wape_by_horizon` is over all series, with the
    horizon as step.
    """
    scores = report[(report["model"] == model) & (report["metric"] != "weight")]
    metrics: dict[str, dict[int, float]] = {}
    columns = (scores[name].tolist() for name in ("metric", "segment", "horizon", "value"))
    for metric, segment, horizon, value in zip(*columns, strict=True):
        if horizon == 0:
            metrics[f"{metric}/{segment}"] = {0: value}
        elif segment == "all":
            metrics.setdefault(f"{metric}_by_horizon", {})[horizon] = value
    return metrics


def log_metrics(tracking: Tracking, week: date, run_id: str, report: pd.DataFrame) -> None:
    """Log the metrics of a week: those of a model in its own run, of the combination and of seasonal naive in one
    each, so that they can be compared there."""
    for model, table in _MODELS.items():
        tracking.add_metrics(table.name, week, metrics_by_step(report, model))
    for name, model in _JUDGED.items():
        if metrics := metrics_by_step(report, model):
            tracking.log_judgement(name, week, run_id, metrics)


def combine_week(settings: Settings, week: date) -> WeekResult:
    """Combine the forecasts of one week and write the result."""
    lake = Lake(path=settings.lake_path)
    features = feature_columns(settings.calendar.horizon_weeks)
    forecast = combine(
        lake.read_pandas(SARIMAX_MODEL, [week], _VALUES),
        lake.read_pandas(XGB_MODEL, [week], _VALUES),
        lake.read_pandas(features, [week], [*SERIES, "segment"]),
        lake.read_pandas(BACKTEST_REPORT, [week]),
    )
    rows = lake.write_pandas(forecast, DEMAND_FORECAST, week)
    since = max(add_weeks(week, 1 - _WEEKS_SHOWN), settings.calendar.first_week)
    history = lake.read_pandas(WEEKLY_DEMAND, weeks_between(since, week), [*SERIES, "quantity"])
    shown = png(charts.demand_and_forecast(history, forecast))
    return WeekResult(rows, {"expected_units": float(forecast["mean"].sum())}, {"demand_and_forecast": shown})


def forecast_assets(weekly: Weekly) -> list[dg.AssetsDefinition]:
    settings = weekly.settings.forecasting
    calendar = weekly.settings.calendar
    horizon = calendar.horizon_weeks
    features = feature_columns(horizon)
    window = 2 * settings.backtest_weeks

    @weekly.asset(
        BACKTEST_REPORT,
        group=GROUP,
        kinds=["numpy", "mlflow"],
        upstream=[
            Upstream("sarimax_model", first=-window, optional=True),
            Upstream("xgb_model", first=-window, optional=True),
            Upstream("feature_table", first=-window, optional=True),
            Upstream("weekly_demand", first=1 - window - settings.history_weeks, optional=True),
        ],
        settings=["calendar", "forecasting"],
    )
    def backtest_report(
        context: dg.AssetExecutionContext, weeks: list[date], lake: Lake, tracking: Tracking
    ) -> None:
        """How good the forecasts of earlier weeks were against what was ordered since, by model, horizon and
        demand pattern, with seasonal naive beside them; and the weights of the models that follow."""
        first = max(add_weeks(weeks[0], 1 - window - settings.history_weeks), calendar.first_week)
        demand = lake.read_pandas(
            WEEKLY_DEMAND, weeks_between(first, weeks[-1]), [*SERIES, "part_category", "quantity"]
        )
        origins = weeks_between(add_weeks(weeks[0], -window), weeks[-1])
        existing = {name: set(lake.existing(table, origins)) for name, table in _MODELS.items()}

        def load_forecasts(model: str, origin: date) -> pd.DataFrame | None:
            if origin not in existing[model]:
                return None
            return lake.read_pandas(_MODELS[model], [origin], _VALUES)

        def load_segments(origin: date) -> pd.DataFrame:
            return lake.read_pandas(features, [origin], [*SERIES, "segment"])

        past = PastForecasts(load_forecasts, load_segments)
        reports = rolling_backtest(weeks, past, demand, horizon, settings)
        tasks = {week: (weekly.settings, week, report) for week, report in reports.items()}
        for week, result in each_week(report_week, tasks, tasks.values()):
            add_week_result(context, week, result)
            log_metrics(tracking, week, context.run.run_id, reports[week])
        proven = [
            week for week in weeks if (found := check_beats_naive(reports[week])).passed and found.metadata
        ]
        if proven:
            metadata = check_beats_naive(reports[proven[-1]]).metadata
            for table in _MODELS.values():
                tracking.promote(
                    table.name, proven[-1], {name: f"{value:.4f}" for name, value in metadata.items()}
                )

    @weekly.asset(
        DEMAND_FORECAST,
        group=GROUP,
        kinds=["numpy"],
        upstream=["backtest_report", "sarimax_model", "xgb_model", "feature_table"],
    )
    def demand_forecast(context: dg.AssetExecutionContext, weeks: list[date]) -> None:
        """Expected demand of every living part and region for the coming weeks, with its uncertainty: the two
        models averaged, each weighted by how well it did for that demand pattern and horizon."""
        tasks = {week: (weekly.settings, week) for week in weeks}
        for week, result in each_week(combine_week, tasks, tasks.values()):
            add_week_result(context, week, result)

    return [backtest_report, demand_forecast]
