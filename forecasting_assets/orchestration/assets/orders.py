"""From landed files to weekly demand and features: the Spark part of the graph."""

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from forecasting_assets.features.build import build_features, feature_columns
from forecasting_assets.features.window import LOOKBACK_WEEKS, FeatureWeeks
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.landing import Landing, touching
from forecasting_assets.lake.records import FILES
from forecasting_assets.orchestration.factory import Upstream, Weekly, add_week_metadata, row_counts
from forecasting_assets.orchestration.materialize import InputsChanged
from forecasting_assets.orders.cleaning import CleaningRules, clean_week
from forecasting_assets.orders.demand import weekly_demand as demand_of
from forecasting_assets.orders.raw import read_raw_orders, weeks_by_columns
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.spark_partitions import by_week, shuffle_tasks
from forecasting_assets.tables import (
    CLEAN_ORDERS,
    ORDER_FILE_SUMMARY,
    RAW_ORDERS,
    REJECTED_ORDERS,
    WEEKLY_DEMAND,
)
from forecasting_assets.weeks import add_weeks, weeks_between

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

GROUP = "orders"
#: Rows of weekly_demand that a task makes features of, about: they are in memory together.
DEMAND_PER_TASK = 500_000
#: Errors of Spark's workers that a file may be at fault for, which is all that Spark tells of them.
_FAULTS_OF_FILES = ("OrderFileError", "FileNotFoundError")


def order_assets(weekly: Weekly) -> list[dg.AssetsDefinition]:
    calendar = weekly.settings.calendar
    orders = weekly.settings.orders
    features = feature_columns(calendar.horizon_weeks)

    @weekly.asset(
        RAW_ORDERS,
        group=GROUP,
        kinds=["pyspark", "parquet"],
        reads=FILES,
        settings=["orders.columns", "orders.format"],
    )
    def raw_orders(
        context: dg.AssetExecutionContext,
        weeks: list[date],
        spark: Spark,
        lake: Lake,
        landing: dg.ResourceParam[Landing],
    ) -> None:
        """Order lines of the week exactly as they were landed, with the file and row each came from."""
        files = touching(landing.readable_files(), weeks)
        try:
            for columns, group in weeks_by_columns(files, weeks).items():
                rows = read_raw_orders(
                    spark.spark_session,
                    landing.path,
                    touching(files, group),
                    columns,
                    orders.landed_names,
                    orders.format,
                    group,
                )
                row_counts(context, lake.write(by_week(rows, group), RAW_ORDERS, group))
        except Exception as error:
            if any(name in str(error) for name in _FAULTS_OF_FILES) and landing.recheck(files):
                raise InputsChanged(f"order files have changed while they were read: {error}") from error
            raise
        for week in weeks:
            names = [file.name for file in touching(files, [week])]
            add_week_metadata(
                context, week, {"files": len(names), "file_names": dg.MetadataValue.json(names[:100])}
            )

    @weekly.asset(
        CLEAN_ORDERS,
        group=GROUP,
        kinds=["pyspark", "parquet"],
        upstream=["raw_orders"],
        settings=["orders.columns", "orders.format", "orders.fold_case"],
        companions=[REJECTED_ORDERS, ORDER_FILE_SUMMARY],
    )
    def clean_orders(context: dg.AssetExecutionContext, weeks: list[date], spark: Spark, lake: Lake) -> None:
        """Order lines fit for use, typed. Every other line goes to the table rejected_orders with the reason."""
        rules = CleaningRules(orders.landed_names, orders.format, orders.fold_case)

        def separate(raw: "ParquetFile", week: date) -> tuple["pa.Table", ...]:
            made = clean_week(raw.read(), week, rules)
            return made.rejected, made.summary, made.clean

        counts = lake.transform_weeks(
            spark.spark_session,
            RAW_ORDERS,
            weeks,
            separate,
            [REJECTED_ORDERS, ORDER_FILE_SUMMARY, CLEAN_ORDERS],
        )
        row_counts(context, {week: rows[-1] for week, rows in counts.items()})
        reasons_of = lake.read_pandas(REJECTED_ORDERS, weeks, columns=["reason"])
        for week in weeks:
            reasons = Counter(reasons_of.loc[reasons_of["week"] == str(week), "reason"])
            metadata = {"rejected_rows": reasons.total()} | {
                f"rejected/{name}": n for name, n in reasons.items()
            }
            add_week_metadata(context, week, metadata)

    @weekly.asset(WEEKLY_DEMAND, group=GROUP, kinds=["pyspark", "parquet"], upstream=["clean_orders"])
    def weekly_demand(context: dg.AssetExecutionContext, weeks: list[date], spark: Spark, lake: Lake) -> None:
        """Units ordered in the week of each part in each region, with the number of orders and the mean price."""

        def add_up(clean: "ParquetFile", week: date) -> tuple["pa.Table"]:
            return (demand_of(clean),)

        counts = lake.transform_weeks(spark.spark_session, CLEAN_ORDERS, weeks, add_up, [WEEKLY_DEMAND])
        row_counts(context, {week: n_series for week, (n_series,) in counts.items()})

    history = Upstream("weekly_demand", first=1 - LOOKBACK_WEEKS)

    @weekly.asset(
        features,
        group="features",
        kinds=["pyspark", "parquet"],
        upstream=[history],
        settings=["calendar"],
    )
    def feature_table(context: dg.AssetExecutionContext, weeks: list[date], spark: Spark, lake: Lake) -> None:
        """What is known of every living part and region at the end of the week: recent and past demand, season,
        intermittency, price, holidays, and how its category and region are doing."""
        since = max(add_weeks(weeks[0], 1 - LOOKBACK_WEEKS), calendar.first_week)
        session, known = spark.spark_session, weeks_between(since, weeks[-1])
        demand = lake.read(session, WEEKLY_DEMAND, known)
        n_rows = lake.total_rows(WEEKLY_DEMAND, known)
        with lake.unreadable_told():
            rows = build_features(
                demand,
                FeatureWeeks(weeks[0], weeks[-1], calendar.first_week, calendar.holiday_countries),
                calendar.horizon_weeks,
                max(shuffle_tasks(session), n_rows // DEMAND_PER_TASK),
            )
        row_counts(context, lake.write(by_week(rows, weeks), features, weeks))

    return [raw_orders, clean_orders, weekly_demand, feature_table]
