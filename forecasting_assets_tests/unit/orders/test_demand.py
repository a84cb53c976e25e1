"""Demand counts orders in the week they are wanted; until then they are in the order book."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.orders.demand import has_due_dates, new_bookings, roll_forward, weekly_demand
from forecasting_assets.tables import CLEAN_ORDERS, ORDER_BOOK, WEEKLY_DEMAND
from forecasting_assets.tables.arrow import arrow_schema
from forecasting_assets.weeks import add_weeks, week_of
from forecasting_assets_tests.support.week_files import week_file

WEEK = date(2025, 3, 10)
MONDAY = datetime(2025, 3, 10, tzinfo=UTC)
NO_BOOK = arrow_schema(ORDER_BOOK).empty_table()


def lines_of(due_dates: st.SearchStrategy) -> st.SearchStrategy:
    line = {
        "part_id": st.sampled_from(["P1", "P2"]),
        "region": st.sampled_from(["north", "south"]),
        "part_category": st.sampled_from(["casting", "milling", "ätzen"]),
        "order_id": st.sampled_from([None, "1", "2", "3"]),
        "order_date": st.integers(0, 2).map(lambda hours: MONDAY + timedelta(hours=hours)),
        "quantity": st.integers(1, 9).map(float),
        "unit_price": st.integers(1, 9).map(float),
        "due_date": due_dates,
    }
    return st.lists(st.fixed_dictionaries(line), max_size=20)


def rows_by_key(table: pa.Table, *key: str) -> dict[tuple, dict]:
    found = {tuple(row[name] for name in key): row for row in table.to_pylist()}
    assert len(found) == len(table)
    return found


@given(lines_of(st.none()))
def test_without_due_dates_demand_is_the_sum_of_the_lines_of_a_series(lines):
    clean = week_file(CLEAN_ORDERS, lines)
    made = weekly_demand(clean, WEEK)
    assert made.schema.names == WEEKLY_DEMAND.names
    assert not has_due_dates(clean)
    assert len(new_bookings(clean, WEEK)) == 0
    found = rows_by_key(made, "part_id", "region")
    assert found.keys() == {(line["part_id"], line["region"]) for line in lines}
    for (part, region), row in found.items():
        own = [line for line in lines if (line["part_id"], line["region"]) == (part, region)]
        latest = max(own, key=lambda line: (line["order_date"], line["part_category"]))
        units = sum(line["quantity"] for line in own)
        assert row["part_category"] == latest["part_category"]
        assert row["quantity"] == units
        unnumbered = sum(line["order_id"] is None for line in own)
        assert row["order_count"] == len({line["order_id"] for line in own} - {None}) + unnumbered
        assert row["unit_price"] == pytest.approx(sum(o["quantity"] * o["unit_price"] for o in own) / units)


@given(lines_of(st.one_of(st.none(), st.integers(-10, 30).map(lambda days: MONDAY + timedelta(days=days)))))
def test_with_due_dates_each_line_is_in_the_demand_or_in_the_book(lines):
    clean = week_file(CLEAN_ORDERS, lines)
    assert has_due_dates(clean) == any(line["due_date"] for line in lines)
    made, booked = weekly_demand(clean, WEEK), new_bookings(clean, WEEK)
    assert (made.schema.names, booked.schema.names) == (WEEKLY_DEMAND.names, ORDER_BOOK.names)
    expected: dict[tuple, list[dict]] = {}
    for line in lines:
        due = max(week_of(line["due_date"].date()), WEEK) if line["due_date"] else WEEK
        expected.setdefault((line["part_id"], line["region"], due), []).append(line)
    found = rows_by_key(booked, *ORDER_BOOK.key)
    found |= {(*key, WEEK): row for key, row in rows_by_key(made, *WEEKLY_DEMAND.key).items()}
    assert found.keys() == expected.keys()
    for key, own in expected.items():
        units = sum(line["quantity"] for line in own)
        assert found[key]["quantity"] == units
        assert found[key]["unit_price"] == pytest.approx(
            sum(o["quantity"] * o["unit_price"] for o in own) / units
        )
        latest = max(own, key=lambda line: (line["order_date"], line["part_category"]))
        assert found[key]["part_category"] == latest["part_category"]


#: Orders of four weeks: week of the order, part, weeks until it is wanted (None: no due date), units.
ORDERS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["P1", "P2"]),
        st.one_of(st.none(), st.integers(-1, 5)),
        st.integers(1, 9),
    ),
    max_size=30,
)


@given(ORDERS)
def test_units_ordered_are_delivered_in_the_weeks_they_are_wanted_or_still_booked(orders):
    """Compare the recursion over weeks with a list of all orders, at the end of every week."""
    book = NO_BOOK
    for number in range(4):
        week = add_weeks(WEEK, number)
        clean = week_file(
            CLEAN_ORDERS,
            [
                {
                    "part_id": part,
                    "region": "north",
                    "part_category": "casting",
                    "order_id": str(position),
                    "order_date": MONDAY + timedelta(weeks=number),
                    "due_date": None if lead is None else MONDAY + timedelta(weeks=number + lead, days=3),
                    "quantity": float(units),
                    "unit_price": 2.5,
                }
                for position, (ordered, part, lead, units) in enumerate(orders)
                if ordered == number
            ],
        )
        demand = weekly_demand(clean, week, book)
        book = roll_forward(book, new_bookings(clean, week), week)
        wanted: dict[tuple, list[int]] = {}
        for ordered, part, lead, units in orders:
            if ordered <= number:
                wanted.setdefault((part, add_weeks(WEEK, ordered + max(lead or 0, 0))), []).append(units)
        in_week = {part: units for (part, due), units in wanted.items() if due == week}
        later = {key: units for key, units in wanted.items() if key[1] > week}
        for found, expected in (
            (rows_by_key(demand, "part_id"), {(part,): units for part, units in in_week.items()}),
            (rows_by_key(book, "part_id", "due_week"), later),
        ):
            assert {key: row["quantity"] for key, row in found.items()} == {
                key: sum(units) for key, units in expected.items()
            }
            assert {key: row["order_count"] for key, row in found.items()} == {
                key: len(units) for key, units in expected.items()
            }
            assert all(row["unit_price"] == pytest.approx(2.5) for row in found.values())
        assert book.schema.equals(arrow_schema(ORDER_BOOK))


def test_orders_of_the_week_say_the_category_and_both_say_the_price():
    lines = [
        {
            "part_id": "P1",
            "region": "north",
            "part_category": "milling",
            "order_id": "2",
            "order_date": MONDAY,
            "quantity": 1.0,
            "unit_price": 10.0,
        }
    ]
    book = pa.Table.from_pylist(
        [
            {
                "part_id": "P1",
                "part_category": "casting",
                "region": "north",
                "due_week": WEEK,
                "quantity": 3.0,
                "order_count": 2,
                "unit_price": 2.0,
            }
        ],
        arrow_schema(ORDER_BOOK),
    )
    (row,) = weekly_demand(week_file(CLEAN_ORDERS, lines), WEEK, book).to_pylist()
    assert row == {
        "part_id": "P1",
        "part_category": "milling",
        "region": "north",
        "quantity": 4.0,
        "order_count": 3,
        "unit_price": 4.0,
    }
