"""Changes in the words of the command line, and what they change."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.network import weekly_capacity
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import AllocationError
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.what_if import (
    CapacityChange,
    Change,
    DemandChange,
    changed_demand,
    changed_network,
    changed_policy,
    changed_state,
    hours_by_manufacturer,
    on_time_rate,
    parse_change,
    require_planned_weeks,
)
from forecasting_assets.weeks import WeekError, add_weeks

from .cases import FIRST, hours_of, make_demand, make_network, monday, some

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
        ({"demand": ["C/north=+5%"]}, "'C' is more than one part or part category"),
        ({"demand": ["p9/north=+5%"]}, "'p9' is not a part or part category"),
        ({"demand": ["CNC/north=320h"]}, "changed by a percentage"),
        ({"capacity": ["M1=-5h"]}, "NAME=320h"),
        ({"capacity": ["M1@2024-01-02=+5%"]}, "2024-01-02 is a Tuesday"),
        ({"demand": ["CNC/moon=+5%"]}, "'moon' is not a region: there are north"),
    ],
)
def test_invalid_changes_are_refused(words, message):
    with pytest.raises((AllocationError, WeekError), match=message):
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
        CapacityChange("M1", factor)
    with pytest.raises(AllocationError, match="finite factor"):
        DemandChange(factor, part_category="Casting")


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


def test_a_week_and_absolute_hours():
    assert changed(capacity=[f"M1@{FIRST}=320h"]).capacity == (CapacityChange("M1", hours=320.0, week=FIRST),)
    network = changed_network(NETWORK, changed(capacity=[f"M1@{FIRST}=-50%", "M2=8h"]))
    hours = weekly_capacity(network, [FIRST, add_weeks(FIRST, 1)])
    assert hours["capacity_hours"].tolist() == pytest.approx([5.0, 6.0, 8.0, 8.0])
    # The hours of one week, and hours that are given, are regular hours.
    assert hours["overtime_capacity_hours"].tolist() == pytest.approx([2.0, 2.0, 0.0, 0.0])


def test_demand_of_one_part_in_one_week():
    week = add_weeks(FIRST, 1)
    assert changed(demand=[f"a/n@{week}=+50%"]).demand == (DemandChange(1.5, "a", None, "north", week),)
    found = changed_demand(DEMAND, changed(demand=[f"a/*@{week}=+50%", "*/*=-50%"]), ["quantity"])
    assert found["quantity"].tolist() == pytest.approx([4.0, 6.0, 2.0])


def test_changes_of_single_cells_apply_in_turn_and_with_others():
    cells = [f"a/north@{FIRST}=+50%", f"a/north@{FIRST}=-50%", f"b/north@{add_weeks(FIRST, 1)}=+100%"]
    change = changed(demand=[*cells, "*/*=+10%"])
    assert [c.is_cell for c in change.demand] == [True, True, True, False]
    factor = np.prod([np.where(c.covers(DEMAND), c.factor, 1.0) for c in change.demand], axis=0)
    found = changed_demand(DEMAND, change, ["quantity"])["quantity"]
    np.testing.assert_allclose(found, DEMAND["quantity"] * factor)
    np.testing.assert_allclose(factor, [0.825, 1.1, 2.2])


def test_a_week_that_is_not_planned_is_refused():
    state = hours_of(NETWORK, 2)
    require_planned_weeks(changed(capacity=[f"M1@{FIRST}=5h"], demand=[f"a/*@{FIRST}=+5%"]), state, DEMAND)
    for words in ({"capacity": ["M1@2030-01-07=5h"]}, {"demand": ["a/*@2030-01-07=+5%"]}):
        with pytest.raises(
            AllocationError, match=r"2030-01-07 is not a .* week of this plan: it has 2024-01-01"
        ):
            require_planned_weeks(changed(**words), state, DEMAND)


capacity_changes = st.builds(
    CapacityChange,
    st.sampled_from(["M1", "M2"]),
    st.none(),
    st.floats(0, 500),
    st.sampled_from([None, FIRST, add_weeks(FIRST, 1)]),
) | st.builds(
    CapacityChange,
    st.sampled_from(["M1", "M2"]),
    st.floats(0, 3),
    st.none(),
    st.sampled_from([None, FIRST, add_weeks(FIRST, 1)]),
)


@given(st.lists(capacity_changes, max_size=4))
@settings(max_examples=40)
def test_hours_of_the_network_and_of_the_state_change_alike(changes):
    change = Change(tuple(changes))
    state, _ = changed_state(hours_of(NETWORK, 2), change)
    expected = weekly_capacity(changed_network(NETWORK, change), [FIRST, add_weeks(FIRST, 1)])
    pd.testing.assert_frame_equal(some(state.capacity), expected)
