"""Reading order files: every format as batches of text columns, with the number of each row.

Whether a file can be read at all is decided here; rows that are wrong are still rows. Each format has a module of its
own.
"""

import csv
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from forecasting_assets.orders.csv_files import inspect_csv, read_csv
from forecasting_assets.orders.excel_files import read_excel
from forecasting_assets.orders.json_files import read_json_lines
from forecasting_assets.orders.parquet_files import inspect_parquet, read_parquet
from forecasting_assets.orders.rows import OrderFileError, RowBatch, Source
from forecasting_assets.storage import is_store_error, stored_blocks


def _nothing_to_inspect(source: Source) -> Source:
    return source  # the whole file is read whichever of its columns are asked for


@dataclass(frozen=True)
class Format:
    """How files of one format are read.

    Attributes
    ----------
    read
        Yields the rows of a file.
    inspect
        Looks at the parts of a file that reading a few columns does not; gives the source with how to read it.
    """

    read: Callable[[Source], Iterator[RowBatch]]
    inspect: Callable[[Source], Source] = _nothing_to_inspect


_CSV, _JSON_LINES = Format(read_csv, inspect_csv), Format(read_json_lines)
_TEXT = {".csv": _CSV, ".tsv": _CSV, ".jsonl": _JSON_LINES, ".ndjson": _JSON_LINES, ".json": _JSON_LINES}
_FORMATS = {
    **_TEXT,
    **{f"{ending}.gz": text for ending, text in _TEXT.items()},
    ".parquet": Format(read_parquet, inspect_parquet),
    ".xlsx": Format(read_excel),
}
#: The endings that are read, in any case.
FORMATS = tuple(_FORMATS)


def has_known_ending(path: str) -> bool:
    """Whether a file's name ends like one of the formats that are read."""
    return path.lower().endswith(FORMATS)


def inspect_order_file(source: Source) -> Source:
    """Look at a whole file once, so that nothing is left that could fail when its rows are read.

    Returns
    -------
    Source
        The source with how it is to be read.

    Raises
    ------
    OrderFileError, OSError
        As `read_order_file` does.
    """
    with _faults_of_file(source):
        return _format(source.path).inspect(source)


def read_order_file(source: Source) -> Iterator[RowBatch]:
    """The rows of a file in batches.

    Yields
    ------
    RowBatch
        All columns of the file, or those of `source.columns`. One batch, without rows, has every column of the file
        whatever is asked for.

    Raises
    ------
    OrderFileError
        If the file cannot be read to its end, or two of its columns have the same name.
    OSError
        If the store does not answer as it should, which says nothing about the file.
    """
    with _faults_of_file(source):
        yield from _format(source.path).read(source)


def _format(path: str) -> Format:
    name = path.lower()
    return next(found for ending, found in _FORMATS.items() if name.endswith(ending))


@contextmanager
def _faults_of_file(source: Source) -> Iterator[None]:
    """Tell what is wrong with a file from what is wrong with its store."""
    try:
        yield
    except OrderFileError:
        raise
    except OSError as error:
        if is_store_error(error):
            raise
        raise _fault(source, error) from error
    except (pa.ArrowException, EOFError, ValueError, csv.Error, zlib.error) as error:
        raise _fault(source, error) from error


def _fault(source: Source, error: Exception) -> OrderFileError:
    # Libraries raise OSError for damaged content too: if every byte can be had, it is the content.
    for _ in stored_blocks(source.filesystem, source.path):
        pass
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return OrderFileError(source.path, f"it cannot be read ({reason})", "Land it again in full, or remove it")
