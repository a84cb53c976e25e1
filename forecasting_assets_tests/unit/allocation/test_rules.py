"""Rules of the marketplace: kept where they can be, named where they contradict each other."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import AllocationError
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.verify import check_capacity, check_certificate, check_rules_kept

from .cases import hours_of, make_demand, make_network, monday, problems

#: Two shops of 10 hours a week; M1 is cheaper.
TWO_SHOPS = make_network(
    [("M1", "north", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 10.0, 0.0, 0.0, 1.0)],
    [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 6.0)],
    [("north", "north", 0.0, 0)],
)
TEN_A_WEEK = make_demand([("a", "cnc", "north", w, 10.0, 20.0) for w in (0, 1)])


def policy(**rules) -> AllocationPolicy:
    return AllocationPolicy(max_weeks_early=0, max_weeks_late=0, **rules)


def made(result) -> dict:
    return result.plan.groupby("manufacturer_id")["quantity"].sum().to_dict()


def assert_proved(result):
    finding = check_certificate(result.certificate)
    assert finding.passed, finding
    assert check_capacity(result.capacity_load).passed


def test_no_rule_is_on_by_default():
    result = allocate(TEN_A_WEEK, TWO_SHOPS, policy())
    assert made(result) == pytest.approx({"M1": 20.0})
    assert result.rules.empty


def test_minimum_load_keeps_a_manufacturer_and_prices_it():
    result = allocate(TEN_A_WEEK, TWO_SHOPS, policy(minimum_load={"M2": 0.3}))
    assert made(result) == pytest.approx({"M1": 14.0, "M2": 6.0})
    rule = result.rules.iloc[0]
    assert (rule["rule"], rule["subject"], rule["eased"]) == ("minimum_load", "M2", 0.0)
    assert (rule["limit"], rule["planned"]) == pytest.approx((6.0, 6.0))
    assert rule["shadow_price"] == pytest.approx(6.0 - 4.0)
    assert_proved(result)


def test_maximum_share_of_a_category_in_one_manufacturer():
    result = allocate(TEN_A_WEEK, TWO_SHOPS, policy(maximum_share={"cnc": 0.6}))
    assert made(result) == pytest.approx({"M1": 12.0, "M2": 8.0})
    assert result.rules.set_index("subject")["shadow_price"].to_dict() == pytest.approx(
        {"cnc at M1": 2.0, "cnc at M2": 0.0}
    )
    assert_proved(result)


def test_activation_cost_gathers_the_work():
    network = replace(TWO_SHOPS, manufacturers=TWO_SHOPS.manufacturers.assign(activation_cost=[50.0, 1.0]))
    result = allocate(TEN_A_WEEK, network, policy())
    assert made(result) == pytest.approx({"M2": 20.0})
    assert result.cost["activation_cost"] == pytest.approx(2.0)
    assert result.cost["total"] == pytest.approx(20 * 6 + 2)
    assert result.capacity_load["activation_cost"].tolist() == pytest.approx([0, 0, 1, 1])
    assert_proved(result)
    free = allocate(TEN_A_WEEK, network, policy(activation_costs=False))
    assert made(free) == pytest.approx({"M1": 20.0})


def test_minimum_batch_is_all_or_nothing():
    demand = make_demand([("a", "cnc", "north", 0, 12.0, 20.0)])
    assert made(allocate(demand, TWO_SHOPS, policy())) == pytest.approx({"M1": 10.0, "M2": 2.0})
    result = allocate(demand, TWO_SHOPS, policy(minimum_batch={"cnc": 5.0}))
    assert made(result) == pytest.approx({"M1": 7.0, "M2": 5.0})
    assert_proved(result)


def test_integer_programs_against_enumeration():
    rng = np.random.default_rng(5)
    for _ in range(5):
        capacity, cost, fixed = rng.uniform(4, 12, 3), rng.uniform(3, 9, 3), rng.uniform(5, 40, 3)
        network = make_network(
            [(f"M{i}", "north", capacity[i], 0.0, 0.0, 1.0) for i in range(3)],
            [(f"M{i}", "cnc", 1.0, cost[i]) for i in range(3)],
            [("north", "north", 0.0, 0)],
        )
        network.manufacturers["activation_cost"] = fixed
        wanted, batch, short = 11.0, 3.0, 2 * 30.0
        best = np.inf
        for on in product([False, True], repeat=3):
            chosen = np.flatnonzero(on)
            if batch * chosen.size > wanted:
                continue
            units = np.where(on, batch, 0.0)
            for i in chosen[np.argsort(cost[chosen])]:
                units[i] += min(capacity[i] - units[i], wanted - units.sum())
            best = min(best, units @ cost + fixed[chosen].sum() + short * (wanted - units.sum()))
        demand = make_demand([("a", "cnc", "north", 0, wanted, 30.0)])
        result = allocate(demand, network, policy(minimum_batch={"cnc": batch}, mip_gap=1e-9))
        assert result.cost["total"] == pytest.approx(best)


def hard_to_choose():
    """Twenty makers with activation costs, for four categories and eight weeks: with minimum batches far from
    solved in twenty seconds."""
    rng = np.random.default_rng(0)
    makers, categories = [f"M{i}" for i in range(20)], [f"c{i}" for i in range(4)]
    network = make_network(
        [(m, "north", float(rng.integers(20, 40)), 0.0, 0.0, 1.0) for m in makers],
        [(m, c, float(rng.uniform(0.5, 2)), float(rng.uniform(4, 8))) for m in makers for c in categories],
        [("north", "north", 0.0, 0)],
    )
    network = replace(
        network, manufacturers=network.manufacturers.assign(activation_cost=rng.uniform(40, 120, 20))
    )
    demand = make_demand(
        [(f"a{c}", c, "north", w, float(rng.integers(10, 40)), 40.0) for c in categories for w in range(8)]
    )
    return demand, network


def test_an_integer_program_out_of_time_says_how_far_from_the_bound_it_may_be():
    rules = AllocationPolicy(time_limit=0.5, mip_gap=0.0, minimum_batch={"c0": 9.0, "c1": 8.0})
    demand, network = hard_to_choose()
    result = allocate(demand, network, rules, hours_of(network, 8))
    assert result.status == "time_limit"
    assert 0 < result.gap <= 1
    assert_proved(result)
    assert result.certificate is not None
    assert f"within {result.gap:.3%} of the bound" in check_certificate(result.certificate).description


def test_no_plan_in_the_time_there_is_names_the_setting():
    """Rules that could be kept are not called contradictory because there was no time to see it."""
    rules = {"minimum_batch": {"c0": 9.0}, "minimum_load": {"M1": 0.5, "M2": 0.5}}
    demand, network = hard_to_choose()
    with pytest.raises(AllocationError, match=r"no plan within the 1e-09 s of \[allocation\] time_limit"):
        allocate(demand, network, AllocationPolicy(**rules, time_limit=1e-9))


def test_frozen_weeks_hold_on_to_the_previous_plan():
    previous = pd.DataFrame({"manufacturer_id": ["M1", "M2"], "quantity": [6.0, 4.0]}).assign(
        production_week=monday(0), part_category="cnc", region="north"
    )
    first = previous.set_index("manufacturer_id")["quantity"]

    def change(**rules):
        result = allocate(TEN_A_WEEK, TWO_SHOPS, policy(**rules), PlanningState(previous=previous))
        assert_proved(result)
        week = result.plan[result.plan["production_week"] == monday(0)]
        now = week.groupby("manufacturer_id")["quantity"].sum().reindex(first.index, fill_value=0.0)
        return float((now - first).abs().sum()), result.cost["change_cost"]

    # M1 saves 2 a unit; a changed unit is dropped at M2 and added at M1.
    moved, cost = change(frozen_weeks=1, change_penalty=0.1)
    assert moved == pytest.approx(2 * 4)
    assert cost == pytest.approx(4 * 0.1 * (4 + 6))
    assert change(frozen_weeks=1, change_penalty=0.5) == pytest.approx((0.0, 0.0))
    assert change(frozen_weeks=0, change_penalty=0.5)[0] == pytest.approx(2 * 4)


def test_rules_that_contradict_each_other_are_named_and_eased():
    rules = policy(minimum_load={"M1": 0.9}, maximum_share={"cnc": 0.6})
    result = allocate(TEN_A_WEEK, TWO_SHOPS, rules)
    assert result.status == "relaxed"
    finding = check_rules_kept(result.rules)
    assert not finding.passed
    assert "minimum_load of M1" in finding.description
    assert "maximum_share of cnc at M1" in finding.description
    # The plan stands on the eased limits, and is the cheapest there.
    assert_proved(result)
    assert result.shortages.empty
    eased = result.rules.set_index("rule")["eased"]
    assert eased.max() == pytest.approx(18 - 12, rel=1e-5)
    assert (eased > 0).sum() == 1


def test_a_load_that_demand_cannot_fill_is_named():
    result = allocate(TEN_A_WEEK, TWO_SHOPS, policy(minimum_load={"M1": 1.0, "M2": 0.5}))
    finding = check_rules_kept(result.rules)
    assert not finding.passed
    assert "minimum_load of M" in finding.description
    assert_proved(result)


def test_contradictions_of_an_integer_program_are_named_too():
    rules = policy(minimum_load={"M1": 0.9}, maximum_share={"cnc": 0.6}, minimum_batch={"cnc": 2.0})
    result = allocate(TEN_A_WEEK, TWO_SHOPS, rules)
    assert result.status == "relaxed"
    assert not check_rules_kept(result.rules).passed


@pytest.mark.parametrize(
    "rules",
    [{"minimum_load": {"M9": 0.1}}, {"maximum_share": {"milling": 0.5}}, {"minimum_batch": {"x": 2.0}}],
)
def test_a_rule_about_nobody_is_an_error(rules):
    with pytest.raises(AllocationError, match=f"{next(iter(rules))}.*names.*unknown"):
        allocate(TEN_A_WEEK, TWO_SHOPS, policy(**rules))


@pytest.mark.parametrize("share", [1.2, -0.1, np.nan])
def test_a_share_over_one_is_an_error_before_the_solve(share):
    with pytest.raises(ValueError, match="maximum_share"):
        policy(maximum_share={"cnc": share})


@settings(max_examples=8, deadline=None)
@given(problems(max_weeks=3), st.integers(0, 2**32 - 1))
def test_every_plan_under_rules_is_proved(problem, seed):
    demand, network, base, weeks = problem
    rng = np.random.default_rng(seed)
    network.manufacturers["activation_cost"] = rng.choice([0.0, 20.0], len(network.manufacturers))
    makers = network.manufacturers["manufacturer_id"]
    rules = {
        "minimum_load": {m: rng.uniform(0, 0.5) for m in makers if rng.random() < 0.3},
        "maximum_share": {"cnc": rng.uniform(0.2, 1)} if rng.random() < 0.5 else {},
        "minimum_batch": {"cnc": rng.uniform(0.5, 8)} if rng.random() < 0.5 else {},
    }
    ruled = base.model_copy(update=rules)
    state = hours_of(network, weeks)
    result = allocate(demand, network, ruled, state)
    assert_proved(result)
    free = allocate(demand, network, base.without_rules().model_copy(update={"value_bands": 3}), state)
    if result.status != "relaxed":
        assert result.cost["total"] >= free.cost["total"] * (1 - 1e-6) - 1e-6
        assert check_rules_kept(result.rules).passed


@pytest.mark.parametrize("seed", [8, 10, 11])
def test_an_absurd_quantity_stops_no_integer_program(seed):
    rng = np.random.default_rng(seed)
    regions, categories, makers = ["north", "south"], ["cnc", "mold", "huge"], range(6)
    network = make_network(
        [(f"M{i}", regions[i % 2], float(rng.uniform(20, 80)), 5.0, 0.5, 0.9) for i in makers],
        [
            (f"M{i}", c, float(rng.uniform(0.3, 2)), float(rng.uniform(2, 9)))
            for i, c in product(makers, categories)
        ],
        [(a, b, float(rng.uniform(0, 1)), int(a != b)) for a, b in product(regions, regions)],
    )
    network = replace(network, manufacturers=network.manufacturers.assign(activation_cost=50.0))
    usual = [
        (f"p{i}", categories[i % 2], regions[i % 2], w, float(rng.uniform(1, 60)), 20.0)
        for i, w in product(range(30), range(8))
    ]
    absurd = [("huge", "huge", "north", w, float(3.1e8 * (1 + 0.1 * rng.random())), 20.0) for w in range(8)]
    demand = make_demand([*usual, *absurd])
    result = allocate(demand, network, AllocationPolicy(max_weeks_early=2, max_weeks_late=2))
    assert_proved(result)
    units = demand["quantity"].sum()
    assert result.plan["quantity"].sum() + result.shortages["quantity"].sum() == pytest.approx(
        units, rel=1e-7
    )
