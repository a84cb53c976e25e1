"""What a plan was worth: by hand, in balance, and never better than foresight."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.hindsight import impact, replay
from forecasting_assets.allocation.network import lead_weeks
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.tables import BUSINESS_IMPACT

from .cases import ONE_SHOP, capacity_of, make_demand, make_network, monday, problems

POLICY = AllocationPolicy()


def judged(demand, actual, network, policy, weeks, naive=None, week=None):
    """The impact of the plan for `demand` in its last week (or `week`), policies as columns."""
    made = allocate(demand, network, policy, capacity_of(network, weeks))
    week = monday(weeks - 1 if week is None else week).date()
    naive = demand if naive is None else naive
    tidy = impact(week, made.plan, made.capacity_load, demand, naive, actual, network, policy)
    assert list(tidy) == BUSINESS_IMPACT.names
    assert (tidy["week"] == pd.Timestamp(week)).all()
    return tidy.pivot(index="metric", columns="policy", values="value")


def of_week(demand, week, scale=1.0):
    due = demand[demand["due_week"] == monday(week)].drop(columns="due_week")
    return due.assign(quantity=due["quantity"] * scale)


def test_replay_by_hand():
    network = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 0.8), ("M2", "far", 10.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 2.0, 3.0)],
        [("north", "north", 0.0, 0), ("far", "north", 2.0, 1)],
    )
    demand = make_demand([("a", "cnc", "north", 0, 15.0, 20.0)])
    plan = allocate(demand, network, POLICY, capacity_of(network, 1)).plan
    assert plan.set_index("manufacturer_id")["quantity"].to_dict() == pytest.approx({"M1": 10.0, "M2": 5.0})

    def outcome(quantity):
        # Another part of the class takes the hours as well.
        actual = pd.DataFrame(
            {
                "part_id": ["b"],
                "part_category": ["cnc"],
                "region": ["north"],
                "quantity": [quantity],
                "unit_price": [30.0],
            }
        )
        return replay(plan, actual, network, POLICY, monday(0).date())

    # 8 in time, 2 delayed units of M1 and 5 units of M2 one week late.
    few = outcome(9.0)
    assert few["on_time_units"] == pytest.approx(8.0)
    assert few["late_units"] == pytest.approx(1.0)
    assert few["unused_units"] == pytest.approx(6.0)
    assert few["shortage_units"] == 0
    assert few["lateness_cost"] == pytest.approx(0.1 * 30)
    assert few["production_cost"] == pytest.approx(10 * 4 + 5 * 3)
    assert few["lane_cost"] == pytest.approx(5 * 2)
    # Late units are taken alike: a seventh of M1's 2 and of M2's 5, and 20 hours are there.
    assert few["utilisation"] == pytest.approx((8 + 2 / 7 + 2 * 5 / 7) / 20)
    many = outcome(20.0)
    assert many["shortage_units"] == pytest.approx(5.0)
    assert many["shortage_cost"] == pytest.approx(5 * 2 * 30)
    assert many["on_time_rate"] == pytest.approx(8 / 20)
    assert many["fill_rate"] == pytest.approx(15 / 20)
    assert many["cost"] == pytest.approx(40 + 15 + 10 + 7 * 3 + 300)
    none = outcome(0.0)
    assert np.isnan(none["on_time_rate"])
    assert none["cost"] == pytest.approx(65.0)


def test_orders_of_a_class_without_plan_are_short_and_a_plan_without_orders_is_wasted():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0)])
    actual = make_demand([("z", "cnc", "moon", 0, 3.0, 10.0)]).drop(columns="due_week")
    table = judged(demand, actual, ONE_SHOP, POLICY, 1)
    assert table.loc["shortage_units"].eq(3.0).all()
    assert table.loc["unused_units", "plan"] == pytest.approx(5.0)
    assert table.loc["cost", "plan"] == pytest.approx(5 * 4 + 3 * 2 * 10)
    assert table.loc["cost", "perfect_foresight"] == pytest.approx(3 * 2 * 10)


def test_forecast_bias_costs_on_both_sides():
    demand = make_demand([("a", "cnc", "north", w, 7.0, 20.0) for w in range(2)])
    table = judged(demand, of_week(demand, 1), ONE_SHOP, POLICY, 2)
    cost = table.loc["cost", [f"plan_bias_{b:+03d}" for b in (-30, -20, -10, 0, 10, 20, 30)]].to_numpy()
    assert cost.argmin() == 3
    assert (np.diff(cost)[:3] < 0).all()
    assert (np.diff(cost)[3:] > 0).all()
    assert cost[3] == pytest.approx(table.loc["cost", "plan"])
    assert cost[0] - cost[3] == pytest.approx(7 * 0.3 * (40 - 4))
    assert cost[6] - cost[3] == pytest.approx(7 * 0.3 * 4)


def test_noise_costs_and_its_error_is_told():
    demand = make_demand([(c, c, "north", 0, 3.0, 20.0) for c in ("cnc", "sheet", "laser")])
    shop = make_network(
        [("M1", "north", 100.0, 0.0, 0.0, 1.0)],
        [("M1", c, 1.0, 4.0) for c in ("cnc", "sheet", "laser")],
        [("north", "north", 0.0, 0)],
    )
    table = judged(demand, of_week(demand, 0), shop, POLICY, 1)
    noisy = table[["plan_noise_10", "plan_noise_20", "plan_noise_30", "plan_noise_40"]]
    assert table.loc["absolute_error", ["plan", "plan_bias_+00", "perfect_foresight"]].eq(0).all()
    assert table.loc["absolute_error", "plan_bias_-10"] == pytest.approx(0.9)
    for metric in ("absolute_error", "cost"):
        assert (noisy.loc[metric].diff().iloc[1:] > 0).all()
    # A unit too many costs its manufacture, one too few twice its price instead of it.
    error, short = noisy.loc["absolute_error"], noisy.loc["shortage_units"]
    assert noisy.loc["cost"].to_numpy() == pytest.approx(
        (9 * 4 + (error - short) * 4 + short * (40 - 4)).to_numpy()
    )


def test_only_hours_not_promised_to_other_weeks_are_there():
    # The plan makes 4 units ahead in week 0 for week 1, so foresight of a larger week 0 finds 6 hours and 2.
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("a", "cnc", "north", 1, 14.0, 20.0)])
    table = judged(demand, of_week(demand, 0, 4.0), ONE_SHOP, AllocationPolicy(max_weeks_late=0), 2, week=0)
    assert table.loc["shortage_units", "perfect_foresight"] == pytest.approx(20 - 8)
    assert table.loc["shortage_units", "plan"] == pytest.approx(20 - 5)


@settings(max_examples=12, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_foresight_is_never_dearer_and_units_balance(problem, seed):
    """Unit costs are 4 or more and prices 40 or less: making a unit is dearer than a week of lateness."""
    demand, network, policy, weeks = problem
    rng = np.random.default_rng(seed)
    naive = demand.assign(quantity=demand["quantity"] * rng.gamma(2, 0.5, len(demand)))
    actual = of_week(demand, weeks - 1)
    actual["quantity"] *= rng.gamma(2, 0.5, len(actual))
    table = judged(demand, actual, network, policy, weeks, naive)
    best = table.loc["cost", "perfect_foresight"]
    assert (table.loc["cost"] >= best - 1e-6 * max(best, 1.0)).all()
    delivered = table.loc["on_time_units"] + table.loc["late_units"]
    np.testing.assert_allclose(delivered + table.loc["shortage_units"], actual["quantity"].sum(), atol=1e-6)
    parts = [
        "production_cost",
        "overtime_cost",
        "lane_cost",
        "holding_cost",
        "lateness_cost",
        "shortage_cost",
    ]
    np.testing.assert_allclose(table.loc[parts].sum(), table.loc["cost"], rtol=1e-9)


@settings(max_examples=8, deadline=None)
@given(problems())
def test_a_plan_whose_forecast_comes_true_costs_what_it_said_and_is_foresight(problem):
    demand, network, policy, weeks = problem
    policy = policy.model_copy(update={"value_bands": 1})  # as hindsight values units
    made = allocate(demand, network, policy, capacity_of(network, weeks))
    table = judged(demand, of_week(demand, weeks - 1), network, policy, weeks)
    due = made.plan["due_week"] == monday(weeks - 1)
    assert table.loc["cost", "plan"] - table.loc["shortage_cost", "plan"] == pytest.approx(
        made.plan.loc[due, "cost"].sum(), rel=1e-6, abs=1e-6
    )
    assert table.loc["cost", "plan"] == pytest.approx(
        table.loc["cost", "perfect_foresight"], rel=1e-6, abs=1e-6
    )


def test_over_reserving_beats_foresight_only_where_lateness_is_dearer_than_making():
    network = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 0.5)], [("M1", "cnc", 1.0, 1.0)], [("north", "north", 0.0, 0)]
    )
    demand = make_demand([("a", "cnc", "north", 0, 8.0, 20.0)])
    actual = of_week(demand, 0, 0.5)
    dear = judged(demand, actual, network, AllocationPolicy(lateness_penalty=0.5), 1)
    assert dear.loc["cost", "plan"] < dear.loc["cost", "perfect_foresight"]
    usual = judged(demand, actual, network, AllocationPolicy(lateness_penalty=0.05), 1)
    assert usual.loc["cost", "plan"] >= usual.loc["cost", "perfect_foresight"]


def test_a_plan_of_another_network_is_refused():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0)])
    made = allocate(demand, ONE_SHOP, POLICY)
    other = make_network(
        [("M9", "north", 1.0, 0.0, 0.0, 1.0)], [("M9", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
    )
    with pytest.raises(ValueError, match="1 rows of the plan became 0"):
        replay(made.plan, of_week(demand, 0), other, POLICY, monday(0).date())


def test_a_plan_that_does_not_reach_the_week_is_refused():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0)])
    with pytest.raises(ValueError, match="does not reach 2024-01-29"):
        judged(demand, of_week(demand, 0), ONE_SHOP, POLICY, 1, week=4)


def test_lead_is_a_week_to_make_and_the_longest_transit_from_a_manufacturer():
    network = make_network(
        [("M1", "north", 1.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 1.0)],
        [("north", "north", 0.0, 0), ("north", "south", 0.0, 3), ("south", "south", 0.0, 9)],
    )
    assert lead_weeks(network) == 4
