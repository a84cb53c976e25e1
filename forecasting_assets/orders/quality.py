"""Facts about clean orders that the checks judge, aggregated in Spark: order lines never leave it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame


def clean_statistics(clean: "DataFrame") -> "pd.DataFrame":
    """One row a week with orders: rows, sources (distinct landed rows), numbered (rows with order_id and
    line_id), lines (distinct such pairs), earliest and latest order date, broken (rows that lack a value)."""
    from pyspark.sql import functions as F

    numbered = F.col("order_id").isNotNull() & F.col("line_id").isNotNull()
    whole = (
        F.col("part_id").isNotNull()
        & F.col("part_category").isNotNull()
        & F.col("region").isNotNull()
        & F.coalesce(F.col("quantity") > 0, F.lit(False))
        & F.coalesce(F.col("unit_price") > 0, F.lit(False))
    )
    weekly = clean.groupBy(F.date_format("week", "yyyy-MM-dd").alias("week")).agg(
        F.count("*").alias("rows"),
        F.countDistinct("source_file", "source_row").alias("sources"),
        F.count_if(numbered).alias("numbered"),
        F.countDistinct(F.when(numbered, F.struct("order_id", "line_id"))).alias("lines"),
        F.min("order_date").alias("earliest"),
        F.max("order_date").alias("latest"),
        F.count_if(~whole).alias("broken"),
    )
    found = weekly.toPandas()
    return found.assign(week=found["week"].astype("datetime64[ns]"))
