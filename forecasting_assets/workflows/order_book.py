"""The order book of each week, rolled forward from the week before, from the lake into the lake."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING

from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.spark_tables import map_weeks
from forecasting_assets.orders.demand import has_due_dates, new_bookings, roll_forward
from forecasting_assets.spark_versions import to_arrow
from forecasting_assets.tables import CLEAN_ORDERS, ORDER_BOOK, Table
from forecasting_assets.tables.arrow import arrow_schema, to_pandas
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows.week_result import WeekResult, WeekResults

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

#: Weeks whose new bookings one Spark job adds up; they are in memory together.
_WEEKS_PER_JOB = 26


def roll_order_book(
    weeks: Sequence[date], first_week: date, lake: Lake, session: "Callable[[], SparkSession]"
) -> WeekResults:
    """Write the order book of each of `weeks`.

    Parameters
    ----------
    weeks
        The weeks, sorted.
    first_week
        The first week of history, before which there is no book.
    lake
        The tables.
    session
        Returns the Spark session that adds up order lines; not called where no line has a due date.
    """
    books: dict[date, pa.Table] = {}
    for week, bookings in _bookings(weeks, lake, session):
        before = add_weeks(week, -1)
        book = books.pop(before) if before in books else _read_book(lake, before)
        books[week] = rolled = roll_forward(book, bookings, week)
        rows = lake.write_pandas(to_pandas(rolled), ORDER_BOOK, week)
        yield week, WeekResult(rows, _summary(rolled) | missing_book(lake, week, first_week))


def missing_book(lake: Lake, week: date, first_week: date) -> dict[str, str]:
    """Return the metadata of a week whose orders from earlier weeks are unknown; nothing if they are known."""
    before = add_weeks(week, -1)
    missing = week > first_week and not lake.existing(ORDER_BOOK, [before])
    return {"no_order_book_of": str(before)} if missing else {}


def books_with_rows(lake: Lake, weeks: Sequence[date]) -> dict[date, str]:
    """Return the files of the order books at the end of `weeks`, of those that exist and are not empty."""
    return {week: lake.file(ORDER_BOOK.name, week) for week in weeks_with_rows(lake, ORDER_BOOK, weeks)}


def weeks_with_rows(lake: Lake, table: Table, weeks: Sequence[date]) -> list[date]:
    """Return those of `weeks` in which `table` exists and is not empty."""
    with ThreadPoolExecutor(16) as pool:
        existing = lake.existing(table, weeks)
        rows = pool.map(lambda week: lake.rows(table, week), existing)
        return [week for week, n in zip(existing, rows, strict=True) if n]


def _bookings(
    weeks: Sequence[date], lake: Lake, session: "Callable[[], SparkSession]"
) -> "Iterator[tuple[date, pa.Table]]":
    """Yield each week with its orders for later weeks."""
    lake.require(CLEAN_ORDERS, weeks)
    nothing = arrow_schema(ORDER_BOOK).empty_table()
    for begin in range(0, len(weeks), _WEEKS_PER_JOB):
        some = weeks[begin : begin + _WEEKS_PER_JOB]
        with ThreadPoolExecutor(16) as pool:
            dated = list(pool.map(lambda week: _has_due_dates(lake, week), some))
        with_due_dates = [week for week, known in zip(some, dated, strict=True) if known]
        added_up = _add_up_bookings(session(), with_due_dates, lake) if with_due_dates else {}
        yield from ((week, added_up.get(week, nothing)) for week in some)


def _has_due_dates(lake: Lake, week: date) -> bool:
    with lake.damage_as_error(CLEAN_ORDERS.name, week), lake.open_parquet(CLEAN_ORDERS, week) as file:
        return has_due_dates(file)


def _add_up_bookings(spark: "SparkSession", weeks: Sequence[date], lake: Lake) -> "dict[date, pa.Table]":
    """Add up the orders of each week for later weeks, all weeks in one Spark job."""
    import pyarrow.compute as pc

    with lake.errors_of_workers():
        job = map_weeks(spark, lake, CLEAN_ORDERS, weeks, new_bookings, ORDER_BOOK.ddl)
        rows = to_arrow(job)
    schema = arrow_schema(ORDER_BOOK)
    return {w: rows.filter(pc.equal(rows["week"], w)).select(schema.names).cast(schema) for w in weeks}


def _read_book(lake: Lake, week: date) -> "pa.Table":
    """Read the order book at the end of a week; an empty one if there is none."""
    schema = arrow_schema(ORDER_BOOK)
    if not lake.existing(ORDER_BOOK, [week]):
        return schema.empty_table()
    with lake.damage_as_error(ORDER_BOOK.name, week), lake.open_parquet(ORDER_BOOK, week) as file:
        return file.read(schema.names)


def _summary(book: "pa.Table") -> dict[str, float | str]:
    """Return the metadata of an order book."""
    import pyarrow.compute as pc

    if not len(book):
        return {"booked_units": 0.0}
    return {"booked_units": pc.sum(book["quantity"]).as_py(), "last_due_week": str(pc.max(book["due_week"]))}
