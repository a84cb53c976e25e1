"""JSON files with one object per line, or with one array of objects."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from forecasting_assets.orders.rows import OrderFileError, RowBatch, Source, column_names, open_utf8

_ROWS_PER_BATCH = 10_000
_REMEDY = "Write one order line per line, as {…}"

_Object: TypeAlias = dict[str, Any]


def read_json_lines(source: Source) -> Iterator[RowBatch]:
    """Yield the rows of a file of JSON lines, see `reading.read_order_file`."""
    landed, number = dict[str, None](), 0
    for objects in _objects(source):
        landed |= dict.fromkeys(chain.from_iterable(objects))
        names = dict(zip(column_names(source.path, landed), landed, strict=True))
        chosen = source.chosen(names)
        texts = [_texts([row.get(names[name]) for row in objects]) for name in chosen]
        rows = pa.RecordBatch.from_arrays(texts, chosen)
        yield RowBatch.regular(np.arange(number + 1, number + len(objects) + 1), rows)
        number += len(objects)
    yield RowBatch.without_rows(column_names(source.path, landed))


def _objects(source: Source) -> Iterator[list[_Object]]:
    """Yield the objects of a file in batches."""
    with open_utf8(source) as file:
        number, lines = 0, list(islice(file, _ROWS_PER_BATCH))
        first = next((line for line in lines if not line.isspace()), b"")
        if first.lstrip().startswith(b"["):
            yield _array(source, b"".join(lines) + file.read())
            return
        while lines:
            yield _decoded(source, lines, number)
            number += len(lines)
            lines = list(islice(file, _ROWS_PER_BATCH))


def _number(source: Source) -> Callable[[str], str]:
    """Return how to keep a number: as its text (0.10 stays 0.10), with the decimal separator of the order format."""
    decimal = source.order_format.decimal
    return str if decimal == "." else lambda text: text.replace(".", decimal)


def _tolerant(source: Source) -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=_number(source), parse_constant=str)


def _array(source: Source, content: bytes) -> list[_Object]:
    with suppress(json.JSONDecodeError):
        rows: list[_Object] = _tolerant(source).decode(content.decode().strip())
        if all(isinstance(row, dict) for row in rows):
            return rows
    remedy = f"{_REMEDY}, or an array of such objects"
    raise OrderFileError(source.path, "it is not an array of JSON objects", remedy, kind="json")


def _decoded(source: Source, lines: list[bytes], lines_before: int) -> list[_Object]:
    """Decode the objects of lines; blank lines are skipped."""
    filled = [line for line in lines if not line.isspace()]
    # The slower and more tolerant decoder below reads what this one rejects, or names the line with the fault.
    decoder = msgspec.json.Decoder(dict[str, object], float_hook=_number(source))
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        objects = decoder.decode_lines(b"".join(filled))
        # It accepts two objects on one line, and an object that continues on the next line.
        if len(objects) == len(filled):
            return objects
    tolerant = _tolerant(source)
    return [
        _decoded_line(source, tolerant, number, line)
        for number, line in enumerate(lines, start=lines_before + 1)
        if not line.isspace()
    ]


def _decoded_line(source: Source, decoder: json.JSONDecoder, number: int, line: bytes) -> _Object:
    remedy = f"{_REMEDY}, in UTF-8, and land the file again"
    try:
        row = decoder.decode(line.decode().strip())
    except UnicodeDecodeError:
        reason = "it is not text in UTF-8"
        raise OrderFileError(source.path, reason, remedy, number, kind="encoding") from None
    except json.JSONDecodeError as error:
        reason = f"it is not JSON ({error.msg})"
        raise OrderFileError(source.path, reason, remedy, number, kind="json") from None
    if not isinstance(row, dict):
        raise OrderFileError(source.path, "it is not a JSON object", remedy, number, kind="json")
    return row


def _texts(values: list[Any]) -> pa.Array:
    with suppress(pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.array(values, pa.string())
    # Numbers with a point are texts already; this fails for numbers beyond 64 bits and for other values.
    with suppress(pa.ArrowTypeError, pa.ArrowInvalid, OverflowError):
        return pa.array(values, pa.int64()).cast(pa.string())
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # `type` instead of isinstance, which would also accept True.
    return str(value) if type(value) is int else json.dumps(value, ensure_ascii=False)
