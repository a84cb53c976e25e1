"""What planning was worth: weeks go on from each other, add up to one replay, and know nothing of what comes."""

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.allocation import hindsight
from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.hindsight import Demands, Published, impact, replayed_origins
from forecasting_assets.allocation.network import weekly_capacity
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.rolling import (
    Market,
    carry_out,
    demand_with_overdue,
    production_weeks,
    rates,
    rolling_replay,
)
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.tables import BUSINESS_IMPACT, REPLAY_STATE
from forecasting_assets.weeks import add_weeks

from .cases import ONE_SHOP, make_demand, make_network, monday

HORIZON = 3
POLICY = AllocationPolicy(max_weeks_early=2, max_weeks_late=1, obsolescence=0, whole_units=False)
SHOPS = make_network(
    [("M1", "north", 12.0, 4.0, 0.5, 0.9), ("M2", "south", 8.0, 0.0, 0.0, 1.0)],
    [("M1", "cnc", 1.0, 4.0), ("M1", "laser", 1.0, 6.0), ("M2", "cnc", 1.0, 3.0)],
    [("north", "north", 0.0, 0), ("south", "north", 1.0, 1)],
)
SERIES = [("a", "cnc"), ("b", "laser")]
#: No count found anything.
NOTHING = pd.DataFrame({"part_id": [], "region": [], "quantity": []})


#: Weeks that perfect foresight knows in the shared replays: longer than the horizon, shorter than the replays.
FORESEEN = 4


def without_errors(patch):
    """Leave out the plans for forecasts with error, which take most of the time."""
    patch.setattr(hindsight, "BIASES", ())
    patch.setattr(hindsight, "NOISES", ())


@pytest.fixture
def no_errors(monkeypatch):
    without_errors(monkeypatch)


@pytest.fixture(scope="module")
def replays():
    """By number of weeks: orders, expected and naive demand, and what `chained` finds without forecast errors."""
    with pytest.MonkeyPatch.context() as patch:
        without_errors(patch)
        patch.setattr(hindsight, "FORESEEN_WEEKS", FORESEEN)
        return {weeks: (*case(weeks), chained(*case(weeks))) for weeks in (3, FORESEEN + 3)}


def table(units, first=0):
    """Demand of SERIES due in consecutive weeks, from units (series, weeks)."""
    rows = [
        (part, category, "north", first + w, float(n), 20.0)
        for (part, category), row in zip(SERIES, units, strict=False)
        for w, n in enumerate(row)
    ]
    return make_demand(rows)


def case(weeks, seed=5):
    """Orders of `weeks` weeks, and by origin what was expected and what was ordered a year ago."""
    rng = np.random.default_rng(seed)
    ordered = rng.integers(2, 12, (len(SERIES), weeks + HORIZON))
    expected, naive = (
        {
            monday(i - 1).date(): table(
                ordered[:, i : i + HORIZON] * rng.gamma(9, 1 / 9, (len(SERIES), HORIZON)), i
            )
            for i in range(weeks)
        }
        for _ in range(2)
    )
    return table(ordered[:, :weeks]).rename(columns={"due_week": "week"}), expected, naive


def chained(orders, expected, naive, network=SHOPS, policy=POLICY, weeks=None):
    """business_impact of each week, each going on from the one before: (week, policy) by metric."""
    found, state, position = [], None, None
    for origin in sorted(expected)[:weeks]:
        week = add_weeks(origin, 1)
        market = Market.of(orders[orders["week"] <= pd.Timestamp(week)], network, policy)
        position = position or market.position(None, origin)
        plan = published_plan(expected[origin], position, origin, market)
        published = Published(plan, position.table(origin), NOTHING)
        since = week if state is None else state["since"].iloc[0].date()
        demands = Demands({o: expected[o] for o in replayed_origins(week, since)}, naive[origin])
        worth, state = impact(week, demands, published, market, state)
        position = carry_out(published.plan, week, position, market)[1]
        assert list(worth) == BUSINESS_IMPACT.names
        assert not worth.duplicated(["policy", "metric"]).any()
        assert list(state) == REPLAY_STATE.names
        assert not state.duplicated(list(REPLAY_STATE.key)).any()
        found.append(worth)
    return pd.concat(found).pivot(index=["week", "policy"], columns="metric", values="value")


