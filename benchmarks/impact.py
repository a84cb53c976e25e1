"""Evaluate the business impact of plans: the synthetic marketplace over 26 weeks and several seeds.

    python -m benchmarks.impact [--seeds 5] [--weeks 26]

For each seed, orders are drawn and forecast by SARIMAX (the faster of the two models) from the end of each week. Plans
for the mean, for a quantile and for scenarios are compared with the status quo (seasonal naive, cheapest manufacturer
first) and with perfect foresight (the plan if demand had been known), as in business_impact: every week is planned
again, production that has started is kept, the rest waits or is late, and surplus units stay in stock. `published` is
the plan for the mean as it is published, in whole units; `deterministic` is the same plan in exact amounts; `forgetful`
plans every week as if nothing were in stock, on its way or overdue. Warm-up weeks are not counted.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import results
from forecasting_assets.allocation import (
    WARM_UP_WEEKS,
    AllocationPlan,
    AllocationPolicy,
    Market,
    Network,
    PlanningState,
    allocate,
    allocate_greedily,
    load_network,
    rolling_replay,
)
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.market import Marketplace
from forecasting_assets.demo.network import build_network, write_network
from forecasting_assets.demo.orders import order_lines
from forecasting_assets.forecasting import naive, sarimax
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.settings import CalendarSettings
from forecasting_assets.tables import QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks, weeks_since

HORIZON = 8
HISTORY_WEEKS = 104
EXACT = AllocationPolicy(whole_units=False)
PLANS = {
    "published": AllocationPolicy(),
    "deterministic": EXACT,
    "forgetful": EXACT,
    "quantile": EXACT.model_copy(update={"uncertainty": "quantile", "service_level": 0.8}),
    "stochastic": EXACT.model_copy(update={"uncertainty": "stochastic"}),
}


@dataclass(frozen=True)
class Outcome:
    """What a plan was worth: share of the cost gap that it closes, cost, on-time rate, and mean stock at week ends."""

    closed: float
    cost: float
    on_time: float
    stock: float


def weekly_orders(market: Marketplace) -> pd.DataFrame:
    """Return WEEKLY_DEMAND of all weeks."""
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
    """Return the network of a marketplace as the platform reads it."""
    with tempfile.TemporaryDirectory() as folder:
        write_network(build_network(expected_demand(market)), Path(folder))
        return load_network(Path(folder))


def forecasts(
    history: pd.DataFrame, origins: list[date]
) -> Iterator[tuple[date, pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """Yield for each origin the forecast, the seasonal naive forecast and actual orders, as demand to plan for."""
    settings = ForecastingSettings()
    training = history[history["week"] <= pd.Timestamp(origins[0])]
    totals = GroupTotals.from_history(history)
    model = sarimax.fit(
        training, totals, origins[0], ModelContext(HORIZON, settings, CalendarSettings().holiday_countries)
    )
    predicted = sarimax.predict(model, history, totals, origins, settings)
    for origin in origins:
        known = history[history["week"] <= pd.Timestamp(origin)]
        recent = known[known["week"] > pd.Timestamp(add_weeks(origin, -53))]
        parts = recent.groupby(SERIES, as_index=False)[["part_category", "unit_price"]].last()
        seasonal_naive = naive.forecast(known, origin, HORIZON, HISTORY_WEEKS)
        names = {"target_week": "due_week", "mean": "quantity"}
        both = (predicted[predicted["origin_week"] == pd.Timestamp(origin)], seasonal_naive)
        columns = [*SERIES, "target_week", "mean", *QUANTILES]
        forecast, status_quo = (f[columns].merge(parts, on=SERIES).rename(columns=names) for f in both)
        ahead = weeks_since(origin, history["week"])
        ordered = history[(ahead > 0) & (ahead <= HORIZON)].rename(columns={"week": "due_week"})
        yield origin, forecast, status_quo, ordered


def forgetful(
    demand: pd.DataFrame, network: Network, policy: AllocationPolicy, state: PlanningState
) -> AllocationPlan:
    """Plan as if nothing were in stock, on its way or overdue."""
    assert state.capacity is not None
    ahead = demand[demand["due_week"] >= state.capacity["production_week"].min()]
    return allocate(ahead, network, policy, PlanningState(capacity=state.capacity))


def run(seed: int, weeks: int) -> dict[str, Outcome]:
    """Return what each plan was worth, status quo and perfect foresight included."""
    market = Marketplace(seed=seed, weeks=HISTORY_WEEKS + WARM_UP_WEEKS + weeks + HORIZON)
    history, network = weekly_orders(market), network_of(market)
    replayed = market.week_starts[HISTORY_WEEKS : HISTORY_WEEKS + WARM_UP_WEEKS + weeks]
    planned_for = {o: demands for o, *demands in forecasts(history, [add_weeks(w, -1) for w in replayed])}

    def replay(which: int, policy: AllocationPolicy, planner: Callable[..., Any]) -> pd.Series:
        demands = {origin: demand[which] for origin, demand in planned_for.items()}
        metrics = rolling_replay(replayed, demands, Market.of(history, network, policy), planner).metrics
        return metrics.iloc[WARM_UP_WEEKS:].sum()

    sums = {
        "status_quo": replay(1, EXACT, allocate_greedily),
        "perfect_foresight": replay(2, EXACT, allocate),
    }
    sums |= {
        name: replay(0, policy, forgetful if name == "forgetful" else allocate)
        for name, policy in PLANS.items()
    }
    status_quo, foresight = sums["status_quo"]["cost"], sums["perfect_foresight"]["cost"]
    return {
        name: Outcome(
            (status_quo - of["cost"]) / (status_quo - foresight),
            of["cost"],
            of["on_time_units"] / of["demand_units"],
            of["stock_units"] / weeks,
        )
        for name, of in sums.items()
    }


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--weeks", type=int, default=26)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    by_seed = []
    with ProcessPoolExecutor(min(os.cpu_count() or 1, options.seeds)) as pool:
        for seed, outcomes in zip(seeds, pool.map(partial(run, weeks=options.weeks), seeds), strict=True):
            by_seed.append(outcomes)
            for name, o in outcomes.items():
                words = f"{o.closed:7.1%} {o.cost:14,.0f} {o.on_time:7.1%} {o.stock:10,.0f}"
                print(f"seed {seed}  {name:17} {words}", flush=True)
    rows = []
    for name in by_seed[0]:
        of_seeds = [outcomes[name] for outcomes in by_seed]
        gaps = [o.closed for o in of_seeds]
        base = [outcomes["deterministic"].cost for outcomes in by_seed]
        change = [o.cost / b - 1 for o, b in zip(of_seeds, base, strict=True)]
        deviation = float(np.std(gaps, ddof=1)) if len(gaps) > 1 else 0.0
        rows.append(
            {
                "plan": name,
                "gap closed, mean": f"{statistics.mean(gaps):.1%}",
                "st. dev.": f"{deviation:.1%}",
                "min": f"{min(gaps):.1%}",
                "max": f"{max(gaps):.1%}",
                "cost, against deterministic": f"{statistics.mean(change):+.2%}",
                "on time": f"{statistics.mean(o.on_time for o in of_seeds):.1%}",
                "units in stock": f"{statistics.mean(o.stock for o in of_seeds):,.0f}",
            }
        )
    share = 100 * statistics.mean(outcomes["stochastic"].closed for outcomes in by_seed)
    parts = [
        results.table(rows),
        f"% of the gap closed by the stochastic plan: {results.against(share, at_least=70)}.",
    ]
    print("\n".join(parts))
    results.section(
        "impact",
        "Business impact of plans",
        f"Share of the cost gap from status quo to perfect foresight that plans close, replayed over {options.weeks} "
        "weeks of synthetic marketplaces.",
        ["forecasting-assets", "cvxpy", "highspy"],
        parts,
        f"means of {options.seeds} seeds",
    )


if __name__ == "__main__":
    main()
