"""CSV and TSV files: pyarrow reads those with regular quotes, Python's csv module the others.

Quotes are regular if each opens at the start of a cell and closes at the end of a cell, as in RFC 4180.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from forecasting_assets.orders.csv_quotes import CarefulRows, QuoteScan, Row
from forecasting_assets.orders.rows import (
    BLOCK,
    OrderFileError,
    RowBatch,
    Source,
    column_names,
    decoded_blocks,
    open_text,
)
from forecasting_assets.orders.text import WHITE_SPACE

_TSV = ".tsv"
#: Endings of CSV files, which may be followed by `.gz`.
CSV_ENDINGS = (".csv", _TSV)
_ROWS_PER_BATCH = 50_000


@dataclass(frozen=True)
class Layout:
    """Layout of a CSV file.

    Attributes
    ----------
    columns
        Names of the columns.
    named
        Number of columns up to the last one with a name; rows need not have cells beyond it.
    header_lines
        Number of lines up to the end of the header.
    has_rows
        Whether any rows follow the header.
    delimiter
        Character between cells.
    encoding
        Text encoding.
    """

    columns: list[str]
    named: int
    header_lines: int
    has_rows: bool
    delimiter: str
    encoding: str


def is_csv(path: str) -> bool:
    """Return whether a file is CSV or TSV, compressed or not, by its name."""
    return _uncompressed(path).endswith(CSV_ENDINGS)


def is_tab_separated(path: str) -> bool:
    """Return whether the cells of a file are separated by tabs, by its name."""
    return _uncompressed(path).endswith(_TSV)


def _uncompressed(path: str) -> str:
    return path.lower().removesuffix(".gz")


def inspect_csv(source: Source) -> Source:
    """Check every byte of a file and decide which reader its quotes need.

    Raises
    ------
    OrderFileError
        If a byte is not text in the file's encoding.
    """
    scan = QuoteScan(_delimiter(source))
    for block in decoded_blocks(source):
        scan.feed(block)
    if scan.is_regular():
        return source
    with open_text(source) as text:
        rows = CarefulRows(text, _delimiter(source), source.path)
        for _ in rows:
            pass
    return replace(source, careful=True, fault=rows.fault)


def read_csv(source: Source) -> Iterator[RowBatch]:
    """Yield the rows of a CSV or TSV file, see `reading.read_order_file`."""
    layout = _layout(source)
    yield RowBatch.without_rows(layout.columns)
    if layout.has_rows:
        yield from _read_carefully(source, layout) if source.careful else _read_quickly(source, layout)


def lines_of_rows(source: Source) -> np.ndarray:
    """Return the line of a CSV file in which its header begins, and then each row, (1 + rows,).

    Blank lines are no rows, and a row may span several lines.
    """
    with open_text(source) as text:
        return np.array([row.line for row in CarefulRows(text, _delimiter(source), source.path)], "int64")


def _delimiter(source: Source) -> str:
    return "\t" if is_tab_separated(source.path) else source.order_format.delimiter


def _layout(source: Source) -> Layout:
    delimiter = _delimiter(source)
    with open_text(source) as text:
        rows = CarefulRows(text, delimiter, source.path)
        following = iter(rows)
        header = next(following, None)
        if header is None:
            remedy = "Land it again with a header line, or remove it"
            raise OrderFileError(source.path, "it is empty", remedy, kind="empty")
        if rows.fault:
            raise rows.fault
        names = column_names(source.path, header.cells)
        named = [position for position, cell in enumerate(header.cells, 1) if cell.strip(WHITE_SPACE)]
        header_lines, has_rows = rows.lines_read, next(following, None) is not None
        return Layout(names, max(named, default=0), header_lines, has_rows, delimiter, text.encoding)


def _read_quickly(source: Source, layout: Layout) -> Iterator[RowBatch]:
    odd = _OddRows(layout)
    chosen = source.chosen(layout.columns)
    with source.filesystem.open_input_stream(source.path) as stream:
        reader = arrow_csv.open_csv(
            stream,
            # Only the single-threaded reader knows a row's number; files are read in parallel instead.
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK,
                encoding="utf8" if layout.encoding == "utf-8-sig" else layout.encoding,
                skip_rows=layout.header_lines,
                column_names=layout.columns,
            ),
            arrow_csv.ParseOptions(
                delimiter=layout.delimiter, newlines_in_values=True, invalid_row_handler=odd.keep
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(layout.columns, pa.string()),
                strings_can_be_null=False,
                include_columns=chosen,
            ),
        )
        rows_read = 0
        for batch in reader:
            yield RowBatch.regular(odd.numbers_around(rows_read, batch.num_rows), batch)
            rows_read += batch.num_rows
            yield from odd.taken(chosen)
    yield from odd.taken(chosen)


def _read_carefully(source: Source, layout: Layout) -> Iterator[RowBatch]:
    chosen = source.chosen(layout.columns)
    with open_text(source) as text:
        rows = iter(CarefulRows(text, layout.delimiter, source.path))
        next(rows)  # the header
        number = 0
        while batch := list(islice(rows, _ROWS_PER_BATCH)):
            yield _batch(np.arange(number + 1, number + len(batch) + 1), batch, layout, chosen)
            number += len(batch)


class _OddRows:
    """Rows with more or fewer cells than the header, collected while pyarrow reads the others."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._numbers: list[int] = []
        self._texts: list[str] = []
        self._taken = 0

    def keep(self, row: arrow_csv.InvalidRow) -> str:
        self._numbers.append(row.number - self._layout.header_lines)
        self._texts.append(row.text)
        return "skip"

    def numbers_around(self, rows_read: int, count: int) -> np.ndarray:
        """Return the row numbers of the next `count` regular rows, after `rows_read` regular rows."""
        rank = np.arange(rows_read + 1, rows_read + count + 1)
        odd = np.array(self._numbers, dtype="int64")
        return rank + np.searchsorted(odd - np.arange(len(odd)), rank, side="right")

    def taken(self, chosen: list[str]) -> Iterator[RowBatch]:
        """Yield the rows collected since the last call."""
        if not self._texts:
            return
        rows = csv.reader(self._texts, delimiter=self._layout.delimiter)
        numbers = np.array(self._numbers[self._taken :], dtype="int64")
        self._taken = len(self._numbers)
        yield _batch(numbers, [Row(cells) for cells in rows], self._layout, chosen)
        self._texts = []


def _batch(numbers: np.ndarray, rows: Iterable[Row], layout: Layout, chosen: list[str]) -> RowBatch:
    fitted = [_fit(row, layout) for row in rows]
    columns = dict(zip(layout.columns, zip(*(cells for cells, _, _ in fitted), strict=True), strict=True))
    return RowBatch(
        numbers,
        pa.RecordBatch.from_arrays([pa.array(columns[name], pa.string()) for name in chosen], chosen),
        pa.array([problem for _, problem, _ in fitted], pa.string()),
        pa.array([surplus for _, _, surplus in fitted], pa.string()),
    )


def _fit(row: Row, layout: Layout) -> tuple[list[str | None], str | None, str | None]:
    """Return a row's cells for the columns of the header, its problem, and its surplus cells."""
    width = len(layout.columns)
    cells: list[str | None] = [*row.cells[:width], *[None] * (width - len(row.cells))]
    surplus = row.cells[width:]
    if any(cell.strip(WHITE_SPACE) for cell in surplus):
        return cells, row.problem or "surplus_cells", json.dumps(surplus, ensure_ascii=False)
    if len(row.cells) < layout.named:
        return cells, row.problem or "missing_cells", None
    return cells, row.problem, None
