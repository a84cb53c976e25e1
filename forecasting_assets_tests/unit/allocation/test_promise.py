"""Promises: earliest and cheapest delivery against integer programs of their own, and many promises in turn."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from forecasting_assets.allocation.free_capacity import FreeCapacity, Inquiry
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.promise import find_offers
from forecasting_assets.allocation.verify import check_certificate
from forecasting_assets.weeks import add_weeks

from .cases import FIRST, make_network, monday

POLICY = AllocationPolicy(holding_cost=0.05, obsolescence=0, max_weeks_early=2)


def week(n: int) -> date:
    return add_weeks(FIRST, n)


def free_capacity(slots, stock=(), made=(), wanted=None) -> FreeCapacity:
    """Rows (manufacturer, n-th week, regular, overtime[, is_used]), (part, region, n-th week, units), …"""
    slots = [(m, monday(n), *rest, True)[:5] for m, n, *rest in slots]
    return FreeCapacity(
        pd.DataFrame(
            slots,
            columns=["manufacturer_id", "production_week", "regular_hours", "overtime_hours", "is_used"],
        ),
        pd.DataFrame(
            [(p, r, monday(n), units) for p, r, n, units in stock],
            columns=["part_id", "region", "week", "quantity"],
        ).astype({"week": "datetime64[ns]", "quantity": float}),
        pd.DataFrame(
            [(m, monday(n), category, units) for m, n, category, units in made],
            columns=["manufacturer_id", "production_week", "part_category", "quantity"],
        ).astype({"production_week": "datetime64[ns]", "quantity": float}),
        wanted or {},
    )


#: A dear manufacturer at the customer's, and a cheap one a week away.
TWO_SHOPS = make_network(
    [("M1", "north", 10.0, 2.0, 0.5, 1.0), ("M2", "south", 10.0, 0.0, 0.0, 1.0)],
    [("M1", "cnc", 1.0, 10.0), ("M2", "cnc", 1.0, 4.0)],
    [("north", "north", 0.0, 0), ("south", "north", 1.0, 1)],
)
FREE = [("M1", 0, 3.5, 2.0), ("M1", 1, 0.0, 0.0), ("M2", 0, 2.0, 0.0), ("M2", 1, 9.0, 0.0)]


def ask(quantity, free, by=None, network=TWO_SHOPS, policy=POLICY, part="a", region="north", category="cnc"):
    return find_offers(Inquiry(part, region, quantity, by), category, free, network, policy)


def lines(offer):
    return [(line.manufacturer_id, line.production_week, line.quantity) for line in offer.lines]


def test_earliest_and_cheapest_by_hand():
    offers = ask(5.0, free_capacity(FREE))
    assert lines(offers.earliest) == [("M1", week(0), 5.0)]
    # Three units in regular hours, half of one and all of another in overtime.
    assert offers.earliest.lines[0].overtime_quantity == pytest.approx(1.5)
    assert offers.earliest.cost == pytest.approx(5 * 10 + 1.5 * 5)
    assert (offers.cheapest.week, lines(offers.cheapest)) == (week(2), [("M2", week(1), 5.0)])
    assert offers.cheapest.cost == pytest.approx(5 * (4 + 1))
    for offer in (offers.earliest, offers.cheapest):
        finding = check_certificate(offer.certificate)
        assert finding.passed, finding


def test_the_latest_week_limits_both():
    assert ask(5.0, free_capacity(FREE), by=week(1)).cheapest.week == week(1)
    none = ask(8.0, free_capacity(FREE), by=week(1))
    assert none.earliest is None
    assert "enough for 7 units by 2024-01-08" in none.why


def test_stock_of_the_part_is_used_first_and_that_of_others_never():
    stock = [("a", "north", 0, 2.4), ("b", "north", 0, 9.0), ("a", "south", 0, 9.0), ("a", "north", 2, 3.0)]
    offers = ask(4.0, free_capacity(FREE, stock))
    assert lines(offers.earliest) == [(None, None, 2.0), ("M1", week(0), 2.0)]
    assert offers.cheapest.cost == 0.0
    assert offers.cheapest.week == week(2)


@pytest.mark.parametrize(
    ("category", "region", "said"),
    [("laser", "north", "no manufacturer makes laser"), ("cnc", "moon", "lane to moon")],
)
def test_what_nobody_can_make_or_deliver_says_so(category, region, said):
    assert said in ask(1.0, free_capacity(FREE), category=category, region=region).why


def test_a_full_plan_says_so():
    assert "no hours are left" in ask(1.0, free_capacity([("M1", 0, 0.0, 0.0)])).why


def test_rules_bind_promises_too():
    free = free_capacity([(*row, False) for row in FREE], made=[("M2", 1, "cnc", 3.0)], wanted={"cnc": 10.0})
    batches = POLICY.model_copy(update={"minimum_batch": {"cnc": 4.0}})
    # M2 makes three units already, so that one more is a batch; M1 would have to begin one of four.
    assert lines(ask(1.0, free, policy=batches).cheapest) == [("M2", week(1), 1.0)]
    assert ask(1.0, free, by=week(1), policy=batches).cheapest is None
    # With 14 units planned a manufacturer may make 4.9 of them: one more at M2, the others at M1.
    shares = POLICY.model_copy(update={"maximum_share": {"cnc": 0.35}})
    assert lines(ask(4.0, free, policy=shares).cheapest) == [("M1", week(0), 3.0), ("M2", week(0), 1.0)]
    manufacturers = TWO_SHOPS.manufacturers.assign(activation_cost=[0.0, 100.0])
    network = replace(TWO_SHOPS, manufacturers=manufacturers)
    assert lines(ask(5.0, free, network=network).cheapest) == [("M1", week(0), 5.0)]


@st.composite
def inquiries(draw):
    """(free capacity, inquiries, network, policy): one or two categories, slots that are full, stock in fractions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_manufacturers, n_weeks = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    ids, regions = [f"M{i}" for i in range(n_manufacturers)], ["north", "south"]
    network = make_network(
        [(m, rng.choice(regions), 10.0, 5.0, rng.choice([0.0, rng.uniform(0.1, 1.0)]), 1.0) for m in ids],
        [
            (m, c, rng.uniform(0.2, 3), rng.uniform(4, 20))
            for m in ids
            for c in ("cnc", "sheet")
            if rng.random() < 0.9
        ],
        [
            (a, b, rng.uniform(0.0, 5), int(rng.integers(0, 3)))
            for a in regions
            for b in regions
            if rng.random() < 0.9
        ],
    )
    free = free_capacity(
        [
            (m, w, rng.choice([0.0, rng.uniform(0, 12)]), rng.choice([0.0, rng.uniform(0, 6)]))
            for m in ids
            for w in range(n_weeks)
        ],
        [("a", r, w, rng.uniform(0, 4)) for r in regions for w in range(n_weeks) if rng.random() < 0.3],
    )
    policy = AllocationPolicy(
        holding_cost=draw(st.sampled_from([0.0, 0.05])), max_weeks_early=draw(st.integers(0, 2))
    )
    asked = [
        (
            Inquiry(
                "a",
                str(rng.choice(regions)),
                float(rng.integers(1, 20)),
                None if rng.random() < 0.5 else week(int(rng.integers(0, 5))),
            ),
            str(rng.choice(["cnc", "sheet"])),
        )
        for _ in range(draw(st.integers(1, 4)))
    ]
    return free, asked, network, policy


