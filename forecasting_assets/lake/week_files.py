"""Whole weeks of the lake in Spark's Python workers. No Dagster here: each worker would load it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from forecasting_assets.storage import StoreError, is_store_error, open_unmixed

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileSystem
    from pyarrow.parquet import ParquetFile

#: How the message about a damaged file begins.
DAMAGED = "FAILED_READ_FILE"
_Made = TypeVar("_Made")


def open_parquet(filesystem: "FileSystem", path: str) -> "ParquetFile":
    """Open a file of the lake; checksums are verified as its pages are read."""
    import pyarrow.parquet as pq

    return open_unmixed(filesystem, path, partial(pq.ParquetFile, page_checksum_verification=True))


def read_columns(file: "ParquetFile", schema: "pa.Schema") -> "pa.Table":
    """Read columns of the file of a week; those that weeks of earlier versions lack are empty."""
    return with_missing_columns(file.read(columns=schema.names), schema)


def with_missing_columns(stored: "pa.Table", schema: "pa.Schema") -> "pa.Table":
    """Return rows with the columns of `schema`; those that they lack are empty."""
    import pyarrow as pa

    missing = pa.nulls(len(stored))
    columns = [
        (stored[field.name] if field.name in stored.column_names else missing).cast(field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def store_failed(error: Exception) -> TypeGuard[OSError]:
    """Return whether an error while a file of the lake is read is one of the store, and not of the file."""
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError) and is_store_error(error)


@contextmanager
def open_week(filesystem: "FileSystem", path: str) -> "Iterator[ParquetFile]":
    """Open the file of a week; checksums are verified as its pages are read.

    Raises
    ------
    OSError
        If the file is damaged. The message names it, as Spark quotes nothing but messages.
    StoreError
        If the store fails.
    """
    import pyarrow as pa

    try:
        with open_parquet(filesystem, path) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        if str(error).startswith(DAMAGED):  # it names another file, opened within the block
            raise
        if store_failed(error):
            raise StoreError.from_os_error(path, error) from None
        raise OSError(f"{DAMAGED} {path}\nCaused by: {error}") from error


def read_each_week(
    filesystem: "FileSystem",
    batches: "Iterable[pa.RecordBatch]",
    function: Callable[["ParquetFile", date], _Made],
) -> Iterator[tuple[date, _Made]]:
    """Each week and what `function` makes of its file.

    Parameters
    ----------
    filesystem
        Where the files lie.
    batches
        Week (date32) and path of each file.
    function
        Called with the open file and its week.

    Raises
    ------
    OSError, StoreError
        If a file cannot be read (`open_week`).
    """
    import pyarrow as pa

    for week, path in (
        row for batch in batches for row in zip(*map(pa.Array.to_pylist, batch.columns), strict=True)
    ):
        with open_week(filesystem, path) as file:
            made = function(file, week)
        yield week, made
