"""From landed files to weekly demand and features: the Spark part of the graph."""

from collections import Counter
from datetime import date
from functools import partial

import dagster as dg

from forecasting_assets.assets.weekly import Upstream, Weekly, add_week_metadata, row_counts
from forecasting_assets.features.build import build_features, feature_columns
from forecasting_assets.features.window import LOOKBACK_WEEKS
from forecasting_assets.orders import cleaning
from forecasting_assets.orders.demand import weekly_demand as demand_of
from forecasting_assets.orders.duplicates import DUPLICATES_DDL, older_duplicates
from forecasting_assets.orders.raw import raw_name, read_raw_orders, weeks_by_columns
from forecasting_assets.partitions import by_week, shuffle_tasks
from forecasting_assets.provenance import FILES
from forecasting_assets.resources.lake import Lake
from forecasting_assets.resources.landing import Landing, touching
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, REJECTED_ORDERS, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks, weeks_between

GROUP = "orders"
#: Rows of weekly_demand that a task makes features of, about: they are in memory together.
DEMAND_PER_TASK = 500_000


def order_assets(weekly: Weekly) -> list[dg.AssetsDefinition]:
    calendar = weekly.settings.calendar
    landed_names = weekly.settings.orders.landed_names
    features = feature_columns(calendar.horizon_weeks)

    @weekly.asset(
        RAW_ORDERS, group=GROUP, kinds=["pyspark", "parquet"], reads=FILES, settings=["orders.columns"]
    )
    def raw_orders(
        context: dg.AssetExecutionContext,
        weeks: list[date],
        spark: Spark,
        lake: Lake,
        landing: Landing,
    ) -> None:
        """Order lines of the week exactly as they were landed, with the file and row each came from."""
        files = touching(landing.readable_files(weeks), weeks)
        for columns, group in weeks_by_columns(files, weeks).items():
            sources = touching(files, group)
            rows = read_raw_orders(
                spark.spark_session, landing.path, sources, columns, landed_names["order_date"], group
            )
            row_counts(context, lake.write(by_week(rows, group), RAW_ORDERS, group))
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
        settings=["orders.columns"],
    )
    def clean_orders(context: dg.AssetExecutionContext, weeks: list[date], spark: Spark, lake: Lake) -> None:
        """Order lines fit for use, typed. Every other line goes to the table rejected_orders with the reason."""
        # A week has the columns its own files landed, whatever those of the range did.
        groups: dict[tuple[str, ...], list[date]] = {}
        for week in weeks:
            groups.setdefault(lake.columns(RAW_ORDERS, week), []).append(week)
        session = spark.spark_session
        number = {name: raw_name(landed_names[name]) for name in ("order_id", "line_id")}
        older = partial(older_duplicates, **number)
        duplicates = lake.map_weeks(session, RAW_ORDERS, weeks, older, DUPLICATES_DDL)
        raw = lake.read(session, RAW_ORDERS, weeks)
        with lake.unreadable_told(), cleaning.rejected(raw, duplicates, landed_names) as rejected:
            for columns, group in groups.items():
                lake.write(cleaning.rejected_orders(rejected, columns, group), REJECTED_ORDERS, group)
            # Last, as in every asset of several tables: where its own table shows a week, the others do.
            accepted = cleaning.clean_orders(raw, rejected, landed_names, weeks)
            row_counts(context, lake.write(accepted, CLEAN_ORDERS, weeks))
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
        demand = lake.map_weeks(spark.spark_session, CLEAN_ORDERS, weeks, demand_of, WEEKLY_DEMAND.ddl)
        row_counts(context, lake.write(demand, WEEKLY_DEMAND, weeks))

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
                weeks[0],
                weeks[-1],
                calendar.first_week,
                calendar.horizon_weeks,
                calendar.holiday_countries,
                max(shuffle_tasks(session), n_rows // DEMAND_PER_TASK),
            )
        row_counts(context, lake.write(by_week(rows, weeks), features, weeks))

    return [raw_orders, clean_orders, weekly_demand, feature_table]
