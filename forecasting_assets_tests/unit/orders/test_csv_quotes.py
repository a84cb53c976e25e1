"""Ambiguous quotes that span rows: no row is lost, and none of them is accepted as clean."""

import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.orders.csv_quotes import CarefulRows, QuoteScan
from forecasting_assets.orders.reading import inspect_order_file
from forecasting_assets_tests.support.order_files import read, source_of

HEADER = "id,date,part,n,note"
PLAIN = [f"q{k},2025-03-03,P,{k},plain" for k in range(3)]


def outcome(tmp_path, lines, name="a.csv", line_end="\n"):
    """Return the problem by row, the number of rows, and the line of the fault."""
    file = tmp_path / name
    text = line_end.join([HEADER, *lines, ""]).encode()
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    rows = read(file)
    fault = inspect_order_file(source_of(file)).fault
    problems = rows[rows["problem"].notna()].set_index("row")["problem"].to_dict()
    return problems, len(rows), fault.line if fault else None


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "opening",
    [
        'q9,2025-03-03,P,1,"half inch',
        '"q9,2025-03-03,P,1,x',
        'q9,2025-03-03,"half inch,1,x',
        'q9,"2025-03-03,P,1,x',
    ],
)
def test_a_quote_that_is_never_closed_is_reported_and_no_line_is_lost(tmp_path, opening, line_end, name):
    problems, count, line = outcome(tmp_path, [*PLAIN, opening, *PLAIN], name, line_end)
    assert problems == dict.fromkeys(range(4, 8), "ambiguous_quotes")
    assert (count, line) == (7, 5)


@pytest.mark.parametrize("closing", ['3/4"', '"3/4', '"3/4" pipe'])
def test_a_quote_closed_by_accident_loses_no_line(tmp_path, closing):
    lines = [*PLAIN, 'q9,2025-03-03,P,1,"half inch', *PLAIN, f"q10,2025-03-03,P,2,{closing}", *PLAIN]
    problems, count, line = outcome(tmp_path, lines)
    assert problems == dict.fromkeys(range(4, 9), "ambiguous_quotes")
    assert (count, line) == (11, 5)


def test_two_neighbouring_rows_are_not_joined(tmp_path):
    lines = ['q9,2025-03-03,P,1,"half inch', 'q10,2025-03-03,P,2,pipe"', *PLAIN]
    assert outcome(tmp_path, lines) == (dict.fromkeys((1, 2), "ambiguous_quotes"), 5, 2)


def test_wrong_quotes_within_a_line_reject_only_that_row(tmp_path):
    problems, count, line = outcome(tmp_path, [*PLAIN, 'q9,2025-03-03,P,1,"3/4" pipe', *PLAIN])
    assert (problems, count, line) == ({4: "ambiguous_quotes"}, 7, 5)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('"two\nlines"', "two\nlines"),
        (
            '"Street 1,\nCity, Country, Planet, System, Galaxy"',
            "Street 1,\nCity, Country, Planet, System, Galaxy",
        ),
        ('5" pipe', '5" pipe'),
        ('"a ""quoted"" word"', 'a "quoted" word'),
        ('""', ""),
        ('"x, y"', "x, y"),
    ],
)
def test_cells_allowed_by_rfc_4180_are_read(tmp_path, cell, value):
    file = tmp_path / "a.csv"
    file.write_text("\n".join([HEADER, *PLAIN, f"q9,2025-03-03,P,1,{cell}", *PLAIN, ""]))
    rows = read(file)
    assert rows["problem"].isna().all()
    assert rows["note"].tolist() == ["plain"] * 3 + [value] + ["plain"] * 3


cells = st.text(st.sampled_from('a1",;\n\r é'), max_size=6)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=6),
    st.integers(1, 7),
    st.booleans(),
)
def test_the_scan_finds_files_without_quoted_line_ends_regular(rows, block, quote_all):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL).writerows(rows)
    text = buffer.getvalue()
    scan = QuoteScan(",")
    content = text.encode()
    for begin in range(0, len(content), block):
        scan.feed(content[begin : begin + block])
    one_line_cells = not any(sign in cell for row in rows for cell in row for sign in "\n\r")
    assert scan.is_regular() == one_line_cells


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from('a",\n'), max_size=30))
def test_every_line_of_any_text_is_in_a_row(text):
    rows = list(CarefulRows(io.StringIO(text, newline=""), ",", "a.csv"))
    characters = "".join(cell for row in rows for cell in row.cells)
    assert characters.count("a") == text.count("a")
