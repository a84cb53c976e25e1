"""Planning for a quantile and for scenarios."""

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.allocation.arguments import DemandError
from forecasting_assets.allocation.instance import build_instance
from forecasting_assets.allocation.optimal import allocate, build_problem, planned_units
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.scenarios import part_scenarios
from forecasting_assets.allocation.verify import check_balance, check_capacity, check_certificate
from forecasting_assets.tables import QUANTILES

from .cases import make_demand, make_network

#: Hours for all; a unit costs 4, its lack 40.
WIDE_SHOP = make_network(
    [("M1", "north", 5000.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
)


def uncertain(parts=1, weeks=1, mean=100.0, sd=20.0) -> pd.DataFrame:
    """Normal demand."""
    from scipy.special import ndtri

    demand = make_demand(
        [(f"p{i}", "cnc", "north", w, mean, 20.0) for i in range(parts) for w in range(weeks)]
    )
    return demand.assign(**{q: mean + sd * ndtri(p) for q, p in QUANTILES.items()})


def drawn(demand, draws=4000, **settings):
    """Units of each class in each scenario, (draws, classes)."""
    policy = AllocationPolicy(**settings)
    parts = build_instance(demand, WIDE_SHOP, policy).parts
    return np.array(
        [np.bincount(parts["class"], units) for units in part_scenarios(parts, demand, policy, draws)]
    )


def test_draws_follow_the_quantiles():
    demand = uncertain()
    found = np.quantile(drawn(demand)[:, 0], list(QUANTILES.values()))
    np.testing.assert_allclose(found, demand[list(QUANTILES)].iloc[0].astype(float), rtol=0.015)


def test_series_and_weeks_depend_on_each_other_as_stated():
    prices = {"p0": 10.0, "p1": 30.0}  # two bands, so two classes
    demand = uncertain(parts=2, weeks=2)
    demand["unit_price"] = demand["part_id"].map(prices)
    found = drawn(demand, part_correlation=0.5, week_correlation=0.7)
    # Classes: week 0 cheap, week 0 dear, week 1 cheap, week 1 dear.
    correlation = np.corrcoef(found.T)
    assert correlation[0, 1] == pytest.approx(0.5, abs=0.05)
    assert correlation[0, 2] == pytest.approx(0.7, abs=0.05)
    assert correlation[0, 3] == pytest.approx(0.35, abs=0.05)


def test_the_quantile_of_a_class_is_not_the_sum_of_its_parts_quantiles():
    demand = uncertain(parts=25)
    policy = AllocationPolicy(
        whole_units=False, uncertainty="quantile", service_level=0.9, part_correlation=0.0
    )
    result = allocate(demand, WIDE_SHOP, policy)
    # sd of the sum of 25 independent parts is 5·20
    assert result.plan["quantity"].sum() == pytest.approx(2500 + 1.2816 * 100, rel=0.01)
    assert result.certificate is not None
    assert check_certificate(result.certificate).passed
    asked = planned_units(build_problem(demand, WIDE_SHOP, policy))
    assert check_balance(result.plan, result.shortages, asked).passed


def test_one_uncertain_week_is_the_newsvendor():
    """Committed units of one class are the critical fractile (40 - 4) / 40 of its demand."""
    demand = uncertain()
    policy = AllocationPolicy(whole_units=False, uncertainty="stochastic", scenarios=200, committed_weeks=1)
    result = allocate(demand, WIDE_SHOP, policy)
    scenarios = drawn(demand, 200, uncertainty="stochastic")[:, 0]
    units = result.plan["quantity"].sum()
    cost = [4 * q + 40 * np.maximum(scenarios - q, 0).mean() for q in (units - 1, units, units + 1)]
    assert result.cost["total"] == pytest.approx(cost[1])
    assert cost[1] <= min(cost[0], cost[2])
    assert np.mean(scenarios <= units) == pytest.approx(0.9, abs=0.01)
    assert_held(result, demand, policy)


def test_cvar_commits_more_than_the_mean_does():
    demand = uncertain()
    expected = AllocationPolicy(whole_units=False, uncertainty="stochastic", scenarios=60, committed_weeks=1)
    averse = expected.model_copy(update={"risk": "cvar", "cvar_level": 0.95})
    plans = {p.risk: allocate(demand, WIDE_SHOP, p) for p in (expected, averse)}
    assert plans["cvar"].plan["quantity"].sum() > plans["expected"].plan["quantity"].sum()
    assert plans["cvar"].cost["total"] >= plans["expected"].cost["total"]
    assert_held(plans["cvar"], demand, averse)


def test_what_is_made_later_waits_for_the_scenario():
    """The second week is not committed: it makes what each scenario asks and the first has not left over."""
    demand = uncertain(weeks=2)
    policy = AllocationPolicy(whole_units=False, uncertainty="stochastic", scenarios=40, committed_weeks=1)
    result = allocate(demand, WIDE_SHOP, policy)
    by_week = result.plan.groupby("production_week")["quantity"].sum()
    asked = planned_units(build_problem(demand, WIDE_SHOP, policy)).groupby("due_week")["quantity"].sum()
    assert by_week.iloc[0] > asked.iloc[0] * 1.1
    assert by_week.sum() == pytest.approx(asked.sum(), rel=1e-3)
    assert_held(result, demand, policy)


@pytest.mark.parametrize("rules", [{"maximum_share": {"cnc": 0.9}}, {"minimum_batch": {"cnc": 130.0}}])
def test_rules_bind_a_stochastic_plan_too(rules):
    demand = uncertain(weeks=2)
    policy = AllocationPolicy(
        whole_units=False,
        uncertainty="stochastic",
        scenarios=10,
        committed_weeks=1,
        max_weeks_early=0,
        **rules,
    )
    result = allocate(demand, WIDE_SHOP, policy)
    assert_held(result, demand, policy)


@pytest.mark.parametrize("mode", ["quantile", "stochastic"])
def test_same_data_and_seed_same_plan_and_another_seed_another(mode):
    demand = uncertain(parts=3, weeks=2)

    def plan(seed):
        return allocate(demand, WIDE_SHOP, AllocationPolicy(uncertainty=mode, seed=seed)).plan

    pd.testing.assert_frame_equal(plan(1), plan(1))
    assert not plan(1).equals(plan(2))


@pytest.mark.parametrize("mode", ["quantile", "stochastic"])
def test_without_quantiles_there_is_nothing_to_draw_from(mode):
    demand = uncertain()
    with pytest.raises(DemandError, match="no column q90"):
        allocate(demand.drop(columns="q90"), WIDE_SHOP, AllocationPolicy(uncertainty=mode))
    with pytest.raises(DemandError, match="cross"):
        allocate(demand.assign(q90=1.0), WIDE_SHOP, AllocationPolicy(uncertainty=mode))


def assert_held(result, demand, policy):
    finding = check_certificate(result.certificate)
    assert finding.passed, finding
    assert check_capacity(result.capacity_load).passed
    asked = planned_units(build_problem(demand, WIDE_SHOP, policy))
    finding = check_balance(result.plan, result.shortages, asked, spare=True)
    assert finding.passed, finding
