"""Read order files of every format as batches of text columns, with the number of each row.

A file that cannot be read is an error here; rows with wrong values are still rows. Each format has its own module.
"""

import csv
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from forecasting_assets.orders.csv_files import CSV_ENDINGS, inspect_csv, read_csv
from forecasting_assets.orders.excel_files import read_excel
from forecasting_assets.orders.json_files import read_json_lines
from forecasting_assets.orders.parquet_files import inspect_parquet, read_parquet
from forecasting_assets.orders.rows import OrderFileError, RowBatch, Source
from forecasting_assets.storage import is_store_error, stored_blocks


def _nothing_to_inspect(source: Source) -> Source:
    return source  # the whole file is read even if only some columns are needed


@dataclass(frozen=True)
class Format:
    """Functions that read the files of one format.

    Attributes
    ----------
    read
        Yields the rows of a file.
    inspect
        Checks the parts of a file that are skipped when only some columns are read, and returns the source with
        how to read it.
    """

    read: Callable[[Source], Iterator[RowBatch]]
    inspect: Callable[[Source], Source] = _nothing_to_inspect


_CSV, _JSON_LINES = Format(read_csv, inspect_csv), Format(read_json_lines)
_TEXT = dict.fromkeys(CSV_ENDINGS, _CSV) | dict.fromkeys((".jsonl", ".ndjson", ".json"), _JSON_LINES)
_FORMATS = {
    **_TEXT,
    **{f"{ending}.gz": text for ending, text in _TEXT.items()},
    ".parquet": Format(read_parquet, inspect_parquet),
    ".xlsx": Format(read_excel),
}
#: Endings of the files that are read, in lower case.
FORMATS = tuple(_FORMATS)


def has_known_ending(path: str) -> bool:
    """Return whether a file has one of the endings that are read, in upper or lower case."""
    return path.lower().endswith(FORMATS)


def inspect_order_file(source: Source) -> Source:
    """Check a whole file once, so that its rows can be read later without errors.

    Returns
    -------
    Source
        The source with how to read it.

    Raises
    ------
    OrderFileError, OSError
        As `read_order_file` does.
    """
    with _faults_of_file(source):
        return _format(source.path).inspect(source)


def read_order_file(source: Source) -> Iterator[RowBatch]:
    """Yield the rows of a file in batches.

    Yields
    ------
    RowBatch
        All columns of the file, or those of `source.columns`. One batch has no rows and always every column of the
        file.

    Raises
    ------
    OrderFileError
        If the file cannot be read to its end, or two of its columns have the same name.
    OSError
        If the store fails, which does not mean that the file is damaged.
    """
    with _faults_of_file(source):
        yield from _format(source.path).read(source)


def _format(path: str) -> Format:
    name = path.lower()
    return next(known for ending, known in _FORMATS.items() if name.endswith(ending))


@contextmanager
def _faults_of_file(source: Source) -> Iterator[None]:
    """Turn errors about the content of a file into OrderFileError, but not errors of its store."""
    try:
        yield
    except (OrderFileError, MemoryError):
        raise
    except OSError as error:
        if is_store_error(error):
            raise
        raise _fault(source, error) from error
    except (pa.ArrowException, EOFError, ValueError, csv.Error, zlib.error) as error:
        raise _fault(source, error) from error


def _fault(source: Source, error: Exception) -> OrderFileError:
    # Libraries raise OSError for damaged content too: if every byte can be read, the content is damaged.
    for _ in stored_blocks(source.filesystem, source.path):
        pass
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return OrderFileError(source.path, f"it cannot be read ({reason})", "Land it again in full, or remove it")
