"""The two models: SARIMAX for each series and one XGBoost over all series, their forecasts spread over Spark."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dagster as dg

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import on_spark, sarimax, xgb
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.orchestration.factory import (
    Upstream,
    Weekly,
    add_week_metadata,
    picture,
    row_counts,
)
from forecasting_assets.reporting import charts, png
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.spark_partitions import by_week, shuffle_tasks
from forecasting_assets.tables import DEMAND_HISTORY, SARIMAX_MODEL, WEEKLY_DEMAND, XGB_MODEL, Table
from forecasting_assets.tracking.client import DataUsed, Tracking
from forecasting_assets.weeks import format_weeks, refit_week
from forecasting_assets.workflows.model_cache import (
    DESCRIPTION,
    SETTINGS,
    Fit,
    StandIn,
    WithoutMean,
    fits,
    history_weeks,
    traceable,
    training_weeks,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

GROUP = "forecasts"
#: Models of XGBoost that go to Spark at once: they travel with the work, which has a limit of 128 MB.
_MODELS_PER_JOB = 16
_PYFUNC = Path(__file__).parents[2] / "tracking" / "pyfunc"


def data_used(lake: Lake, table: Table, weeks: Sequence[date]) -> DataUsed:
    """What MLflow is told of weeks that a model learnt from or predicted with."""
    contents = lake.content_ids(table)
    known = {str(week): contents[week] for week in weeks if week in contents}
    return DataUsed(table.name, fingerprint(known), f"{lake.path}/{table.name}", format_weeks(weeks))


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
        weeks = history_weeks(weekly.settings, min(groups), max(map(max, groups.values())))
        return lake.read(session, WEEKLY_DEMAND, weeks)

    def tasks(session: "SparkSession", lake: Lake, weeks: Sequence[date]) -> int:
        """Tasks to forecast `weeks` in."""
        forecasts = [lake.rows(features, week) for week in weeks]
        return on_spark.task_count(shuffle_tasks(session), max(forecasts), sum(forecasts))

    @weekly.asset(
        SARIMAX_MODEL,
        group=GROUP,
        kinds=["pyspark", "statsmodels", "mlflow"],
        upstream=["feature_table", Upstream("weekly_demand", first=1 - window)],
        settings=SETTINGS,
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
        found = list(fits("sarimax_model", list(groups), weekly.settings, tracking, context.log.warning))
        session = spark.spark_session
        demand, n_tasks = history(session, lake, groups), tasks(session, lake, weeks)
        models = {fit.week: fit.model for fit in found}
        forecasts = on_spark.sarimax_forecasts(demand, groups, models, n_tasks, settings)
        row_counts(context, lake.write(by_week(forecasts, weeks), SARIMAX_MODEL, weeks))
        with TemporaryDirectory() as folder:
            for fit in (traceable(fit, weekly.settings) for fit in found):
                files = {"description": described(folder, fit.model.to_dict())}
                for week in groups[fit.week]:
                    counts = {"series": lake.rows(SARIMAX_MODEL, week) // horizon}
                    data = [data_used(lake, WEEKLY_DEMAND, history_weeks(weekly.settings, fit.week, week))]
                    params = settings.of_sarimax()
                    track(
                        context,
                        tracking,
                        week,
                        fit,
                        params,
                        counts,
                        data,
                        "sarimax.py",
                        files,
                        DEMAND_HISTORY,
                    )

    @weekly.asset(
        XGB_MODEL,
        group=GROUP,
        kinds=["pyspark", "xgboost", "mlflow"],
        upstream=[
            Upstream("feature_table", first=-training),
            Upstream("weekly_demand", first=1 - window),
        ],
        settings=SETTINGS,
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
        found = fits("xgb_model", list(refits), weekly.settings, tracking, context.log.warning)
        while some := list(islice(found, _MODELS_PER_JOB)):
            session = spark.spark_session
            groups = {fit.week: refits[fit.week] for fit in some}
            models = {fit.week: completed(fit.model, session, lake) for fit in some}
            origins = [week for group in groups.values() for week in group]
            forecasts = on_spark.xgb_forecasts(
                history(session, lake, groups),
                lake.read(session, features, origins),
                groups,
                models,
                tasks(session, lake, origins),
                settings,
            )
            row_counts(context, lake.write(by_week(forecasts, origins), XGB_MODEL, origins))
            for fit in some:
                if isinstance(fit.model, StandIn):
                    context.log.warning(f"{fit.model.reason}; SARIMAX stands in")
                    for week in groups[fit.week]:
                        series = lake.rows(XGB_MODEL, week) // horizon
                        add_week_metadata(context, week, {"series/sarimax": series})
                        tracking.forget("xgb_model", week)
                else:
                    made = traceable(replace(fit, model=models[fit.week]), weekly.settings)
                    track_xgb(context, groups[fit.week], made, lake, tracking)

    def completed(
        found: xgb.XgbModel | WithoutMean | StandIn, session: "SparkSession", lake: Lake
    ) -> xgb.XgbModel | sarimax.SarimaxModel:
        if isinstance(found, StandIn):
            return found.model
        if isinstance(found, xgb.XgbModel):
            return found
        fitted_at = found.plan.sarimax.week
        demand = lake.read(session, WEEKLY_DEMAND, history_weeks(weekly.settings, fitted_at, fitted_at))
        known = lake.read(session, features, training_weeks(weekly.settings, fitted_at))
        mean = on_spark.train_mean(demand, known, found.plan, settings)
        return found.plan.model(mean, found.quantiles)

    def track_xgb(
        context: dg.AssetExecutionContext, weeks: Sequence[date], fit: Fit, lake: Lake, tracking: Tracking
    ) -> None:
        shown = picture(png(charts.feature_importance(xgb.importance(fit.model))), "feature_importance")
        with TemporaryDirectory() as folder:
            xgb.save(fit.model, Path(folder) / "model")
            files = {"model": Path(folder) / "model", "description": described(folder)}
            for week in weeks:
                counts = {
                    "series/xgb": lake.rows(XGB_MODEL, week) // horizon,
                    "training_rows": fit.model.rows,
                }
                data = [
                    data_used(lake, WEEKLY_DEMAND, history_weeks(weekly.settings, fit.week, week)),
                    data_used(lake, features, training_weeks(weekly.settings, fit.week)),
                ]
                params = settings.of_xgboost() | xgb.TRAINING_PARAMETERS
                track(context, tracking, week, fit, params, counts, data, "xgb.py", files, features)
                add_week_metadata(context, week, {"feature_importance": shown})

    def track(
        context: dg.AssetExecutionContext,
        tracking: Tracking,
        week: date,
        fit: Fit,
        params: Mapping[str, Any],
        counts: dict[str, int],
        data: Sequence[DataUsed],
        code: str,
        files: dict[str, Path],
        takes: Table,
    ) -> None:
        """Metadata and MLflow's record of a week forecast by `fit`."""
        more = {"horizon_weeks": horizon, "refit_week": str(fit.week)}
        more |= {"found_again": fit.found} if fit.found else {}
        with tracking.week(fit.name, week, context.run.run_id) as run:
            run.log({**params, **more}, counts, data)
            uri = run.log_model(_PYFUNC / code, files, takes, fit.id)
        fitted = {"fitted": f"before, as {fit.found}" if fit.found else "in this run"}
        link = {"mlflow_run": dg.MetadataValue.url(run.url)} if run.url else {}
        add_week_metadata(
            context, week, {**counts, **fitted, **link, "mlflow_run_id": run.run_id, "mlflow_model": uri}
        )

    def described(folder: str, model: dict | None = None) -> Path:
        """What a logged model needs to predict besides its trees, as a file in `folder`."""
        file = Path(folder) / DESCRIPTION
        file.write_text(json.dumps({"settings": settings.model_dump(), "model": model}))
        return file

    return [sarimax_model, xgb_model]
