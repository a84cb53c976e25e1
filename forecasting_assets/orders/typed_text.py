"""Convert typed values of Parquet and Excel files to text, with the decimal separator of the order format."""

import base64
import json
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

#: A float holds whole numbers exactly only up to this one.
_EXACT = 2.0**53


def as_text(column: pa.Array, decimal: str) -> pa.Array:
    """Convert a column of any type to text.

    Whole floats become whole numbers (often they are floats only because other values are missing); other numbers
    keep their digits. Nested values become JSON, and bytes that are not text become base64.

    Parameters
    ----------
    column
        The column.
    decimal
        Decimal separator to write numbers with, so that parsing them gives the same numbers.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.dictionary, decimal).take(column.indices)
    if pa.types.is_floating(kind):
        return _numbers(column.cast(pa.float64()), decimal)
    if pa.types.is_decimal(kind):
        return _with_separator(column.cast(pa.string()), decimal)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        # Arrow writes moments without a zone ten times faster than those with one.
        return pc.binary_join_element_wise(column.cast(pa.timestamp(kind.unit)).cast(pa.string()), "Z", "")
    if pa.types.is_date64(kind):
        return column.cast(pa.date32()).cast(pa.string())
    if is_bytes(kind):
        with suppress(pa.ArrowInvalid):  # text in a file that does not declare it as text
            return column.cast(pa.binary()).cast(pa.string())
    if pa.types.is_nested(kind) or is_bytes(kind):
        return pa.array([_json(value) for value in column.to_pylist()], pa.string())
    return column.cast(pa.string())


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether a type is bytes, which may or may not be text."""
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(matches(kind) for matches in kinds)


def _numbers(values: pa.Array, decimal: str) -> pa.Array:
    whole = pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), _EXACT)).fill_null(False)
    integers = pc.if_else(whole, values, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(integers, _with_separator(values.cast(pa.string()), decimal))


def _with_separator(text: pa.Array, decimal: str) -> pa.Array:
    return text if decimal == "." else pc.replace_substring(text, ".", decimal)


def _json(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return json.dumps(value, default=_json_value, ensure_ascii=False)


def _json_value(value: object) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
