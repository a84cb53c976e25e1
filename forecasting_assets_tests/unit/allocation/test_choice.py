"""What to plan for is chosen by what past weeks would have cost."""

import statistics
from datetime import date

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.allocation.choice import (
    FEWEST_WEEKS,
    SERVICE_LEVELS,
    PastWeeks,
    choose_method,
    set_method,
    with_choice,
)
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import AllocationError
from forecasting_assets.allocation.rolling import Market, rolling_replay
from forecasting_assets.tables import PLAN_CHOICE, QUANTILES
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.weeks import add_weeks

from .cases import FIRST, make_demand, make_network

SHOP = make_network(
    [("M1", "north", 500.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
)
#: Orders cannot be late, and one not delivered costs twice its price of 20.
AUTO = AllocationPolicy(uncertainty="auto", max_weeks_late=0, scenarios=4, holding_cost=0.05)


def past(weeks: int, sd: float) -> PastWeeks:
    """Forecasts of 100 units for each of the next two weeks, with a standard deviation."""
    replayed = [add_weeks(FIRST, n) for n in range(weeks)]
    level = {q: 100.0 + sd * statistics.NormalDist().inv_cdf(p) for q, p in QUANTILES.items()}

    def forecast(week: date) -> pd.DataFrame:
        demand = make_demand([("p", "cnc", "north", n, 100.0, 20.0) for n in range(2)])
        return demand.assign(due_week=pd.to_datetime([add_weeks(week, n) for n in range(2)]), **level)

    return PastWeeks(replayed, {add_weeks(week, -1): forecast(week) for week in replayed}, None)


def market(ordered: list[float], policy: AllocationPolicy = AUTO) -> Market:
    orders = make_demand([("p", "cnc", "north", n, units, 20.0) for n, units in enumerate(ordered)])
    return Market.of(orders.rename(columns={"due_week": "week"}), SHOP, policy)


def chosen(choice: pd.DataFrame) -> pd.Series:
    assert check_contract(choice, PLAN_CHOICE).passed
    assert choice["chosen"].sum() == 1
    return choice[choice["chosen"] == 1].iloc[0]


def test_certain_demand_is_planned_for_by_its_mean():
    choice = choose_method(past(4, sd=30.0), market([100.0] * 4))
    assert chosen(choice)["method"] == "deterministic"
    assert choice["method"].tolist() == ["deterministic", *["quantile"] * len(SERVICE_LEVELS), "stochastic"]
    assert (choice["weeks"] == 4).all()
    costs = choice.set_index(["method", "parameter"])["cost"]
    assert costs.loc["quantile"].is_monotonic_increasing


def test_dear_shortages_of_uncertain_demand_are_avoided():
    orders = market([150.0, 60.0, 150.0, 60.0])
    choice = choose_method(past(4, sd=30.0), orders)
    best = chosen(choice)
    assert best["method"] != "deterministic"
    assert best["on_time_rate"] > choice["on_time_rate"].iloc[0]
    assert best["cost"] == choice["cost"].min()


def test_the_costs_are_those_of_a_replay():
    weeks, policy = (
        past(4, sd=30.0),
        AUTO.model_copy(update={"uncertainty": "quantile", "service_level": 0.7}),
    )
    ordered = [150.0, 60.0, 140.0, 60.0]
    choice = choose_method(weeks, market(ordered)).set_index(["method", "parameter"])
    replay = rolling_replay(
        weeks.weeks, weeks.forecasts, market(ordered, policy.without_rules()), allocate
    ).metrics
    assert choice["cost"]["quantile", 0.7] == pytest.approx(replay["cost"].sum())
    on_time = replay["on_time_units"].sum() / np.sum(ordered)
    assert choice["on_time_rate"]["quantile", 0.7] == pytest.approx(on_time)


def test_too_few_weeks_are_not_replayed():
    choice = choose_method(past(FEWEST_WEEKS - 1, sd=30.0), market([100.0] * (FEWEST_WEEKS - 1)))
    assert len(choice) == 1
    assert chosen(choice)["method"] == "deterministic"
    assert chosen(choice)["weeks"] == FEWEST_WEEKS - 1
    assert np.isnan(chosen(choice)["cost"])


@pytest.mark.parametrize(
    "update",
    [
        {"uncertainty": "deterministic"},
        {"uncertainty": "quantile", "service_level": 0.65},
        {"uncertainty": "stochastic", "scenarios": 17},
    ],
)
def test_the_chosen_policy_is_read_back(update):
    policy = AUTO.model_copy(update=update)
    assert with_choice(AUTO, set_method(policy)).model_dump(include=set(update)) == update


def test_a_plan_needs_the_choice():
    demand = make_demand([("p", "cnc", "north", 0, 10.0, 20.0)])
    with pytest.raises(AllocationError, match="choose_method"):
        allocate(demand, SHOP, AUTO)
