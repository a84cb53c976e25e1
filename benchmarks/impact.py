"""What plans are worth: the synthetic marketplace over 26 weeks and several seeds.

    python benchmarks/impact.py [--seeds 5] [--weeks 26]

For each seed orders are drawn, forecast by SARIMAX (the quicker of the two models) from the end of each week,
planned for the mean, for a quantile and for scenarios, and each plan is judged in the week for which it was
the last that could still decide: against seasonal naive planned cheapest-first (status quo) and the plan had
demand been known (perfect foresight).
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import pandas as pd

from forecasting_assets.allocation import AllocationPolicy, allocate, impact, lead_weeks, load_network
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.market import Marketplace
from forecasting_assets.demo.network import build_network
from forecasting_assets.demo.orders import order_lines
from forecasting_assets.forecasting import naive, sarimax
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.reporting.measures import distance_closed, policy_totals
from forecasting_assets.tables import QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks

HORIZON = 8
HISTORY_WEEKS = 104
PLANS = {
    "deterministic": AllocationPolicy(),
    "quantile": AllocationPolicy(uncertainty="quantile", service_level=0.8),
    "stochastic": AllocationPolicy(uncertainty="stochastic"),
}


def weekly_orders(market: Marketplace) -> pd.DataFrame:
    """WEEKLY_DEMAND of all weeks."""
    demand = expected_demand(market)
    weeks = []
    for number, week in enumerate(market.week_starts):
        lines = order_lines(demand, number)
        lines["revenue"] = lines["quantity"] * lines["unit_price"]
        sums = lines.groupby([*SERIES, "part_category"])[["quantity", "revenue"]].sum().reset_index()
        weeks.append(sums.assign(week=pd.Timestamp(week), quantity=sums["quantity"].astype(float)))
    history = pd.concat(weeks, ignore_index=True)
    return history.assign(unit_price=history.pop("revenue") / history["quantity"])


def run(seed: int, weeks: int) -> dict[str, pd.DataFrame]:
    """BUSINESS_IMPACT of each of PLANS."""
    market = Marketplace(seed=seed, weeks=HISTORY_WEEKS + weeks + 3)
    history = weekly_orders(market)
    with tempfile.TemporaryDirectory() as folder:
        build_network(expected_demand(market)).write(Path(folder))
        network = load_network(Path(folder))
    judged = market.week_starts[-weeks:]
    lead = lead_weeks(network)
    origins = [add_weeks(week, -lead) for week in judged]
    forecasts = sarimax.forecast(history, origins, HORIZON, ForecastingSettings())
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in PLANS}
    seconds = dict.fromkeys(PLANS, 0.0)
    for week, origin in zip(judged, origins, strict=True):
        known = history[history["week"] <= pd.Timestamp(origin)]
        parts = known[known["week"] > pd.Timestamp(add_weeks(origin, -53))].groupby(SERIES, as_index=False)
        parts = parts[["part_category", "unit_price"]].last()
        forecast = forecasts[forecasts["origin_week"] == pd.Timestamp(origin)]
        demand = forecast[[*SERIES, "target_week", "mean", *QUANTILES]].merge(parts, on=SERIES)
        demand = demand.rename(columns={"target_week": "due_week", "mean": "quantity"})
        again = naive.forecast(known, origin, HORIZON, HISTORY_WEEKS)[[*SERIES, "target_week", "mean"]]
        again = again.rename(columns={"target_week": "due_week", "mean": "quantity"}).merge(parts, on=SERIES)
        actual = history[history["week"] == pd.Timestamp(week)].drop(columns="week")
        for name, policy in PLANS.items():
            begin = time.perf_counter()
            made = allocate(demand, network, policy)
            seconds[name] += time.perf_counter() - begin
            found[name].append(
                impact(
                    week, made.plan, made.capacity_load, demand, again, actual, network, policy, errors=False
                )
            )
    for name, spent in seconds.items():
        print(f"seed {seed}: {name} plans took {spent / weeks:.2f} s each", flush=True)
    return {name: pd.concat(tables) for name, tables in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--weeks", type=int, default=26)
    options = parser.parse_args()
    closed: dict[str, list[float]] = {name: [] for name in PLANS}
    cost: dict[str, list[float]] = {name: [] for name in PLANS}
    for seed in range(1, options.seeds + 1):
        for name, table in run(seed, options.weeks).items():
            totals = policy_totals(table)
            closed[name].append(distance_closed(totals))
            cost[name].append(totals.at["plan", "cost"])
            print(
                f"seed {seed}: {name:14} closes {closed[name][-1]:6.1%}, costs {cost[name][-1]:,.0f}; "
                f"on time {totals.at['plan', 'on_time_rate']:.1%} (status quo "
                f"{totals.at['status_quo', 'on_time_rate']:.1%}, foresight "
                f"{totals.at['perfect_foresight', 'on_time_rate']:.1%})",
                flush=True,
            )
    print(
        f"\nDistance from status quo to perfect foresight closed, {options.weeks} weeks, {options.seeds} seeds"
    )
    for name, shares in closed.items():
        saved = [1 - c / d for c, d in zip(cost[name], cost["deterministic"], strict=True)]
        spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
        print(
            f"{name:14} mean {statistics.mean(shares):6.1%}, standard deviation {spread:5.1%}, "
            f"{min(shares):.1%} to {max(shares):.1%}; cost {statistics.mean(saved):+.2%} below deterministic"
        )


if __name__ == "__main__":
    main()
