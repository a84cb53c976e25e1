"""Excel workbooks (.xlsx): read the one sheet with order lines, whose first row is the header."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time
from io import BytesIO

import numpy as np
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from forecasting_assets.orders.rows import OrderFileError, RowBatch, Source, column_names
from forecasting_assets.orders.text import WHITE_SPACE
from forecasting_assets.orders.typed_text import as_text

_REMEDY = (
    "Keep the order lines in one sheet, with the column names in its first row, or save that sheet as CSV"
)


def read_excel(source: Source) -> Iterator[RowBatch]:
    """Yield the rows of a workbook, see `reading.read_order_file`."""
    header, *rows = _table(source)
    names = column_names(source.path, header)
    yield RowBatch.without_rows(names)
    chosen = source.chosen(names)
    numbers = np.array([number for number, row in enumerate(rows, start=1) if _holds_anything(row)], "int64")
    filled = [rows[number - 1] for number in numbers]
    columns = {
        name: _texts([row[position] for row in filled], source.order_format.decimal)
        for position, name in enumerate(names)
        if name in chosen
    }
    if len(numbers):
        arrays = [columns[name] for name in chosen]
        yield RowBatch.regular(numbers, pa.RecordBatch.from_arrays(arrays, chosen))


def _table(source: Source) -> Sequence[Sequence[object]]:
    """Return the rows of the one sheet with order lines."""
    with source.filesystem.open_input_stream(source.path) as stream:
        content = stream.read()
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(content))
        sheets = {name: workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names}
    except CalamineError as error:
        reason = f"it is not a readable workbook ({error})"
        raise OrderFileError(source.path, reason, _REMEDY, kind="workbook") from None
    tables = {name: rows for name, rows in sheets.items() if any(map(_holds_anything, rows))}
    if len(tables) > 1:  # other sheets may hold returns, prices or notes
        tables = {
            name: rows for name, rows in tables.items() if _has_columns(rows[0], source.required)
        } or tables
    if len(tables) > 1:
        reason = f"several sheets may hold order lines: {', '.join(tables)}"
        raise OrderFileError(source.path, reason, _REMEDY, kind="sheets")
    if not tables:
        raise OrderFileError(source.path, "it is empty", _REMEDY, kind="empty")
    (rows,) = tables.values()
    return rows


def _has_columns(header: Sequence[object], required: Collection[str]) -> bool:
    return set(required) <= {str(name).strip(WHITE_SPACE) for name in header}


def _holds_anything(row: Sequence[object]) -> bool:
    return any(cell not in ("", None) for cell in row)


def _texts(values: list[object], decimal: str) -> pa.Array:
    texts = list(map(_text, values))
    numbers = [
        value if isinstance(value, float | int) and not isinstance(value, bool) else None for value in values
    ]
    formatted = as_text(pa.array(numbers, pa.float64()), decimal).to_pylist()
    return pa.array([n if n is not None else t for n, t in zip(formatted, texts, strict=True)], pa.string())


def _text(value: object) -> str | None:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return None if value in ("", None) else str(value)
