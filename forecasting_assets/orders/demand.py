"""weekly_demand: clean order lines as units a week of each series."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def weekly_demand(clean: "DataFrame") -> "DataFrame":
    """One row for each part and region with orders in the week, with the columns of WEEKLY_DEMAND, and week.

    A part that was ordered under several categories has that of its latest order. Fastest with `by_week` rows.
    """
    from pyspark.sql import functions as F

    return clean.groupBy("week", "part_id", "region").agg(
        F.max(F.struct("order_date", "part_category")).getField("part_category").alias("part_category"),
        F.sum("quantity").alias("quantity"),
        F.countDistinct("order_id").alias("order_count"),
        (F.sum(F.col("quantity") * F.col("unit_price")) / F.sum("quantity")).alias("unit_price"),
    )
