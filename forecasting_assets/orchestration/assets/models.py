"""The two models: SARIMAX for each series and one XGBoost model over all series; Spark makes their forecasts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import on_spark, sarimax, xgb
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.lake.spark_tables import read_weeks, write_weeks
from forecasting_assets.reporting import charts, png
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.settings import Settings
from forecasting_assets.spark_partitions import by_week, shuffle_tasks
from forecasting_assets.tables import DEMAND_HISTORY, SARIMAX_MODEL, WEEKLY_DEMAND, XGB_MODEL, Table
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.tracking.week_run import DataUsed, LoggedModel
from forecasting_assets.weeks import format_weeks, refit_week
from forecasting_assets.workflows.model_cache import (
    DESCRIPTION,
    Fit,
    SarimaxFallback,
    UntrainedMean,
    fits,
    history_weeks,
    traceable,
    training_weeks,
)
from forecasting_assets.workflows.week_result import Link, WeekResult, WeekResults

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: XGBoost models that one Spark job uses: they are sent with its tasks, which are limited to 128 MB.
_MODELS_PER_JOB = 16
_PYFUNC = Path(__file__).parents[2] / "tracking" / "pyfunc"


def sarimax_model(
    weeks: list[date], settings: Settings, lake: Lake, spark: Spark, tracking: Tracking
) -> WeekResults:
    """Forecast of each active part and region by itself.

    An average of ARIMA models around a season that it shares with its part, category and region.
    """
    refits = _by_refit(settings, weeks)
    trained = list(fits(SARIMAX_MODEL.name, list(refits), settings, lake, tracking))
    job = _ForecastJob(settings, lake, spark)
    forecasts = on_spark.sarimax_forecasts(
        job.demand(refits),
        refits,
        {fit.week: fit.model for fit in trained},
        job.tasks(weeks),
        settings.forecasting,
    )
    rows = write_weeks(by_week(forecasts, weeks), lake, SARIMAX_MODEL, weeks)
    tracker = _ModelTracker(settings, lake, tracking)
    for fit in trained:
        with TemporaryDirectory() as folder:
            yield from tracker.sarimax(traceable(fit, settings, lake), refits[fit.week], rows, Path(folder))


def xgb_model(
    weeks: list[date], settings: Settings, lake: Lake, spark: Spark, tracking: Tracking
) -> WeekResults:
    """Forecast of each active part and region by one XGBoost model across all series.

    The model learns from all series at once where to depart from SARIMAX.
    """
    refits = _by_refit(settings, weeks)
    fitted = fits(XGB_MODEL.name, list(refits), settings, lake, tracking)
    job = _ForecastJob(settings, lake, spark)
    tracker = _ModelTracker(settings, lake, tracking)
    while batch := list(islice(fitted, _MODELS_PER_JOB)):
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
        rows = write_weeks(by_week(forecasts, origins), lake, XGB_MODEL, origins)
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


@dataclass(frozen=True)
class _ForecastJob:
    """What Spark needs to forecast weeks."""

    settings: Settings
    lake: Lake
    spark: Spark

    @property
    def _features(self) -> Table:
        return feature_columns(self.settings.calendar.horizon_weeks)

    def demand(self, groups: Mapping[date, Sequence[date]]) -> "DataFrame":
        """Read the demand that forecasts of `groups` (refit week -> weeks) use."""
        weeks = history_weeks(self.settings, min(groups), max(map(max, groups.values())))
        return read_weeks(self.spark.spark_session, self.lake, WEEKLY_DEMAND, weeks)

    def features(self, weeks: Sequence[date]) -> "DataFrame":
        """Read feature_table."""
        return read_weeks(self.spark.spark_session, self.lake, self._features, weeks)

    def tasks(self, weeks: Sequence[date]) -> int:
        """Return the number of tasks to forecast `weeks` in."""
        series = [self.lake.rows(self._features, week) for week in weeks]
        return on_spark.task_count(shuffle_tasks(self.spark.spark_session), max(series), sum(series))

    def complete(
        self, model: xgb.XgbModel | UntrainedMean | SarimaxFallback
    ) -> xgb.XgbModel | sarimax.SarimaxModel:
        """Return the model that forecasts; a mean with too many training rows for one process is trained by Spark."""
        if isinstance(model, SarimaxFallback):
            return model.model
        if isinstance(model, xgb.XgbModel):
            return model
        fitted_at = model.plan.sarimax.week
        demand = self.demand({fitted_at: [fitted_at]})
        features = self.features(training_weeks(self.settings, fitted_at))
        mean = on_spark.train_mean(demand, features, model.plan, self.settings.forecasting)
        return model.plan.model(mean, model.quantiles)


@dataclass(frozen=True)
class _ModelTracker:
    """Logs the models of weeks in MLflow and says so in the metadata."""

    settings: Settings
    lake: Lake
    tracking: Tracking

    def sarimax(self, fit: Fit, weeks: Sequence[date], rows: Mapping[date, int], folder: Path) -> WeekResults:
        """Log the SARIMAX model of `weeks`."""
        description = self._description(folder, fit.model.to_dict())
        model = LoggedModel(_PYFUNC / "sarimax.py", {"description": description}, DEMAND_HISTORY, fit.id)
        for week in weeks:
            data = [self._data_used(WEEKLY_DEMAND, history_weeks(self.settings, fit.week, week))]
            counts = {"series": self._series(rows[week])}
            params = self.settings.forecasting.of_sarimax()
            metadata = self._log(week, fit, model, params, counts, data)
            yield week, WeekResult(rows[week], metadata, warnings=_warnings(fit, week == weeks[0]))

    def xgb(self, fit: Fit, weeks: Sequence[date], rows: Mapping[date, int], folder: Path) -> WeekResults:
        """Log the XGBoost model of `weeks`."""
        features = feature_columns(self.settings.calendar.horizon_weeks)
        pictures = {"feature_importance": png(charts.feature_importance(xgb.importance(fit.model)))}
        xgb.save(fit.model, folder / "model")
        artifacts = {"model": folder / "model", "description": self._description(folder)}
        model = LoggedModel(_PYFUNC / "xgb.py", artifacts, features, fit.id)
        for week in weeks:
            data = [
                self._data_used(WEEKLY_DEMAND, history_weeks(self.settings, fit.week, week)),
                self._data_used(features, training_weeks(self.settings, fit.week)),
            ]
            counts = {"series/xgb": self._series(rows[week]), "training_rows": fit.model.rows}
            params = self.settings.forecasting.of_xgboost() | xgb.TRAINING_PARAMETERS
            metadata = self._log(week, fit, model, params, counts, data)
            yield week, WeekResult(rows[week], metadata, pictures, warnings=_warnings(fit, week == weeks[0]))

    def fallback(self, fit: Fit, weeks: Sequence[date], rows: Mapping[date, int]) -> WeekResults:
        """Take back any XGBoost model of `weeks` in MLflow: SARIMAX made their forecasts."""
        warning = f"{fit.model.reason}; SARIMAX is used instead"
        for week in weeks:
            self.tracking.forget(XGB_MODEL.name, week)
            yield (
                week,
                WeekResult(rows[week], {"series/sarimax": self._series(rows[week])}, warnings=(warning,)),
            )

    def _log(
        self,
        week: date,
        fit: Fit,
        model: LoggedModel,
        params: Mapping[str, Any],
        counts: Mapping[str, int],
        data: Sequence[DataUsed],
    ) -> dict[str, Any]:
        """Log a week in MLflow; return its metadata."""
        params = {
            **params,
            "horizon_weeks": self.settings.calendar.horizon_weeks,
            "refit_week": str(fit.week),
        }
        if fit.loaded_from:
            params["loaded_from"] = fit.loaded_from
        with self.tracking.week(fit.name, week) as run:
            run.log(params, counts, data)
            uri = run.log_model(model)
        fitted = f"before, as {fit.loaded_from}" if fit.loaded_from else "in this run"
        link = {"mlflow_run": Link(run.url)} if run.url else {}
        return {**counts, "fitted": fitted, **link, "mlflow_run_id": run.run_id, "mlflow_model": uri}

    def _series(self, rows: int) -> int:
        return rows // self.settings.calendar.horizon_weeks

    def _data_used(self, table: Table, weeks: Sequence[date]) -> DataUsed:
        contents = self.lake.records.content_ids(table)
        known = {str(week): contents[week] for week in weeks if week in contents}
        return DataUsed(table.name, fingerprint(known), f"{self.lake.path}/{table.name}", format_weeks(weeks))

    def _description(self, folder: Path, model: dict[str, Any] | None = None) -> Path:
        """Write what a logged model needs to predict besides its trees."""
        file = folder / DESCRIPTION
        settings = self.settings.forecasting.model_dump()
        file.write_text(json.dumps({"settings": settings, "model": model}))
        return file


def _warnings(fit: Fit, is_first_week: bool) -> tuple[str, ...]:
    """Return the warning of a model, once for all weeks that it forecasts."""
    return (fit.warning,) if fit.warning and is_first_week else ()
