"""Contents of a landed order file: its columns, the weeks of its orders, and its rows of given weeks."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.orders.dates import weeks_of_dates
from forecasting_assets.orders.reading import inspect_order_file, read_order_file
from forecasting_assets.orders.rows import OrderFileError, RowBatch, Source
from forecasting_assets.tables import OPTIONAL_ORDER_COLUMNS


@dataclass(frozen=True)
class FileContent:
    """What is known about a file after it has been read.

    Attributes
    ----------
    columns
        Columns as landed.
    weeks
        Weeks of the order dates, sorted.
    rows
        Number of rows.
    careful
        Whether the quotes need the slow reader.
    fault
        Fault in a part of the file; the rows of that part are rejected.
    """

    columns: tuple[str, ...]
    weeks: tuple[date, ...]
    rows: int
    careful: bool
    fault: OrderFileError | None


def scan_order_file(source: Source, landed_names: Mapping[str, str]) -> FileContent:
    """Read a file once to find its columns and weeks.

    Parameters
    ----------
    source
        The file.
    landed_names
        Platform name -> landed name, for every column of an order line.

    Raises
    ------
    OrderFileError
        If any part of the file cannot be read, a required column is missing, or there are rows but no readable date.
    OSError
        If the store of the file fails.
    """
    date_column = landed_names["order_date"]
    inspected = inspect_order_file(source)
    columns: dict[str, None] = {}
    weeks: set[date] = set()
    rows = 0
    for batch in read_order_file(replace(inspected, columns=[date_column])):
        columns |= dict.fromkeys(batch.rows.schema.names)
        if date_column in batch.rows.schema.names:
            dates = batch.rows.column(date_column)
            weeks |= set(weeks_of_dates(dates, source.order_format.date).unique().to_pylist())
        rows += len(batch.numbers)
    weeks.discard(None)
    _require_columns(source.path, tuple(columns), landed_names)
    if rows and not weeks:
        raise OrderFileError(
            source.path,
            f"no date in column {date_column!r} can be read",
            "Write dates as 2025-03-10 (ISO 8601), set their format in [orders.format] date, or map another column to "
            "order_date",
            kind="no_dates",
            columns=[date_column],
        )
    return FileContent(tuple(columns), tuple(sorted(weeks)), rows, inspected.careful, inspected.fault)


def required_columns(landed_names: Mapping[str, str]) -> list[str]:
    """Return the landed names of the columns that every order file must have."""
    return [landed for name, landed in landed_names.items() if name not in OPTIONAL_ORDER_COLUMNS]


def _require_columns(path: str, columns: Collection[str], landed_names: Mapping[str, str]) -> None:
    required = required_columns(landed_names)
    missing = {
        name: landed for name, landed in landed_names.items() if landed in required and landed not in columns
    }
    if missing:
        described = ", ".join(f"{landed!r} ({name})" for name, landed in missing.items())
        raise OrderFileError(
            path,
            f"it has no column {described}; its columns are {', '.join(columns)}",
            "Map its column names in [orders.columns] of forecasting.toml (`init --column` before there is one), set "
            "[orders.format] delimiter if its columns were not separated, or land the file with these columns and "
            "nothing above them",
            kind="missing_columns",
            columns=missing.values(),
        )


def rows_of_weeks(
    source: Source, file_weeks: Collection[date], date_column: str, weeks: Collection[date]
) -> Iterator[tuple[RowBatch, pa.Array]]:
    """Yield the rows of a file that belong to `weeks`, and the week of each row (date32).

    A row whose date cannot be read belongs to the latest of `file_weeks`, which must not be empty.
    """
    wanted, latest = pa.array(weeks, pa.date32()), pa.scalar(max(file_weeks), pa.date32())
    for batch in read_order_file(source):
        if date_column in batch.rows.schema.names:
            dates = batch.rows.column(date_column)
            week = weeks_of_dates(dates, source.order_format.date).fill_null(latest)
        else:
            week = pa.repeat(latest, len(batch.numbers))
        chosen = pc.is_in(week, wanted)
        yield batch.filter(chosen), week.filter(chosen)
