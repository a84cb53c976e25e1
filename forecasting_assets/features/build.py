"""feature_table for a range of weeks, computed in one Spark job.

Each row holds what is known of an active series at the end of a week. Every window is bounded by
`LOOKBACK_WEEKS`, so that the features of a week depend neither on the length of the range it is computed in nor
on how much history lies before it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forecasting_assets.features.window import (
    GROUP_WEEKS,
    LOOKBACK_WEEKS,
    FeatureWeeks,
    MarketContext,
    feature_lags,
    feature_rows,
)
from forecasting_assets.spark_versions import to_arrow
from forecasting_assets.tables import SERIES, Column, Table
from forecasting_assets.tables.arrow import to_pandas
from forecasting_assets.weeks import add_weeks

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


def feature_columns(horizon: int) -> Table:
    """Return the columns of feature_table for a forecast horizon in weeks."""
    lags = [
        Column(f"lag_{k}", "double", f"Units {k} weeks before; empty before the first order", True)
        for k in feature_lags(horizon)
    ]
    means = [Column(f"mean_{k}", "double", f"Mean units a week over {k} weeks") for k in (4, 13, 26, 52)]
    deviations = [
        Column(f"std_{k}", "double", f"Standard deviation of units over {k} weeks") for k in (13, 52)
    ]
    return Table(
        "feature_table",
        (
            Column("part_id", "string", "Part ordered"),
            Column("part_category", "string", "Manufacturing process or family the part belongs to"),
            Column("region", "string", "Region the part is delivered to"),
            Column("week", "date", "Monday of the week at whose end the features are known"),
            Column("quantity", "double", "Units ordered in the week; 0 if none"),
            Column(
                "age_weeks",
                "long",
                f"Weeks since the first order, this week included, at most {LOOKBACK_WEEKS}",
            ),
            Column("weeks_since_order", "long", "Weeks since the latest order; 0 is an order this week"),
            Column("order_weeks_52", "long", "Weeks with orders among the last 52"),
            *lags,
            *means,
            *deviations,
            Column("adi", "double", "Average interval between weeks with orders, over 52 weeks"),
            Column("cv2", "double", "Squared coefficient of variation of the non-zero weeks, over 52 weeks"),
            Column("segment", "string", "smooth, erratic, intermittent or lumpy (Syntetos-Boylan), or new"),
            Column("price", "double", "Latest price of one unit"),
            Column("price_ratio", "double", "Latest price divided by the mean price over 13 weeks"),
            Column("week_of_year", "long", "ISO week of the year"),
            *(
                Column(f"{f}_{k}", "double", f"{f}e of the week of the year, {k} a year")
                for k in (1, 2)
                for f in ("sin", "cos")
            ),
            Column("holidays", "double", "Public holidays in the week"),
            Column("category_quantity", "double", "Units of the category in the week"),
            Column("category_mean_13", "double", "Mean units a week of the category over 13 weeks"),
            Column("region_quantity", "double", "Units of the region in the week"),
            Column("region_mean_13", "double", "Mean units a week of the region over 13 weeks"),
        ),
        key=("part_id", "region"),
    )


def build_features(demand: "DataFrame", weeks: FeatureWeeks, horizon: int, tasks: int) -> "DataFrame":
    """Compute the features of every series that is active in some weeks.

    Parameters
    ----------
    demand
        weekly_demand with `week`, from `LOOKBACK_WEEKS` - 1 before the first of `weeks` to the last; weeks without
        orders have no row.
    weeks
        The weeks to compute features of, and the calendar they belong to.
    horizon
        Forecast horizon in weeks, on which the lags depend.
    tasks
        Number of Spark tasks that the series are distributed over.

    Returns
    -------
    pyspark.sql.DataFrame
        The columns of `feature_columns(horizon)`.
    """
    from pyspark.sql import functions as F

    group_weeks = demand.where(F.col("week") >= add_weeks(weeks.first, 1 - GROUP_WEEKS))
    totals = group_weeks.groupBy("part_category", "region", "week").agg(F.sum("quantity").alias("quantity"))
    market = MarketContext.from_totals(to_pandas(to_arrow(totals), categorical=True), weeks)
    table = feature_columns(horizon)

    def features(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa

        if received := list(batches):
            for rows in feature_rows(
                to_pandas(pa.Table.from_batches(received), categorical=True), market, horizon
            ):
                columns = [pa.array(rows[name], from_pandas=True) for name in table.names]
                yield pa.RecordBatch.from_arrays(columns, table.names)

    history = demand.select(*SERIES, "part_category", "week", "quantity", "unit_price")
    return history.repartition(tasks, *SERIES).mapInArrow(features, table.ddl)
