"""Planning for a quantile and for scenarios."""

import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.arguments import DemandError
from forecasting_assets.allocation.instance import build_instance
from forecasting_assets.allocation.optimal import allocate, build_problem, planned_units
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.scenarios import correlations_used, part_scenarios
from forecasting_assets.allocation.state import PlanningState
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


def test_markets_depend_on_themselves_more_than_on_each_other():
    demand = uncertain(parts=4)
    demand["part_category"] = ["cnc", "cnc", "sheet", "sheet"]
    learnt = pd.DataFrame(
        {
            "part_category": ["", "cnc"],
            "region": ["", "north"],
            "part_correlation": [0.2, 0.7],
            "week_correlation": [0.1, 0.5],
        }
    )
    policy = AllocationPolicy()
    parts = build_instance(demand, WIDE_SHOP, policy).parts
    found = np.corrcoef(np.array(list(part_scenarios(parts, demand, policy, 4000, learnt))).T)
    assert found[0, 1] == pytest.approx(0.7, abs=0.04)
    assert found[2, 3] == pytest.approx(0.2, abs=0.05)
    assert found[0, 2] == pytest.approx(0.2, abs=0.05)


def test_correlations_are_those_set_else_learnt_else_assumed():
    markets = pd.DataFrame({"part_category": ["cnc", "cnc", "sheet"], "region": "north"})
    assumed = correlations_used(markets, AllocationPolicy(), None)
    assert assumed.to_dict("list") == {"part_correlation": [0.03] * 3, "week_correlation": [0.2] * 3}
    learnt = pd.DataFrame(
        {"part_category": ["", "cnc"], "region": ["", "north"], "part_correlation": [0.1, 0.4]}
    ).assign(week_correlation=[0.3, 0.5])
    used = correlations_used(markets, AllocationPolicy(), learnt)
    assert used["part_correlation"].tolist() == [0.1, 0.4, 0.1]
    assert used["week_correlation"].tolist() == [0.3, 0.5, 0.3]
    used = correlations_used(markets, AllocationPolicy(week_correlation=0.0), learnt)
    assert used["part_correlation"].tolist() == [0.1, 0.4, 0.1]
    assert used["week_correlation"].tolist() == [0.0] * 3


@st.composite
def forecasts(draw):
    """Demand whose quantiles carry the mean, more, less or nothing of it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = [
        (f"p{i}", rng.choice(["cnc", "sheet"]), "north", w, 0.0, 20.0)
        for i in range(draw(st.integers(1, 6)))
        for w in range(draw(st.integers(1, 3)))
    ]
    demand = make_demand(rows)
    scale = rng.choice([1e-6, 0.3, 40.0, 1e5], len(demand))
    zeros = rng.integers(0, len(QUANTILES) + 1, len(demand))
    values = np.sort(rng.exponential(scale[:, None], (len(demand), len(QUANTILES))), axis=1)
    values[np.arange(len(QUANTILES)) < zeros[:, None]] = 0.0
    demand["part_category"] = demand.groupby("part_id")["part_category"].transform("first")
    demand[list(QUANTILES)] = values
    return demand.assign(quantity=scale * rng.uniform(0.01, 3, len(demand)))


@settings(max_examples=12, deadline=None)
@given(forecasts(), st.integers(2, 31), st.integers(0, 5))
def test_the_mean_of_the_scenarios_is_the_mean_of_the_forecast(demand, draws, seed):
    policy = AllocationPolicy(seed=seed, value_bands=1)
    instance = build_instance(demand, WIDE_SHOP, policy)
    units = np.array(list(part_scenarios(instance.parts, demand, policy, draws)))
    assert units.shape == (draws, len(instance.parts))
    assert (units >= 0).all()
    mean = instance.parts.merge(demand[["part_id", "due_week", "quantity"]], on=["part_id", "due_week"])
    np.testing.assert_allclose(units.mean(axis=0), mean["quantity_y"], rtol=1e-9)
    of_classes = np.bincount(instance.parts["class"], units.mean(axis=0))
    np.testing.assert_allclose(of_classes, instance.classes["quantity"], rtol=1e-9)


@settings(max_examples=8, deadline=None)
@given(forecasts(), st.floats(0.0, 3.0), st.sampled_from(["quantile", "stochastic"]))
def test_supply_leaves_no_negative_demand(demand, covered, mode):
    supply = demand[["part_id", "region"]].assign(
        week=demand["due_week"].min(), quantity=covered * demand["quantity"]
    )
    policy = AllocationPolicy(uncertainty=mode, scenarios=5)
    problem = build_problem(demand, WIDE_SHOP, policy, PlanningState(supply=supply))
    assert (problem.instance.classes["quantity"] >= 0).all()
    assert (problem.program.b_eq >= 0).all()
    left = demand["quantity"].sum() - supply["quantity"].sum()
    assert planned_units(problem)["quantity"].sum() >= left - 1e-6 * demand["quantity"].sum()


@pytest.mark.parametrize("mode", ["quantile", "stochastic"])
@pytest.mark.parametrize("parts", [1, 30])
def test_parts_that_are_rarely_ordered_are_planned_for(mode, parts):
    demand = uncertain(parts=parts).assign(quantity=20.0 / parts, **dict.fromkeys(QUANTILES, 0.0))
    result = allocate(demand, WIDE_SHOP, AllocationPolicy(whole_units=False, uncertainty=mode))
    assert result.plan["quantity"].sum() + result.shortages["quantity"].sum() >= 20.0 - 1e-9
    wanted = demand[["part_id", "region", "due_week", "quantity"]]
    assert check_balance(result.plan, result.shortages, wanted, spare=True).passed


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
    policy = AllocationPolicy(
        whole_units=False, uncertainty="stochastic", scenarios=200, committed_weeks=1, max_weeks_late=0
    )
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


def test_the_tail_of_the_cvar_plan_is_better_on_fresh_scenarios():
    """Two parts share hours that are too few for the peaks of both; all is committed, so costs follow from units."""
    network = make_network(
        [("M1", "north", 260.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M1", "sheet", 1.0, 4.0)],
        [("north", "north", 0.0, 0)],
    )
    demand = make_demand([("a", "cnc", "north", 0, 100.0, 6.0), ("b", "sheet", "north", 0, 100.0, 8.0)])
    sd = np.array([15.0, 45.0])
    for level, probability in QUANTILES.items():
        demand[level] = 100.0 + sd * statistics.NormalDist().inv_cdf(probability)
    base = AllocationPolicy(
        uncertainty="stochastic", scenarios=400, committed_weeks=1, part_correlation=0.3, max_weeks_late=0
    )
    rng = np.random.default_rng(20240101)
    common = rng.standard_normal((20_000, 1))
    fresh = 100.0 + sd * (np.sqrt(0.3) * common + np.sqrt(0.7) * rng.standard_normal((20_000, 2)))
    tails, means = {}, {}
    for risk in ("expected", "cvar"):
        plan = allocate(demand, network, base.model_copy(update={"risk": risk})).plan
        units = plan.groupby("part_id")["quantity"].sum().reindex(["a", "b"]).fillna(0.0).to_numpy()
        short = np.maximum(np.maximum(fresh, 0.0) - units, 0.0)
        cost = 4 * units.sum() + short @ np.array([12.0, 16.0])
        tails[risk], means[risk] = np.sort(cost)[-2_000:].mean(), cost.mean()
    assert tails["cvar"] < 0.99 * tails["expected"]
    assert means["cvar"] > means["expected"]


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
