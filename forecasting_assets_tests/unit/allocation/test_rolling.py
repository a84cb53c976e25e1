"""Planning week after week: by hand, in balance, and with what was started standing."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.rolling import Market, _plan, rolling_replay
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.supply import advance, started_production
from forecasting_assets.tables import QUANTILES
from forecasting_assets.weeks import add_weeks

from .cases import ONE_SHOP, make_demand, make_network, monday

POLICY = AllocationPolicy(
    lateness_penalty=0.1,
    holding_cost=0.05,
    obsolescence=0,
    max_weeks_early=1,
    max_weeks_late=1,
    value_bands=1,
)
HORIZON = 3


def orders_of(units):
    rows = [("a", "cnc", "north", i, float(n), 20.0) for i, n in enumerate(units)]
    return make_demand(rows).rename(columns={"due_week": "week"})


def forecasts_of(units, weeks):
    """From the week before each: `units` of the HORIZON weeks from it on."""
    found = {}
    for i in range(weeks):
        ahead = range(i, i + HORIZON)
        rows = [("a", "cnc", "north", w, float(units[w]) if w < len(units) else 0.0, 20.0) for w in ahead]
        demand = make_demand(rows)
        found[monday(i - 1).date()] = demand.assign(**dict.fromkeys(QUANTILES, demand["quantity"]))
    return found


def replayed(forecast, ordered, network=ONE_SHOP, policy=POLICY, planner=allocate):
    weeks = [monday(i).date() for i in range(len(ordered))]
    replay = rolling_replay(
        weeks, forecasts_of(forecast, len(ordered)), Market.of(orders_of(ordered), network, policy), planner
    )
    return replay.metrics.T.set_axis(range(len(ordered)), axis=1)


def test_what_is_known_is_made_ahead_and_delivered_in_time():
    # 14 in the second week need 4 of the first, when 5 of 10 hours are free.
    table = replayed([5, 14, 3], [5, 14, 3])
    assert table.loc["on_time_units"].tolist() == pytest.approx([5, 14, 3])
    assert table.loc["stock_units"].tolist() == pytest.approx([4, 0, 0])
    assert table.loc["holding_cost"].tolist() == pytest.approx([4 * 0.05 * 4, 0, 0])
    assert table.loc["production_cost"].tolist() == pytest.approx([36, 40, 12])
    # What stock gained in the first week it lost in the second.
    assert table.loc["inventory_cost"].tolist() == pytest.approx([-16, 16, 0])


def test_what_nobody_orders_serves_the_next_week_instead_of_production():
    table = replayed([8, 8, 8], [5, 8, 8])
    assert table.loc["stock_units"].tolist() == pytest.approx([3, 0, 0])
    assert table.loc["production_cost"].tolist() == pytest.approx([32, 20, 32])
    assert table.loc["on_time_units"].tolist() == pytest.approx([5, 8, 8])


def test_what_is_lacking_is_late_and_then_short():
    # The 20 that nobody foresaw get all 12 hours of the next week, overtime included, being the oldest; what
    # is then still lacking of them is short, and the 8 of that week come a week late.
    policy = POLICY.model_copy(update={"max_weeks_early": 0})
    table = replayed([10, 8, 0, 0], [30, 8, 0, 0], policy=policy)
    assert table.loc["on_time_units"].tolist() == pytest.approx([10, 0, 0, 0])
    assert table.loc["late_units"].tolist() == pytest.approx([0, 12, 8, 0])
    # Lateness is charged while units are overdue, and is part of the price of those that are then given up.
    assert table.loc["overdue_units"].tolist() == pytest.approx([20, 8, 0, 0])
    assert table.loc["overdue_change_units"].tolist() == pytest.approx([20, -12, -8, 0])
    assert table.loc["lateness_cost"].tolist() == pytest.approx([20 * 0.1 * 20, 8 * 0.1 * 20, 0, 0])
    assert table.loc["shortage_units"].tolist() == pytest.approx([0, 8, 0, 0])
    assert table.loc["shortage_cost"].tolist() == pytest.approx([0, 8 * (40 - 0.1 * 20), 0, 0])


def making_nothing(*planning):
    return SimpleNamespace(plan=allocate(*planning).plan.iloc[:0])


def test_orders_left_open_cost_their_lateness_and_when_given_up_their_shortage_price_in_all():
    policy = POLICY.model_copy(update={"max_weeks_late": 2})
    table = replayed([5, 0, 0], [5, 0, 0], policy=policy, planner=making_nothing)
    assert table.loc["overdue_units"].tolist() == pytest.approx([5, 5, 0])
    assert table.loc["lateness_cost"].tolist() == pytest.approx([10, 10, 0])
    assert table.loc["shortage_cost"].tolist() == pytest.approx([0, 0, 5 * 40 - 20])
    # Units that are still to be made are worth less than nothing.
    assert table.loc["inventory_cost"].tolist() == pytest.approx([20, 0, -20])
    assert table.loc["cost"].sum() == pytest.approx(5 * 40)


@pytest.mark.parametrize("max_weeks_late", [0, 1, 3])
def test_over_the_weeks_lateness_is_that_of_deliveries_and_shortage_that_of_orders_given_up(max_weeks_late):
    rng = np.random.default_rng(7)
    ordered = [*rng.integers(2, 30, 6), *[0] * 5]
    policy = POLICY.model_copy(update={"max_weeks_late": max_weeks_late, "whole_units": False})
    weeks = [monday(i).date() for i in range(len(ordered))]
    market = Market.of(orders_of(ordered), ONE_SHOP, policy)
    forecasts = forecasts_of(rng.integers(2, 20, 11), len(ordered))
    replay = rolling_replay(weeks, forecasts, market, allocate_greedily)
    total = replay.metrics.sum()
    position, late_weeks, given_up = market.position(None, monday(-1).date()), 0.0, 0.0
    for week in weeks:
        plan = _plan(week, position, forecasts[add_weeks(week, -1)], market, allocate_greedily)
        position, flows = advance(
            position, started_production(plan, week, market.network), market.ordered(week)
        )
        late_weeks += float((flows.delivered @ np.arange(max_weeks_late + 1)).sum())
        given_up += float(flows.given_up.sum())
    assert total["overdue_units"] > 0 or max_weeks_late == 0
    assert total["overdue_change_units"] == pytest.approx(0)
    assert given_up > 0
    assert total["lateness_cost"] + total["shortage_cost"] == pytest.approx(
        0.1 * 20 * late_weeks + 40 * given_up
    )


def test_units_of_an_unreliable_distant_maker_come_after_transit_or_a_week_later():
    network = make_network(
        [("M1", "far", 100.0, 0.0, 0.0, 0.75)], [("M1", "cnc", 1.0, 4.0)], [("far", "north", 1.0, 1)]
    )
    policy = POLICY.model_copy(update={"max_weeks_early": 0, "holding_cost": 1.0})
    table = replayed([0, 8, 0], [0, 8, 0], network, policy)
    assert table.loc["on_time_units"].tolist() == pytest.approx([0, 6, 0])
    assert table.loc["late_units"].tolist() == pytest.approx([0, 0, 2])
    assert table.loc["lane_cost"].tolist() == pytest.approx([8, 0, 0])


@pytest.mark.parametrize("mode", ["deterministic", "quantile", "stochastic"])
def test_every_unit_ordered_is_in_time_late_short_or_still_waited_for(mode):
    rng = np.random.default_rng(3)
    ordered, expected = rng.integers(2, 20, 8), rng.integers(2, 20, 12)
    policy = POLICY.model_copy(update={"uncertainty": mode, "scenarios": 6})
    table = replayed(expected, ordered, policy=policy)
    served = table.loc[["on_time_units", "late_units", "shortage_units"]].sum(axis=0)
    waiting = table.loc["demand_units"].cumsum() - served.cumsum()
    np.testing.assert_allclose(waiting, table.loc["overdue_units"], atol=1e-9)
    np.testing.assert_allclose(waiting.diff().iloc[1:], table.loc["overdue_change_units"].iloc[1:], atol=1e-9)
    assert (waiting >= -1e-9).all()
    assert (waiting <= table.loc["demand_units"] + 1e-9).all()  # only the newest week can wait
    made = table.loc["production_cost"].cumsum() / 4
    delivered = table.loc[["on_time_units", "late_units"]].sum(axis=0).cumsum()
    np.testing.assert_allclose(made - delivered, table.loc["stock_units"], atol=1e-6)
    parts = [m for m in table.index if m.endswith("_cost")]
    np.testing.assert_allclose(table.loc[parts].sum(axis=0), table.loc["cost"], rtol=1e-9)


def test_rates_and_hours():
    policy = POLICY.model_copy(update={"max_weeks_early": 0})
    table = replayed([10, 8, 0, 0], [30, 8, 0, 0], policy=policy)
    assert table.loc["load_hours"].tolist() == pytest.approx([10, 12, 8, 0])
    assert table.loc["capacity_hours"].tolist() == [10] * 4
    assert table.loc["utilisation"].tolist() == pytest.approx([1, 1.2, 0.8, 0])
    assert table.loc["on_time_rate"].tolist() == pytest.approx([1 / 3, 0, np.nan, np.nan], nan_ok=True)
    assert table.loc["fill_rate"].tolist() == pytest.approx([1, 12 / 20, 1, np.nan], nan_ok=True)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_a_replay_goes_on_from_its_state(cut):
    network = make_network(
        [("M1", "far", 9.0, 3.0, 0.5, 0.75)], [("M1", "cnc", 1.0, 4.0)], [("far", "north", 1.0, 1)]
    )
    rng = np.random.default_rng(4)
    ordered, expected = rng.integers(2, 16, 7), rng.integers(2, 16, 10)
    weeks = [monday(i).date() for i in range(7)]
    rest = (forecasts_of(expected, 7), Market.of(orders_of(ordered), network, POLICY), allocate)
    whole = rolling_replay(weeks, *rest)
    begin = rolling_replay(weeks[:cut], *rest)
    end = rolling_replay(weeks[cut:], *rest, begin.states[weeks[cut - 1]])
    assert {"arriving", "overdue"} <= set(whole.states[weeks[-1]]["kind"])
    pd.testing.assert_frame_equal(pd.concat([begin.metrics, end.metrics]), whole.metrics, rtol=1e-9)
    pd.testing.assert_frame_equal(end.states[weeks[-1]], whole.states[weeks[-1]], rtol=1e-9)


def test_a_series_that_nobody_has_ordered_is_valued_like_its_category():
    forecasts = {o: f.assign(part_id="new") for o, f in forecasts_of([5, 5], 2).items()}
    weeks = [monday(i).date() for i in range(2)]
    market = Market.of(orders_of([5, 5]), ONE_SHOP, POLICY, forecasts.values())
    replay = rolling_replay(weeks, forecasts, market, allocate)
    assert market.series.set_index("part_id")["unit_value"].to_dict() == {"a": 20.0, "new": 20.0}
    # What is made for the new part does not serve the other one.
    assert replay.metrics["stock_units"].tolist() == pytest.approx([5, 5])
    assert replay.metrics["on_time_units"].sum() == 0


def test_looking_ahead_is_cheaper_than_not():
    units = [5, 14, 3, 5, 16, 2]
    ahead, greedy = (
        replayed(units, units, planner=p).loc["cost"].sum() for p in (allocate, allocate_greedily)
    )
    assert ahead < greedy


def test_units_already_there_are_not_planned_again():
    demand = make_demand([("a", "cnc", "north", w, 8.0, 20.0) for w in (0, 1)])
    supply = pd.DataFrame({"part_id": ["a"], "region": ["north"], "week": [monday(1)], "quantity": [5.0]})
    made = (
        allocate(demand, ONE_SHOP, POLICY, PlanningState(supply=supply))
        .plan.groupby("due_week")["quantity"]
        .sum()
    )
    assert made.tolist() == pytest.approx([8.0, 3.0])
