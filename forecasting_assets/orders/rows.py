"""Types shared by all readers of order files: the source, the batch of rows, and the error about a file."""

import codecs
import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
import pyarrow as pa

from forecasting_assets.errors import PicklableError
from forecasting_assets.orders.text import WHITE_SPACE

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from forecasting_assets.orders.formats import OrderFormat

#: Bytes read at a time.
BLOCK = 8 << 20

FileFault = Literal[
    "column_names",  # two columns have the same name
    "empty",
    "encoding",
    "json",
    "missing_columns",
    "nested_column",
    "no_dates",
    "quotes",
    "sheets",  # several sheets may hold order lines
    "unreadable",
    "workbook",
]


class OrderFileError(PicklableError, ValueError):
    """An order file that cannot be used.

    Attributes
    ----------
    path
        The file.
    reason
        What is wrong with it, without the path, so that files with the same fault can be reported together.
    remedy
        What to do about it.
    line
        Line of the file with the fault, where it is known.
    kind
        Kind of fault.
    columns
        Columns with the fault, where it is about columns.
    """

    def __init__(
        self,
        path: str,
        reason: str,
        remedy: str,
        line: int | None = None,
        *,
        kind: FileFault = "unreadable",
        columns: Iterable[str] = (),
    ) -> None:
        place = path if line is None else f"{path}, line {line:,}"
        super().__init__(f"{place}: {reason}. {remedy}")
        self.path, self.reason, self.remedy, self.line = path, reason, remedy, line
        self.kind = kind
        self.columns = tuple(columns)


@dataclass(frozen=True)
class RowBatch:
    """Rows of a file as they were landed.

    Attributes
    ----------
    numbers
        Row numbers, int64: the first row of the file is 1.
    rows
        Columns of the rows, all of them text.
    problems
        What is wrong with the cells of a row (`surplus_cells`, `missing_cells`, `ambiguous_quotes`); null if nothing.
    surplus
        Cells beyond those of the header, as a JSON list.
    """

    numbers: np.ndarray
    rows: pa.RecordBatch
    problems: pa.Array
    surplus: pa.Array

    @classmethod
    def regular(cls, numbers: np.ndarray, rows: pa.RecordBatch) -> "RowBatch":
        """Create a batch of rows with as many cells as the header."""
        none = pa.nulls(len(numbers), pa.string())
        return cls(numbers, rows, none, none)

    def filter(self, chosen: pa.Array) -> "RowBatch":
        """Keep the rows for which `chosen` is true."""
        return RowBatch(
            self.numbers[chosen.to_numpy(zero_copy_only=False)],
            self.rows.filter(chosen),
            self.problems.filter(chosen),
            self.surplus.filter(chosen),
        )

    @classmethod
    def without_rows(cls, columns: Collection[str]) -> "RowBatch":
        """Create a batch that has the columns of a file but no rows."""
        schema = pa.schema([pa.field(name, pa.string()) for name in columns])
        return cls.regular(np.array([], dtype="int64"), pa.RecordBatch.from_pylist([], schema))


@dataclass(frozen=True)
class Source:
    """A file to read and how to read it.

    Attributes
    ----------
    columns
        The columns to read, by name; None for all.
    required
        Columns that order lines must have; they identify the sheet of a workbook that holds order lines.
    careful
        Whether the quotes of a CSV file need the slow reader (see `csv_files`).
    fault
        Fault in a part of the file; the rows of that part are rejected.
    """

    filesystem: "FileSystem"
    path: str
    order_format: "OrderFormat"
    columns: Collection[str] | None = None
    required: Collection[str] = ()
    careful: bool = False
    fault: OrderFileError | None = None

    def chosen(self, columns: Collection[str]) -> list[str]:
        """Select those of the file's `columns` that are read, in their order."""
        return [name for name in columns if self.columns is None or name in self.columns]


def column_names(path: str, landed: Collection[object]) -> list[str]:
    """Trim the names of columns; the seventh column is named `column_7` if it has no name.

    Raises
    ------
    OrderFileError
        If two columns have the same name.
    """
    trimmed = ["" if name is None else str(name).strip(WHITE_SPACE) for name in landed]
    names = [name or f"column_{position}" for position, name in enumerate(trimmed, start=1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise OrderFileError(
            path,
            f"several columns are named {', '.join(repeated)}",
            "Give each column a name of its own",
            kind="column_names",
            columns=repeated,
        )
    return names


def open_text(source: Source) -> io.TextIOWrapper:
    """Open a text file without changing its line ends.

    A byte order mark takes precedence over the encoding in the settings.
    """
    stream = source.filesystem.open_input_stream(source.path)
    buffered = io.BufferedReader(stream)
    encoding = _encoding(buffered.peek(4)[:4], source.order_format.encoding)
    return io.TextIOWrapper(buffered, encoding, newline="")


def open_utf8(source: Source) -> BinaryIO:
    """Open a text file as UTF-8 bytes without a byte order mark, converting it if it is UTF-16."""
    buffered = io.BufferedReader(source.filesystem.open_input_stream(source.path))
    encoding = _encoding(buffered.peek(4)[:4], "utf-8")
    if encoding == "utf-16":
        with io.TextIOWrapper(buffered, encoding, newline="") as text:
            return io.BytesIO(text.read().encode())
    if encoding == "utf-8-sig":
        buffered.read(len(codecs.BOM_UTF8))
    return buffered


def decoded_blocks(source: Source) -> Iterator[bytes]:
    """Yield the text of a file as UTF-8, in blocks.

    Raises
    ------
    OrderFileError
        If a byte is not text in the file's encoding, or is NUL.
    """
    lines, decoder, is_utf8 = 1, None, True
    with source.filesystem.open_input_stream(source.path) as stream:
        while block := stream.read(BLOCK):
            if decoder is None:
                encoding = _encoding(block[:4], source.order_format.encoding)
                decoder, is_utf8 = codecs.getincrementaldecoder(encoding)(), encoding == "utf-8"
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                line = lines + error.object[: error.start].count(b"\n")
                raise _not_text(source, encoding, line) from None
            if "\0" in text:
                raise _not_text(source, encoding, lines + text[: text.index("\0")].count("\n"))
            yield block if is_utf8 else text.encode()
            lines += block.count(b"\n")
    if decoder is not None:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise _not_text(source, encoding, lines) from None


def _encoding(start: bytes, declared: str) -> str:
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    return next((name for mark, name in marks.items() if start.startswith(mark)), declared)


def _not_text(source: Source, encoding: str, line: int) -> OrderFileError:
    return OrderFileError(
        source.path,
        f"it is not text in the encoding {encoding}",
        "Set [orders.format] encoding in forecasting.toml to the encoding of the file, such as cp1252, or land the "
        "file as UTF-8",
        line,
        kind="encoding",
    )
