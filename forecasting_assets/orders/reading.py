"""Reading order files: any of the landed formats as batches of text columns, row by row numbered.

Nothing is judged here but whether a file can be read at all; a row that is wrong is still a row.
"""

import csv
import io
import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import chain, filterfalse, islice
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

FORMATS = (".csv", ".csv.gz", ".parquet", ".jsonl")
#: Row numbers (int64, the first row of the file is 1) and the rows, every column as text.
NumberedRows = tuple[np.ndarray, pa.RecordBatch]
_ISO_8601 = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_ZONE = r":\d{2}.*(?:Z|[+-]\d{2}:?\d{2})$"
#: The form nearly all dates have: whatever has it is of the day that it begins with, in UTC.
_PLAIN = r"^\d{4}-\d{2}-\d{2}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?Z?)?$"
_DAY = 10
_JSON_ROWS_PER_BATCH = 10_000
#: Numbers stay the text they are: 0.10 is not 0.1 yet. Lines that the first refuses, the slower second takes or
#: tells what is wrong with.
_JSON = msgspec.json.Decoder(dict[str, object], float_hook=str)
_TOLERANT_JSON = json.JSONDecoder(parse_float=str, parse_constant=str)


class OrderFileError(ValueError):
    """An order file that cannot be used; the message names the file and the remedy."""


def is_order_file(path: str) -> bool:
    return path.lower().endswith(FORMATS) and not any(part.startswith((".", "_")) for part in path.split("/"))


def parse_order_dates(text: pd.Series) -> pd.Series:
    """ISO 8601 dates and timestamps as datetime64[us, UTC]; NaT where the text is anything else."""
    text = text.astype("string").str.strip()
    iso = text.where(text.str.fullmatch(_ISO_8601).fillna(False).astype(bool))
    # pandas would read a time without a zone in the zone of a time before it.
    zoned = iso.str.contains(_ZONE).fillna(False).astype(bool)
    parts = [
        pd.to_datetime(iso.where(of), format="ISO8601", errors="coerce", utc=True) for of in (zoned, ~zoned)
    ]
    return parts[0].fillna(parts[1]).astype("datetime64[us, UTC]")


def weeks_of_dates(text: pa.Array) -> pa.Array:
    """The Monday of each date or timestamp (date32); null where `parse_order_dates` cannot read it."""
    trimmed = pc.utf8_trim_whitespace(text)
    plain = pc.fill_null(pc.match_substring_regex(trimmed, _PLAIN), False)
    days = pc.utf8_slice_codeunits(pc.if_else(plain, trimmed, None), 0, _DAY).dictionary_encode()
    weeks = _mondays_of_days(days.dictionary).take(days.indices)
    # Of the rest only what looks like a date is worth the milliseconds that pandas takes to begin.
    others = pc.and_(pc.match_substring_regex(trimmed, f"^{_ISO_8601}$").fill_null(False), pc.invert(plain))
    if not pc.any(others).as_py():
        return weeks
    return pc.replace_with_mask(weeks, others, _mondays(trimmed.filter(others)))


def _mondays_of_days(days: pa.Array) -> pa.Array:
    """`_mondays` of YYYY-MM-DD, at a tenth of its time where they are days of our time."""
    first, last = pc.min_max(days).values()
    if first.as_py() and first.as_py() > "1900" and last.as_py() < "2200":
        with suppress(pa.ArrowInvalid):  # there is no 30 February
            return pc.floor_temporal(days.cast(pa.date32()), unit="week")
    return _mondays(days)


def _mondays(text: pa.Array) -> pa.Array:
    moments = pa.Array.from_pandas(parse_order_dates(text.to_pandas()))
    return pc.floor_temporal(moments, unit="week").cast(pa.date32())


def read_order_file(
    filesystem: "FileSystem", path: str, only: Collection[str] | None = None
) -> Iterator[NumberedRows]:
    """The rows of a file in batches: all of their columns, or those of `only`.

    One batch, without rows, has all the columns of the file whatever is asked for: the first, of JSON the last.
    A CSV row with too few cells lacks its last columns; one with too many keeps the surplus in its last column.
    OrderFileError if the file cannot be read to its end.
    """
    readers = {".csv": _read_csv, ".gz": _read_csv, ".parquet": _read_parquet, ".jsonl": _read_jsonl}
    reader = readers["." + path.rsplit(".", 1)[-1].lower()]
    try:
        for numbers, batch in reader(filesystem, path, only):
            # A name used twice could not be told apart.
            if len(set(batch.schema.names)) < len(batch.schema.names):
                raise OrderFileError(
                    f"{path}: two columns have the same name: {', '.join(batch.schema.names)}"
                )
            yield numbers, batch
    except OrderFileError:
        raise
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise OrderFileError(
            f"{path} cannot be read ({reason}): land it again in full, or remove it"
        ) from error


def _csv_columns(filesystem: "FileSystem", path: str) -> tuple[list[str], bool]:
    """The header of a file, and whether anything follows it."""
    with (
        filesystem.open_input_stream(path) as stream,
        io.TextIOWrapper(stream, "utf-8-sig", newline="") as text,
    ):
        rows = csv.reader(text)
        header = next(rows, None)
        more = next(rows, None) is not None
    if not header:
        raise OrderFileError(f"{path} is empty: land it again with a header line, or remove it")
    return header, more


