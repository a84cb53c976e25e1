"""Tables as CSV, Excel and Parquet files for people and other programs; text in them never runs as a formula."""

import io
import re
from collections.abc import Iterable
from datetime import date
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from forecasting_assets.errors import PicklableError

FileFormat = Literal["csv", "xlsx", "parquet"]
FILE_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
#: Text that a spreadsheet would run as a formula, or that looks like such text after `escape_formulas`.
_FORMULA = r"'*[=+\-@\t\r\n]"
#: Rows that one sheet of Excel can hold below its header.
_EXCEL_ROWS = 1_048_575
#: Control characters, which Excel stores as their code in the form _x0001_, and text that already has this form.
_EXCEL_CODED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]|_(?=x[0-9A-Fa-f]{4}_)")
#: Text that Excel or openpyxl could take for something else: formulas, errors such as #N/A, and codes.
_EXCEL_SPECIAL = rf"^{_FORMULA}|^#|[\x00-\x08\x0b\x0c\x0e-\x1f]|_x[0-9A-Fa-f]{{4}}_"
_WIDEST_COLUMN = 40


class TooManyRowsError(PicklableError, ValueError):
    """A table that does not fit into a sheet of Excel; `rows` is its number of rows."""

    def __init__(self, rows: int) -> None:
        super().__init__(
            f"{rows:,} rows do not fit into a sheet of Excel, which holds {_EXCEL_ROWS:,}: use csv or parquet"
        )
        self.rows = rows


def separator_hint(columns: Iterable[str], required: Iterable[str]) -> str:
    """Return what to do about a CSV file that was saved with another separator than commas.

    Parameters
    ----------
    columns
        Columns of the file as they were read.
    required
        Columns that it should have.

    Returns
    -------
    str
        A sentence; empty if another separator gives none of the required columns.
    """
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        cells = {cell.strip(' "') for column in columns for cell in str(column).split(separator)}
        if not cells.isdisjoint(required):
            return (
                f". Its cells are separated by {name}: save it with commas, and numbers with a decimal point"
            )
    return ""


def escape_formulas(text: pd.Series) -> pd.Series:
    """Put an apostrophe before text that a spreadsheet would run as a formula; see `unescape_formulas`.

    Parameters
    ----------
    text
        Text, missing values and anything else, (n,). Only text is changed.

    Returns
    -------
    Series
        (n,).
    """
    harmful = _matches(text, f"^{_FORMULA}")
    return text.where(~harmful, "'" + text.astype(str)) if harmful.any() else text


def unescape_formulas(text: pd.Series) -> pd.Series:
    """Remove the apostrophe that `escape_formulas` has put before text, (n,)."""
    # Large files rarely hold any, and are searched much faster than they are rewritten.
    if not _matches(text, f"^'{_FORMULA}").any():
        return text
    return text.str.replace(rf"^'(?={_FORMULA})", "", regex=True)


def file_content(frame: pd.DataFrame, file_format: FileFormat) -> bytes:
    """Return a table as the content of a file.

    Parameters
    ----------
    frame
        The table; days are datetime64 or date.
    file_format
        `csv`: UTF-8, days as YYYY-MM-DD, and text that begins with = + - @ or a tab has an apostrophe before it.
        `xlsx`: one sheet with a frozen header, in which numbers, days and text have their types.
        `parquet`: unchanged.

    Raises
    ------
    TooManyRowsError
        If the table does not fit into a sheet of Excel.
    """
    if file_format == "csv":
        return _csv(frame)
    return _xlsx(frame) if file_format == "xlsx" else _parquet(frame)


def _csv(frame: pd.DataFrame) -> bytes:
    shown = frame.copy()
    for name, values in frame.items():
        if pd.api.types.is_float_dtype(values):
            shown[name] = _whole_numbers(values)
        elif not pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_datetime64_dtype(values):
            shown[name] = escape_formulas(values.astype(object))
    shown.columns = pd.Index(escape_formulas(pd.Series(frame.columns, dtype=object)))
    content: str = shown.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d")
    return content.encode()


def _whole_numbers(values: pd.Series) -> pd.Series:
    """Return floats as integers if all are whole, so that 12 units are not written as 12.0."""
    known = values.dropna()
    whole = np.isfinite(known).all() and (known % 1 == 0).all() and (known.abs() < 2.0**53).all()
    return values.astype("Int64") if whole else values


def _parquet(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    days = frame.select_dtypes("datetime").columns
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name in days:
        position = table.schema.get_field_index(name)
        table = table.set_column(position, name, table.column(position).cast(pa.date32()))
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), sink)
    return sink.getvalue()


def _xlsx(frame: pd.DataFrame) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    if len(frame) > _EXCEL_ROWS:
        raise TooManyRowsError(len(frame))
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Table")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(frame.shape[1], 1))}{len(frame) + 1}"
    for position, name in enumerate(frame.columns, start=1):
        longest = frame.iloc[:1000, position - 1].astype(str).str.len().max()
        width = max(len(str(name)), 0 if pd.isna(longest) else int(longest)) + 2
        sheet.column_dimensions[get_column_letter(position)].width = min(width, _WIDEST_COLUMN)
    header = [WriteOnlyCell(sheet, str(name)) for name in frame.columns]
    for cell in header:
        cell.data_type, cell.font = "s", Font(bold=True)
    sheet.append(header)
    for row in zip(*(_cells(sheet, values) for _, values in frame.items()), strict=True):
        sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def _cells(sheet: Any, values: pd.Series) -> list[Any]:
    """Return the cells of a column: numbers, days, text, or nothing where a value is missing."""
    if pd.api.types.is_datetime64_dtype(values):
        days = values.dt.normalize() == values
        shown = values.dt.date if days[values.notna()].all() else values.dt.to_pydatetime()
    elif pd.api.types.is_numeric_dtype(values):
        shown = values
    else:
        shown = values.map(
            lambda value: value if isinstance(value, str | date) or pd.isna(value) else str(value)
        )
    cells: list[Any] = [
        None if gone else cell for cell, gone in zip(shown.tolist(), values.isna(), strict=True)
    ]
    if not pd.api.types.is_object_dtype(values):
        return cells
    for position in np.flatnonzero(_matches(values, _EXCEL_SPECIAL)):
        cells[position] = _text_cell(sheet, cells[position])
    return cells


def json_records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows for JSON: days as YYYY-MM-DD, missing values as None."""
    days = rows.select_dtypes("datetime").columns
    text = rows.assign(**{name: rows[name].dt.strftime("%Y-%m-%d") for name in days})
    missing = rows.isna().to_numpy()
    return [
        {str(name): None if gone else value for (name, value), gone in zip(row.items(), nothing, strict=True)}
        for row, nothing in zip(text.to_dict("records"), missing, strict=True)
    ]


def _text_cell(sheet: Any, text: str) -> Any:
    """Return a cell that is text whatever it looks like, also after somebody has edited it."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, _EXCEL_CODED.sub(lambda found: f"_x{ord(found[0]):04X}_", text))
    cell.data_type, cell.quotePrefix = "s", True
    return cell


def _matches(values: pd.Series, pattern: str) -> np.ndarray:
    """Return which values are text that matches a regular expression, (n,) of bool."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        return values.map(lambda value: isinstance(value, str) and bool(re.search(pattern, value))).to_numpy(
            bool
        )
    matching = pc.match_substring_regex(pa.array(values, pa.string(), from_pandas=True), pattern)
    return np.asarray(matching.fill_null(False))
