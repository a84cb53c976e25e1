"""What plans are worth: the synthetic marketplace over 26 weeks and several seeds.

    python -m benchmarks.impact [--seeds 5] [--weeks 26]

For each seed orders are drawn and forecast by SARIMAX (the quicker of the two models) from the end of each week.
Plans for the mean, for a quantile and for scenarios are judged against seasonal naive planned cheapest-first
(status quo) and against the plan had demand been known (perfect foresight), as in business_impact: every week is
planned again, what has been started stands, the rest waits or is late, and what nobody ordered stays in stock. The
weeks that only lead up to the others are not counted.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import results
from forecasting_assets.allocation import (
    WARM_UP_WEEKS,
    AllocationPolicy,
    Network,
    allocate,
    allocate_greedily,
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
from forecasting_assets.tables import QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks

HORIZON = 8
HISTORY_WEEKS = 104
PLANS = {
    "deterministic": AllocationPolicy(value_bands=1),
    "quantile": AllocationPolicy(value_bands=1, uncertainty="quantile", service_level=0.8),
    "stochastic": AllocationPolicy(value_bands=1, uncertainty="stochastic"),
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


def run(seed: int, weeks: int) -> dict[str, tuple[float, float, float]]:
    """By plan: distance closed, cost, on-time rate; status quo and foresight as plans too."""
    market = Marketplace(seed=seed, weeks=HISTORY_WEEKS + WARM_UP_WEEKS + weeks + HORIZON)
    history, network = weekly_orders(market), network_of(market)
    replayed = market.week_starts[HISTORY_WEEKS : HISTORY_WEEKS + WARM_UP_WEEKS + weeks]
    planned_for = {o: demands for o, *demands in forecasts(history, [add_weeks(w, -1) for w in replayed])}

    def rolled(which: int, policy: AllocationPolicy, planner: Callable) -> tuple[float, float]:
        demands = {origin: demand[which] for origin, demand in planned_for.items()}
        metrics = rolling_replay(replayed, demands, history, network, policy, planner).metrics
        sums = metrics.iloc[WARM_UP_WEEKS:].sum()
        return sums["cost"], sums["on_time_units"] / sums["demand_units"]

    usual = rolled(1, PLANS["deterministic"], allocate_greedily)
    best = rolled(2, PLANS["deterministic"], allocate)
    found = {name: rolled(0, policy, allocate) for name, policy in PLANS.items()}
    found |= {"status_quo": usual, "perfect_foresight": best}
    return {
        name: ((usual[0] - cost) / (usual[0] - best[0]), cost, on_time)
        for name, (cost, on_time) in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--weeks", type=int, default=26)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    of_seeds = []
    with ProcessPoolExecutor(min(os.cpu_count() or 1, options.seeds)) as pool:
        for seed, found in zip(seeds, pool.map(partial(run, weeks=options.weeks), seeds), strict=True):
            of_seeds.append(found)
            for name, (closed, cost, on_time) in found.items():
                print(f"seed {seed}  {name:17} {closed:7.1%} {cost:14,.0f} {on_time:7.1%}", flush=True)
    rows = []
    for name in found:
        closed, cost, on_time = zip(*(of_seed[name] for of_seed in of_seeds), strict=True)
        base = [of_seed["deterministic"][1] for of_seed in of_seeds]
        saved = [c / b - 1 for c, b in zip(cost, base, strict=True)]
        spread = float(np.std(closed, ddof=1)) if len(closed) > 1 else 0.0
        rows.append(
            {
                "plan": name,
                "closed, mean": f"{statistics.mean(closed):.1%}",
                "st. dev.": f"{spread:.1%}",
                "least": f"{min(closed):.1%}",
                "most": f"{max(closed):.1%}",
                "cost, against deterministic": f"{statistics.mean(saved):+.2%}",
                "on time": f"{statistics.mean(on_time):.1%}",
            }
        )
    share = 100 * statistics.mean(of_seed["stochastic"][0] for of_seed in of_seeds)
    parts = [results.table(rows), f"% closed by the stochastic plan: {results.against(share, at_least=70)}."]
    print("\n".join(parts))
    results.section(
        "impact",
        "What plans are worth",
        f"How much of the distance in cost between status quo and perfect foresight plans close, replayed over "
        f"{options.weeks} weeks of synthetic marketplaces.",
        ["forecasting-assets", "cvxpy", "highspy"],
        parts,
        f"means of {options.seeds} seeds",
    )


if __name__ == "__main__":
    main()
