"""Checks on plans: they pass on what was planned and fail on what was tampered with."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting_assets.allocation.certificate import certify
from forecasting_assets.allocation.optimal import allocate, build_problem, planned_units
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import solve
from forecasting_assets.allocation.verify import (
    check_balance,
    check_capacity,
    check_certificate,
    check_shortages,
)

from .cases import ONE_SHOP, make_demand

POLICY = AllocationPolicy(max_weeks_late=0)
DEMAND = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("b", "cnc", "north", 1, 30.0, 20.0)])


@pytest.fixture(scope="module")
def result():
    return allocate(DEMAND, ONE_SHOP, POLICY)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("load_hours", 1e-3),
        ("overtime_hours", 1e-3),
        ("capacity_hours", -1e-3),
        ("overtime_capacity_hours", -1e-3),
        ("overtime_hours", -100.0),
        ("load_hours", np.nan),
    ],
)
def test_capacity(result, column, change):
    assert check_capacity(result.capacity_load).passed
    load = result.capacity_load.copy()
    load.loc[1, column] += change
    finding = check_capacity(load)
    assert not finding.passed
    assert "M1 in 2024-01-08" in finding.description
    assert finding.metadata["rows_over_capacity"] == 1


@pytest.mark.parametrize("column", ["quantity", "cost", "holding_cost"])
@pytest.mark.parametrize("change", [1e-3, -1e-3, -100.0, np.nan])
def test_balance_of_changed_plans(result, column, change):
    assert check_balance(result.plan, result.shortages, DEMAND).passed
    plan = result.plan.copy()
    plan.loc[0, column] += change
    assert not check_balance(plan, result.shortages, DEMAND).passed


def test_balance_of_lost_and_invented_rows(result):
    for plan, shortages, demand in (
        (result.plan[1:], result.shortages, DEMAND),
        (result.plan, result.shortages[1:], DEMAND),
        (result.plan, result.shortages, DEMAND[1:]),
        (result.plan.assign(part_id="c"), result.shortages, DEMAND),
        (result.plan, result.shortages.assign(quantity=-result.shortages["quantity"]), DEMAND),
    ):
        finding = check_balance(plan, shortages, demand)
        assert not finding.passed
        assert "out of balance" in finding.description


def test_balance_names_the_first_series():
    plan = allocate(DEMAND, ONE_SHOP, POLICY)
    more = DEMAND.assign(quantity=DEMAND["quantity"] + [0.0, 1.0])
    assert "part b in north, due 2024-01-08" in check_balance(plan.plan, plan.shortages, more).description


def test_shortages(result):
    share = 11 / 35
    assert check_shortages(result.shortages, DEMAND, share + 1e-9).passed
    finding = check_shortages(result.shortages, DEMAND, share - 1e-9)
    assert not finding.passed
    assert finding.metadata["shortage_share"] == pytest.approx(share)
    largest = result.shortages.groupby(["part_id", "region"])["quantity"].sum().idxmax()
    assert f"most of all {largest[0]} in {largest[1]}" in finding.description
    assert check_shortages(result.shortages[:0], DEMAND[:0], 0.0).passed


def test_certificate_of_a_plan(result):
    record = result.certificate.to_dict()
    assert record["method"] == "duality"
    assert record["violated_conditions"] == 0
    assert record["cost"] == pytest.approx(record["bound"])
    finding = check_certificate(result.certificate)
    assert finding.passed
    assert "optimal" in finding.description


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (lambda s: replace(s, x=s.x * 0.99), "equation"),
        (lambda s: replace(s, x=s.x * 1.01), "equation"),
        (lambda s: replace(s, x=s.x - 1.0), "below zero"),
        (lambda s: replace(s, y_eq=s.y_eq * 1.01), "cheaper than its price"),
        (lambda s: replace(s, y_ub=s.y_ub - 1.0), "price below zero"),
        (lambda s: replace(s, y_ub=s.y_ub + 1.0), "above its lower bound"),
        (lambda s: replace(s, x=s.x * np.nan), "equation of the program"),
    ],
)
def test_certificate_refuses_what_does_not_solve_the_program(tamper, named):
    lp = build_problem(DEMAND, ONE_SHOP, POLICY).program
    solution = solve(lp)
    assert check_certificate(certify(lp, solution)).passed
    finding = check_certificate(certify(lp, tamper(solution)))
    assert not finding.passed
    assert named in finding.description


def test_certificate_refuses_a_feasible_solution_that_costs_too_much():
    lp = build_problem(DEMAND, ONE_SHOP, POLICY).program
    all_short = np.concatenate([np.zeros(lp.c.size - lp.b_eq.size), lp.b_eq])
    certificate = certify(lp, replace(solve(lp), x=all_short))
    assert certificate.violations == ()
    assert "above its lower bound" in check_certificate(certificate).description


def test_demand_too_small_to_plan_is_named():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("b", "cnc", "north", 1, 1e-9, 20.0)])
    plan = allocate(demand, ONE_SHOP, POLICY)
    wanted = planned_units(build_problem(demand, ONE_SHOP, POLICY))
    finding = check_balance(plan.plan, plan.shortages, wanted)
    assert finding.passed
    assert finding.metadata["series_weeks_counted_as_zero"] == 1
    assert "1 series week of at most 0.000001 units counted as zero" in finding.description


def test_a_small_part_lost_beside_a_large_one_is_out_of_balance():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("b", "cnc", "north", 0, 1e7, 20.0)])
    plan = allocate(demand, ONE_SHOP, POLICY)
    finding = check_balance(
        plan.plan[plan.plan["part_id"] != "a"], plan.shortages[plan.shortages["part_id"] != "a"], demand
    )
    assert "part a in north" in finding.description
