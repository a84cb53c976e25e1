"""Inquiries after a plan: what it leaves, what they displace, and what is held of them."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.free_capacity import Inquiry
from forecasting_assets.allocation.inquiries import (
    CapableToPromise,
    InquiryError,
    PublishedPlan,
    parse_inquiries,
    parse_inquiry,
    promised_rows,
    spelled_as_orders,
)
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import NEW_START, PlanningState
from forecasting_assets.weeks import add_weeks

from .cases import FIRST, ONE_SHOP, hours_of, make_demand, make_network, monday, problems
from .part_model import lp_cost

POLICY = AllocationPolicy(lateness_penalty=0.1, holding_cost=0.05, obsolescence=0, shortage_cost=2)
#: Ten of twelve hours are used in the first week, and five in the second.
DEMAND = make_demand([("a", "cnc", "north", 0, 10.0, 20.0), ("a", "cnc", "north", 1, 5.0, 20.0)])
STOCK = pd.DataFrame({"part_id": ["a"], "region": ["north"], "week": [monday(0)], "quantity": [18.5]})


def week(n: int) -> date:
    return add_weeks(FIRST, n)


def after_plan(demand=DEMAND, network=ONE_SHOP, policy=POLICY, state=NEW_START) -> CapableToPromise:
    plan = allocate(demand, network, policy, state)
    published = PublishedPlan(plan.plan, plan.capacity_load, plan.shortages)
    return CapableToPromise.of_plan(demand, network, policy, state, published)


def answers(capacity, *inquiries):
    return capacity.answer_in_turn([Inquiry("a", "north", float(units), by) for units, by in inquiries])


def test_each_inquiry_sees_the_ones_before():
    first, second, third = answers(after_plan(), (2, None), (2, None), (20, None))
    assert (first.taken.week, first.taken.lines[0].overtime_quantity) == (week(0), 2.0)
    assert (second.taken.week, second.taken.lines[0].overtime_quantity) == (week(1), 0.0)
    assert third.taken is None
    assert "enough for 5 units" in third.why


def test_a_part_is_offered_in_the_category_that_it_has_in_the_region():
    # The part was classified anew, and only the south has ordered it since.
    network = make_network(
        [("M1", "north", 40.0, 0.0, 0.0, 1.0), ("M2", "south", 40.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 50.0), ("M2", "sheet", 0.5, 4.0)],
        [("north", "north", 0.0, 0), ("north", "south", 0.0, 0), ("south", "south", 0.0, 0)],
    )
    rows = [("a", "cnc", "north", w, 5.0, 90.0) for w in (0, 1)]
    demand = make_demand([*rows, *(("a", "sheet", "south", w, 5.0, 20.0) for w in (0, 1))])
    asked = [Inquiry("a", region, 3.0) for region in ("north", "south")]
    found = after_plan(demand, network).answer_in_turn(asked)
    made = [(answer.part_category, answer.taken.lines[0].manufacturer_id) for answer in found if answer.taken]
    assert made == [("cnc", "M1"), ("sheet", "M2")]


def test_why_nothing_is_offered_names_the_remedy():
    over, typo = after_plan().answer_in_turn(
        [Inquiry("a", "north", 1.0, week(-1)), Inquiry("aa", "north", 1.0)]
    )
    assert over.why == f"the week of {week(-1)} is over: the plan begins on {week(0)}"
    assert typo.why.endswith("did you mean a?")


def test_all_wrong_rows_of_a_file_are_named():
    rows = [("a", "north", "none"), ("a", "north", "1"), ("", "north", "2")]
    with pytest.raises(InquiryError) as error:
        parse_inquiries(pd.DataFrame(rows, columns=["part_id", "region", "quantity"]))
    assert "row 2, column quantity" in str(error.value)
    assert "row 4, column part_id" in str(error.value)


def test_stock_that_no_demand_uses_is_offered():
    (answer,) = answers(after_plan(state=PlanningState(supply=STOCK)), (3, None))
    assert [(line.manufacturer_id, line.quantity) for line in answer.taken.lines] == [(None, 3.0)]
    assert answer.taken.cost == 0.0


def test_what_serving_it_first_displaces_and_at_what_cost():
    # Overtime is cheaper than a week of lateness.
    policy = POLICY.model_copy(update={"lateness_penalty": 0.2})
    (answer,) = answers(after_plan(policy=policy), (4, week(0)))
    assert answer.taken is None
    displacement = answer.displacement
    assert displacement.units == 4.0
    assert [(d.kind, d.due_week, d.quantity) for d in displacement.displaced] == [
        ("late", week(0), pytest.approx(2.0))
    ]
    assert displacement.own_cost == pytest.approx(4 * 4.0)
    # Two units in overtime at half the cost more, and two units a week late for a fifth of their value.
    assert displacement.extra_cost == pytest.approx(2 * 2.0 + 2 * 4.0)


def test_more_than_all_hours_is_said():
    (answer,) = answers(after_plan(), (15, week(0)))
    assert answer.displacement.units == pytest.approx(12.0)


def test_displacement_keeps_what_was_promised_before():
    _, answer = answers(after_plan(), (2, week(0)), (12, week(0)))
    assert answer.displacement.units == pytest.approx(10.0)


def test_an_unknown_part_is_said():
    (answer,) = after_plan().answer_in_turn([Inquiry("z", "north", 1.0)])
    assert answer.taken is None
    assert "part z is unknown" in answer.why


def test_a_promise_takes_its_hours_from_the_next_inquiries_and_stands_in_the_next_plan():
    capacity = after_plan()
    answer, _ = answers(capacity, (2, None), (1, week(1)))
    rows = promised_rows(answer, "p1", week(0), week(4), "").astype(
        {"production_week": "datetime64[ns]", "due_week": "datetime64[ns]", "entered": "datetime64[ns]"}
    )
    (after,) = answers(capacity.keeping(rows), (1, None))
    assert after.taken.week == week(1)
    held = DEMAND.assign(quantity=DEMAND["quantity"] + [2.0, 0.0])
    plan = allocate(held, ONE_SHOP, POLICY, PlanningState(promised=rows))
    assert plan.plan["locked_quantity"].sum() == pytest.approx(2.0)
    assert plan.shortages.empty


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (("", "north", "1"), "part_id"),
        (("a", " ", "1"), "region"),
        (("a", "north", "0"), "quantity"),
        (("a", "north", "many"), "quantity"),
        (("a", "north", "inf"), "quantity"),
        (("a", "north", "1", "2024-01-02"), "by"),
    ],
)
def test_a_wrong_field_is_named(fields, field):
    with pytest.raises(InquiryError) as error:
        parse_inquiry(*fields)
    assert error.value.field == field
    table = pd.DataFrame(
        [("a", "north", "1", ""), (*fields, "")[:4]], columns=["part_id", "region", "quantity", "by"]
    )
    with pytest.raises(InquiryError) as error:
        parse_inquiries(table)
    assert (error.value.field, error.value.row) == (field, 3)


@pytest.mark.parametrize(
    ("part", "region", "fold_case", "expected"),
    [
        (" p-001 ", "eu  west", True, ("P-001", "EU WEST")),
        ("p-001", "eu", False, ("p-001", "eu")),
        ("123.0", "Tra\u0308ger", False, ("123", "Tr\u00e4ger")),
    ],
)
def test_names_are_spelled_as_in_the_orders(part, region, fold_case, expected):
    (inquiry,) = spelled_as_orders([Inquiry(part, region, 1.0)], fold_case)
    assert (inquiry.part_id, inquiry.region, inquiry.quantity) == (*expected, 1.0)
    assert spelled_as_orders([], fold_case) == []


def test_a_missing_column_is_named_and_by_may_be_absent():
    table = pd.DataFrame({"part_id": ["a"], "region": ["north"], "quantity": ["2"]})
    assert parse_inquiries(table) == [Inquiry("a", "north", 2.0)]
    with pytest.raises(InquiryError) as error:
        parse_inquiries(table.drop(columns="region"))
    assert error.value.field == "region"


@settings(max_examples=6, deadline=None)
@given(problems(max_weeks=3, same_price_in_class=True), st.integers(0, 1000))
def test_after_any_plan_promises_fit_its_hours_and_displace_no_more_than_they_must(problem, seed):
    demand, network, policy, weeks = problem
    rng = np.random.default_rng(seed)
    state = hours_of(network, weeks)
    plan = allocate(demand, network, policy, state)
    capacity = CapableToPromise.of_plan(
        demand, network, policy, state, PublishedPlan(plan.plan, plan.capacity_load, plan.shortages)
    )
    parts = rng.choice(demand["part_id"], 4)
    asked = [
        Inquiry(p, "north", float(rng.integers(1, 30)), week(int(rng.integers(0, weeks)))) for p in parts
    ]
    hours = network.capabilities.set_index(["manufacturer_id", "part_category"])["hours_per_unit"]
    load = plan.capacity_load.set_index(["manufacturer_id", "production_week"])["load_hours"].to_dict()
    for answer in capacity.answer_in_turn(asked):
        if answer.taken:
            assert answer.taken.week <= (answer.inquiry.by or week(weeks))
            for line in answer.taken.lines:
                key = line.manufacturer_id, pd.Timestamp(str(line.production_week))
                load[key] += line.quantity * hours[line.manufacturer_id, answer.part_category]
        elif answer.displacement:
            assert 0 <= answer.displacement.units <= answer.inquiry.quantity
            assert answer.displacement.extra_cost >= 0
            assert answer.displacement.gap <= 1e-6
    slots = plan.capacity_load.set_index(["manufacturer_id", "production_week"])
    most = (slots["capacity_hours"] + slots["overtime_capacity_hours"]).to_dict()
    assert all(load[key] <= most[key] + 1e-6 for key in load)


@settings(max_examples=6, deadline=None)
@given(problems(max_weeks=2, same_price_in_class=True), st.integers(0, 1000))
def test_displacement_costs_what_a_program_with_the_inquiry_costs_more(problem, seed):
    demand, network, policy, weeks = problem
    policy = policy.model_copy(update={"max_weeks_late": 0, "lateness_penalty": 0.0})
    rng = np.random.default_rng(seed)
    capacity = after_plan(demand, network, policy, hours_of(network, weeks))
    row = demand.iloc[int(rng.integers(0, len(demand)))]
    inquiry = Inquiry(row["part_id"], row["region"], float(rng.integers(10, 60)))
    by = week(int(rng.integers(0, weeks)))
    instance = capacity.problem.instance
    prices = instance.parts.set_index(["part_id", "region", "due_week"])["class"]
    slots = instance.slots
    hours = {
        (s.manufacturer_id, (pd.Timestamp(str(s.production_week)) - monday(0)).days // 7): [
            s.capacity_hours,
            s.overtime_capacity_hours,
        ]
        for s in slots.itertuples()
    }
    tables = (
        {m.manufacturer_id: m for m in network.manufacturers.itertuples()},
        {(c.manufacturer_id, c.part_category): c for c in network.capabilities.itertuples()},
        {(lane.from_region, lane.to_region): lane for lane in network.lanes.itertuples()},
    )
    wanted = {
        (d.part_id, d.region, (d.due_week - monday(0)).days // 7): d.quantity for d in demand.itertuples()
    }
    least = lp_cost(wanted, demand, policy, hours, tables, instance.classes, prices)
    number = (by - FIRST).days // 7
    key = ("inquiry", inquiry.region, number)
    worth = pd.DataFrame({"unit_value": [0.0], "shortage_cost": [1e5]}, index=[len(instance.classes)])
    first = demand.iloc[:1].assign(part_id="inquiry", part_category=row["part_category"])
    with_inquiry = lp_cost(
        {**wanted, key: inquiry.quantity},
        pd.concat([demand, first]),
        policy,
        hours,
        tables,
        pd.concat([instance.classes, worth]),
        pd.concat([prices, pd.Series({("inquiry", inquiry.region, monday(number)): len(instance.classes)})]),
    )
    found = capacity.baseline.displace(inquiry, by, row["part_category"], capacity.free)
    unmet = inquiry.quantity - found.units
    assert found.own_cost + found.extra_cost == pytest.approx(
        with_inquiry - least - 1e5 * unmet, rel=1e-4, abs=0.05
    )
