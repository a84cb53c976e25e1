"""The forecasting models: each trained as of its refit weeks, and forecasting by Spark."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from forecasting_assets.forecasting.model import ForecastingModel
from forecasting_assets.forecasting.registry import Sarimax
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.spark_tables import write_weeks
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.settings import Settings
from forecasting_assets.tables import model_table
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.weeks import refit_week
from forecasting_assets.workflows.cleaned_demand import write_cleaned_demand
from forecasting_assets.workflows.model_cache import fits, traceable
from forecasting_assets.workflows.model_runs import ForecastJob, ModelTracker
from forecasting_assets.workflows.week_result import WeekResults

#: Fitted models that one Spark job uses: they are sent with its tasks, which are limited to 128 MB.
_MODELS_PER_JOB = 16


def forecast_weeks(
    model: ForecastingModel,
    weeks: list[date],
    settings: Settings,
    lake: Lake,
    spark: Spark,
    tracking: Tracking,
) -> WeekResults:
    """Train `model` where MLflow has no fit of it, forecast `weeks`, and log the fits of each week."""
    refits = _by_refit(settings, weeks)
    # What models leave out is defined by SARIMAX, which also forecasts markets.
    left_out = write_cleaned_demand(settings, lake, refits) if model.name == Sarimax.name else {}
    fitted = fits(model, list(refits), settings, lake, tracking)
    tracker = ModelTracker(model, settings, lake, tracking)
    while batch := list(islice(fitted, _MODELS_PER_JOB)):
        job = ForecastJob(settings, lake, spark.spark_session)
        groups = {fit.week: refits[fit.week] for fit in batch}
        trained = {fit.week: job.complete(fit.model) for fit in batch}
        origins = [week for group in groups.values() for week in group]
        forecasts = job.forecasts(model, trained, groups)
        rows = write_weeks(forecasts, lake, model_table(model.name), origins)
        for fit in batch:
            complete = traceable(model, replace(fit, model=trained[fit.week]), settings, lake)
            with TemporaryDirectory() as folder:
                for week, result in tracker.log(complete, groups[fit.week], rows, Path(folder)):
                    yield week, replace(result, metadata={**result.metadata, **left_out.get(week, {})})


def _by_refit(settings: Settings, weeks: Sequence[date]) -> dict[date, list[date]]:
    """Group weeks by the week as of which their model is trained."""
    groups: dict[date, list[date]] = {}
    for week in weeks:
        groups.setdefault(refit_week(week, settings.forecasting.refit_weeks), []).append(week)
    return groups
