"""The order book in the lake: weeks go on from the week before, and orders without due dates need no Spark."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from forecasting_assets.lake.lake import Lake
from forecasting_assets.tables import CLEAN_ORDERS, ORDER_BOOK
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.order_book import missing_book, roll_order_book

FIRST = date(2025, 3, 3)
WEEKS = weeks_between(FIRST, add_weeks(FIRST, 2))
BOOKED = {
    "part_id": "P1",
    "part_category": "casting",
    "region": "north",
    "quantity": 5.0,
    "order_count": 2,
    "unit_price": 3.0,
}


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake(path=str(tmp_path / "lake"))
    for week in WEEKS:
        line = {column.name: [None] for column in CLEAN_ORDERS.columns} | {
            "order_date": [datetime(week.year, week.month, week.day, tzinfo=UTC)],
            "quantity": [1.0],
            "unit_price": [3.0],
            "source_row": [1],
        }
        lake.write_pandas(pd.DataFrame(line), CLEAN_ORDERS, week)
    return lake


def no_spark():
    raise AssertionError("no Spark session is needed")


def test_without_due_dates_books_are_empty_and_no_spark_session_is_opened(lake):
    results = dict(roll_order_book(WEEKS, FIRST, lake, no_spark))
    assert [result.rows for result in results.values()] == [0, 0, 0]
    assert results[FIRST].metadata == {"booked_units": 0.0}
    assert len({lake.rows_id(ORDER_BOOK, week) for week in WEEKS}) == 1


def test_a_book_holds_what_is_not_due_yet_of_the_book_before(lake):
    weeks_wanted = [add_weeks(FIRST, 1), add_weeks(FIRST, 3)]
    book = pd.DataFrame([BOOKED | {"due_week": pd.Timestamp(week)} for week in weeks_wanted])
    lake.write_pandas(book, ORDER_BOOK, FIRST)
    (_, result), _ = roll_order_book(WEEKS[1:], FIRST, lake, no_spark)
    assert result.metadata == {"booked_units": 5.0, "last_due_week": str(weeks_wanted[1])}
    rolled = lake.read_pandas(ORDER_BOOK, [WEEKS[1]])
    pd.testing.assert_frame_equal(
        rolled.drop(columns="week"), book[ORDER_BOOK.names].iloc[1:].reset_index(drop=True)
    )


def test_a_missing_book_of_the_week_before_is_named(lake):
    ((_, result),) = roll_order_book(WEEKS[2:], FIRST, lake, no_spark)
    assert result.metadata["no_order_book_of"] == str(WEEKS[1])
    assert missing_book(lake, FIRST, FIRST) == {}
