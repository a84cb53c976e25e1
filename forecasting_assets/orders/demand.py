"""weekly_demand: aggregate clean order lines to units per week of each series."""

from typing import TYPE_CHECKING

from forecasting_assets.tables import SERIES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

_READ = [*SERIES, "order_date", "part_category", "order_id", "quantity", "unit_price"]


def weekly_demand(clean: "ParquetFile") -> "pa.Table":
    """Aggregate the clean orders of a week to one row for each part and region, with the columns of WEEKLY_DEMAND.

    A part that was ordered under several categories gets the category of its latest order.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    lines = clean.read(_READ).sort_by([("order_date", "ascending"), ("part_category", "ascending")])
    lines = lines.append_column("revenue", pc.multiply(lines["quantity"], lines["unit_price"]))
    # Tasks already run in parallel, and "last" needs the order of rows, which several threads do not keep.
    series = lines.group_by(SERIES, use_threads=False).aggregate(
        [("part_category", "last"), ("quantity", "sum"), ("order_id", "count_distinct"), ("revenue", "sum")]
    )
    return pa.table(
        {
            "part_id": series["part_id"],
            "part_category": series["part_category_last"],
            "region": series["region"],
            "quantity": series["quantity_sum"],
            "order_count": series["order_id_count_distinct"],
            "unit_price": pc.divide(series["revenue_sum"], series["quantity_sum"]),
        }
    )