def published_plan(demand, position, origin, market):
    capacity = weekly_capacity(market.network, production_weeks(origin, demand, market.policy))
    state = PlanningState(capacity=capacity, supply=position.supply(origin))
    return allocate(demand_with_overdue(demand, position, origin), market.network, market.policy, state).plan


def of(found, policy):
    return found.xs(policy, level="policy").drop(columns="absolute_error").dropna(axis=1, how="all")


def test_weeks_going_on_from_each_other_are_one_replay(replays):
    orders, expected, naive, found = replays[FORESEEN + 3]
    weeks = [add_weeks(o, 1) for o in expected]
    for name, forecasts, planner in (("plan", expected, allocate), ("status_quo", naive, allocate_greedily)):
        whole = rolling_replay(
            weeks, forecasts, Market.of(orders, SHOPS, POLICY.without_rules()), planner
        ).metrics
        pd.testing.assert_frame_equal(of(found, name), whole, check_like=True, check_names=False, rtol=1e-9)


@pytest.mark.parametrize("weeks", [3, FORESEEN + 3])
def test_weeks_of_foresight_add_up_to_one_replay_that_knows_all_of_them(replays, weeks):
    orders, expected, _, chain = replays[weeks]
    last = max(orders["week"])
    known = {}
    for origin, forecast in expected.items():
        ahead = (orders["week"] - pd.Timestamp(origin)).dt.days // 7
        real = orders[(ahead > 0) & (ahead <= FORESEEN)].rename(columns={"week": "due_week"})
        known[origin] = pd.concat([real, forecast[forecast["due_week"] > last]])
    whole = rolling_replay(
        [add_weeks(o, 1) for o in expected], known, Market.of(orders, SHOPS, POLICY.without_rules()), allocate
    ).metrics
    found = of(chain, "perfect_foresight")
    at_end = ["stock_units", "overdue_units"]
    sums = [m for m in whole if m not in (*at_end, *rates(whole.sum()))]
    pd.testing.assert_series_equal(
        found[sums].sum(), whole[sums].sum(), check_names=False, rtol=1e-9, atol=1e-6
    )
    assert found[at_end].iloc[-1].tolist() == pytest.approx(whole[at_end].iloc[-1].tolist())


def test_units_wanted_are_on_time_late_short_or_more_of_them_are_overdue(replays):
    found = replays[FORESEEN + 3][-1].drop("lower_bound", level="policy")
    became = ["on_time_units", "late_units", "shortage_units", "overdue_change_units"]
    np.testing.assert_allclose(found[became].sum(axis=1), found["demand_units"], atol=1e-6)
    # Of perfect foresight too, all replays begin with no orders overdue.
    overdue = found["overdue_change_units"].unstack("policy").cumsum()
    np.testing.assert_allclose(overdue, found["overdue_units"].unstack("policy"), atol=1e-6)
    assert (overdue.max() > 0).all()


def test_a_forecast_without_error_is_foresight_and_error_costs_on_both_sides():
    units = [[6, 9, 4, 7, 14, 3, 8, 5, 6, 7]]
    orders = table(units).rename(columns={"due_week": "week"})
    expected = {monday(i - 1).date(): table([units[0][i : i + HORIZON]], i) for i in range(6)}
    found = chained(orders, expected, expected, ONE_SHOP, POLICY)
    cost = found["cost"].groupby("policy").sum()
    assert cost["plan"] == pytest.approx(cost["perfect_foresight"])
    assert cost["plan_bias_+00"] == pytest.approx(cost["plan"])
    assert cost["status_quo"] > cost["plan"]  # it does not make ahead
    biased = cost[[f"plan_bias_{b:+03d}" for b in (-30, -20, -10, 0, 10, 20, 30)]].to_numpy()
    assert (np.diff(biased)[:3] < 0).all()
    assert (np.diff(biased)[3:] > 0).all()
    assert (cost[[c for c in cost.index if "noise" in c]] > cost["plan"]).all()
    error = found["absolute_error"].groupby("policy").sum()
    assert error["plan"] == error["perfect_foresight"] == 0
    assert error["plan_bias_-10"] == pytest.approx(0.1 * sum(units[0][:6]))
    noisy = error[[f"plan_noise_{n}" for n in (10, 20, 30, 40)]]
    assert (noisy.diff().iloc[1:] > 0).all()


