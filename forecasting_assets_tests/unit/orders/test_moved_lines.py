"""Order lines that are in two weeks: found wherever they are, named with both places, and never by chance."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.orders.checks import check_moved
from forecasting_assets.orders.moved_lines import (
    MOVED_WEEKS,
    MovedLines,
    line_hashes,
    lines_in_two_weeks,
    places,
)
from forecasting_assets.tables import CLEAN_ORDERS
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.week_files import week_file

FIRST = date(2025, 3, 10)
LINE = ["order_id", "line_id", "part_id"]

number = st.sampled_from(["1", "2", "11", None])
weeks_of_lines = st.dictionaries(
    st.integers(0, 2 * MOVED_WEEKS).map(lambda n: add_weeks(FIRST, n)),
    st.lists(st.tuples(number, number, st.sampled_from(["P", "Q"])), unique=True, max_size=4),
    max_size=5,
)


def clean(week: date, lines: list[tuple]) -> "pa.parquet.ParquetFile":
    common = {"part_category": "c", "region": "EU", "quantity": 1.0, "unit_price": 1.0}
    ordered = datetime.combine(week, datetime.min.time(), UTC)
    rows = [
        common | dict(zip(LINE, line, strict=True)) | {"order_date": ordered, "source_file": f"{week}.csv"}
        for line in lines
    ]
    return week_file(CLEAN_ORDERS, [row | {"source_row": n} for n, row in enumerate(rows, start=1)])


def hashes(weeks: dict[date, list[tuple]]) -> pa.Table:
    empty = pa.table({"line": pa.array([], pa.int64()), "week": pa.array([], pa.date32())})
    of_weeks = [line_hashes(clean(week, lines), week) for week, lines in weeks.items()]
    dated = [
        t.append_column("week", pa.array([w] * len(t), pa.date32()))
        for w, t in zip(weeks, of_weeks, strict=True)
    ]
    return pa.concat_tables([empty, *dated])


@given(weeks_of_lines)
def test_every_numbered_line_that_is_in_two_weeks_nearby_is_found(weeks):
    found = lines_in_two_weeks(hashes(weeks))
    expected = {
        (week, other)
        for week, lines in weeks.items()
        for other, others in weeks.items()
        if week != other and abs(week - other) <= timedelta(weeks=MOVED_WEEKS)
        if any(None not in line[:2] and line in others for line in lines)
    }
    assert set(zip(found["week"], found["other_week"], strict=True)) == expected


def test_a_moved_line_is_named_with_both_places():
    weeks = {
        FIRST: [("A3", "1", "P"), ("A4", "1", "P")],
        add_weeks(FIRST, 2): [("A9", "1", "P"), ("A3", "1", "P")],
    }
    found = lines_in_two_weeks(hashes(weeks))["line"].unique()
    named = [places(clean(week, lines), week, found)[int(found[0])] for week, lines in weeks.items()]
    assert named == [
        ("order 'A3' line '1'", "2025-03-10.csv row 1 (week 2025-03-10)"),
        ("order 'A3' line '1'", "2025-03-24.csv row 2 (week 2025-03-24)"),
    ]
    finding = check_moved(MovedLines(1, ("order 'A3' line '1': here and there",)))
    assert not finding.passed
    assert "order 'A3' line '1': here and there" in finding.description
    assert check_moved(MovedLines(0, ())).passed