def _read_csv(filesystem: "FileSystem", path: str, only: Collection[str] | None) -> Iterator[NumberedRows]:
    import pyarrow.csv as csv_format

    columns, more = _csv_columns(filesystem, path)
    yield _no_rows(columns)
    if not more:
        return
    odd: list[tuple[int, str]] = []  # (row number, text) of rows whose number of cells is off

    def keep_aside(row: csv_format.InvalidRow) -> str:
        odd.append((row.number - 1, row.text))  # pyarrow counts the header
        return "skip"

    with filesystem.open_input_stream(path) as stream:
        reader = csv_format.open_csv(
            stream,
            # A row's number is known to the single-threaded reader only; files are read side by side instead.
            csv_format.ReadOptions(use_threads=False, block_size=8 << 20),
            csv_format.ParseOptions(newlines_in_values=True, invalid_row_handler=keep_aside),
            csv_format.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=False,
                include_columns=_chosen(columns, only),
            ),
        )
        read = 0
        for batch in reader:
            yield _skipping(read, batch.num_rows, [number for number, _ in odd]), batch
            read += batch.num_rows
    if odd:
        cells = [_fit(next(csv.reader([text])), len(columns)) for _, text in odd]
        texts = [pa.array(column, pa.string()) for column in zip(*cells, strict=True)]
        yield np.array([number for number, _ in odd]), pa.RecordBatch.from_arrays(texts, columns)


def _chosen(columns: Iterable[str], only: Collection[str] | None) -> list[str]:
    return [name for name in columns if only is None or name in only]


def _no_rows(columns: list[str]) -> NumberedRows:
    """What a file without rows still tells: its columns."""
    return np.array([], dtype="int64"), pa.RecordBatch.from_pylist([], _text_schema(columns))


def _text_schema(columns: Iterable[str]) -> pa.Schema:
    return pa.schema([pa.field(name, pa.string()) for name in columns])


def _skipping(read: int, count: int, odd: list[int]) -> np.ndarray:
    """Row numbers of the `count` rows that follow `read` others, where the rows `odd` are not among them."""
    rank = np.arange(read + 1, read + count + 1)
    skipped = np.sort(np.array(odd, dtype="int64"))
    return rank + np.searchsorted(skipped - np.arange(len(skipped)), rank, side="right")


def _fit(cells: list[str], width: int) -> list[str | None]:
    if len(cells) > width:
        return [*cells[: width - 1], ",".join(cells[width - 1 :])]
    return [*cells, *[None] * (width - len(cells))]


def _read_parquet(
    filesystem: "FileSystem", path: str, only: Collection[str] | None
) -> Iterator[NumberedRows]:
    import pyarrow.parquet as pq

    read = 0
    with pq.ParquetFile(path, filesystem=filesystem) as file:
        columns = file.schema_arrow.names
        yield _no_rows(columns)
        for batch in file.iter_batches(columns=_chosen(columns, only)):
            yield np.arange(read + 1, read + batch.num_rows + 1), _as_text(batch)
            read += batch.num_rows


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    for field in batch.schema:
        if pa.types.is_nested(field.type):
            raise OrderFileError(
                f"column {field.name} is nested ({field.type}): land it flat, one value a cell"
            )
    columns = [_utc_text(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names).cast(_text_schema(batch.schema.names))


def _utc_text(column: pa.Array) -> pa.Array:
    """Moments in UTC as the text that Arrow makes of them, at a tenth of its time."""
    if getattr(column.type, "tz", None) != "UTC":
        return column
    moments = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    return pc.binary_join_element_wise(moments, "Z", "")


def _read_jsonl(filesystem: "FileSystem", path: str, only: Collection[str] | None) -> Iterator[NumberedRows]:
    names, read = dict[str, None](), 0
    with filesystem.open_input_stream(path) as stream, io.BufferedReader(stream) as file:
        lines = filterfalse(bytes.isspace, file)
        while some := list(islice(lines, _JSON_ROWS_PER_BATCH)):
            objects = _json_objects(path, some, read)
            columns = dict.fromkeys(chain.from_iterable(objects))
            names |= columns
            chosen = _chosen(columns, only)
            texts = [_json_texts([row.get(name) for row in objects]) for name in chosen]
            yield np.arange(read + 1, read + len(some) + 1), pa.RecordBatch.from_arrays(texts, chosen)
            read += len(some)
    yield _no_rows(list(names))


def _json_objects(path: str, lines: list[bytes], read: int) -> list[dict]:
    """The objects of lines that follow `read` others, one of each."""
    with suppress(msgspec.MsgspecError):
        objects = _JSON.decode_lines(b"".join(lines))
        # It reads on where a line holds two objects, or half of one.
        if len(objects) == len(lines):
            return objects
    return [_json_object(path, line, number) for number, line in enumerate(lines, start=read + 1)]


def _json_object(path: str, line: bytes, number: int) -> dict:
    try:
        row = _TOLERANT_JSON.decode(line.decode())
    except json.JSONDecodeError as error:
        raise OrderFileError(
            f"{path}, line {number} is no JSON ({error.msg}): mend the line or land it again"
        ) from None
    if not isinstance(row, dict):
        raise OrderFileError(
            f"{path}, line {number} is no JSON object: write one order line a line, as {{…}}"
        )
    return row


def _json_texts(values: list) -> pa.Array:
    with suppress(pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.array(values, pa.string())
    # Whole numbers, which are text already where they have a point; what is beyond 64 bits or no number fails.
    with suppress(pa.ArrowTypeError, pa.ArrowInvalid, OverflowError):
        return pa.array(values, pa.int64()).cast(pa.string())
    return pa.array([_json_text(value) for value in values], pa.string())


def _json_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # Of the others most are whole numbers, and True is no int here.
    return str(value) if type(value) is int else json.dumps(value)