def test_no_policy_costs_less_than_the_bound_of_any_number_of_weeks(replays):
    for weeks in (3, FORESEEN + 3):
        cost = replays[weeks][-1]["cost"].unstack("policy").cumsum()
        assert (cost["lower_bound"] <= cost["plan"] * (1 + 1e-9)).all()


def test_the_bound_is_what_the_orders_cost_that_are_known():
    units = [[6, 9, 4, 7, 14, 3]]
    orders = table(units).rename(columns={"due_week": "week"})
    expected = {monday(i - 1).date(): table([units[0][i : i + HORIZON]], i) for i in range(4)}
    cost = chained(orders, expected, expected, ONE_SHOP, POLICY)["cost"].groupby("policy").sum()
    # 26 units at 4. Of the fifth week the plan has made 1 unit two weeks and 3 units a week ahead.
    assert cost["lower_bound"] == pytest.approx(26 * 4)
    assert cost["plan"] == pytest.approx(26 * 4 + 5 * 4 * POLICY.holding_cost)


def test_knowing_more_is_cheaper_over_the_weeks_and_orders_are_alike(replays):
    found = replays[FORESEEN + 3][-1]
    cost = found["cost"].groupby("policy").sum()
    assert cost["perfect_foresight"] < cost["plan"]
    asked = found["demand_units"].unstack("policy").drop(columns="lower_bound")
    np.testing.assert_allclose(asked, np.broadcast_to(asked[["plan"]], asked.shape), rtol=1e-9)


def test_a_week_is_the_same_whatever_is_ordered_after_it():
    orders, expected, naive = case(4)
    later = orders["week"] > monday(1)
    before = chained(orders, expected, naive, weeks=2)
    poisoned = orders.assign(quantity=orders["quantity"].where(~later, 1e6))
    pd.testing.assert_frame_equal(before, chained(poisoned, expected, naive, weeks=2))


@pytest.mark.parametrize("mode", ["quantile", "stochastic"])
def test_the_plan_is_replayed_under_its_own_view_of_uncertainty(mode, monkeypatch):
    monkeypatch.setattr(hindsight, "BIASES", (0,))
    monkeypatch.setattr(hindsight, "NOISES", (20,))
    orders, expected, naive = case(3)
    spread = {"q05": 0.4, "q10": 0.5, "q25": 0.7, "q50": 1.0, "q75": 1.3, "q90": 1.6, "q95": 1.8}
    expected = {
        o: f.assign(**{q: f["quantity"] * by for q, by in spread.items()}) for o, f in expected.items()
    }
    policy = POLICY.model_copy(update={"uncertainty": mode, "scenarios": 8, "service_level": 0.9})
    found = chained(orders, expected, naive, policy=policy)
    plain = chained(orders, expected, naive)
    assert of(found, "plan")["cost"].sum() != pytest.approx(of(plain, "plan")["cost"].sum())
    for name in ("status_quo", "perfect_foresight", "plan_bias_+00", "plan_noise_20"):
        pd.testing.assert_frame_equal(of(found, name), of(plain, name))


@pytest.mark.usefixtures("no_errors")
def test_rules_bind_the_plan_and_not_the_yardstick():
    orders, expected, naive = case(2)
    ruled = POLICY.model_copy(update={"minimum_load": {"M2": 1.0}, "maximum_share": {"cnc": 0.5}})
    with_rules, free = chained(orders, expected, naive, policy=ruled), chained(orders, expected, naive)
    assert of(with_rules, "plan")["cost"].sum() != pytest.approx(of(free, "plan")["cost"].sum())
    pd.testing.assert_frame_equal(with_rules.drop("plan", level="policy"), free.drop("plan", level="policy"))
