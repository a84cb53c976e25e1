"""Order lines that are in two weeks: found wherever they are, named with both places, and never by chance."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.orders.checks import check_moved
from forecasting_assets.orders.moved_lines import (
    MOVED_WEEKS,
    MovedLines,
    examples,
    line_hashes,
    lines_in_two_weeks,
    moved_lines,
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
    expected = []
    for week, lines in weeks.items():
        near = [other for other in weeks if 0 < abs(week - other) // timedelta(weeks=1) <= MOVED_WEEKS]
        for line in lines:
            others = [other for other in near if None not in line[:2] and line in weeks[other]]
            if len(others) == 1:
                expected.append((week, others[0]))
    assert sorted(zip(found["week"], found["other_week"], strict=True)) == sorted(expected)


def test_numbers_that_are_used_again_and_again_say_nothing():
    weeks = {add_weeks(FIRST, n): [("A3", "1", "P"), (f"A{n}", "2", "P")] for n in range(3, 30)}
    assert lines_in_two_weeks(hashes(weeks)).empty


def test_a_moved_line_is_named_with_both_places():
    later = add_weeks(FIRST, 2)
    weeks = {FIRST: [("A3", "1", "P"), ("A4", "1", "P")], later: [("A9", "1", "P"), ("A3", "1", "P")]}
    found = lines_in_two_weeks(hashes(weeks))
    named = {week: places(clean(week, lines), found["line"].tolist()) for week, lines in weeks.items()}
    moved = moved_lines(found, named)
    where = f"order 'A3' line '1': {FIRST}.csv row 1 (week {FIRST}) and {later}.csv row 2 (week {later})"
    assert moved == {week: MovedLines(1, (where,)) for week in weeks}
    finding = check_moved(moved[FIRST])
    assert not finding.passed
    assert where in finding.description


def test_few_of_many_moved_lines_are_named():
    lines = [(f"A{n}", "1", "P") for n in range(50)]
    found = lines_in_two_weeks(hashes({FIRST: lines, add_weeks(FIRST, 1): lines}))
    assert len(found) == 100
    assert examples(found).groupby("week").size().tolist() == [3, 3]


def test_a_week_without_such_lines_passes_and_one_that_could_not_be_compared_does_not():
    assert check_moved(MovedLines()).passed
    assert "is damaged" in check_moved(MovedLines(problem="clean_orders is damaged")).description
    assert not check_moved(MovedLines(problem="clean_orders is damaged")).passed
