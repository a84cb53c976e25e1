"""The supply position: as by hand, in balance, the same when read again, and replaced by counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.allocation.counts import Counts, count
from forecasting_assets.allocation.supply import Position, advance, all_series, ledger
from forecasting_assets.allocation.supply_checks import (
    check_counts,
    check_counts_known,
    check_supply_balance,
)
from forecasting_assets.tables import STOCK, WORK_IN_PROGRESS
from forecasting_assets.weeks import add_weeks

from .cases import FIRST, monday

SERIES = pd.DataFrame({"part_id": ["a", "b"], "region": ["north", "north"], "part_category": ["cnc", "cnc"]})
LATE = 2


def started(*rows):
    columns = ["part_id", "region", "quantity", "transit", "on_time_rate"]
    return pd.DataFrame(rows, columns=columns)


def empty():
    return Position.empty(SERIES, LATE)


def counts_of(stock=(), work=()):
    """Counts from rows (day, part, units) and (day, part, ready week, units)."""
    counts = Counts(
        pd.DataFrame([(d, p, "north", q) for d, p, q in stock], columns=STOCK.names),
        pd.DataFrame([(d, "M1", p, "north", w, q) for d, p, w, q in work], columns=WORK_IN_PROGRESS.names),
    )
    for table in (counts.stock, counts.work_in_progress):
        table["counted_on"] = pd.to_datetime(table["counted_on"])
    counts.work_in_progress["ready_week"] = pd.to_datetime(counts.work_in_progress["ready_week"])
    return counts


def test_a_unit_arrives_after_its_transit_or_a_week_later_and_serves_the_oldest_order():
    position, _ = advance(empty(), started(("a", "north", 10.0, 1, 0.8)), np.array([4.0, 3.0]))
    assert position.overdue[:, 0].tolist() == [4, 3]
    assert position.arriving[0, :2].tolist() == pytest.approx([8, 2])
    position, flows = advance(position, started(), np.array([6.0, 0.0]))
    # 8 arrive: 4 for the orders of the week before, 4 of the 6 of this one.
    assert flows.delivered[0].tolist() == pytest.approx([4, 4, 0])
    position, flows = advance(position, started(), np.array([0.0, 0.0]))
    assert flows.delivered[0].tolist() == pytest.approx([0, 2, 0])
    # Nobody made part b: two weeks after it was due its order is given up.
    assert flows.given_up.tolist() == pytest.approx([0, 3])
    assert position.overdue.sum() == pytest.approx(0)


@st.composite
def histories(draw):
    """Weeks of production (units, transit, rate), orders of both series, and weeks that orders may then be late."""
    amount = st.floats(0, 50)
    row = st.tuples(st.sampled_from(["a", "b"]), amount, st.integers(0, 3), st.sampled_from([0.5, 0.9, 1.0]))
    week = st.tuples(st.lists(row, max_size=3), st.tuples(amount, amount), st.integers(0, LATE + 1))
    return draw(st.lists(week, min_size=1, max_size=6))


@given(histories())
def test_production_less_demand_is_the_change_of_stock(history):
    position, made, wanted, lost = empty(), np.zeros(2), np.zeros(2), np.zeros(2)
    for number, (rows, ordered, late) in enumerate(history):
        begun = started(*((part, "north", *rest) for part, *rest in rows))
        carried, flows = advance(position, begun, np.array(ordered))
        week = add_weeks(FIRST, number)
        # As read again from its table, which is how the next week gets it.
        position = Position.read(carried.table(week), week, SERIES, late)
        made, wanted, lost = made + flows.started, wanted + ordered, lost + flows.given_up
        finding = check_supply_balance(ledger(carried, flows, carried))
        assert finding.passed, finding
    now = position.stock + position.arriving.sum(axis=1) - position.overdue.sum(axis=1)
    np.testing.assert_allclose(made - wanted + lost, now, atol=1e-6)
    assert (position.stock >= 0).all()
    # Nothing is in stock while an order for it waits.
    assert not ((position.stock > 1e-9) & (position.overdue.sum(axis=1) > 1e-9)).any()


def test_a_plan_can_use_stock_from_its_first_week_and_arrivals_in_theirs():
    position = Position(SERIES, np.array([5.0, 0.0]), np.zeros((2, 60)), np.zeros((2, 3)))
    position.arriving[1, 2] = 4
    position.overdue[0, 1] = 3
    supply = position.supply(FIRST).to_numpy().tolist()
    assert supply == [["a", "north", monday(1), 5.0], ["b", "north", monday(3), 4.0]]
    overdue = position.overdue_demand(FIRST)
    assert overdue["due_week"].tolist() == [monday(-1)]
    assert overdue["quantity"].tolist() == [3]


SUNDAY = monday(0) + pd.Timedelta(days=6)


def test_a_count_at_the_end_of_a_week_replaces_the_stock_of_its_part_and_nothing_else():
    carried, flows = advance(empty(), started(("a", "north", 10.0, 0, 1.0)), np.array([4.0, 1.0]))
    counts = counts_of(stock=[(SUNDAY, "a", 9.0)]).of_week(FIRST)
    position, stock_of, work_of = count(carried, flows.opening_stock, counts, FIRST)
    assert position.stock.tolist() == [9, 0]
    assert list(stock_of) == [("a", "north")]
    assert len(work_of) == 0
    np.testing.assert_array_equal(position.overdue, carried.overdue)
    found = ledger(carried, flows, position).set_index("part_id")
    assert found["count_difference"].to_dict() == {"a": 3.0, "b": 0.0}
    assert check_supply_balance(found.reset_index()).passed
    assert not check_counts(found.reset_index(), limit=0.4).passed  # 3 of the 6 expected
    assert check_counts(found.reset_index(), limit=0.6).passed


def test_a_count_in_the_middle_of_a_week_is_carried_to_its_end_and_the_newest_one_counts():
    begin = Position(SERIES, np.array([20.0, 0.0]), np.zeros((2, 60)), np.zeros((2, 3)))
    carried, flows = advance(begin, started(), np.array([7.0, 0.0]))
    rows = [(monday(0), "a", 50.0), (monday(0) + pd.Timedelta(days=2), "a", 12.0), (monday(1), "a", 99.0)]
    position, _, _ = count(carried, flows.opening_stock, counts_of(stock=rows).of_week(FIRST), FIRST)
    # Wednesday's count less four of the seven units that the week takes.
    assert position.stock[0] == pytest.approx(12 - 4)


def test_work_in_progress_replaces_what_is_on_its_way_and_late_work_comes_next_week():
    carried, flows = advance(
        empty(), started(("a", "north", 10.0, 2, 1.0), ("b", "north", 5.0, 2, 1.0)), np.zeros(2)
    )
    counts = counts_of(work=[(SUNDAY, "a", monday(-1), 3.0), (SUNDAY, "a", monday(4), 6.0)]).of_week(FIRST)
    position, _, work_of = count(carried, flows.opening_stock, counts, FIRST)
    assert position.arriving[0, :4].tolist() == [3, 0, 0, 6]
    assert position.arriving[1, :4].tolist() == [0, 5, 0, 0]
    assert list(work_of) == [("a", "north")]
    assert ledger(carried, flows, position)["arriving_difference"].tolist() == [-1, 0]


def test_a_count_of_zero_says_that_there_is_nothing():
    begin = Position(SERIES, np.array([20.0, 0.0]), np.zeros((2, 60)), np.zeros((2, 3)))
    carried, flows = advance(begin, started(), np.zeros(2))
    counts = counts_of(stock=[(SUNDAY, "a", 0.0)], work=[(SUNDAY, "a", monday(2), 0.0)]).of_week(FIRST)
    position, _, _ = count(carried, flows.opening_stock, counts, FIRST)
    assert position.stock.tolist() == [0, 0]
    assert not check_counts(ledger(carried, flows, position), limit=0.2).passed


def test_series_come_from_all_tables_once():
    other = SERIES.assign(part_category="other")
    assert all_series([SERIES, other])["part_category"].tolist() == ["cnc", "cnc"]
    assert all_series([]).empty


def test_counts_of_parts_regions_and_manufacturers_that_there_are_not_are_named():
    counts = counts_of(
        stock=[(SUNDAY, "a", 9.0), (SUNDAY, "typo", 1.0)], work=[(SUNDAY, "b", monday(1), 2.0)]
    )
    of_week, makers = counts.of_week(FIRST), pd.Series(counts.work_in_progress["manufacturer_id"])
    known = SERIES[["part_id", "region"]]
    none = pd.Series([], dtype=object)
    found = check_counts_known(of_week, known, none, makers)
    assert not found.passed
    assert "part 'typo' in region 'north';" in found.description
    assert found.metadata["unknown_names"] == 1
    elsewhere = check_counts_known(of_week, known.assign(region="south"), none, makers)
    assert elsewhere.metadata["unknown_names"] == 3
    assert "part 'a' in region 'north' (ordered in other regions)" in elsewhere.description
    unknown = check_counts_known(of_week, known, none, pd.Series(["M9"]))
    assert f"manufacturer {makers.iloc[0]!r}" in unknown.description
    # A successor may be in stock before its first order.
    assert check_counts_known(of_week, known, pd.Series(["typo"]), makers).passed
