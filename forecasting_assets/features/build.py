"""feature_table: what is known of every living series at the end of a week, for a range of weeks in one Spark job.

Every window is bounded by `LOOKBACK_WEEKS`, so that a week's features do not depend on how long the range is
that it was computed in, nor on how much history lies before it.
"""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.tables import Column, Table
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks, weeks_between

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame
    from pyspark.sql.window import WindowSpec

#: How far back a feature looks; also the weeks of demand that `build_features` needs before its first week.
LOOKBACK_WEEKS = 104
#: A series is alive in a week if it has an order in the weeks up to it, this many.
ALIVE_WEEKS = 52
#: A series younger than this is of the segment "new".
NEW_WEEKS = 13
# Syntetos, Boylan and Croston (2005), On the categorization of demand patterns.
ADI_LIMIT = 1.32
CV2_LIMIT = 0.49


def feature_lags(horizon: int) -> list[int]:
    """Lags in weeks: recent ones, quarters, and the weeks a year before each target week and its neighbours."""
    return sorted({*range(1, 9), 13, 26, *range(YEAR_WEEKS - horizon - 1, YEAR_WEEKS + 2)})


def feature_columns(horizon: int) -> Table:
    """The columns of feature_table for a forecast horizon in weeks."""
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
            Column("price_ratio", "double", "That price against its mean over 13 weeks"),
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


