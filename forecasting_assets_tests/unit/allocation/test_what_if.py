"""Changes in the words of the command line, and what they change."""

from dataclasses import replace

import pandas as pd
import pytest

from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import AllocationError
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.what_if import (
    Change,
    changed_demand,
    changed_network,
    changed_policy,
    changed_state,
    hours_by_manufacturer,
    on_time_rate,
    parse_change,
)

from .cases import hours_of, make_demand, make_network, monday, some

NETWORK = make_network(
    [("M1", "north", 10.0, 2.0, 0.5, 0.8), ("M2", "south", 20.0, 0.0, 0.5, 1.0)],
    [("M1", "CNC machining", 1.0, 4.0), ("M2", "CNC machining", 1.0, 5.0), ("M2", "Casting", 2.0, 5.0)],
    [("north", "north", 0.0, 0), ("south", "north", 1.0, 1)],
    [("M1", monday(1), 6.0)],
)
DEMAND = make_demand(
    [("a", "CNC machining", "north", w, 8.0, 30.0) for w in (0, 1)]
    + [("b", "Casting", "north", 1, 4.0, 30.0)]
)


def changed(capacity=(), demand=(), remove=()):
    return parse_change(capacity, demand, remove, NETWORK, DEMAND)


def test_hours_are_scaled_in_usual_and_exceptional_weeks():
    network = changed_network(NETWORK, changed(capacity=["M1=-40%"]))
    assert network.manufacturers["capacity_hours_per_week"].tolist() == pytest.approx([6.0, 20.0])
    assert network.manufacturers["overtime_hours_per_week"].tolist() == pytest.approx([1.2, 0.0])
    assert network.capacity_overrides["capacity_hours"].tolist() == pytest.approx([3.6])


def test_who_is_removed_is_in_no_table():
    network = changed_network(NETWORK, changed(remove=["M2"]))
    for table in (network.manufacturers, network.capabilities):
        assert set(table["manufacturer_id"]) == {"M1"}


def test_demand_is_scaled_where_category_and_region_match():
    def quantities(text):
        return changed_demand(DEMAND, changed(demand=[text]), ["quantity"])["quantity"].tolist()

    assert quantities("CNC/north=+50%") == pytest.approx([12.0, 12.0, 4.0])
    assert quantities("casting/*=-100%") == pytest.approx([8.0, 8.0, 0.0])
    assert quantities("*/*=+10%") == pytest.approx([8.8, 8.8, 4.4])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"capacity": ["M1"]}, "write NAME=-40%"),
        ({"capacity": ["M1=half%"]}, "write NAME=-40%"),
        ({"capacity": ["M1=-140%"]}, "more than 100%"),
        ({"capacity": ["M=-40%"]}, "'M' is more than one manufacturer: there are M1, M2"),
        ({"remove": ["X"]}, "'X' is not a manufacturer: there are M1, M2"),
        ({"demand": ["CNC=+5%"]}, "write CATEGORY/REGION"),
        ({"demand": ["C/north=+5%"]}, "'C' is more than one part category"),
        ({"demand": ["CNC/moon=+5%"]}, "'moon' is not a region: there are north"),
    ],
)
def test_invalid_changes_are_refused(words, message):
    with pytest.raises(AllocationError, match=message):
        changed(**words)


def test_on_time_counts_units_that_arrive_by_their_week_and_the_reliability_of_the_maker():
    result = allocate(DEMAND, NETWORK, AllocationPolicy())
    # Each week late costs a tenth of 30, and no unit of this plan is expected to be more than one late.
    weeks_late = result.plan["lateness_cost"] / (0.1 * 30)
    assert (weeks_late <= result.plan["quantity"] * (1 + 1e-9)).all()
    expected = (result.plan["quantity"] - weeks_late).sum() / 20
    found = on_time_rate(result.plan, result.shortages, NETWORK)
    assert found == pytest.approx(expected)
    assert 0 < found < 1


def test_who_takes_over():
    before = allocate(DEMAND, NETWORK, AllocationPolicy()).capacity_load
    without = changed_network(NETWORK, changed(remove=["M2"]))
    after = allocate(DEMAND, without, AllocationPolicy()).capacity_load
    hours = hours_by_manufacturer([("Plan", before), ("Changed", after)])
    assert hours.loc["M2", "Changed"] == 0
    assert hours["change"]["M2"] == -hours["Plan"]["M2"] < 0
    assert hours["change"].abs().is_monotonic_decreasing


def test_rules_of_who_is_removed_are_dropped_and_named():
    policy = AllocationPolicy(
        minimum_load={"M1": 0.1, "M2": 0.2},
        maximum_share={"CNC machining": 0.9, "Casting": 0.5},
        minimum_batch={"Casting": 1.0},
        priority={"category": {"Casting": 2}},
    )
    change, without = changed(remove=["M2"]), DEMAND[DEMAND["part_id"] == "a"]
    network = changed_network(NETWORK, change)
    kept, dropped = changed_policy(policy, change, network, without)
    assert dropped == [
        "minimum_load of M2",
        "maximum_share of Casting",
        "minimum_batch of Casting",
        "priority of Casting",
    ]
    assert (kept.minimum_load, kept.maximum_share) == ({"M1": 0.1}, {"CNC machining": 0.9})
    assert not allocate(without, network, kept).plan.empty
    # What is still in demand is known, although nobody makes it.
    assert changed_policy(policy, change, network, DEMAND)[1] == ["minimum_load of M2"]
    assert changed_policy(policy, changed(), NETWORK, DEMAND) == (policy, [])


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_factors_that_mean_nothing_are_refused(factor):
    with pytest.raises(AllocationError, match="M1"):
        Change({"M1": factor}, {}, ())
    with pytest.raises(AllocationError, match="finite factor"):
        Change({}, {("Casting", None): factor}, ())


def test_hours_that_a_plan_starts_from_are_scaled_and_locks_of_who_is_removed_are_dropped():
    locked = pd.DataFrame({"manufacturer_id": ["M1", "M2", "M2"], "quantity": [1.0, 2.0, 3.0]})
    start = replace(hours_of(NETWORK, 2), locked=locked)
    state, dropped = changed_state(start, changed(capacity=["M1=-40%"], remove=["M2"]))
    capacity = some(state.capacity)
    assert capacity["capacity_hours"].tolist() == pytest.approx([6.0, 3.6])
    assert capacity["overtime_capacity_hours"].tolist() == pytest.approx([1.2, 1.2])
    assert some(state.locked)["manufacturer_id"].tolist() == ["M1"]
    assert dropped == ["2 locks of M2"]
    assert changed_state(PlanningState(), changed(remove=["M2"])) == (PlanningState(), [])
