"""Whole units: rows are whole, totals and hours are kept, and the exact plan can be read again from its flows."""

import pandas as pd
import pytest
from hypothesis import given, settings

from forecasting_assets.allocation.optimal import allocate, allocate_unproven, build_problem
from forecasting_assets.allocation.plan import exact_plan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.verify import check_capacity, check_certificate, check_published

from .cases import hours_of, make_demand, make_network, problems, some

LOT = ["manufacturer_id", "production_week", "part_category", "region"]
WEEKS_OF_HALVES = make_demand([("a", "cnc", "north", w, 2.5, 20.0) for w in range(4)])


def shop(hours, overtime=0.0):
    return make_network(
        [("M1", "north", hours, overtime, 0.5, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
    )


def planned(demand, network, **fields):
    policy = AllocationPolicy(max_weeks_early=0, max_weeks_late=0, **fields)
    return allocate(demand, network, policy)


def test_remainders_are_carried_from_week_to_week():
    result = planned(WEEKS_OF_HALVES, shop(10.0))
    assert result.plan["quantity"].tolist() == [3.0, 2.0, 3.0, 2.0]
    assert result.flows["quantity"].tolist() == [2.5] * 4
    assert result.cost["total"] == pytest.approx(result.cost["published_total"]) == pytest.approx(40.0)


def test_hours_that_are_full_round_down_and_carry_on():
    result = planned(WEEKS_OF_HALVES, shop(2.5))
    assert result.plan["quantity"].tolist() == [2.0, 2.0, 2.0, 2.0]
    assert result.capacity_load["load_hours"].tolist() == [2.0] * 4
    # The exact plan counts 10 units, the published one 8.
    assert result.cost["total"] == pytest.approx(40.0)
    assert result.cost["published_total"] == pytest.approx(32.0)


def test_overtime_is_worked_only_where_it_is_planned():
    demand = make_demand([("a", "cnc", "north", 0, 2.5, 20.0), ("a", "cnc", "north", 1, 3.5, 20.0)])
    result = planned(demand, shop(2.5, overtime=2.0))
    assert result.plan["quantity"].tolist() == [2.0, 4.0]
    assert result.capacity_load["overtime_hours"].tolist() == pytest.approx([0.0, 1.5])
    assert result.cost["overtime_cost"] == pytest.approx(1.0 * 2.0)
    assert result.plan["overtime_cost"].tolist() == pytest.approx([0.0, 1.5 * 2.0])


def test_parts_of_less_than_a_unit_take_turns():
    demand = make_demand([(f"p{i}", "cnc", "north", w, 0.25, 20.0) for i in range(4) for w in range(8)])
    plan = planned(demand, shop(10.0)).plan
    assert plan["quantity"].tolist() == [1.0] * 8
    assert plan.groupby("part_id")["quantity"].sum().to_dict() == {f"p{i}": 2.0 for i in range(4)}


def test_exact_amounts_if_units_need_not_be_whole():
    result = planned(WEEKS_OF_HALVES, shop(10.0), whole_units=False)
    assert result.plan["quantity"].tolist() == [2.5] * 4
    assert "published_total" not in result.cost


@settings(max_examples=8, deadline=None)
@given(problems(max_weeks=4))
def test_every_published_plan_is_whole_close_and_possible(problem):
    demand, network, policy, weeks = problem
    state = hours_of(network, weeks)
    exact = allocate_unproven(demand, network, policy.model_copy(update={"whole_units": False}), state)
    whole = allocate(demand, network, policy.model_copy(update={"whole_units": True}), state)
    quantity = whole.plan["quantity"]
    assert (quantity == quantity.round()).all()
    assert (quantity > 0).all()
    assert check_capacity(whole.capacity_load).passed
    assert check_certificate(some(whole.certificate)).passed
    pd.testing.assert_frame_equal(whole.shortages, exact.shortages)

    def difference(by):
        both = [p.plan.groupby(by)["quantity"].sum() for p in (whole, exact)]
        return pd.concat(both, axis=1).fillna(0.0).diff(axis=1).iloc[:, 1]

    for by in (LOT, LOT[:3], ["manufacturer_id", "part_id", "region", "production_week", "due_week"]):
        assert (difference(by).abs() < 1 + 1e-6).all()
    # Up to any week no more is made than half a unit above the exact plan.
    week = difference(["manufacturer_id", "part_category", "production_week"]).unstack(fill_value=0.0)
    assert (week.cumsum(axis=1) >= -0.5 - 1e-5).to_numpy().all()
    hours = network.capabilities.set_index(["manufacturer_id", "part_category"])["hours_per_unit"]
    worked = (
        whole.plan["quantity"]
        * hours.reindex(pd.MultiIndex.from_frame(whole.plan[["manufacturer_id", "part_category"]])).to_numpy()
    )
    assert whole.capacity_load["load_hours"].sum() == pytest.approx(worked.sum())
    assert whole.cost["published_total"] == pytest.approx(
        whole.plan["cost"].sum() + whole.cost["shortage_cost"], abs=1e-6
    )
    assert whole.cost["total"] == pytest.approx(exact.cost["total"])


@settings(max_examples=6, deadline=None)
@given(problems(max_weeks=3))
def test_totals_are_kept_to_half_a_unit_where_hours_are_not_full(problem):
    demand, network, policy, weeks = problem
    plenty = PlanningState(capacity=some(hours_of(network, weeks).capacity).assign(capacity_hours=1e4))
    whole = allocate_unproven(demand, network, policy.model_copy(update={"whole_units": True}), plenty)
    by = ["manufacturer_id", "part_category", "production_week"]
    exact = whole.flows.groupby(by)["quantity"].sum()
    both = pd.concat([exact, whole.plan.groupby(by)["quantity"].sum()], axis=1).fillna(0.0)
    over = both.diff(axis=1).iloc[:, 1].unstack().fillna(0.0).cumsum(axis=1)
    assert (over.abs() <= 0.5 + 1e-5).to_numpy().all()


@settings(max_examples=6, deadline=None)
@given(problems(max_weeks=3))
def test_the_exact_plan_follows_from_its_flows(problem):
    demand, network, policy, weeks = problem
    state = hours_of(network, weeks)
    exact = allocate_unproven(demand, network, policy.model_copy(update={"whole_units": False}), state)
    whole = allocate_unproven(demand, network, policy.model_copy(update={"whole_units": True}), state)
    instance = build_problem(demand, network, policy, state).instance
    shuffled = whole.flows.sample(frac=1.0, random_state=1)
    again = exact_plan(instance, shuffled, whole.shortages, whole.capacity_load)
    for table in ("plan", "shortages"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(exact, table))
    if len(whole.flows):
        other = whole.flows.assign(manufacturer_id="M9")
        assert exact_plan(instance, other, whole.shortages, whole.capacity_load) is None


def test_published_rows_that_are_not_the_exact_plan_in_whole_units_are_named():
    policy = AllocationPolicy(max_weeks_early=0, max_weeks_late=0)
    result = allocate(WEEKS_OF_HALVES, shop(10.0), policy)
    instance = build_problem(WEEKS_OF_HALVES, shop(10.0), policy).instance
    exact = some(exact_plan(instance, result.flows, result.shortages, result.capacity_load))
    unchanged = (result.plan, result.capacity_load)
    assert check_published(*unchanged, exact, instance, whole_units=True).passed
    assert not check_published(*unchanged, exact, instance, whole_units=False).passed
    for column, change, words in (
        ("quantity", 0.25, "not whole"),
        ("quantity", 1.0, "a unit or more from the exact plan"),
        ("cost", 1.0, "cost is not the sum"),
        ("manufacturer_id", None, "a unit or more"),
    ):
        plan = result.plan.copy()
        plan[column] = plan[column] + change if change else "M9"
        finding = check_published(plan, result.capacity_load, exact, instance, whole_units=True)
        assert not finding.passed
        assert words in finding.description
    less = result.capacity_load.assign(load_hours=result.capacity_load["load_hours"] - 1)
    finding = check_published(result.plan, less, exact, instance, whole_units=True)
    assert "hours differ" in finding.description
    fractional = allocate(WEEKS_OF_HALVES, shop(10.0), policy.model_copy(update={"whole_units": False}))
    assert check_published(
        fractional.plan, fractional.capacity_load, exact, instance, whole_units=False
    ).passed
