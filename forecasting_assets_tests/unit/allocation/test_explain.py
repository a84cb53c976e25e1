"""Why units are short or late: named limits bind, and relaxing what is named makes the plan cheaper."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings

from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.problem import PlanInputs
from forecasting_assets.allocation.state import PlanningState

from .cases import ONE_SHOP, make_demand, make_network, monday, some
from .test_proof import ruled_problems

POLICY = AllocationPolicy(
    lateness_penalty=0.1, holding_cost=0.05, obsolescence=0, shortage_cost=2, max_weeks_late=1
)
NEVER_LATE = POLICY.model_copy(update={"max_weeks_late": 0})
TWO_SHOPS = make_network(
    [("M1", "north", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 10.0, 0.0, 0.0, 1.0)],
    [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 6.0)],
    [("north", "north", 0.0, 0)],
)
TEN_A_WEEK = make_demand([("a", "cnc", "north", w, 10.0, 20.0) for w in (0, 1)])


def reason(demand, network=ONE_SHOP, policy=POLICY, state=PlanningState(), due=None) -> pd.Series:  # noqa: B008
    reasons = allocate(demand, network, policy, state).reasons
    return reasons.iloc[0] if due is None else reasons[reasons["due_week"] == monday(due)].iloc[0]


def test_all_hours_are_planned():
    demand = make_demand([("a", "cnc", "north", w, 30.0, 20.0) for w in (0, 1)])
    found = reason(demand, policy=NEVER_LATE, due=1)
    assert (found["kind"], found["rule"], found["quantity"]) == ("short", "regular_hours", 18.0)
    assert (found["manufacturer_id"], found["production_week"]) == ("M1", monday(1))
    assert (found["price"], found["price_unit"]) == (pytest.approx(36.0), "hour")
    assert found["reason"] == (
        "cnc for north in week 2024-01-08: the cheapest way left is M1 in week 2024-01-08, but all 10 hours are "
        "planned, overtime included; one more hour there saves 36.00"
    )


def test_hours_that_serve_more_valuable_demand():
    # An hour is worth 2·30 - 4 to the expensive part, so a unit of the cheap one would cost 61 and its lack is 40.
    rows = [("expensive", "cnc", "north", 0, 30.0, 30.0), ("cheap", "cnc", "south", 0, 5.0, 20.0)]
    network = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 10.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 4.0)],
        [("north", "north", 0.0, 0), ("north", "south", 1.0, 0)],
    )
    reasons = allocate(make_demand(rows), network, NEVER_LATE).reasons.set_index("region")
    assert "a unit here would cost 21.00 more than its shortage price of 40.00" in reasons["reason"]["south"]
    assert "would cost" not in reasons["reason"]["north"]
    assert reasons["price"].tolist() == pytest.approx([56.0, 56.0])


def test_no_manufacturer_and_no_week():
    laser = reason(make_demand([("a", "laser", "north", 0, 3.0, 9.0)]))
    assert laser["rule"] == "unservable"
    assert "no manufacturer makes laser" in laser["reason"]
    moon = reason(make_demand([("a", "cnc", "moon", 0, 3.0, 9.0)]))
    assert "has a lane to moon" in moon["reason"]
    far = make_network(
        [("M1", "far", 10.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("far", "north", 0.0, 9)]
    )
    outside = reason(make_demand([("a", "cnc", "north", 0, 3.0, 9.0)]), far)
    assert outside["rule"] == "horizon"
    assert "within the allowed weeks" in outside["reason"]


def test_late_because_on_time_is_more_expensive():
    network = make_network(
        [("M1", "far", 50.0, 0.0, 0.0, 1.0), ("M2", "north", 50.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 9.0)],
        [("far", "north", 1.0, 1), ("north", "north", 0.0, 0)],
    )
    rows = [("a", "cnc", "north", 0, 5.0, 20.0), ("b", "cnc", "north", 1, 0.0, 20.0)]
    # On time from M2 for 9, a week late from M1 for 4 + 1 and a penalty of 2.
    found = reason(make_demand(rows), network)
    assert (found["kind"], found["rule"], found["manufacturer_id"]) == ("late", "cost", "M2")
    assert found["price"] == pytest.approx(2.0)
    assert "on time from M2 in week 2024-01-01 costs 2.00 more than late from M1" in found["reason"]
    network.capabilities["unit_cost"] = [4.0, 7.0]
    equal = allocate(make_demand(rows), network, POLICY).reasons
    assert not equal["reason"].str.contains("0.00 more").any()


def test_declined_when_a_unit_costs_more_than_its_shortage():
    policy = AllocationPolicy(max_weeks_late=0, shortage_price=3.0)
    found = reason(make_demand([("a", "cnc", "north", 0, 5.0, 20.0)]), policy=policy)
    assert (found["rule"], found["price"]) == ("declined", pytest.approx(1.0))
    assert (
        "costs at least 4.00 (M1 in week 2024-01-01), more than its shortage price of 3.00" in found["reason"]
    )


def test_maximum_share():
    found = reason(TEN_A_WEEK, TWO_SHOPS, POLICY.model_copy(update={"maximum_share": {"cnc": 0.4}}))
    assert (found["rule"], found["manufacturer_id"]) == ("maximum_share", "M1")
    assert (found["price"], found["price_unit"]) == (pytest.approx(36.0), "unit")
    assert "maximum share of 40 % of cnc is reached" in found["reason"]


def test_minimum_batch_and_activation():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0)])
    batch = reason(demand, TWO_SHOPS, NEVER_LATE.model_copy(update={"minimum_batch": {"cnc": 9.0}}))
    assert (batch["rule"], batch["manufacturer_id"]) == ("minimum_batch", "M1")
    assert "fewer than 9 units of cnc is not allowed" in batch["reason"]
    costly = replace(TWO_SHOPS, manufacturers=TWO_SHOPS.manufacturers.assign(activation_cost=500.0))
    unused = reason(demand, costly, NEVER_LATE)
    assert (unused["rule"], unused["manufacturer_id"]) == ("activation", "M1")
    assert "using it costs 500.00" in unused["reason"]


def test_frozen_plan():
    previous = pd.DataFrame(
        {
            "manufacturer_id": ["M1"],
            "quantity": [2.0],
            "production_week": [monday(0)],
            "part_category": ["cnc"],
            "region": ["north"],
        }
    )
    policy = POLICY.model_copy(update={"frozen_weeks": 1, "change_penalty": 20.0, "max_weeks_late": 0})
    demand = make_demand([("a", "cnc", "north", 0, 8.0, 20.0)])
    found = reason(demand, ONE_SHOP, policy, PlanningState(previous=previous))
    assert (found["rule"], found["manufacturer_id"]) == ("frozen_weeks", "M1")
    assert "a unit added to it costs 80.00 more" in found["reason"]


def test_several_limits_at_once_are_all_named():
    policy = POLICY.model_copy(update={"maximum_share": {"cnc": 0.5}, "max_weeks_late": 0})
    demand = make_demand([("a", "cnc", "north", 0, 20.0, 20.0)])
    shop = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
    )
    found = reason(demand, shop, policy)
    assert found["rule"] == "regular_hours + maximum_share"
    assert "several limits bind there at once" in found["reason"]
    assert "Relaxed together, one more unit saves 36.00" in found["reason"]


def test_nothing_to_explain():
    assert allocate(make_demand([("a", "cnc", "north", 0, 3.0, 9.0)]), ONE_SHOP, POLICY).reasons.empty


def has_hours(plan: AllocationPlan, inputs: PlanInputs) -> pd.Series:
    """Whether the manufacturer that a reason names has hours in any week.

    The first hours of a manufacturer also change the shortage price of parts without a unit price: it is the highest
    cost at manufacturers that have hours.
    """
    hours = some(inputs.state.capacity).groupby("manufacturer_id")["capacity_hours"].sum()
    return plan.reasons["manufacturer_id"].map(hours) > 0


def relaxed(inputs: PlanInputs, found: pd.Series, by: float) -> PlanInputs:
    """The inputs with what a reason names relaxed: some hours, some units of a share, no cost of changes."""
    rules, state, policy = found["rule"].split(" + "), inputs.state, inputs.policy
    if "regular_hours" in rules:
        capacity = some(state.capacity)
        at = (capacity["manufacturer_id"] == found["manufacturer_id"]) & (
            capacity["production_week"] == found["production_week"]
        )
        hours = capacity["capacity_hours"] + by * at
        state = replace(state, capacity=capacity.assign(capacity_hours=hours))
    update: dict[str, object] = {}
    if "maximum_share" in rules:
        demand = inputs.demand.groupby("part_category")["quantity"].sum()
        category = found["part_category"]
        share = policy.maximum_share[category] + by / demand[category]
        update["maximum_share"] = {**policy.maximum_share, category: share}
    if "frozen_weeks" in rules:
        update["change_penalty"] = 0.0
    return PlanInputs(inputs.demand, inputs.network, policy.model_copy(update=update), state)


def cost_without_rules(plan: AllocationPlan, inputs: PlanInputs, found: pd.Series) -> float:
    """What the same plan costs where the rules that a reason names cost nothing."""
    cost = plan.cost["total"]
    if "frozen_weeks" in found["rule"]:
        cost -= plan.cost["change_cost"]
    if "activation" in found["rule"]:
        made = plan.plan[plan.plan["manufacturer_id"] == found["manufacturer_id"]]
        makers = inputs.network.manufacturers.set_index("manufacturer_id")["activation_cost"]
        cost -= made["production_week"].nunique() * float(makers[found["manufacturer_id"]])
    return cost


@settings(max_examples=8, deadline=None)
@given(ruled_problems(integer=False))
def test_relaxing_what_a_reason_names_makes_the_plan_cheaper(inputs):
    """And the hours of a manufacturer by no more than the price that is named for them."""
    policy = inputs.policy.model_copy(update={"minimum_load": {}, "shortage_floor": False})
    inputs = replace(inputs, policy=policy)
    plan = allocate(inputs.demand, inputs.network, policy, inputs.state)
    assert not plan.reasons["reason"].str.contains(r"(?<![\d.,])0\.00 more").any()
    stopped = plan.reasons["rule"].str.contains("regular_hours|maximum_share")
    for _, found in plan.reasons[stopped & has_hours(plan, inputs)].head(2).iterrows():
        by = 1e-2
        other = relaxed(inputs, found, by)
        after = allocate(other.demand, other.network, other.policy, other.state)
        saved = cost_without_rules(plan, inputs, found) - after.cost["total"]
        assert saved > 1e-9 * plan.cost["total"], (found["reason"], saved)
        if found["rule"] == "regular_hours":
            assert saved <= found["price"] * by * (1 + 1e-4) + 1e-7 * plan.cost["total"]


def without_rules(inputs: PlanInputs, found: pd.Series) -> PlanInputs:
    """The inputs without the rules that a reason names, and with some more hours if it names hours."""
    rules, network = found["rule"].split(" + "), inputs.network
    update: dict[str, object] = {}
    if "minimum_batch" in rules:
        update["minimum_batch"] = {}
    if "activation" in rules:
        free = network.manufacturers["manufacturer_id"] == found["manufacturer_id"]
        costs = network.manufacturers["activation_cost"].mask(free, 0.0)
        network = replace(network, manufacturers=network.manufacturers.assign(activation_cost=costs))
    other = relaxed(inputs, found, by=1.0)
    return PlanInputs(other.demand, network, other.policy.model_copy(update=update), other.state)


@settings(max_examples=15, deadline=None)
@given(ruled_problems(integer=True))
def test_without_the_rule_that_a_reason_names_the_plan_is_cheaper(inputs):
    policy = inputs.policy.model_copy(
        update={"minimum_load": {}, "shortage_floor": False, "whole_units": False, "mip_gap": 0.0}
    )
    inputs = replace(inputs, policy=policy)
    plan = allocate(inputs.demand, inputs.network, policy, inputs.state)
    stopped = plan.reasons["rule"].str.contains("minimum_batch|activation|frozen_weeks")
    stopped &= plan.reasons["kind"].eq("short") & has_hours(plan, inputs)
    for _, found in plan.reasons[stopped].head(2).iterrows():
        other = without_rules(inputs, found)
        after = allocate(other.demand, other.network, other.policy, other.state)
        before = cost_without_rules(plan, inputs, found)
        assert after.cost["total"] < before * (1 - 1e-9), found["reason"]
