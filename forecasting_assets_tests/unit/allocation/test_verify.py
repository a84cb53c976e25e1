"""Checks on plans: they pass on what was planned and fail on what was tampered with."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting_assets.allocation.certificate import Certificate, certify
from forecasting_assets.allocation.optimal import allocate, build_problem, certify_plan
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
    assert check_shortages(result.shortages[:0], DEMAND[:0], 0.0).passed


def test_certificate_is_a_flat_record_of_floats(result):
    record = result.certificate.to_dict()
    assert all(isinstance(value, float) for value in record.values())
    assert Certificate(**record) == result.certificate
    assert check_certificate(result.certificate).passed


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (lambda s: replace(s, x=s.x * 0.99), "primal_residual"),
        (lambda s: replace(s, x=s.x * 1.01), "primal_residual"),
        (lambda s: replace(s, x=s.x - 1.0), "primal_residual"),
        (lambda s: replace(s, y_eq=s.y_eq * 1.01), "dual_residual"),
        (lambda s: replace(s, y_ub=s.y_ub - 1.0), "dual_residual"),
        (lambda s: replace(s, y_ub=s.y_ub + 1.0), "duality_gap"),
        (lambda s: replace(s, x=s.x * np.nan), "duality_gap"),
    ],
)
def test_certificate_refuses_what_is_not_optimal(tamper, named):
    lp = build_problem(DEMAND, ONE_SHOP, POLICY).program
    solution = solve(lp)
    assert check_certificate(certify(lp, solution)).passed
    finding = check_certificate(certify(lp, tamper(solution)))
    assert not finding.passed
    assert named in finding.description


def test_certificate_refuses_a_feasible_plan_that_is_too_dear():
    lp = build_problem(DEMAND, ONE_SHOP, POLICY).program
    solution = solve(lp)
    all_short = np.concatenate([np.zeros(lp.c.size - lp.b_eq.size), lp.b_eq])
    finding = check_certificate(certify(lp, replace(solution, x=all_short)))
    assert finding.description.startswith("duality_gap above")


@pytest.mark.parametrize(
    ("column", "change"),
    [("quantity", 1e-3), ("overtime_quantity", 1e-3), ("part_id", "c"), ("manufacturer_id", "M2")],
)
def test_certificate_refuses_tables_that_are_not_the_solution(result, column, change):
    problem = build_problem(DEMAND, ONE_SHOP, POLICY)

    def certified(plan):
        return check_certificate(
            certify_plan(problem, plan, result.shortages, result.cost["total"], result.proof)
        )

    assert certified(result.plan).passed
    changed = result.plan.copy()
    changed.loc[0, column] = change if isinstance(change, str) else changed.loc[0, column] + change
    finding = certified(changed)
    assert not finding.passed
    assert "table_residual" in finding.description


def test_certificate_refuses_other_costs_and_the_proof_of_another_problem(result):
    problem = build_problem(DEMAND, ONE_SHOP, POLICY)
    dear = certify_plan(problem, result.plan, result.shortages, result.cost["total"] * 1.001, result.proof)
    assert "table_residual" in check_certificate(dear).description
    other = build_problem(DEMAND.assign(quantity=[5.0, 31.0]), ONE_SHOP, POLICY)
    finding = check_certificate(
        certify_plan(other, result.plan, result.shortages, result.cost["total"], result.proof)
    )
    assert "primal_residual" in finding.description
