"""JSON lines: one object a line, or one array of objects in the whole file."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, islice

import msgspec
import numpy as np
import pyarrow as pa

from forecasting_assets.orders.rows import OrderFileError, RowBatch, Source, column_names, open_utf8

_ROWS_PER_BATCH = 10_000


def read_json_lines(source: Source) -> Iterator[RowBatch]:
    """The rows of a file of JSON lines, see `reading.read_order_file`."""
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


def _objects(source: Source) -> Iterator[list[dict]]:
    """The objects of a file, some at a time."""
    with open_utf8(source) as file:
        number, some = 0, list(islice(file, _ROWS_PER_BATCH))
        first = next((line for line in some if not line.isspace()), b"")
        if first.lstrip().startswith(b"["):
            yield _array(source, b"".join(some) + file.read())
            return
        while some:
            yield _decoded(source, some, number)
            number += len(some)
            some = list(islice(file, _ROWS_PER_BATCH))


def _number(source: Source) -> Callable[[str], str]:
    """How a number is kept: as the text it is (0.10 is not 0.1 yet), with the file's decimal separator."""
    decimal = source.order_format.decimal
    return str if decimal == "." else lambda text: text.replace(".", decimal)


def _tolerant(source: Source) -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=_number(source), parse_constant=str)


def _array(source: Source, content: bytes) -> list[dict]:
    with suppress(json.JSONDecodeError):
        rows = _tolerant(source).decode(content.decode().strip())
        if all(isinstance(row, dict) for row in rows):
            return rows
    raise OrderFileError(
        source.path,
        "it is not an array of JSON objects",
        "Write one order line a line, as {…}, or an array of such objects",
    )


def _decoded(source: Source, lines: list[bytes], lines_before: int) -> list[dict]:
    """The objects of some lines, of which blank ones have none."""
    filled = [line for line in lines if not line.isspace()]
    # What this decoder refuses, the slower and more tolerant one reads or finds the fault in.
    decoder = msgspec.json.Decoder(dict[str, object], float_hook=_number(source))
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        objects = decoder.decode_lines(b"".join(filled))
        # It reads on where a line holds two objects, or half of one.
        if len(objects) == len(filled):
            return objects
    tolerant = _tolerant(source)
    return [
        _decoded_line(source, tolerant, number, line)
        for number, line in enumerate(lines, start=lines_before + 1)
        if not line.isspace()
    ]


def _decoded_line(source: Source, decoder: json.JSONDecoder, number: int, line: bytes) -> dict:
    remedy = "Write one order line a line, as {…}, in UTF-8, and land the file again"
    try:
        row = decoder.decode(line.decode().strip())
    except UnicodeDecodeError:
        raise OrderFileError(source.path, "it is not text in UTF-8", remedy, number) from None
    except json.JSONDecodeError as error:
        raise OrderFileError(source.path, f"it is not JSON ({error.msg})", remedy, number) from None
    if not isinstance(row, dict):
        raise OrderFileError(source.path, "it is not a JSON object", remedy, number)
    return row


def _texts(values: list) -> pa.Array:
    with suppress(pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.array(values, pa.string())
    # Whole numbers, which are text already where they have a point; what is beyond 64 bits or no number fails.
    with suppress(pa.ArrowTypeError, pa.ArrowInvalid, OverflowError):
        return pa.array(values, pa.int64()).cast(pa.string())
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # Of the others most are whole numbers, and True is no int here.
    return str(value) if type(value) is int else json.dumps(value, ensure_ascii=False)
