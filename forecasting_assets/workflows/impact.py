"""Judge what planning was worth in a week, from the lake into the lake."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation import (
    FORESEEN_WEEKS,
    WARM_UP_WEEKS,
    Demands,
    Market,
    Published,
    impact,
    replayed_origins,
)
from forecasting_assets.forecasting import naive
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import read_network
from forecasting_assets.pipeline import NAIVE_LOOKBACK_WEEKS
from forecasting_assets.reporting import worth_in_words
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    REPLAY_STATE,
    SERIES,
    SUPPLY_LEDGER,
    SUPPLY_POSITION,
    WEEKLY_DEMAND,
    Table,
)
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.demand import planned_demand
from forecasting_assets.workflows.plan_report import write_worth_report
from forecasting_assets.workflows.week_result import WeekResult


def judge_week(settings: Settings, lake: Lake, week: date) -> Mapping[str, Any]:
    """Write what the plan made before `week` was worth in it, and where its alternatives have got to.

    Returns
    -------
    Mapping
        Metadata of the week.
    """
    origin = add_weeks(week, -1)
    worth, state, metadata = _no_rows(BUSINESS_IMPACT), _no_rows(REPLAY_STATE), {"no_plan_for": str(origin)}
    # A plan for no demand at all has no capacity to judge.
    if lake.existing(ALLOCATION_PLAN, [origin]) and lake.rows(CAPACITY_LOAD, origin):
        worth, state = _replay_week(settings, lake, week)
        since = state["since"].min().date()
        metadata = {"replayed_since": str(since)}
        if week < add_weeks(since, WARM_UP_WEEKS):
            worth = worth.iloc[:0]
    lake.write_pandas(state, REPLAY_STATE, week)
    lake.write_pandas(worth, BUSINESS_IMPACT, week)
    return metadata


def report_week(settings: Settings, lake: Lake, week: date, metadata: Mapping[str, Any]) -> WeekResult:
    """Write what plans were worth up to a week as a page."""
    worth = lake.read_pandas(BUSINESS_IMPACT, [week])
    report, pictures = write_worth_report(settings, lake, week)
    if len(worth):
        metadata = {**metadata, "worth": " ".join(worth_in_words(worth))}
    return WeekResult(len(worth), metadata, pictures, report)


def _replay_week(settings: Settings, lake: Lake, week: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return BUSINESS_IMPACT and REPLAY_STATE of `week`.

    The replay starts in the first week of an unbroken row of weeks: a week without a state before it starts anew.
    """
    horizon, origin = settings.calendar.horizon_weeks, add_weeks(week, -1)
    state = lake.read_pandas(REPLAY_STATE, [origin], missing_ok=True)
    since = week if state.empty else state["since"].min().date()
    first = max(settings.calendar.first_week, add_weeks(week, -FORESEEN_WEEKS - NAIVE_LOOKBACK_WEEKS))
    orders = lake.read_pandas(WEEKLY_DEMAND, weeks_between(first, week))
    forecasts = {o: planned_demand(lake, o) for o in replayed_origins(week, since)}
    plan, position = (lake.read_pandas(table, [origin]) for table in (ALLOCATION_PLAN, SUPPLY_POSITION))
    flows = lake.read_pandas(SUPPLY_LEDGER, [origin])
    found = flows[flows["count_difference"] != 0].rename(columns={"count_difference": "quantity"})
    others = [plan, position, state, *forecasts.values()]
    return impact(
        week,
        Demands(forecasts, naive_demand(orders, forecasts[origin], origin, horizon)),
        Published(plan, position, found[[*SERIES, "part_category", "quantity"]]),
        Market.of(orders, read_network(lake, origin), settings.allocation, others),
        None if state.empty else state,
    )


def naive_demand(orders: pd.DataFrame, demand: pd.DataFrame, origin: date, horizon: int) -> pd.DataFrame:
    """Return `demand` at `origin` with the seasonal naive forecast, but at least what is ordered already."""
    known = orders[orders["week"] <= pd.Timestamp(origin)]
    repeated = naive.forecast(known, origin, horizon, NAIVE_LOOKBACK_WEEKS)[[*SERIES, "target_week", "mean"]]
    repeated = repeated.rename(columns={"target_week": "due_week", "mean": "quantity"})
    key = [*SERIES, "due_week"]
    naive_quantity = demand[key].merge(repeated, on=key, how="left", validate="one_to_one")["quantity"]
    certain = demand["booked"] + demand["held"]
    return demand.assign(quantity=np.maximum(naive_quantity.fillna(0.0).to_numpy(), certain.to_numpy()))


def _no_rows(table: Table) -> pd.DataFrame:
    return pd.DataFrame(
        {c.name: pd.Series(dtype=float if c.type == "double" else object) for c in table.columns}
    )
