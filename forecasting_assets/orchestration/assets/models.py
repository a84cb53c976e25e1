"""The two models: SARIMAX for each series and one XGBoost model over all series; Spark makes their forecasts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from forecasting_assets.forecasting import on_spark
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.spark_tables import write_weeks
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.settings import Settings
from forecasting_assets.tables import SARIMAX_MODEL, XGB_MODEL
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.weeks import refit_week
from forecasting_assets.workflows.cleaned_points import write_cleaned_points
from forecasting_assets.workflows.model_cache import SarimaxFallback, fits, traceable
from forecasting_assets.workflows.model_runs import ForecastJob, ModelTracker
from forecasting_assets.workflows.week_result import WeekResults

#: XGBoost models that one Spark job uses: they are sent with its tasks, which are limited to 128 MB.
_MODELS_PER_JOB = 16


def sarimax_model(
    weeks: list[date], settings: Settings, lake: Lake, spark: Spark, tracking: Tracking
) -> WeekResults:
    """Forecast of each active part and region by itself.

    An average of ARIMA models around a season that it shares with its part, category and region.
    """
    refits = _by_refit(settings, weeks)
    trained = list(fits(SARIMAX_MODEL.name, list(refits), settings, lake, tracking))
    job = ForecastJob(settings, lake, spark.spark_session)
    forecasts = on_spark.sarimax_forecasts(
        job.demand(refits),
        refits,
        {fit.week: fit.model for fit in trained},
        job.tasks(weeks),
        settings.forecasting,
    )
    left_out = write_cleaned_points(settings, lake, refits)
    rows = write_weeks(forecasts, lake, SARIMAX_MODEL, weeks)
    tracker = ModelTracker(settings, lake, tracking)
    for fit in trained:
        with TemporaryDirectory() as folder:
            model = traceable(fit, settings, lake)
            for week, result in tracker.sarimax(model, refits[fit.week], rows, Path(folder)):
                yield week, replace(result, metadata={**result.metadata, **left_out[week]})


def xgb_model(
    weeks: list[date], settings: Settings, lake: Lake, spark: Spark, tracking: Tracking
) -> WeekResults:
    """Forecast of each active part and region by one XGBoost model across all series.

    The model learns from all series at once where to depart from SARIMAX.
    """
    refits = _by_refit(settings, weeks)
    fitted = fits(XGB_MODEL.name, list(refits), settings, lake, tracking)
    tracker = ModelTracker(settings, lake, tracking)
    while batch := list(islice(fitted, _MODELS_PER_JOB)):
        job = ForecastJob(settings, lake, spark.spark_session)
        groups = {fit.week: refits[fit.week] for fit in batch}
        models = {fit.week: job.complete(fit.model) for fit in batch}
        origins = [week for group in groups.values() for week in group]
        forecasts = on_spark.xgb_forecasts(
            job.demand(groups),
            job.features(origins),
            groups,
            models,
            job.tasks(origins),
            settings.forecasting,
        )
        rows = write_weeks(forecasts, lake, XGB_MODEL, origins)
        for fit in batch:
            if isinstance(fit.model, SarimaxFallback):
                yield from tracker.fallback(fit, groups[fit.week], rows)
                continue
            trained = traceable(replace(fit, model=models[fit.week]), settings, lake)
            with TemporaryDirectory() as folder:
                yield from tracker.xgb(trained, groups[fit.week], rows, Path(folder))


def _by_refit(settings: Settings, weeks: Sequence[date]) -> dict[date, list[date]]:
    """Group weeks by the week as of which their model is trained."""
    groups: dict[date, list[date]] = {}
    for week in weeks:
        groups.setdefault(refit_week(week, settings.forecasting.refit_weeks), []).append(week)
    return groups
