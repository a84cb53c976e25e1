"""What a landed order file holds: its columns and the weeks it touches, and its rows of given weeks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.orders.reading import (
    OrderFileError,
    read_order_file,
    weeks_of_dates,
)

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


@dataclass(frozen=True)
class FileContent:
    """Columns as landed, the weeks with rows in the file (sorted), and its number of rows."""

    columns: tuple[str, ...]
    weeks: tuple[date, ...]
    rows: int


def scan_order_file(
    filesystem: "FileSystem", path: str, landed_names: Mapping[str, str], optional: Iterable[str]
) -> FileContent:
    """Read a file once to learn what it holds; `landed_names` maps platform names to landed ones.

    OrderFileError if it cannot be read, lacks a column that is not `optional`, or holds rows but no readable date.
    """
    date_column = landed_names["order_date"]
    columns: dict[str, None] = {}
    weeks: set[date] = set()
    rows = 0
    for _, batch in read_order_file(filesystem, path, only=[date_column]):
        columns |= dict.fromkeys(batch.schema.names)
        if date_column in batch.schema.names:
            weeks |= set(weeks_of_dates(batch.column(date_column)).unique().to_pylist())
        rows += batch.num_rows
    weeks.discard(None)
    _require_columns(path, tuple(columns), landed_names, optional)
    if rows and not weeks:
        raise OrderFileError(
            f"{path}: no date in column {landed_names['order_date']!r} can be read: write ISO 8601, as 2025-03-10, "
            "or map another column to order_date"
        )
    return FileContent(tuple(columns), tuple(sorted(weeks)), rows)


def _require_columns(
    path: str, columns: tuple[str, ...], landed_names: Mapping[str, str], optional: Iterable[str]
) -> None:
    missing = [
        f"{landed!r} ({name})"
        for name, landed in landed_names.items()
        if landed not in columns and name not in optional
    ]
    if missing:
        raise OrderFileError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(columns)}: map the names it uses in "
            "[orders.columns] of forecasting.toml, or land the file with these columns"
        )


def rows_of_weeks(
    filesystem: "FileSystem",
    path: str,
    file_weeks: tuple[date, ...],
    date_column: str,
    weeks: Iterable[date],
) -> Iterator[tuple[pa.RecordBatch, pa.Array, pa.Array]]:
    """The rows of `path` that belong to `weeks`, their numbers in the file, and the week of each (date32).

    A row whose date cannot be read belongs to the latest of `file_weeks`, of which there is at least one.
    """
    wanted, latest = pa.array(weeks, pa.date32()), pa.scalar(max(file_weeks), pa.date32())
    for numbers, batch in read_order_file(filesystem, path):
        if date_column in batch.schema.names:
            week = weeks_of_dates(batch.column(date_column)).fill_null(latest)
        else:
            week = pa.repeat(latest, batch.num_rows)
        chosen = pc.is_in(week, wanted)
        yield batch.filter(chosen), pa.array(numbers).filter(chosen), week.filter(chosen)
