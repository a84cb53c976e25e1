"""The two models: SARIMAX for each series, spread over Spark, and one XGBoost over all series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pandas as pd
from dagster_pyspark import LazyPySparkResource

from forecasting_assets.assets.parallel import each_week
from forecasting_assets.assets.weekly import (
    Upstream,
    Weekly,
    WeekResult,
    add_week_metadata,
    add_week_result,
    row_counts,
    weeks_of,
)
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import sarimax, smoothing, xgb
from forecasting_assets.reporting import charts, png
from forecasting_assets.resources.lake import Lake
from forecasting_assets.resources.tracking import Tracking
from forecasting_assets.settings import Settings
from forecasting_assets.tables import DEMAND_HISTORY, SARIMAX_MODEL, SERIES, WEEKLY_DEMAND, XGB_MODEL
from forecasting_assets.weeks import add_weeks, refit_week, weeks_between

GROUP = "forecasts"
_SERIES_PER_TASK = 10_000
_PYFUNC = Path(__file__).parent.parent / "pyfunc"


@dataclass(frozen=True)
class FittedXgb:
    """What came of one fit: the result of each week forecast with it, and why there is no model if there is none."""

    results: dict[date, WeekResult]
    refused: str | None = None


def fit_xgb(settings: Settings, fitted_at: date, weeks: Sequence[date], folder: Path) -> FittedXgb:
    """Fit XGBoost as of `fitted_at`, save it in `folder`, and forecast and write `weeks` with it.

    With too little history for a model the series are smoothed.
    """
    lake = Lake(path=settings.lake_path)
    calendar, horizon = settings.calendar, settings.calendar.horizon_weeks
    first = max(add_weeks(fitted_at, -settings.forecasting.xgb_train_weeks), calendar.first_week)
    known_weeks = weeks_between(first, weeks[-1])
    known = lake.read_pandas(feature_columns(horizon), known_weeks)
    demand = lake.read_pandas(WEEKLY_DEMAND, known_weeks, [*SERIES, "quantity"])
    try:
        model = xgb.fit(known, demand, fitted_at, horizon, settings.forecasting, calendar.holiday_countries)
    except xgb.NotEnoughHistory as reason:
        history_weeks = settings.forecasting.xgb_train_weeks
        made = [smoothing.forecast(demand, week, horizon, history_weeks) for week in weeks]
        forecasts = pd.concat(made).assign(method="smoothing_short")
        return FittedXgb(_write_xgb(lake, forecasts, weeks, {}, {}), str(reason))
    xgb.save(model, folder)
    shown = {"feature_importance": png(charts.feature_importance(xgb.importance(model)))}
    rows = known[known["week"].isin([pd.Timestamp(week) for week in weeks])]
    forecasts = xgb.predict(model, rows, horizon).assign(method="xgb")
    return FittedXgb(_write_xgb(lake, forecasts, weeks, {"training_rows": model.rows}, shown))


def _write_xgb(
    lake: Lake, forecasts: pd.DataFrame, weeks: Sequence[date], metadata: dict, pictures: dict[str, bytes]
) -> dict[date, WeekResult]:
    results = {}
    for week in weeks:
        made = forecasts[forecasts["origin_week"] == pd.Timestamp(week)]
        methods = made.loc[made["horizon"] == 1, "method"].value_counts()
        counts = {f"series/{method}": int(n) for method, n in methods.items()}
        rows = lake.write_pandas(made, XGB_MODEL, week)
        results[week] = WeekResult(rows, {**counts, **metadata}, pictures)
    return results


def model_assets(weekly: Weekly) -> list[dg.AssetsDefinition]:
    settings = weekly.settings.forecasting
    calendar = weekly.settings.calendar
    horizon = calendar.horizon_weeks
    features = feature_columns(horizon)
    sarimax_window = settings.history_weeks + settings.sarimax_refit_weeks
    xgb_window = settings.xgb_train_weeks + settings.xgb_refit_weeks

    def window(first: date, weeks: int) -> date:
        return max(add_weeks(first, 1 - weeks), calendar.first_week)

    @weekly.asset(
        SARIMAX_MODEL,
        group=GROUP,
        kinds=["pyspark", "statsmodels", "mlflow"],
        upstream=["feature_table", Upstream("weekly_demand", first=1 - sarimax_window)],
    )
    def sarimax_model(
        context: dg.AssetExecutionContext, spark: LazyPySparkResource, lake: Lake, tracking: Tracking
    ) -> None:
        """Forecast of every living part and region by a SARIMAX of its own. Series too short or too sparse for
        one are smoothed instead, which the method column says of each."""
        weeks = weeks_of(context)
        history_weeks = weeks_between(window(weeks[0], sarimax_window), weeks[-1])
        cores = int(spark.spark_session.conf.get("spark.sql.shuffle.partitions") or 1)
        tasks = max(cores, lake.rows(features, weeks[-1]) // _SERIES_PER_TASK)
        forecasts = spread_sarimax(lake.read(spark.spark_session, WEEKLY_DEMAND, history_weeks), weeks, tasks)
        row_counts(context, lake.write(forecasts, SARIMAX_MODEL, weeks))
        for week in weeks:
            made = lake.read_pandas(SARIMAX_MODEL, [week], [*SERIES, "horizon", "method", "params"])
            made = made[made["horizon"] == 1]
            methods = {f"series/{method}": count for method, count in made["method"].value_counts().items()}
            if methods.get(f"series/{sarimax.FAILED}"):
                failed = made.loc[made["method"] == sarimax.FAILED, SERIES].head(10).agg(" in ".join, axis=1)
                context.log.warning(f"{week}: SARIMAX failed for {', '.join(failed)} …; they are smoothed")
            with (
                TemporaryDirectory() as folder,
                tracking.week("sarimax_model", week, context.run.run_id) as run,
            ):
                file = Path(folder) / "params.parquet"
                made[[*SERIES, "method", "params"]].to_parquet(file, index=False)
                fitted_at = refit_week(week, settings.sarimax_refit_weeks)
                described = {
                    "settings": settings.model_dump(),
                    "horizon": horizon,
                    "refit_week": str(fitted_at),
                }
                run.log(_params(settings, horizon, fitted_at), {"series": len(made), **methods})
                uri = run.log_model(
                    _PYFUNC / "sarimax.py",
                    {"params": file, **_described(folder, described)},
                    DEMAND_HISTORY,
                )
            add_week_metadata(context, week, {**methods, "mlflow_run_id": run.run_id, "mlflow_model": uri})

    def spread_sarimax(demand, weeks: Sequence[date], tasks: int):
        def forecast(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            parts = list(batches)
            if not parts:
                return
            history = pd.concat(parts)
            history = history.assign(week=history["week"].astype("datetime64[ns]"))
            made = sarimax.forecast(history, weeks, horizon, settings)
            dates = {name: made[name].dt.date for name in ("origin_week", "target_week")}
            yield made.assign(**dates, week=dates["origin_week"])[[*SARIMAX_MODEL.names, "week"]]

        series = demand.select(*SERIES, "week", "quantity").repartition(tasks, *SERIES)
        return series.mapInPandas(forecast, f"{SARIMAX_MODEL.ddl}, week DATE")

    @weekly.asset(
        XGB_MODEL,
        group=GROUP,
        kinds=["xgboost", "mlflow"],
        upstream=[
            Upstream("feature_table", first=1 - xgb_window),
            Upstream("weekly_demand", first=1 - xgb_window),
        ],
    )
    def xgb_model(context: dg.AssetExecutionContext, tracking: Tracking) -> None:
        """Forecast of every living part and region by one XGBoost model that learns from all of them at once."""
        groups: dict[date, list[date]] = {}
        for week in weeks_of(context):
            groups.setdefault(refit_week(week, settings.xgb_refit_weeks), []).append(week)
        with TemporaryDirectory() as folder:
            tasks = {
                fitted_at: (weekly.settings, fitted_at, group, Path(folder) / str(fitted_at))
                for fitted_at, group in groups.items()
            }
            for fitted_at, fitted in each_week(fit_xgb, tasks):
                if fitted.refused:
                    context.log.warning(f"{fitted.refused}; the series are smoothed")
                for week, result in fitted.results.items():
                    add_week_result(context, week, result)
                    if fitted.refused:
                        tracking.forget("xgb_model", week)
                        continue
                    with tracking.week("xgb_model", week, context.run.run_id) as run:
                        run.log(_params(settings, horizon, fitted_at), result.metadata)
                        files = {"model": tasks[fitted_at][-1], **_described(folder, {"horizon": horizon})}
                        uri = run.log_model(_PYFUNC / "xgb.py", files, features)
                    add_week_metadata(context, week, {"mlflow_run_id": run.run_id, "mlflow_model": uri})

    return [sarimax_model, xgb_model]


def _params(settings, horizon: int, fitted_at: date) -> dict:
    return {**settings.model_dump(), "horizon_weeks": horizon, "refit_week": str(fitted_at)}


def _described(folder: str, description: dict) -> dict[str, Path]:
    """The settings a logged model needs to predict, as a file beside it."""
    import json

    file = Path(folder) / "description.json"
    file.write_text(json.dumps(description))
    return {"description": file}