def build_features(
    demand: "DataFrame", first: date, last: date, start: date, horizon: int, countries: tuple[str, ...]
) -> "DataFrame":
    """The features of every series alive in the weeks `first` to `last`, with the columns of `feature_columns`.

    demand: weekly_demand with `week`, for `LOOKBACK_WEEKS` before `first` up to `last`; weeks without orders
    have no row. start: the first week of all history.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    grid = _zero_filled(demand, add_weeks(first, 1 - LOOKBACK_WEEKS), last)
    series = Window.partitionBy("part_id", "region").orderBy("t")
    since = {k: series.rowsBetween(1 - k, 0) for k in (4, 13, 26, YEAR_WEEKS, LOOKBACK_WEEKS)}
    ordered = F.when(F.col("quantity") > 0, F.col("quantity"))
    order_week = F.when(F.col("quantity") > 0, F.col("t"))

    grid = grid.withColumns(
        {
            "age_weeks": F.col("t") - F.min(order_week).over(since[LOOKBACK_WEEKS]) + 1,
            "weeks_since_order": F.col("t") - F.max(order_week).over(since[ALIVE_WEEKS]),
            "order_weeks_52": F.count(ordered).over(since[YEAR_WEEKS]),
            "part_category": F.last("part_category", ignorenulls=True).over(since[LOOKBACK_WEEKS]),
            "price": F.last("unit_price", ignorenulls=True).over(since[LOOKBACK_WEEKS]),
            "_price_13": F.avg("unit_price").over(since[13]),
            "_order_mean": F.avg(ordered).over(since[YEAR_WEEKS]),
            "_order_var": F.var_pop(ordered).over(since[YEAR_WEEKS]),
            **{f"_lag_{k}": F.lag("quantity", k).over(series) for k in feature_lags(horizon)},
            **{f"_sum_{k}": F.sum("quantity").over(since[k]) for k in (4, 13, 26, 52)},
            **{f"_squares_{k}": F.sum(F.col("quantity") ** 2).over(since[k]) for k in (13, 52)},
        }
    )
    totals = {by: _totals(grid, by, start) for by in ("part_category", "region")}
    alive = grid.where(F.col("weeks_since_order").isNotNull() & F.col("week").between(first, last))
    rows = alive.withColumns(
        {
            **{f"lag_{k}": _lag(k) for k in feature_lags(horizon)},
            **{f"mean_{k}": F.col(f"_sum_{k}") / _weeks_lived(k) for k in (4, 13, 26, 52)},
            "adi": _weeks_lived(YEAR_WEEKS) / F.col("order_weeks_52"),
            "cv2": F.col("_order_var") / F.col("_order_mean") ** 2,
            "price_ratio": F.coalesce(F.col("price") / F.col("_price_13"), F.lit(1.0)),
        }
    )
    rows = rows.withColumns({f"std_{k}": _deviation(k) for k in (13, 52)} | {"segment": _segment()})
    calendar = calendar_features(weeks_between(first, last), countries)
    calendar_rows = demand.sparkSession.createDataFrame(calendar.assign(week=calendar["week"].dt.date))
    return (
        rows.join(F.broadcast(calendar_rows), "week")
        .join(F.broadcast(totals["part_category"]), ["part_category", "week"])
        .join(F.broadcast(totals["region"]), ["region", "week"])
        .select(*(F.col(c.name).cast(c.spark_type) for c in feature_columns(horizon).columns))
    )


def _zero_filled(demand: "DataFrame", first: date, last: date) -> "DataFrame":
    """Every week of each series from its first order in the range to `last`, `t` counting them from `first`.

    One shuffle by series serves this and all windows after it.
    """
    from pyspark.sql import functions as F

    t = F.floor(F.datediff("week", F.lit(first)) / 7).cast("int")
    by_week = F.map_from_entries(
        F.collect_list(F.struct(t, F.struct("quantity", "unit_price", "part_category")))
    )
    series = demand.groupBy("part_id", "region").agg(by_week.alias("weeks"), F.min(t).alias("born"))
    end = (last - first) // timedelta(weeks=1)
    grid = series.select("part_id", "region", "weeks", F.explode(F.sequence("born", F.lit(end))).alias("t"))
    order = F.col("weeks")[F.col("t")]
    return grid.select(
        "part_id",
        "region",
        "t",
        F.date_add(F.lit(first), F.col("t") * 7).alias("week"),
        F.coalesce(order["quantity"], F.lit(0.0)).alias("quantity"),
        order["unit_price"].alias("unit_price"),
        order["part_category"].alias("part_category"),
    )


def _weeks_lived(k: int) -> "SparkColumn":
    """Weeks of the last `k` in which the series existed."""
    from pyspark.sql import functions as F

    return F.least(F.lit(k), F.col("age_weeks"))


def _lag(k: int) -> "SparkColumn":
    from pyspark.sql import functions as F

    return F.when(F.col("age_weeks") > k, F.coalesce(f"_lag_{k}", F.lit(0.0)))


def _deviation(k: int) -> "SparkColumn":
    from pyspark.sql import functions as F

    variance = F.col(f"_squares_{k}") / _weeks_lived(k) - F.col(f"mean_{k}") ** 2
    return F.sqrt(F.greatest(variance, F.lit(0.0)))


def _segment() -> "SparkColumn":
    from pyspark.sql import functions as F

    frequent, steady = F.col("adi") < ADI_LIMIT, F.col("cv2") < CV2_LIMIT
    return (
        F.when(F.col("age_weeks") < NEW_WEEKS, "new")
        .when(frequent & steady, "smooth")
        .when(frequent, "erratic")
        .when(steady, "intermittent")
        .otherwise("lumpy")
    )


def _totals(grid: "DataFrame", by: str, start: date) -> "DataFrame":
    """Units by week of all series of a category or region, and their mean over the last 13 weeks of history."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    prefix = by.removeprefix("part_")
    weekly = grid.groupBy(by, "week", "t").agg(F.sum("quantity").alias(f"{prefix}_quantity"))
    window: WindowSpec = Window.partitionBy(by).orderBy("t").rangeBetween(-12, 0)
    weeks_of_history = F.datediff("week", F.lit(start)) / 7 + 1
    mean = F.sum(f"{prefix}_quantity").over(window) / F.least(F.lit(13.0), weeks_of_history)
    return weekly.withColumn(f"{prefix}_mean_13", mean).drop("t")
