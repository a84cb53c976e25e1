"""weekly_demand and order_book: clean order lines added up by the week in which customers want the units.

An order with a due date in a later week waits in the order book until that week. Without due dates, every order is
wanted in the week in which it is ordered, and the book is empty.
"""

from collections.abc import Sequence
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING

from forecasting_assets.orders.dates import weeks_of_moments
from forecasting_assets.tables import ORDER_BOOK, SERIES, WEEKLY_DEMAND

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow._parquet import Statistics
    from pyarrow.parquet import ParquetFile

_READ = [*SERIES, "order_date", "part_category", "order_id", "quantity", "unit_price"]


def has_due_dates(clean: "ParquetFile") -> bool:
    """Return whether any order line of a week has a due date, from the footer of its file alone.

    Where the footer does not count the missing values, the answer is yes, which costs time but is never wrong.
    """
    metadata = clean.metadata
    position = clean.schema_arrow.get_field_index("due_date")
    if position < 0:  # written by a version that did not read due dates
        return False
    columns = (metadata.row_group(number).column(position) for number in range(metadata.num_row_groups))
    return any(column.num_values and not _is_all_null(column.statistics) for column in columns)


def _is_all_null(statistics: "Statistics | None") -> bool:
    return statistics is not None and statistics.has_null_count and statistics.num_values == 0


def weekly_demand(clean: "ParquetFile", week: date, book: "pa.Table | None" = None) -> "pa.Table":
    """Add up the units that are wanted in a week, one row for each part and region.

    A part that was ordered under several categories gets the category of its latest order.

    Parameters
    ----------
    clean
        clean_orders of the week. Orders due in later weeks are left out; those due before their order count.
    week
        The week.
    book
        Rows of ORDER_BOOK at the end of the week before; those due in `week` are added. None if there are none.

    Returns
    -------
    pyarrow.Table
        The columns of WEEKLY_DEMAND.
    """
    import pyarrow.compute as pc

    lines = _lines(clean, week) if has_due_dates(clean) else clean.read(_READ)
    if "due_week" in lines.column_names:
        lines = lines.filter(pc.equal(lines["due_week"], week))
    demand = _add_up_lines(lines, SERIES)
    if book is not None:
        due = book.filter(pc.equal(book["due_week"], week)).select(demand.column_names)
        demand = _add_up_rows([due, demand], SERIES) if len(due) else demand
    return demand.select(WEEKLY_DEMAND.names)


def new_bookings(clean: "ParquetFile", week: date) -> "pa.Table":
    """Add up the orders of a week that are wanted in later weeks, with the columns of ORDER_BOOK."""
    import pyarrow.compute as pc

    lines = _lines(clean, week)
    later = lines.filter(pc.greater(lines["due_week"], week))
    return _add_up_lines(later, list(ORDER_BOOK.key)).select(ORDER_BOOK.names)


def roll_forward(book: "pa.Table", bookings: "pa.Table", week: date) -> "pa.Table":
    """Return the order book at the end of a week: the one before, less what was due by then, plus new orders.

    Parameters
    ----------
    book
        ORDER_BOOK at the end of the week before.
    bookings
        `new_bookings` of the week.
    week
        The week.

    Returns
    -------
    pyarrow.Table
        The columns of ORDER_BOOK, sorted by its key.
    """
    import pyarrow.compute as pc

    open_orders = book.filter(pc.greater(book["due_week"], week))
    rolled = _add_up_rows([open_orders, bookings], list(ORDER_BOOK.key))
    return rolled.sort_by([(name, "ascending") for name in ORDER_BOOK.key]).select(ORDER_BOOK.names)


def _lines(clean: "ParquetFile", week: date) -> "pa.Table":
    """Read order lines with `due_week`, the week they are wanted in: that of the order or a later one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lines = clean.read([*_READ, "due_date"])
    ordered = pa.scalar(week, pa.date32())
    due = weeks_of_moments(lines["due_date"].combine_chunks())
    return lines.append_column("due_week", pc.max_element_wise(due, ordered))


def _add_up_lines(lines: "pa.Table", key: list[str]) -> "pa.Table":
    """Add up order lines by `key`: quantity, orders, mean price, and the category of the latest order.

    A line without order_id is an order of its own.
    """
    import pyarrow.compute as pc

    lines = lines.sort_by([("order_date", "ascending"), ("part_category", "ascending")])
    lines = lines.append_column("revenue", pc.multiply(lines["quantity"], lines["unit_price"]))
    lines = lines.append_column("unnumbered", pc.cast(pc.is_null(lines["order_id"]), "int64"))
    return _add_up(lines, key, [("order_id", "count_distinct"), ("unnumbered", "sum")])


def _add_up_rows(tables: "Sequence[pa.Table]", key: list[str]) -> "pa.Table":
    """Add up tables of ORDER_BOOK or WEEKLY_DEMAND by `key`, the one with the latest orders last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = pa.concat_tables(tables)
    rows = rows.append_column("revenue", pc.multiply(rows["quantity"], rows["unit_price"]))
    return _add_up(rows, key, [("order_count", "sum")])


def _add_up(rows: "pa.Table", key: list[str], orders: list[tuple[str, str]]) -> "pa.Table":
    """Add up `rows` by `key`; `orders` are the columns and functions whose sum is the number of orders."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # Tasks already run in parallel, and "last" needs the order of rows, which several threads do not keep.
    sums = rows.group_by(key, use_threads=False).aggregate(
        [("part_category", "last"), ("quantity", "sum"), *orders, ("revenue", "sum")]
    )
    counts = [sums[f"{column}_{function}"] for column, function in orders]
    return pa.table(
        {
            **{name: sums[name] for name in key},
            "part_category": sums["part_category_last"],
            "quantity": sums["quantity_sum"],
            "order_count": reduce(pc.add, counts),
            "unit_price": pc.divide(sums["revenue_sum"], sums["quantity_sum"]),
        }
    )
