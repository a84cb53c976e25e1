"""What a landed order file holds: its columns and the weeks it touches, and its rows of given weeks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from forecasting_assets.orders.reading import (
    OrderFileError,
    parse_order_dates,
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
    columns: tuple[str, ...] = ()
    weeks: set[date] = set()
    rows = 0
    for _, batch in read_order_file(filesystem, path):
        columns = tuple(batch.schema.names)
        _require_columns(path, columns, landed_names, optional)
        dates = batch.column(landed_names["order_date"]).to_pandas()
        weeks |= {week.date() for week in weeks_of_dates(parse_order_dates(dates)).dropna().unique()}
        rows += batch.num_rows
    if rows and not weeks:
        raise OrderFileError(
            f"{path}: no date in column {landed_names['order_date']!r} can be read: write ISO 8601, as 2025-03-10, "
            "or map another column to order_date"
        )
    return FileContent(columns, tuple(sorted(weeks)), rows)


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
    wanted = pd.DatetimeIndex([pd.Timestamp(week) for week in weeks])
    latest = pd.Timestamp(max(file_weeks))
    for numbers, batch in read_order_file(filesystem, path):
        week = weeks_of_dates(parse_order_dates(batch.column(date_column).to_pandas())).fillna(latest)
        chosen = week.isin(wanted).to_numpy()
        week_column = pa.array(week[chosen].dt.date, pa.date32())
        yield batch.filter(pa.array(chosen)), pa.array(numbers[chosen], pa.int64()), week_column
