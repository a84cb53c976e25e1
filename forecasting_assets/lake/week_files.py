"""Whole weeks of the lake in Spark's Python workers. No Dagster here: each worker would load it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileSystem
    from pyarrow.parquet import ParquetFile

#: What Spark says of a file of the lake that it cannot read.
DAMAGED = "FAILED_READ_FILE"
_Made = TypeVar("_Made")


@contextmanager
def open_week(filesystem: "FileSystem", path: str) -> "Iterator[ParquetFile]":
    """Open the file of a week; checksums are verified as its pages are read.

    Raises
    ------
    OSError
        If the file cannot be read within the block. The message has Spark's own words, so that it is recognised in the
        same way.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, filesystem=filesystem, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        if str(error).startswith(DAMAGED):  # it names another file, opened within the block
            raise
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
    OSError
        If a file cannot be read (`open_week`).
    """
    import pyarrow as pa

    for week, path in (
        row for batch in batches for row in zip(*map(pa.Array.to_pylist, batch.columns), strict=True)
    ):
        with open_week(filesystem, path) as file:
            made = function(file, week)
        yield week, made
