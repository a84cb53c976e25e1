"""The proof of a plan by labels: every plan of the solver passes, and whatever is changed in its tables is found."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.comparison import PlanClaim
from forecasting_assets.allocation.optimal import allocate, build_problem, certify_plan
from forecasting_assets.allocation.policy import AllocationPolicy, ShortagePrice
from forecasting_assets.allocation.problem import PlanInputs, Problem
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.verify import check_certificate

from .cases import ONE_SHOP, hours_of, make_demand, make_network, monday, problems

POLICY = AllocationPolicy(max_weeks_early=1, max_weeks_late=1)
#: A class of ten million units beside one of five.
HUGE_AND_SMALL = make_demand(
    [("huge", "cnc", "north", 0, 1e7, 20.0), ("small", "cnc", "north", 1, 5.0, 20.0)]
)
WIDE_SHOP = make_network(
    [("M1", "north", 2e7, 0.0, 0.0, 1.0), ("M2", "north", 2e7, 0.0, 0.0, 1.0)],
    [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 5.0)],
    [("north", "north", 0.0, 0)],
)


def problem_of(inputs: PlanInputs) -> Problem:
    return build_problem(inputs.demand, inputs.network, inputs.policy, inputs.state)


def violated(problem: Problem, claim: PlanClaim) -> list[str]:
    """What the check of a claim says, one text for each violated condition; empty if the plan is proved."""
    certificate = certify_plan(problem, claim)
    if check_certificate(certificate).passed:
        return []
    return [str(v) for v in certificate.violations] or ["gap"]


def wide() -> tuple[Problem, PlanClaim]:
    inputs = PlanInputs(HUGE_AND_SMALL, WIDE_SHOP, POLICY, PlanningState())
    return problem_of(inputs), PlanClaim.of(allocate(inputs.demand, inputs.network, POLICY))


def small(table: pd.DataFrame) -> pd.Series:
    """The rows of the five units."""
    return table["due_week"] == monday(1)


@pytest.mark.parametrize(
    ("table", "named"), [("flows", "planned or short"), ("plan", "not those of plan_flows")]
)
def test_five_units_deleted_beside_ten_million(table, named):
    problem, claim = wide()
    assert violated(problem, claim) == []
    rows = getattr(claim, table)
    found = violated(problem, replace(claim, **{table: rows[~small(rows)]}))
    assert any(named in text for text in found), found


@pytest.mark.parametrize("table", ["flows", "plan"])
@pytest.mark.parametrize(("column", "value"), [("production_week", monday(0)), ("manufacturer_id", "M2")])
def test_five_units_moved_beside_ten_million(table, column, value):
    problem, claim = wide()
    moved = getattr(claim, table).copy()
    moved.loc[small(moved), column] = value
    assert violated(problem, replace(claim, **{table: moved}))


def test_a_feasible_plan_that_costs_five_units_too_much_is_found():
    """The five units at the more expensive manufacturer, with costs and hours restated, beside ten million."""
    problem, claim = wide()
    flows, plan, load = claim.flows.copy(), claim.plan.copy(), claim.capacity_load.copy()
    flows.loc[small(flows), "manufacturer_id"] = "M2"
    plan.loc[small(plan), "manufacturer_id"] = "M2"
    plan.loc[small(plan), ["production_cost", "cost"]] += 5.0
    for manufacturer, hours in (("M1", -5.0), ("M2", 5.0)):
        at = (load["manufacturer_id"] == manufacturer) & (load["production_week"] == monday(1))
        load.loc[at, "load_hours"] += hours
    cost = {part: claim.cost[part] + 5.0 * (part in ("total", "production_cost")) for part in claim.cost}
    found = violated(problem, replace(claim, flows=flows, plan=plan, capacity_load=load, cost=cost))
    assert len(found) == 1
    assert "units that would cost less by another way: cnc for north due 2024-01-08" in found[0]


@pytest.mark.parametrize(
    ("table", "column", "change", "named"),
    [
        ("flows", "quantity", 0.5, "planned or short"),
        ("flows", "overtime_quantity", 0.5, "cost in plan_cost"),
        ("flows", "band", 7, "no such manufacturer"),
        ("plan", "part_id", "other", "no such manufacturer"),
        ("plan", "manufacturer_id", "M9", "no such manufacturer"),
        ("plan", "production_week", monday(9), "no such manufacturer"),
        ("plan", "overtime_quantity", 0.5, "overtime_hours"),
        ("plan", "lane_cost", 0.5, "costs that are not those of the way"),
        ("plan", "cost", 0.5, "sum of its parts"),
        ("plan", "quantity", np.nan, "missing number"),
        ("flows", "quantity", np.nan, "missing number"),
        ("shortages", "quantity", 0.5, "planned or short"),
        ("shortages", "cost", 0.5, "cost of units short"),
        ("capacity_load", "capacity_hours", 0.5, "capacity_hours"),
        ("capacity_load", "load_hours", 0.5, "load_hours"),
        ("capacity_load", "shadow_price", 0.5, "shadow_price"),
    ],
)
def test_every_table_is_held_against_the_model(table, column, change, named):
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("b", "cnc", "north", 1, 80.0, 20.0)])
    problem = problem_of(PlanInputs(demand, ONE_SHOP, POLICY, PlanningState()))
    claim = PlanClaim.of(allocate(demand, ONE_SHOP, POLICY))
    assert violated(problem, claim) == []
    changed = getattr(claim, table).copy()
    before = changed.loc[0, column]
    changed.loc[0, column] = before + change if isinstance(change, float) else change
    found = violated(problem, replace(claim, **{table: changed}))
    assert any(named in text for text in found), found


def test_another_total_and_the_proof_of_another_demand_are_found():
    problem, claim = wide()
    assert violated(problem, replace(claim, cost={**claim.cost, "total": claim.cost["total"] * 1.001}))
    demand = HUGE_AND_SMALL.assign(quantity=[1e7, 6.0])
    other = problem_of(PlanInputs(demand, WIDE_SHOP, POLICY, PlanningState()))
    assert any("planned or short" in text for text in violated(other, claim))


@pytest.mark.parametrize(
    "rules",
    [
        {"maximum_share": {"cnc": 0.6}},
        {"minimum_load": {"M2": 0.4}},
        {"minimum_batch": {"cnc": 4.0}},
    ],
)
def test_a_plan_that_ignores_a_rule_is_found(rules):
    network = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 10.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 6.0)],
        [("north", "north", 0.0, 0)],
    )
    demand = make_demand([("a", "cnc", "north", w, 12.0, 20.0) for w in (0, 1)])
    ruled = POLICY.model_copy(update=rules)
    problem = problem_of(PlanInputs(demand, network, ruled, PlanningState()))
    kept = PlanClaim.of(allocate(demand, network, ruled))
    assert violated(problem, kept) == []
    free = PlanClaim.of(allocate(demand, network, POLICY))
    found = violated(problem, replace(free, rules=kept.rules, proof=kept.proof))
    assert any(word in text for text in found for word in (*rules, "minimum batch"))


@pytest.mark.parametrize("category", ["cnc", "made by nobody"])
@pytest.mark.parametrize("price", [0.0, 0.01])
def test_a_part_whose_shortage_costs_nothing_is_not_made_and_the_plan_is_proved(category, price):
    demand = make_demand([("a", "cnc", "north", 0, 15.0, 20.0), ("sample", category, "north", 1, 5.0, 30.0)])
    policy = POLICY.model_copy(update={"shortage_price": ShortagePrice(part={"sample": price})})
    problem = problem_of(PlanInputs(demand, WIDE_SHOP, policy, PlanningState()))
    plan = allocate(demand, WIDE_SHOP, policy)
    claim = PlanClaim.of(plan)
    assert plan.shortages[["part_id", "quantity"]].to_numpy().tolist() == [["sample", 5.0]]
    assert violated(problem, claim) == []
    # Units that cost more than their shortage are found.
    less = claim.shortages.assign(quantity=claim.shortages["quantity"] - 1.0)
    assert violated(problem, replace(claim, shortages=less))


@st.composite
def ruled_problems(draw, integer=None):
    """Inputs with rules and a previous plan; programs without integers and with them."""
    demand, network, policy, weeks = draw(problems(max_weeks=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    makers = network.manufacturers["manufacturer_id"]
    integer = draw(st.booleans()) if integer is None else integer
    if integer:
        network.manufacturers["activation_cost"] = rng.choice([0.0, 20.0], len(makers))
    rules = {
        "minimum_load": {m: rng.uniform(0, 0.4) for m in makers if rng.random() < 0.2},
        "maximum_share": {"cnc": rng.uniform(0.2, 1)} if rng.random() < 0.5 else {},
        "minimum_batch": {"cnc": rng.uniform(0.5, 6)} if integer and rng.random() < 0.5 else {},
        "shortage_price": ShortagePrice(
            category={demand["part_category"].iloc[0]: 0.0} if rng.random() < 0.3 else {}
        ),
        "frozen_weeks": int(rng.integers(0, 3)),
        "change_penalty": rng.choice([0.05, 0.5]),
    }
    state = hours_of(network, weeks)
    lots = [
        (m, monday(int(rng.integers(0, weeks))), c, r, rng.uniform(0, 10))
        for m in makers
        for c in ("cnc", "sheet")
        for r in ("north", "south")
        if rng.random() < 0.4
    ]
    columns = ["manufacturer_id", "production_week", "part_category", "region", "quantity"]
    previous = pd.DataFrame(lots, columns=columns) if lots else None
    return PlanInputs(demand, network, policy.model_copy(update=rules), replace(state, previous=previous))


@settings(max_examples=6, deadline=None)
@given(ruled_problems(), st.integers(0, 2**32 - 1))
def test_every_plan_is_proved_and_any_tampering_is_found(inputs, seed):
    problem = problem_of(inputs)
    claim = PlanClaim.of(allocate(inputs.demand, inputs.network, inputs.policy, inputs.state))
    assert violated(problem, claim) == []
    rng = np.random.default_rng(seed)
    for table in ("plan", "flows"):
        rows = getattr(claim, table)
        if (rows["quantity"] < 1.5).all():
            continue
        row = int(rng.choice(np.flatnonzero(rows["quantity"] >= 1.5)))
        week = rows["production_week"].iloc[row] + pd.Timedelta(weeks=1)
        more = rows["quantity"].iloc[row] * (1 + rng.choice([-1e-2, 1e-2]))
        for changed in (
            rows.drop(index=row),
            _with(rows, row, "quantity", more),
            _with(rows, row, "production_week", week),
        ):
            tampered: dict[str, Any] = {table: changed}
            assert violated(problem, replace(claim, **tampered))
    if len(claim.shortages):
        assert violated(problem, replace(claim, shortages=claim.shortages[1:]))
    assert violated(problem, replace(claim, cost={**claim.cost, "total": claim.cost["total"] * 1.01 + 1.0}))


def _with(table: pd.DataFrame, row: int, column: str, value) -> pd.DataFrame:
    changed = table.copy()
    changed.loc[row, column] = value
    return changed


@settings(max_examples=5, deadline=None)
@given(problems(max_weeks=3), st.sampled_from([0.0, 0.5, 1.5]))
def test_changed_prices_never_prove_more_than_the_optimum(problem, factor):
    """A bound from any prices is a bound: changed prices are found out, or prove the same."""
    demand, network, policy, weeks = problem
    inputs = PlanInputs(demand, network, policy, hours_of(network, weeks))
    plan = allocate(demand, network, policy, inputs.state)
    prices = plan.proof["kind"].isin(["regular_hours", "overtime_hours"])
    changed = plan.proof.assign(value=plan.proof["value"].where(~prices, plan.proof["value"] * factor))
    certificate = certify_plan(
        build_problem(demand, network, policy, inputs.state), replace(PlanClaim.of(plan), proof=changed)
    )
    assert certificate.bound <= plan.cost["total"] * (1 + 1e-7) + 1e-7
    if prices.any() and plan.proof.loc[prices, "value"].max() > 1e-6:
        assert certificate.violations  # the prices are also those of capacity_load