def cheapest_by_week(inquiry, category, free, network, policy):
    """Delivery week -> least cost, each an integer program of units by slot, with hours of its own."""
    home = network.manufacturers.set_index("manufacturer_id")
    lanes = {(lane.from_region, lane.to_region): lane for lane in network.lanes.itertuples()}
    rates = {c.manufacturer_id: c for c in network.capabilities.itertuples() if c.part_category == category}
    found = {}
    for n in range(8):
        if inquiry.by is not None and week(n) > inquiry.by:
            break
        cost: list[float] = []
        upper: list[float] = []
        whole: list[int] = []
        total: list[int] = []
        rows: list[dict[int, float]] = []
        right: list[float] = []
        for s in free.slots.itertuples():
            lane = lanes.get((home.region[s.manufacturer_id], inquiry.region))
            made = (s.production_week - monday(0)).days // 7
            if lane is None or s.manufacturer_id not in rates:
                continue
            early = n - made - int(lane.transit_weeks)
            if not 0 <= early <= policy.max_weeks_early:
                continue
            c, at = rates[s.manufacturer_id], len(cost)
            unit = c.unit_cost * (1 + policy.keeping_cost * early) + lane.unit_cost
            # Whole units, and those of them in regular and in overtime hours.
            cost += [0.0, unit, unit + c.unit_cost * home.overtime_premium[s.manufacturer_id]]
            upper += [np.inf, s.regular_hours / c.hours_per_unit, s.overtime_hours / c.hours_per_unit]
            whole += [1, 0, 0]
            total.append(at)
            rows.append({at: 1.0, at + 1: -1.0, at + 2: -1.0})
            right.append(0.0)
        for s in free.stock.itertuples():
            if (s.part_id, s.region) == (inquiry.part_id, inquiry.region) and s.week <= monday(n):
                total.append(len(cost))
                cost.append(0.0)
                upper.append(s.quantity)
                whole.append(1)
        rows.append(dict.fromkeys(total, 1.0))
        right.append(inquiry.quantity)
        if not total:
            continue
        matrix = np.zeros((len(rows), len(cost)))
        for i, terms in enumerate(rows):
            for j, value in terms.items():
                matrix[i, j] = value
        solved = milp(
            cost,
            integrality=whole,
            bounds=Bounds(0, upper),
            constraints=LinearConstraint(matrix, right, right),
        )
        if solved.success:
            found[week(n)] = solved.fun
    return found


