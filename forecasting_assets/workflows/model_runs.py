"""What the assets of models share: the Spark jobs that forecast weeks, and the record of their models in MLflow."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting_assets import tracking as tracking_package
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import on_spark, xgb
from forecasting_assets.forecasting.model import ForecastingModel, ModelContext
from forecasting_assets.forecasting.registry import SarimaxFallback, reference_of
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.lake.spark_tables import read_weeks
from forecasting_assets.reporting import charts, png
from forecasting_assets.settings import Settings
from forecasting_assets.spark_partitions import shuffle_tasks
from forecasting_assets.tables import (
    COVARIATE_COLUMNS,
    DEMAND_HISTORY,
    DUE_WEEK,
    KNOWN_COVARIATES,
    ORDER_BOOK,
    WEEK,
    WEEKLY_DEMAND,
    Column,
    Table,
)
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.tracking.week_run import DataUsed, LoggedModel
from forecasting_assets.weeks import format_weeks
from forecasting_assets.workflows import planner_notes
from forecasting_assets.workflows.model_cache import (
    MODEL_FOLDER,
    Fit,
    covariate_weeks,
    history_weeks,
    model_context,
    training_weeks,
)
from forecasting_assets.workflows.order_book import books_with_rows, weeks_with_rows
from forecasting_assets.workflows.planner_notes import read_notes
from forecasting_assets.workflows.week_result import Link, WeekResult, WeekResults

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Source of a model as MLflow loads it.
_PYFUNC = Path(tracking_package.__file__).parent / "pyfunc" / "model.py"


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

    def complete(self, fitted: Any) -> Any:
        """Return the fitted model; an XGBoost mean with too many training rows for one process is trained by Spark."""
        if not isinstance(fitted, xgb.UntrainedMean):
            return fitted
        fitted_at = fitted.plan.sarimax.week
        demand = self.demand({fitted_at: [fitted_at]})
        features = self.features(training_weeks(self.settings, fitted_at))
        return fitted.with_mean(on_spark.train_mean(demand, features, fitted.plan, self.settings.forecasting))

    def forecasts(
        self, model: ForecastingModel, fitted: Mapping[date, Any], groups: Mapping[date, Sequence[date]]
    ) -> "DataFrame":
        """Forecast the weeks of `groups` (refit week -> weeks) with the model `fitted` in each refit week."""
        origins = [week for group in groups.values() for week in group]
        features = self.features(origins) if model.reads_features else None
        data = on_spark.ModelInput(self.demand(groups), features, self.tasks(origins))
        return on_spark.forecasts(model, fitted, groups, data, model_context(self.settings))


@dataclass(frozen=True)
class ModelTracker:
    """Logs the fits of a model for weeks in MLflow and says so in the metadata."""

    model: ForecastingModel
    settings: Settings
    lake: Lake
    tracking: Tracking

    @property
    def _context(self) -> ModelContext:
        return model_context(self.settings)

    @property
    def _features(self) -> Table:
        return feature_columns(self._context.horizon)

    def log(self, fit: Fit, weeks: Sequence[date], rows: Mapping[date, int], folder: Path) -> WeekResults:
        """Log the fitted model of `weeks`; `folder` is empty and is kept until then."""
        if isinstance(fit.model, SarimaxFallback):
            yield from self._fallback(fit, weeks, rows)
            return
        used = self._weeks_used(fit.week, weeks[-1])
        saved, pictures = folder / MODEL_FOLDER, {}
        saved.mkdir()
        self.model.save(fit.model, saved)
        description = folder / "description.json"
        description.write_text(json.dumps(self._description()))
        artifacts = {MODEL_FOLDER: saved, "description": description}
        logged = LoggedModel(_PYFUNC, artifacts, self._input(fit.week, used), fit.id)
        if isinstance(fit.model, xgb.XgbModel):
            pictures["feature_importance"] = png(charts.feature_importance(xgb.importance(fit.model)))
        for week in weeks:
            counts = {f"series/{self.model.name}": self._series(rows[week])}
            metadata = self._log_week(week, fit, logged, counts, self._data_used(fit.week, week, used))
            yield week, WeekResult(rows[week], metadata, pictures, warnings=_warnings(fit, week == weeks[0]))

    def _fallback(self, fit: Fit, weeks: Sequence[date], rows: Mapping[date, int]) -> WeekResults:
        """Remove any model of `weeks` from MLflow, as SARIMAX made their forecasts."""
        warning = f"{fit.model.reason}; SARIMAX is used instead"
        for week in weeks:
            self.tracking.forget(fit.name, week)
            counts = {"series/sarimax": self._series(rows[week])}
            yield week, WeekResult(rows[week], counts, warnings=(warning,))

    def _log_week(
        self,
        week: date,
        fit: Fit,
        logged: LoggedModel,
        counts: Mapping[str, int],
        data: Sequence[DataUsed],
    ) -> dict[str, Any]:
        """Log a week in MLflow; return its metadata."""
        params = {
            **self.model.parameters(fit.model, self._context),
            "horizon_weeks": self._context.horizon,
            "refit_week": str(fit.week),
        }
        if fit.loaded_from:
            params["loaded_from"] = fit.loaded_from
        with self.tracking.week(fit.name, week) as run:
            run.log(params, counts, data)
            uri = run.log_model(logged)
        fitted = f"before, as {fit.loaded_from}" if fit.loaded_from else "in this run"
        link = {"mlflow_run": Link(run.url)} if run.url else {}
        return {**counts, "fitted": fitted, **link, "mlflow_run_id": run.run_id, "mlflow_model": uri}

    def _series(self, rows: int) -> int:
        return rows // self._context.horizon

    def _weeks_used(self, fitted_at: date, last: date) -> dict[Table, list[date]]:
        """Return the weeks of the history that forecasts up to the week `last` are made from, of each table."""
        history = history_weeks(self.settings, fitted_at, last)
        known = covariate_weeks(self.settings, fitted_at, last)
        return {
            WEEKLY_DEMAND: history,
            ORDER_BOOK: weeks_with_rows(self.lake, ORDER_BOOK, history),
            KNOWN_COVARIATES: weeks_with_rows(self.lake, KNOWN_COVARIATES, known),
        }

    def _data_used(self, fitted_at: date, week: date, used: Mapping[Table, Sequence[date]]) -> list[DataUsed]:
        """Return what the forecasts of `week` are made from."""
        weeks_of = {table: [w for w in weeks if w <= week] for table, weeks in used.items()}
        if self.model.reads_features:
            weeks_of[self._features] = [*training_weeks(self.settings, fitted_at), week]
        data = []
        for table, weeks in weeks_of.items():
            if weeks:
                contents = self._content_ids(table)
                digest = fingerprint({str(w): contents[w] for w in weeks if w in contents})
                source = f"{self.lake.path}/{table.name}"
                data.append(DataUsed(table.name, digest, source, format_weeks(weeks)))
        return data

    @cached_property
    def _content_ids(self) -> Callable[[Table], dict[date, str]]:
        """The contents of the weeks of a table, kept, as all weeks of the table have to be listed for them."""
        return cache(self.lake.records.content_ids)

    def _description(self) -> dict[str, Any]:
        """Return what a logged model needs to predict besides the files of `ForecastingModel.save`."""
        return {
            "model": reference_of(self.model),
            "horizon": self._context.horizon,
            "countries": self._context.countries,
            "settings": self._context.settings.model_dump(mode="json"),
        }

    def _input(self, fitted_at: date, used: Mapping[Table, Sequence[date]]) -> Table:
        """Return the input of a logged model: the history of demand, or rows of feature_table.

        Rows of the order book and of known covariates lack most columns, so that numbers may be missing; whole numbers
        may not.
        """
        table = self._features if self.model.reads_features else DEMAND_HISTORY
        more: list[Column] = []
        required = DEMAND_HISTORY.names
        if self.model.reads_features and any(week <= fitted_at for week in used[ORDER_BOOK]):
            more.append(DUE_WEEK)
        if any(week <= fitted_at for week in used[KNOWN_COVARIATES]):
            more.extend(COVARIATE_COLUMNS)
            required = [WEEK.name]  # a covariate of all parts or regions has neither
        if not more:
            return table
        optional = [
            replace(c, type="double" if c.type == "long" else c.type, nullable=c.name not in required)
            for c in table.columns
        ]
        return replace(table, columns=(*optional, *more))


def _warnings(fit: Fit, is_first_week: bool) -> tuple[str, ...]:
    """Return the warning of a model, once for all weeks that it forecasts."""
    return (fit.warning,) if fit.warning and is_first_week else ()
