"""The two models: SARIMAX for each series and one XGBoost over all series, their forecasts spread over Spark."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd

from forecasting_assets.assets.parallel import each_week
from forecasting_assets.assets.weekly import (
    Upstream,
    Weekly,
    add_week_metadata,
    picture,
    row_counts,
)
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import sarimax, spread, xgb
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.partitions import by_week, shuffle_tasks
from forecasting_assets.reporting import charts, png
from forecasting_assets.resources.lake import Lake
from forecasting_assets.resources.spark import Spark
from forecasting_assets.resources.tracking import Tracking
from forecasting_assets.settings import Settings
from forecasting_assets.tables import DEMAND_HISTORY, SARIMAX_MODEL, SERIES, WEEKLY_DEMAND, XGB_MODEL
from forecasting_assets.weeks import add_weeks, refit_week, weeks_between

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

GROUP = "forecasts"
#: Settings that change what the models say.
_SETTINGS = ["calendar", "forecasting"]
#: Models of XGBoost that go to Spark at once: they travel with the work, which has a limit of 128 MB.
_MODELS_PER_JOB = 16
_PYFUNC = Path(__file__).parent.parent / "pyfunc"


@dataclass(frozen=True)
class StandIn:
    """SARIMAX instead of an XGBoost that there is none of, and why there is none."""

    model: sarimax.SarimaxModel
    reason: str


@dataclass(frozen=True)
class WithoutMean:
    """An XGBoost whose mean has so much to learn that Spark is to train it."""

    lesson: xgb.Lesson
    quantiles: Any


def fit_sarimax(settings: Settings, fitted_at: date) -> sarimax.SarimaxModel:
    """What all series teach as of `fitted_at`."""
    sample, totals = _sample(settings, fitted_at)
    return sarimax.fit(sample, totals, fitted_at, settings.calendar.horizon_weeks, settings.forecasting)


def fit_xgb(settings: Settings, fitted_at: date) -> xgb.XgbModel | WithoutMean | StandIn:
    """XGBoost as of `fitted_at`, as far as its rows are neither too many nor too few."""
    calendar, forecasting = settings.calendar, settings.forecasting
    history, totals = _sample(settings, fitted_at)
    features = _features_of(history["part_id"].unique(), settings, fitted_at)
    try:
        lesson, base = xgb.prepare(
            features,
            history,
            totals,
            fitted_at,
            calendar.horizon_weeks,
            forecasting,
            calendar.holiday_countries,
        )
    except xgb.NotEnoughHistory as reason:
        model = sarimax.fit(history, totals, fitted_at, calendar.horizon_weeks, forecasting)
        return StandIn(model, str(reason))
    if lesson.rows > forecasting.xgb_distributed_rows:
        return WithoutMean(lesson, lesson.train_quantiles(features, base, forecasting))
    return xgb.teach(lesson, features, base, forecasting)


def _sample(settings: Settings, fitted_at: date) -> tuple[pd.DataFrame, GroupTotals]:
    """Demand of the parts that a fit as of `fitted_at` learns from, and the totals of all; in memory is no more."""
    columns, lake = [*SERIES, "part_category", "quantity"], Lake(path=settings.lake_path)
    sample, totals = sarimax.PartSample(settings.forecasting.fit_series), []
    for rows in lake.batches(WEEKLY_DEMAND, _history_weeks(settings, fitted_at, fitted_at), columns):
        sample.add(rows)
        totals.append(GroupTotals.of(rows).table)
    return sample.rows, GroupTotals(pd.concat(totals, ignore_index=True))


def _features_of(parts: np.ndarray, settings: Settings, fitted_at: date) -> pd.DataFrame:
    """The rows of the feature table that a fit as of `fitted_at` learns from, of `parts`."""
    table = feature_columns(settings.calendar.horizon_weeks)
    weeks = _training_weeks(settings, fitted_at)
    batches = Lake(path=settings.lake_path).batches(table, weeks)
    return pd.concat([rows[rows["part_id"].isin(parts)] for rows in batches], ignore_index=True)


def _history_weeks(settings: Settings, fitted_at: date, last: date) -> list[date]:
    """The weeks of demand that forecasts up to the week `last` may use with a model of `fitted_at`."""
    first = add_weeks(fitted_at, 1 - settings.forecasting.history_weeks)
    return weeks_between(max(first, settings.calendar.first_week), last)


def _training_weeks(settings: Settings, fitted_at: date) -> list[date]:
    first = add_weeks(fitted_at, -settings.forecasting.xgb_train_weeks)
    return weeks_between(max(first, settings.calendar.first_week), add_weeks(fitted_at, -1))


def model_assets(weekly: Weekly) -> list[dg.AssetsDefinition]:
    settings = weekly.settings.forecasting
    horizon = weekly.settings.calendar.horizon_weeks
    features = feature_columns(horizon)
    window = settings.history_weeks + settings.refit_weeks - 1
    training = settings.xgb_train_weeks + settings.refit_weeks - 1

    def by_refit(weeks: Sequence[date]) -> dict[date, list[date]]:
        groups: dict[date, list[date]] = {}
        for week in weeks:
            groups.setdefault(refit_week(week, settings.refit_weeks), []).append(week)
        return groups

    def history(session: "SparkSession", lake: Lake, groups: dict[date, list[date]]) -> "DataFrame":
        """The demand that forecasts of `groups` use."""
        weeks = _history_weeks(weekly.settings, min(groups), max(map(max, groups.values())))
        return lake.read(session, WEEKLY_DEMAND, weeks)

    def tasks(session: "SparkSession", lake: Lake, weeks: Sequence[date]) -> int:
        """Tasks to forecast `weeks` in."""
        forecasts = [lake.rows(features, week) for week in weeks]
        return spread.task_count(shuffle_tasks(session), max(forecasts), sum(forecasts))

    @weekly.asset(
        SARIMAX_MODEL,
        group=GROUP,
        kinds=["pyspark", "statsmodels", "mlflow"],
        upstream=["feature_table", Upstream("weekly_demand", first=1 - window)],
        settings=_SETTINGS,
    )
    def sarimax_model(
        context: dg.AssetExecutionContext,
        weeks: list[date],
        spark: Spark,
        lake: Lake,
        tracking: Tracking,
    ) -> None:
        """Forecast of every living part and region by itself: an average of ARIMA models around a season that
        it shares with its part, category and region."""
        groups = by_refit(weeks)
        fits = {fitted_at: (weekly.settings, fitted_at) for fitted_at in groups}
        models = dict(each_week(fit_sarimax, fits))
        session = spark.spark_session
        demand, n_tasks = history(session, lake, groups), tasks(session, lake, weeks)
        forecasts = spread.sarimax_forecasts(demand, groups, models, n_tasks, settings)
        row_counts(context, lake.write(by_week(forecasts, weeks), SARIMAX_MODEL, weeks))
        for fitted_at, model in models.items():
            for week in groups[fitted_at]:
                metadata = {"series": lake.rows(SARIMAX_MODEL, week) // horizon}
                with (
                    TemporaryDirectory() as folder,
                    tracking.week("sarimax_model", week, context.run.run_id) as run,
                ):
                    run.log(_params(settings, horizon, fitted_at), metadata)
                    uri = run.log_model(
                        _PYFUNC / "sarimax.py",
                        {"description": _described(folder, settings, model.to_dict())},
                        DEMAND_HISTORY,
                    )
                add_week_metadata(
                    context, week, {**metadata, "mlflow_run_id": run.run_id, "mlflow_model": uri}
                )

    @weekly.asset(
        XGB_MODEL,
        group=GROUP,
        kinds=["pyspark", "xgboost", "mlflow"],
        upstream=[
            Upstream("feature_table", first=-training),
            Upstream("weekly_demand", first=1 - window),
        ],
        settings=_SETTINGS,
    )
    def xgb_model(
        context: dg.AssetExecutionContext,
        weeks: list[date],
        spark: Spark,
        lake: Lake,
        tracking: Tracking,
    ) -> None:
        """Forecast of every living part and region by one XGBoost model that learns from all of them at once
        where to depart from SARIMAX."""
        refits = by_refit(weeks)
        fits = each_week(fit_xgb, {fitted_at: (weekly.settings, fitted_at) for fitted_at in refits})
        while fitted := dict(islice(fits, _MODELS_PER_JOB)):
            session = spark.spark_session
            groups = {fitted_at: refits[fitted_at] for fitted_at in fitted}
            models = {fitted_at: completed(found, session, lake) for fitted_at, found in fitted.items()}
            origins = [week for group in groups.values() for week in group]
            forecasts = spread.xgb_forecasts(
                history(session, lake, groups),
                lake.read(session, features, origins),
                groups,
                models,
                tasks(session, lake, origins),
                settings,
            )
            row_counts(context, lake.write(by_week(forecasts, origins), XGB_MODEL, origins))
            for fitted_at, found in fitted.items():
                if isinstance(found, StandIn):
                    context.log.warning(f"{found.reason}; SARIMAX stands in")
                track_xgb(context, groups[fitted_at], models[fitted_at], lake, tracking)

    def completed(
        found: xgb.XgbModel | WithoutMean | StandIn, session: "SparkSession", lake: Lake
    ) -> xgb.XgbModel | sarimax.SarimaxModel:
        if isinstance(found, StandIn):
            return found.model
        if isinstance(found, xgb.XgbModel):
            return found
        fitted_at = found.lesson.baseline.week
        demand = lake.read(session, WEEKLY_DEMAND, _history_weeks(weekly.settings, fitted_at, fitted_at))
        known = lake.read(session, features, _training_weeks(weekly.settings, fitted_at))
        mean = spread.train_mean(demand, known, found.lesson, settings)
        return found.lesson.model(mean, found.quantiles)

    def track_xgb(
        context: dg.AssetExecutionContext,
        weeks: Sequence[date],
        model: xgb.XgbModel | sarimax.SarimaxModel,
        lake: Lake,
        tracking: Tracking,
    ) -> None:
        """Metadata and MLflow's record of the weeks forecast by `model`, which is none if SARIMAX stood in."""
        series = {week: lake.rows(XGB_MODEL, week) // horizon for week in weeks}
        if isinstance(model, sarimax.SarimaxModel):
            for week in weeks:
                add_week_metadata(context, week, {"series/sarimax": series[week]})
                tracking.forget("xgb_model", week)
            return
        shown = png(charts.feature_importance(xgb.importance(model)))
        with TemporaryDirectory() as folder:
            xgb.save(model, Path(folder) / "model")
            files = {"model": Path(folder) / "model", "description": _described(folder, settings)}
            for week in weeks:
                metadata = {"series/xgb": series[week], "training_rows": model.rows}
                with tracking.week("xgb_model", week, context.run.run_id) as run:
                    run.log(_params(settings, horizon, model.week), metadata)
                    uri = run.log_model(_PYFUNC / "xgb.py", files, features)
                add_week_metadata(
                    context, week, metadata | {"mlflow_run_id": run.run_id, "mlflow_model": uri}
                )
                add_week_metadata(context, week, {"feature_importance": picture(shown, "feature_importance")})

    return [sarimax_model, xgb_model]


def _params(settings: ForecastingSettings, horizon: int, fitted_at: date) -> dict:
    return {**settings.model_dump(), "horizon_weeks": horizon, "refit_week": str(fitted_at)}


def _described(folder: str, settings: ForecastingSettings, model: dict | None = None) -> Path:
    """What a logged model needs to predict besides its trees, as a file beside them."""
    import json

    file = Path(folder) / "description.json"
    file.write_text(json.dumps({"settings": settings.model_dump(), "model": model}))
    return file
