"""Decide what the plan of a week is made for, from the lake into the lake."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from forecasting_assets.allocation import (
    FEWEST_WEEKS,
    REPLAYED_WEEKS,
    AllocationPolicy,
    Market,
    PastWeeks,
    choose_method,
    set_method,
    with_choice,
)
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import read_network
from forecasting_assets.pipeline import VALUED_WEEKS
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    DEMAND_PLAN,
    ERROR_CORRELATIONS,
    PLAN_CHOICE,
    SUPPLY_POSITION,
    WEEKLY_DEMAND,
)
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.demand import planned_demand


def choose_week(settings: Settings, lake: Lake, week: date) -> Mapping[str, Any]:
    """Write PLAN_CHOICE of `week`: the method that is set, or the one that past weeks would have cost least with.

    Parameters
    ----------
    settings, lake, week
        Settings of the home, its tables, and the week that is planned.

    Returns
    -------
    Mapping
        Metadata of the week.
    """
    policy = settings.allocation
    if policy.uncertainty != "auto":
        choice, reason = set_method(policy), "set"
    else:
        choice = _replayed_choice(settings, lake, week)
        replayed = int(choice["weeks"].iloc[0])
        reason = f"cheapest of {len(choice)} methods over {replayed} past weeks"
        if replayed < FEWEST_WEEKS:
            reason = (
                f"only {replayed} of the {FEWEST_WEEKS} past weeks that a choice needs have a demand plan"
            )
    lake.write_pandas(choice, PLAN_CHOICE, week)
    chosen = choice[choice["chosen"] == 1].iloc[0]
    parameter = "" if pd.isna(chosen["parameter"]) else f" {chosen['parameter']:g}"
    return {"uncertainty/method": f"{chosen['method']}{parameter} ({reason})"}


def read_policy(settings: Settings, lake: Lake, week: date) -> AllocationPolicy:
    """Return the policy that the plan of `week` is made with."""
    policy = settings.allocation
    if policy.uncertainty != "auto":
        return policy
    return with_choice(policy, lake.read_pandas(PLAN_CHOICE, [week]))


def _replayed_choice(settings: Settings, lake: Lake, week: date) -> pd.DataFrame:
    first = max(settings.calendar.first_week, add_weeks(week, 1 - REPLAYED_WEEKS))
    origins = weeks_between(add_weeks(first, -1), add_weeks(week, -1))
    planned = set(lake.existing(DEMAND_PLAN, origins))
    valued = weeks_between(max(settings.calendar.first_week, add_weeks(week, 1 - VALUED_WEEKS)), week)
    ordered = lake.existing(WEEKLY_DEMAND, valued)
    unbroken: list[date] = []
    for origin in reversed(origins):
        if origin not in planned or add_weeks(origin, 1) not in ordered:
            break
        unbroken.insert(0, origin)
    forecasts = {origin: planned_demand(lake, origin) for origin in unbroken}
    position = (
        lake.read_pandas(SUPPLY_POSITION, unbroken[:1], missing_ok=True) if unbroken else pd.DataFrame()
    )
    orders = lake.read_pandas(WEEKLY_DEMAND, ordered)
    others = [position, *forecasts.values()] if len(position) else list(forecasts.values())
    return choose_method(
        PastWeeks(
            [add_weeks(origin, 1) for origin in unbroken],
            forecasts,
            position if len(position) else None,
        ),
        Market.of(orders, read_network(lake, week), settings.allocation, others),
        lake.read_pandas(ERROR_CORRELATIONS, [week], missing_ok=True),
    )
