"""The least cost of weeks whose orders are known: no replay costs less, wherever it begins and whatever it leaves."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.bound import lower_bound
from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy, Priority
from forecasting_assets.allocation.rolling import Market, rolling_replay
from forecasting_assets.weeks import add_weeks

from .cases import ONE_SHOP, make_demand, make_network, monday

HORIZON = 3
SHOPS = make_network(
    [("M1", "north", 12.0, 4.0, 0.5, 0.8), ("M2", "south", 6.0, 0.0, 0.0, 1.0)],
    [("M1", "cnc", 1.0, 4.0), ("M1", "laser", 1.0, 6.0), ("M2", "cnc", 1.0, 3.0)],
    [("north", "north", 0.0, 0), ("south", "north", 1.0, 1)],
)
#: Two parts of one category at different prices, and one of another.
PARTS = {"a": ("cnc", 20.0), "b": ("cnc", 9.0), "c": ("laser", 30.0)}
ONE_PART = {"a": ("cnc", 20.0)}


def making_nothing(*planning):
    return SimpleNamespace(plan=allocate(*planning).plan.iloc[:0])


def demand_of(units, first, parts):
    """Demand from units (parts, weeks) due from the `first` week on."""
    return make_demand(
        [
            (part, category, "north", first + w, float(n), price)
            for (part, (category, price)), row in zip(parts.items(), units, strict=True)
            for w, n in enumerate(row)
        ]
    )


def backlog_of(units, parts, before=0):
    """A position before week `before`, with overdue units (parts, weeks overdue)."""
    rows = [
        (part, "north", category, "overdue", monday(before - 1 - age), float(n))
        for (part, (category, _)), row in zip(parts.items(), units, strict=True)
        for age, n in enumerate(row)
        if n
    ]
    names = ["part_id", "region", "part_category", "kind", "week_of_units", "quantity"]
    return pd.DataFrame(rows, columns=names).astype({"week_of_units": "datetime64[ns]"})


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    max_weeks_late=st.integers(0, 3),
    priority=st.sampled_from([0.1, 1.0, 5.0]),
    planner=st.sampled_from([allocate_greedily, making_nothing]),
)
def test_no_replay_costs_less_than_the_bound_over_any_of_its_weeks(seed, max_weeks_late, priority, planner):
    rng = np.random.default_rng(seed)
    policy = AllocationPolicy(
        max_weeks_early=1,
        max_weeks_late=max_weeks_late,
        lateness_penalty=float(rng.choice([0.1, 1.5])),
        priority=Priority(category={"cnc": priority}),
        whole_units=False,
    )
    ordered = rng.integers(0, 16, (len(PARTS), 4 + HORIZON))
    orders = demand_of(ordered, 0, PARTS).rename(columns={"due_week": "week"})
    begin = backlog_of(rng.integers(0, 9, (len(PARTS), max_weeks_late)), PARTS)
    weeks = [monday(i).date() for i in range(4)]
    forecasts = {
        add_weeks(week, -1): demand_of(ordered[:, i : i + HORIZON] * rng.gamma(4, 0.25), i, PARTS)
        for i, week in enumerate(weeks)
    }
    market = Market.of(orders, SHOPS, policy, [begin])
    replay = rolling_replay(weeks, forecasts, market, planner, begin)
    cost = replay.metrics["cost"].cumsum()
    for i, week in enumerate(weeks):
        end = market.position(replay.states[week], week)
        bound = lower_bound(weeks[: i + 1], market, market.position(begin, monday(-1).date()), end)
        assert bound <= cost.iloc[i] + 1e-6 * abs(cost.iloc[i]) + 1e-6


@pytest.mark.parametrize("priority", [0.1, 1.0])
def test_the_bound_charges_orders_for_the_weeks_in_which_they_are_overdue(priority):
    # Nothing can be made. Of the 3 units that are one week overdue and the 5 of this week, none can be delivered.
    closed = make_network(
        [("M1", "north", 0.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
    )
    policy = AllocationPolicy(
        max_weeks_late=2, lateness_penalty=0.1, priority=Priority(category={"cnc": priority})
    )
    orders = demand_of([[5, 0]], 0, ONE_PART).rename(columns={"due_week": "week"})
    begin_rows = backlog_of([[3]], ONE_PART)
    market = Market.of(orders, closed, policy, [begin_rows])
    weeks = [monday(i).date() for i in range(2)]
    forecasts = {add_weeks(w, -1): demand_of([[0]], i, ONE_PART) for i, w in enumerate(weeks)}
    replay = rolling_replay(weeks, forecasts, market, making_nothing, begin_rows)
    begin = market.position(begin_rows, monday(-1).date())
    bounds = [
        lower_bound(weeks[: i + 1], market, begin, market.position(replay.states[week], week))
        for i, week in enumerate(weeks)
    ]
    late, short = 0.1 * 20 * priority, 40 * priority
    first = 8 * late + 5 * 4  # 8 units overdue for one more week; 5 more are still to be made
    second = 5 * late + 3 * (short - 2 * late) - 3 * 4  # the older ones are given up
    assert replay.metrics["cost"].tolist() == pytest.approx([first, second])
    assert np.diff([0.0, *bounds]).tolist() == pytest.approx([first, second])


def test_a_policy_that_leaves_orders_open_gains_nothing_on_the_bound():
    policy = AllocationPolicy(max_weeks_late=1, lateness_penalty=0.1, whole_units=False)
    orders = demand_of([[8]], 0, ONE_PART).rename(columns={"due_week": "week"})
    market, week = Market.of(orders, ONE_SHOP, policy), monday(0).date()
    forecasts = {monday(-1).date(): demand_of([[8]], 0, ONE_PART)}
    cost = {}
    for planner in (allocate_greedily, making_nothing):
        replay = rolling_replay([week], forecasts, market, planner)
        end = market.position(replay.states[week], week)
        cost[planner] = replay.metrics["cost"].iloc[0]
        assert lower_bound([week], market, market.position(None, monday(-1).date()), end) == pytest.approx(
            8 * 4
        )
    assert cost[allocate_greedily] == pytest.approx(8 * 4)
    assert cost[making_nothing] == pytest.approx(8 * (4 + 0.1 * 20))


def test_the_lateness_of_orders_with_low_priority_costs_the_bound_no_more_than_a_plan():
    shop = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
    )
    policy = AllocationPolicy(
        max_weeks_late=1,
        lateness_penalty=0.1,
        priority=Priority(category={"cnc": 0.1}),
        shortage_price=100.0,
        whole_units=False,
    )
    # 10 of 13 units can be made in the week in which they are wanted, 3 a week later.
    orders = demand_of([[13, 0]], 0, ONE_PART).rename(columns={"due_week": "week"})
    market, weeks = Market.of(orders, shop, policy), [monday(i).date() for i in range(2)]
    forecasts = {add_weeks(w, -1): demand_of([[13 * (i == 0)]], i, ONE_PART) for i, w in enumerate(weeks)}
    replay = rolling_replay(weeks, forecasts, market, allocate_greedily)
    end = market.position(replay.states[weeks[-1]], weeks[-1])
    cost = 13 * 4 + 3 * 0.1 * 20 * 0.1
    assert replay.metrics["cost"].sum() == pytest.approx(cost)
    assert lower_bound(weeks, market, market.position(None, monday(-1).date()), end) == pytest.approx(cost)