@settings(max_examples=8, deadline=None)
@given(inquiries())
def test_earliest_and_cheapest_are_those_of_an_integer_program_and_hours_are_never_used_twice(case):
    free, asked, network, policy = case
    for inquiry, category in asked:
        found = cheapest_by_week(inquiry, category, free, network, policy)
        offers = find_offers(inquiry, category, free, network, policy)
        if not found:
            assert offers.earliest is None
            assert offers.why
            continue
        assert offers.earliest
        assert offers.cheapest
        first = min(found)
        assert offers.earliest.week == first
        assert offers.earliest.cost == pytest.approx(found[first], rel=1e-7, abs=1e-7)
        assert offers.cheapest.cost == pytest.approx(min(found.values()), rel=1e-7, abs=1e-7)
        for offer in (offers.earliest, offers.cheapest):
            assert sum(line.quantity for line in offer.lines) == inquiry.quantity
            assert check_certificate(offer.certificate).passed
        left = free.without(inquiry, category, offers.earliest, network)
        assert_accounted_for(free, left, offers.earliest, category, network)
        free = left


def assert_accounted_for(before, after, offer, category, network):
    hours = network.capabilities.set_index(["manufacturer_id", "part_category"])["hours_per_unit"]
    used = sum(
        line.quantity * hours[line.manufacturer_id, category] for line in offer.lines if line.manufacturer_id
    )
    taken = sum(line.quantity for line in offer.lines if not line.manufacturer_id)
    columns = ["regular_hours", "overtime_hours"]
    assert (before.slots[columns].sum().sum() - after.slots[columns].sum().sum()) == pytest.approx(
        used, abs=1e-6
    )
    assert before.stock["quantity"].sum() - after.stock["quantity"].sum() == pytest.approx(taken)
    assert (after.slots[columns] >= 0).all(axis=None)
    assert (after.stock["quantity"] >= -1e-9).all()
