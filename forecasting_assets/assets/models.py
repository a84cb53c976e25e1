"""The two models: SARIMAX for each series, spread over Spark, and one XGBoost over all series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from forecasting_assets.assets.parallel import each_week
from forecasting_assets.assets.weekly import (
    Upstream,
    Weekly,
    WeekResult,
    add_week_metadata,
    add_week_result,
    row_counts,
)
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.partitions import by_week
from forecasting_assets.reporting import charts, png
from forecasting_assets.resources.lake import Lake
from forecasting_assets.resources.spark import Spark
from forecasting_assets.resources.tracking import Tracking
from forecasting_assets.settings import Settings
from forecasting_assets.tables import DEMAND_HISTORY, SARIMAX_MODEL, SERIES, WEEKLY_DEMAND, XGB_MODEL
from forecasting_assets.weeks import add_weeks, refit_week, weeks_between

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GROUP = "forecasts"
#: Settings that change what the models say.
_SETTINGS = ["calendar", "forecasting"]
_SERIES_PER_TASK = 10_000
_PYFUNC = Path(__file__).parent.parent / "pyfunc"


@dataclass(frozen=True)
class FittedXgb:
    """What came of one fit: the result of each week forecast with it, and why there is no model if there is none."""

    results: dict[date, WeekResult]
    refused: str | None = None


def fit_sarimax(settings: Settings, fitted_at: date) -> sarimax.SarimaxModel:
    """What all series teach as of `fitted_at`."""
    history = _history(settings, fitted_at, fitted_at)
    totals, forecasting = GroupTotals.of(history), settings.forecasting
    sample = sarimax.sample_parts(history, forecasting.fit_series)
    return sarimax.fit(sample, totals, fitted_at, settings.calendar.horizon_weeks, forecasting)


def fit_xgb(settings: Settings, fitted_at: date, weeks: Sequence[date], folder: Path) -> FittedXgb:
    """Fit XGBoost as of `fitted_at`, save it in `folder`, and forecast and write `weeks` with it.

    With too little history for a model the forecasts are those of SARIMAX.
    """
    lake = Lake(path=settings.lake_path)
    calendar, forecasting = settings.calendar, settings.forecasting
    first = max(add_weeks(fitted_at, -forecasting.xgb_train_weeks), calendar.first_week)
    known = lake.read_pandas(feature_columns(calendar.horizon_weeks), weeks_between(first, weeks[-1]))
    history = _history(settings, fitted_at, weeks[-1])
    totals = GroupTotals.of(history)
    try:
        model = xgb.fit(
            known,
            history,
            totals,
            fitted_at,
            calendar.horizon_weeks,
            forecasting,
            calendar.holiday_countries,
        )
    except xgb.NotEnoughHistory as reason:
        stand_in = fit_sarimax(settings, fitted_at)
        made = sarimax.predict(stand_in, history, totals, weeks, forecasting).assign(method="sarimax")
        return FittedXgb(_write_xgb(lake, made, weeks, {}, {}), str(reason))
    xgb.save(model, folder)
    shown = {"feature_importance": png(charts.feature_importance(xgb.importance(model)))}
    rows = known[known["week"].isin([pd.Timestamp(week) for week in weeks])]
    made = xgb.predict(model, rows, history, totals, forecasting).assign(method="xgb")
    return FittedXgb(_write_xgb(lake, made, weeks, {"training_rows": model.rows}, shown))


def _history(settings: Settings, fitted_at: date, last: date) -> pd.DataFrame:
    """Demand that forecasts up to the week `last` may use with a model of `fitted_at`."""
    weeks = weeks_between(_window(settings, fitted_at, settings.forecasting.history_weeks), last)
    columns = [*SERIES, "part_category", "quantity"]
    return Lake(path=settings.lake_path).read_pandas(WEEKLY_DEMAND, weeks, columns)


def _window(settings: Settings, last: date, weeks: int) -> date:
    """The first of the `weeks` weeks up to `last` that there are."""
    return max(add_weeks(last, 1 - weeks), settings.calendar.first_week)


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
    horizon = weekly.settings.calendar.horizon_weeks
    features = feature_columns(horizon)
    window = settings.history_weeks + settings.refit_weeks - 1
    training = settings.xgb_train_weeks + settings.refit_weeks - 1

    def by_refit(weeks: Sequence[date]) -> dict[date, list[date]]:
        groups: dict[date, list[date]] = {}
        for week in weeks:
            groups.setdefault(refit_week(week, settings.refit_weeks), []).append(week)
        return groups

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
        cores = int(session.conf.get("spark.sql.shuffle.partitions") or 1)
        tasks = max(cores, lake.rows(features, weeks[-1]) // _SERIES_PER_TASK)
        history_weeks = weeks_between(_window(weekly.settings, weeks[0], window), weeks[-1])
        demand = lake.read(session, WEEKLY_DEMAND, history_weeks)
        made = spread_sarimax(demand, groups, models, tasks)
        row_counts(context, lake.write(by_week(made, weeks), SARIMAX_MODEL, weeks))
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

    def spread_sarimax(
        demand: "DataFrame",
        groups: dict[date, list[date]],
        models: dict[date, sarimax.SarimaxModel],
        tasks: int,
    ) -> "DataFrame":
        """The forecasts of all series, computed by Spark a few parts at a time."""
        totals = _group_totals(demand)

        def forecast(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            parts = list(batches)
            if not parts:
                return
            history = pd.concat(parts)
            history = history.assign(week=history["week"].astype("datetime64[ns]"))
            for fitted_at, weeks in groups.items():
                made = sarimax.predict(models[fitted_at], history, totals, weeks, settings)
                dates = {name: made[name].dt.date for name in ("origin_week", "target_week")}
                yield made.assign(**dates, week=dates["origin_week"])[[*SARIMAX_MODEL.names, "week"]]

        by_part = demand.select(*SERIES, "part_category", "week", "quantity").repartition(tasks, "part_id")
        return by_part.mapInPandas(forecast, f"{SARIMAX_MODEL.ddl}, week DATE")

    @weekly.asset(
        XGB_MODEL,
        group=GROUP,
        kinds=["xgboost", "mlflow"],
        upstream=[
            Upstream("feature_table", first=-training),
            Upstream("weekly_demand", first=1 - window),
        ],
        settings=_SETTINGS,
    )
    def xgb_model(context: dg.AssetExecutionContext, weeks: list[date], tracking: Tracking) -> None:
        """Forecast of every living part and region by one XGBoost model that learns from all of them at once
        where to depart from SARIMAX."""
        with TemporaryDirectory() as folder:
            tasks = {
                fitted_at: (weekly.settings, fitted_at, group, Path(folder) / str(fitted_at))
                for fitted_at, group in by_refit(weeks).items()
            }
            for fitted_at, fitted in each_week(fit_xgb, tasks):
                if fitted.refused:
                    context.log.warning(f"{fitted.refused}; SARIMAX stands in")
                for week, result in fitted.results.items():
                    add_week_result(context, week, result)
                    if fitted.refused:
                        tracking.forget("xgb_model", week)
                        continue
                    with tracking.week("xgb_model", week, context.run.run_id) as run:
                        run.log(_params(settings, horizon, fitted_at), result.metadata)
                        files = {"model": tasks[fitted_at][-1], "description": _described(folder, settings)}
                        uri = run.log_model(_PYFUNC / "xgb.py", files, features)
                    add_week_metadata(context, week, {"mlflow_run_id": run.run_id, "mlflow_model": uri})

    return [sarimax_model, xgb_model]


def _group_totals(demand: "DataFrame") -> GroupTotals:
    """Units by week of each category and region, which are few."""
    from pyspark.sql import functions as F

    tables = [
        demand.groupBy(F.lit(level).alias("level"), F.col(level).alias("name"), "week").agg(
            F.sum("quantity").alias("quantity")
        )
        for level in ("part_category", "region")
    ]
    table = tables[0].unionByName(tables[1]).toPandas()
    return GroupTotals(table.assign(week=table["week"].astype("datetime64[ns]")))


def _params(settings: ForecastingSettings, horizon: int, fitted_at: date) -> dict:
    return {**settings.model_dump(), "horizon_weeks": horizon, "refit_week": str(fitted_at)}


def _described(folder: str, settings: ForecastingSettings, model: dict | None = None) -> Path:
    """What a logged model needs to predict besides its trees, as a file beside them."""
    import json

    file = Path(folder) / "description.json"
    file.write_text(json.dumps({"settings": settings.model_dump(), "model": model}))
    return file
