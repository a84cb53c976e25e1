"""What plans are worth: the synthetic marketplace over 26 weeks and several seeds.

    python benchmarks/impact.py [--seeds 5] [--weeks 26]

For each seed orders are drawn and forecast by SARIMAX (the quicker of the two models) from the end of each week.
Plans for the mean, for a quantile and for scenarios are judged against seasonal naive planned cheapest-first
(status quo) and against the plan had demand been known (perfect foresight), twice:

*one week*: as business_impact does, each week by the last plan that could still decide everything for it; what
was not planned for is short, what nobody ordered is lost.
*week after week*: every week is planned again, what has been started stands, the rest waits or is late, and what
nobody ordered stays in stock (four weeks to start with are not counted).
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting_assets.allocation import (
    AllocationPolicy,
    Network,
    allocate,
    allocate_greedily,
    impact,
    lead_weeks,
    load_network,
    rolling_replay,
)
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.market import Marketplace
from forecasting_assets.demo.network import build_network
from forecasting_assets.demo.orders import order_lines
from forecasting_assets.forecasting import naive, sarimax
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.reporting.measures import distance_closed, policy_totals
from forecasting_assets.tables import QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks

HORIZON = 8
HISTORY_WEEKS = 104
WARM_UP_WEEKS = 4
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


def network_of(market: Marketplace) -> Network:
    with tempfile.TemporaryDirectory() as folder:
        build_network(expected_demand(market)).write(Path(folder))
        return load_network(Path(folder))


def forecasts(
    history: pd.DataFrame, origins: list[date]
) -> Iterator[tuple[date, pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """Of each origin: the forecast, the seasonal-naive one and what was ordered, as demand to plan for."""
    settings = ForecastingSettings()
    learnt = history[history["week"] <= pd.Timestamp(origins[0])]
    totals = GroupTotals.of(history)
    model = sarimax.fit(learnt, totals, origins[0], HORIZON, settings)
    made = sarimax.predict(model, history, totals, origins, settings)
    for origin in origins:
        known = history[history["week"] <= pd.Timestamp(origin)]
        recent = known[known["week"] > pd.Timestamp(add_weeks(origin, -53))]
        parts = recent.groupby(SERIES, as_index=False)[["part_category", "unit_price"]].last()
        again = naive.forecast(known, origin, HORIZON, HISTORY_WEEKS)
        names = {"target_week": "due_week", "mean": "quantity"}
        both = (made[made["origin_week"] == pd.Timestamp(origin)], again)
        columns = [*SERIES, "target_week", "mean", *QUANTILES]
        forecast, status_quo = (f[columns].merge(parts, on=SERIES).rename(columns=names) for f in both)
        ahead = (history["week"] - pd.Timestamp(origin)).dt.days // 7
        ordered = history[(ahead > 0) & (ahead <= HORIZON)].rename(columns={"week": "due_week"})
        yield origin, forecast, status_quo, ordered


def run(seed: int, weeks: int) -> dict[tuple[str, str], tuple[float, float, float]]:
    """By replay and plan: distance closed, cost, on-time rate; status quo and foresight as plans too."""
    market = Marketplace(seed=seed, weeks=HISTORY_WEEKS + WARM_UP_WEEKS + weeks + HORIZON)
    history, network = weekly_orders(market), network_of(market)
    begin = HISTORY_WEEKS + WARM_UP_WEEKS
    judged, all_weeks = (market.week_starts[b : begin + weeks] for b in (begin, HISTORY_WEEKS))
    lead = lead_weeks(network)
    origins = sorted({add_weeks(w, -lead) for w in judged} | {add_weeks(w, -1) for w in all_weeks})
    planned_for = {origin: demands for origin, *demands in forecasts(history, origins)}
    found = {}
    for name, policy in PLANS.items():
        tables = []
        for week in judged:
            forecast, status_quo, _ = planned_for[add_weeks(week, -lead)]
            actual = history[history["week"] == pd.Timestamp(week)].drop(columns="week")
            made = allocate(forecast, network, policy)
            tables.append(
                impact(
                    week,
                    made.plan,
                    made.capacity_load,
                    forecast,
                    status_quo,
                    actual,
                    network,
                    policy,
                    errors=False,
                )
            )
        totals = policy_totals(pd.concat(tables))
        rates = totals["on_time_rate"]
        found["one week", name] = distance_closed(totals), totals.at["plan", "cost"], rates["plan"]
        if name == "deterministic":
            for other in ("status_quo", "perfect_foresight"):
                found["one week", other] = float("nan"), totals.at[other, "cost"], rates[other]

    def rolled(which: int, policy: AllocationPolicy, planner) -> tuple[float, float]:
        demands = {origin: demand[which] for origin, demand in planned_for.items()}
        table = rolling_replay(all_weeks, demands, history, network, policy, planner)
        table = table[table["week"] >= pd.Timestamp(judged[0])]
        sums = table.groupby("metric")["value"].sum()
        return sums["cost"], sums["on_time_units"] / sums["demand_units"]

    flat = {name: policy.model_copy(update={"value_bands": 1}) for name, policy in PLANS.items()}
    usual, on_time_usual = rolled(1, flat["deterministic"], allocate_greedily)
    best, on_time_best = rolled(2, flat["deterministic"], allocate)
    replay = "week after week"
    found[replay, "status_quo"] = float("nan"), usual, on_time_usual
    found[replay, "perfect_foresight"] = float("nan"), best, on_time_best
    for name, policy in flat.items():
        cost, on_time = rolled(0, policy, allocate)
        found[replay, name] = (usual - cost) / (usual - best), cost, on_time
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--weeks", type=int, default=26)
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    results = []
    with ProcessPoolExecutor(min(os.cpu_count() or 1, options.seeds)) as pool:
        for seed, found in zip(seeds, pool.map(partial(run, weeks=options.weeks), seeds), strict=True):
            results.append(found)
            for (replay, name), (closed, cost, on_time) in found.items():
                print(
                    f"seed {seed}, {replay:15}  {name:17} {closed:7.1%} {cost:14,.0f} {on_time:7.1%}",
                    flush=True,
                )
    print(
        f"\nDistance from status quo to perfect foresight closed: {options.weeks} weeks, {options.seeds} seeds"
    )
    print(
        f"{'replay':17}{'plan':18}{'mean':>7}{'st. dev.':>10}{'least':>8}{'most':>8}{'cost':>10}{'on time':>9}"
    )
    for replay, name in results[0]:
        closed, cost, on_time = zip(*(found[replay, name] for found in results), strict=True)
        base = [found[replay, "deterministic"][1] for found in results]
        saved = statistics.mean(c / b - 1 for c, b in zip(cost, base, strict=True))
        spread = float(np.std(closed, ddof=1)) if len(closed) > 1 else 0.0
        print(
            f"{replay:17}{name:18}{statistics.mean(closed):7.1%}{spread:10.1%}{min(closed):8.1%}{max(closed):8.1%}"
            f"{saved:+10.2%}{statistics.mean(on_time):9.1%}"
        )
    print("cost: against the deterministic plan")


if __name__ == "__main__":
    main()
