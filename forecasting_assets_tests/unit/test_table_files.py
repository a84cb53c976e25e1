"""Files of tables: what is read back is what was written, and no text runs as a formula."""

import csv
import io
from datetime import date

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from forecasting_assets.tables import table_files
from forecasting_assets.tables.table_files import (
    TooManyRowsError,
    escape_formulas,
    file_content,
    unescape_formulas,
)

#: Names that mean harm, or that a program on the way could take for something else.
NAMES = [
    "=1+1",
    "+x",
    "-5",
    "@a",
    "\tq",
    "'=x",
    "''=y",
    "'q",
    "#N/A",
    "_x0041_",
    "x\x01y",
    "TRUE",
    "1e5",
    'Ä,"b"',
]
text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1, max_size=12)
names = st.one_of(st.sampled_from(NAMES), text, text.map("={}".format), text.map("'-{}".format))
frames = st.lists(
    st.tuples(
        names,
        st.floats(-1e9, 1e9),
        st.integers(-(2**40), 2**40),
        st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    ),
    min_size=1,
    max_size=6,
).map(lambda rows: pd.DataFrame(rows, columns=["part", "quantity", "rows", "week"]))


@given(st.lists(names))
def test_escaping_is_reversible_and_leaves_nothing_that_runs(texts):
    series = pd.Series(texts, dtype=object)
    escaped = escape_formulas(series)
    assert unescape_formulas(escaped.astype("string")).tolist() == texts
    assert not any(cell[0] in "=+-@\t\r\n" for cell in escaped)


@given(frames)
@settings(max_examples=25)
def test_csv_is_read_back_equal_with_numbers_as_numbers(frame):
    lines = list(csv.DictReader(io.StringIO(file_content(frame, "csv").decode(), newline="")))
    assert unescape_formulas(pd.Series([line["part"] for line in lines], dtype="string")).tolist() == (
        frame["part"].tolist()
    )
    assert [float(line["quantity"]) for line in lines] == frame["quantity"].tolist()
    assert [int(line["rows"]) for line in lines] == frame["rows"].tolist()
    assert [date.fromisoformat(line["week"]) for line in lines] == frame["week"].tolist()


@given(frames)
@settings(max_examples=25)
def test_a_workbook_is_read_back_equal_with_typed_cells(frame):
    content = io.BytesIO(file_content(frame, "xlsx"))
    header, *rows = CalamineWorkbook.from_filelike(content).get_sheet_by_index(0).to_python()
    assert header == frame.columns.tolist()
    part, quantity, number, week = map(list, zip(*rows, strict=True))
    assert (part, week) == (frame["part"].tolist(), frame["week"].tolist())
    # Excel keeps 15 digits.
    assert quantity == pytest.approx(frame["quantity"].tolist(), rel=1e-15, abs=0)
    assert number == frame["rows"].tolist()


def test_a_workbook_holds_text_as_text_and_its_header_stays_in_view():
    frame = pd.DataFrame(
        {"=part": NAMES, "week": pd.Timestamp(2026, 11, 23), "quantity": 1.5, "reason": None}
    )
    sheet = openpyxl.load_workbook(io.BytesIO(file_content(frame, "xlsx"))).active
    assert sheet is not None
    assert sheet.freeze_panes == "A2"
    rows = list(sheet.iter_rows(min_row=2))
    assert {row[0].data_type for row in sheet.iter_rows()} == {"s"}
    assert {(row[1].data_type, row[1].number_format, row[2].data_type) for row in rows} == {
        ("d", "yyyy-mm-dd", "n")
    }
    assert {row[3].value for row in rows} == {None}
    # Excel keeps these text also when somebody edits the cell.
    assert [row[0].quotePrefix for row in rows[:4]] == [True] * 4


def test_parquet_has_days_and_unchanged_text():
    frame = pd.DataFrame({"part": NAMES, "week": pd.Timestamp(2026, 11, 23)})
    table = pq.read_table(io.BytesIO(file_content(frame, "parquet")))
    assert table.column("part").to_pylist() == NAMES
    assert set(table.column("week").to_pylist()) == {date(2026, 11, 23)}


def test_whole_numbers_have_no_decimal_point_and_missing_values_are_empty():
    frame = pd.DataFrame({"quantity": [12.0, None], "cost": [0.5, None]})
    assert file_content(frame, "csv") == b"quantity,cost\n12,0.5\n,\n"


def test_a_table_that_excel_cannot_hold_is_refused(monkeypatch):
    monkeypatch.setattr(table_files, "_EXCEL_ROWS", 2)
    with pytest.raises(TooManyRowsError, match="use csv or parquet") as error:
        file_content(pd.DataFrame({"quantity": [1, 2, 3]}), "xlsx")
    assert error.value.rows == 3
