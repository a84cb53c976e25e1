from datetime import UTC, date, datetime, timedelta

import pytest

from forecasting_assets.orders.quality import CleanStatistics, clean_statistics
from forecasting_assets.tables import CLEAN_ORDERS
from forecasting_assets_tests.support.week_files import week_file

WEEK = date(2025, 3, 10)
LINE = {
    "order_id": "1",
    "line_id": "1",
    "order_date": datetime(2025, 3, 10, 8, tzinfo=UTC),
    "part_id": "P1",
    "part_category": "casting",
    "region": "north",
    "quantity": 2.0,
    "unit_price": 3.0,
    "source_file": "a.csv",
    "source_row": 1,
}


def statistics(*lines: dict) -> CleanStatistics:
    (result,) = clean_statistics(week_file(CLEAN_ORDERS, list(lines)), WEEK).to_pylist()
    return CleanStatistics(**result)


def test_a_week_without_orders_has_no_statistics():
    assert len(clean_statistics(week_file(CLEAN_ORDERS, []), WEEK)) == 0


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ([LINE | {"source_row": 2}], 1),
        ([LINE | {"line_id": "2", "source_row": 2}], 2),
        ([LINE | {"line_id": None}], 2),
        ([LINE | {"line_id": None}, LINE | {"order_id": None}], 2),
        ([LINE | {"line_id": None, "source_row": 2}, LINE | {"line_id": None, "source_row": 3}], 3),
    ],
)
def test_repeated_lines_are_counted_once(more, lines):
    result = statistics(LINE, *more)
    assert (result.rows, result.lines) == (1 + len(more), lines)


@pytest.mark.parametrize(
    "broken",
    [
        {"part_id": None},
        {"part_category": None},
        {"region": None},
        {"quantity": None},
        {"quantity": 0.0},
        {"unit_price": -1.0},
        {"unit_price": float("nan")},
    ],
)
def test_rows_with_a_missing_or_non_positive_value_are_counted(broken):
    assert statistics(LINE, LINE | broken).broken == 1
    assert statistics(LINE, LINE).broken == 0


def test_the_first_and_last_order_dates_are_exact():
    latest = datetime(2025, 3, 16, 23, 59, 59, 999999, tzinfo=UTC)
    result = statistics(LINE, LINE | {"order_date": latest})
    assert (result.earliest, result.latest) == (LINE["order_date"], latest)


@pytest.mark.parametrize(("due", "early"), [(None, 0), (-1, 1), (0, 0), (40, 0)])
def test_lines_due_on_a_day_before_their_order_are_counted(due, early):
    midnight = datetime(2025, 3, 10, tzinfo=UTC)
    due_date = None if due is None else midnight + timedelta(days=due)
    late = LINE | {"due_date": due_date, "source_row": 7}
    result = statistics(LINE, late)
    assert result.due_before_ordered == early
    assert result.due_example == ("a.csv row 7" if early else None)
