"""What the assets of models share: the Spark jobs that forecast weeks, and the record of their models in MLflow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting_assets import tracking as tracking_package
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import on_spark, sarimax, xgb
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.lake.spark_tables import read_weeks
from forecasting_assets.reporting import charts, png
from forecasting_assets.settings import Settings
from forecasting_assets.spark_partitions import shuffle_tasks
from forecasting_assets.tables import (
    DEMAND_HISTORY,
    KNOWN_COVARIATES,
    ORDER_BOOK,
    WEEKLY_DEMAND,
    XGB_MODEL,
    Table,
)
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.tracking.week_run import DataUsed, LoggedModel
from forecasting_assets.weeks import format_weeks
from forecasting_assets.workflows import planner_notes
from forecasting_assets.workflows.model_cache import (
    DESCRIPTION,
    Fit,
    SarimaxFallback,
    UntrainedMean,
    covariate_weeks,
    history_weeks,
    training_weeks,
)
from forecasting_assets.workflows.order_book import books_with_rows, weeks_with_rows
from forecasting_assets.workflows.planner_notes import read_notes
from forecasting_assets.workflows.week_result import Link, WeekResult, WeekResults

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Source of the models as MLflow loads them.
_PYFUNC = Path(tracking_package.__file__).parent / "pyfunc"


@dataclass(frozen=True)
class ForecastJob:
    """What Spark needs to forecast weeks."""

    settings: Settings
    lake: Lake
    spark: "SparkSession"

    @property
    def _features(self) -> Table:
        return feature_columns(self.settings.calendar.horizon_weeks)

    def demand(self, groups: Mapping[date, Sequence[date]]) -> "DataFrame":
        """Read the demand that forecasts of `groups` (refit week -> weeks) use, and what is booked and known ahead."""
        first, last = min(groups), max(map(max, groups.values()))
        weeks = history_weeks(self.settings, first, last)
        demand = read_weeks(self.spark, self.lake, WEEKLY_DEMAND, weeks)
        if booked := list(books_with_rows(self.lake, weeks)):
            book = read_weeks(self.spark, self.lake, ORDER_BOOK, booked)
            demand = demand.unionByName(book, allowMissingColumns=True)
        known = covariate_weeks(self.settings, first, last)
        if known := weeks_with_rows(self.lake, KNOWN_COVARIATES, known):
            rows = read_weeks(self.spark, self.lake, KNOWN_COVARIATES, known)
            rows = rows.withColumnsRenamed({"week": "known", "target_week": "week"})
            demand = demand.unionByName(rows, allowMissingColumns=True)
        if len(notes := read_notes(self.settings, self.lake, weeks)):
            demand = demand.unionByName(planner_notes.on_spark(self.spark, notes), allowMissingColumns=True)
        return demand

    def features(self, weeks: Sequence[date]) -> "DataFrame":
        """Read feature_table."""
        return read_weeks(self.spark, self.lake, self._features, weeks)

    def tasks(self, weeks: Sequence[date]) -> int:
        """Return the number of tasks to forecast `weeks` in."""
        series = [self.lake.rows(self._features, week) for week in weeks]
        return on_spark.task_count(shuffle_tasks(self.spark), max(series), sum(series))

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
        return replace(model.plan.model(mean, model.quantiles), planned=model.planned)


@dataclass(frozen=True)
class ModelTracker:
    """Logs the models of weeks in MLflow and says so in the metadata."""

    settings: Settings
    lake: Lake
    tracking: Tracking

    def sarimax(self, fit: Fit, weeks: Sequence[date], rows: Mapping[date, int], folder: Path) -> WeekResults:
        """Log the SARIMAX model of `weeks`."""
        description = self._description(folder, fit.model.to_dict())
        model = LoggedModel(_PYFUNC / "sarimax.py", {"description": description}, DEMAND_HISTORY, fit.id)
        for week in weeks:
            data = [
                self._data_used(
                    WEEKLY_DEMAND, self._demand_contents, history_weeks(self.settings, fit.week, week)
                )
            ]
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
        model = LoggedModel(_PYFUNC / "xgb.py", artifacts, _xgb_input(features, fit.model.with_book), fit.id)
        for week in weeks:
            data = [
                self._data_used(
                    WEEKLY_DEMAND, self._demand_contents, history_weeks(self.settings, fit.week, week)
                ),
                self._data_used(features, self._feature_contents, training_weeks(self.settings, fit.week)),
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

    # The same for every week that is logged, and all weeks of a table have to be listed for it.
    @cached_property
    def _demand_contents(self) -> dict[date, str]:
        return self.lake.records.content_ids(WEEKLY_DEMAND)

    @cached_property
    def _feature_contents(self) -> dict[date, str]:
        return self.lake.records.content_ids(feature_columns(self.settings.calendar.horizon_weeks))

    def _data_used(self, table: Table, contents: Mapping[date, str], weeks: Sequence[date]) -> DataUsed:
        known = {str(week): contents[week] for week in weeks if week in contents}
        return DataUsed(table.name, fingerprint(known), f"{self.lake.path}/{table.name}", format_weeks(weeks))

    def _description(self, folder: Path, model: dict[str, Any] | None = None) -> Path:
        """Write what a logged model needs to predict besides its trees."""
        file = folder / DESCRIPTION
        settings = self.settings.forecasting.model_dump()
        file.write_text(json.dumps({"settings": settings, "model": model}))
        return file


def _xgb_input(features: Table, with_book: bool) -> Table:
    """Return the input of XGBoost: rows of feature_table, and of order_book where the model uses it.

    Rows of the order book have no features, so that numbers may be missing; whole numbers may not.
    """
    if not with_book:
        return features
    optional = [
        replace(c, type="double" if c.type == "long" else c.type, nullable=c.name not in DEMAND_HISTORY.names)
        for c in features.columns
    ]
    return replace(features, columns=(*optional, DEMAND_HISTORY.columns[-1]))


def _warnings(fit: Fit, is_first_week: bool) -> tuple[str, ...]:
    """Return the warning of a model, once for all weeks that it forecasts."""
    return (fit.warning,) if fit.warning and is_first_week else ()
