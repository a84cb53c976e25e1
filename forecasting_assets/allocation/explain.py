"""Explain in words why units are short or late, by their binding constraints."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import Instance
from forecasting_assets.allocation.plan import Decision
from forecasting_assets.tables import PLAN_REASONS

NUMBERS = [
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]


def explain(
    instance: Instance, decision: Decision, unservable: Mapping[tuple[str, str], str]
) -> pd.DataFrame:
    """Return PLAN_REASONS of a decision: a row for each category, region and due week with units short or late.

    Parameters
    ----------
    unservable
        (part_category, region) -> why no manufacturer can serve it, regardless of hours.

    Notes
    -----
    The price of a way to serve a class is its unit cost plus its hours at their shadow price, because its hours
    must be taken from other demand. In an optimal plan the cheapest unused way is at least as expensive as what was
    planned instead; the reason names the difference.
    """
    classes, arcs = instance.classes, instance.arcs
    batch = arcs["batch"].to_numpy()
    slot = instance.batches["slot"].to_numpy()[batch]
    batch_units = np.bincount(batch, decision.units, minlength=len(instance.batches))
    hours_per_unit = instance.batches["hours_per_unit"].to_numpy()
    load = np.bincount(instance.batches["slot"], batch_units * hours_per_unit, minlength=len(instance.slots))
    hours = instance.slots[["capacity_hours", "overtime_capacity_hours"]].to_numpy().sum(axis=1)
    costs = ["production_cost", "lane_cost", "holding_cost", "lateness_cost"]
    group = classes.groupby(["part_category", "region", "due_week"]).ngroup().to_numpy()
    ways = pd.DataFrame(
        {
            "group": group[arcs["class"]],
            "manufacturer": instance.slots["manufacturer_id"].to_numpy()[slot],
            "week": instance.slots["production_week"].to_numpy()[slot],
            "full": (load >= hours * (1 - 1e-6))[slot],
            "late": (arcs["lateness"] > 0).to_numpy(),
            "units": decision.units,
            "price": np.sum([arcs[c].to_numpy() for c in costs], axis=0)
            + hours_per_unit[batch] * decision.shadow_price[slot],
            "cost": np.sum([arcs[c].to_numpy() for c in costs], axis=0),
            "penalty": classes["shortage_cost"].to_numpy()[arcs["class"]],
            "short": decision.short[arcs["class"]] > 0,
        }
    )
    late = np.bincount(
        ways["group"], ways["units"].where(ways["late"], 0.0), minlength=group.max(initial=-1) + 1
    )
    short = np.bincount(group, decision.short, minlength=late.size)
    named = classes.groupby(group)[["part_category", "region", "due_week"]].first()
    rows = []
    by_group = dict(list(ways[(late + short > 0)[ways["group"]]].groupby("group")))
    for g in np.flatnonzero(late + short > 0).tolist():
        name = list(named.loc[g])
        of_group = by_group.get(g, ways.iloc[:0])
        if short[g] > 0:
            why = unservable.get((name[0], name[1])) or _why_short(of_group)
            rows.append(("short", *name, short[g], _sentence(name, why)))
        if late[g] > 0:
            rows.append(("late", *name, late[g], _sentence(name, _why_late(of_group))))
    return pd.DataFrame(rows, columns=PLAN_REASONS.names).astype({"due_week": "datetime64[ns]"})


def _sentence(name: list[Any], why: str) -> str:
    category, region, due = name
    return f"{category} for {region} in week {due:%Y-%m-%d}: {why}"


def _why_short(ways: pd.DataFrame) -> str:
    if ways.empty:
        return "no manufacturer that makes it can deliver within the allowed weeks"
    return _declined(ways[ways["short"]]) or _alternatives(
        ways, ways["price"] - ways["penalty"], "", "more expensive than the shortage penalty"
    )


def _declined(ways: pd.DataFrame) -> str:
    """Say that demand was declined, if even the cheapest way to serve it costs more than leaving it."""
    if not (ways["cost"] >= ways["penalty"]).all():
        return ""
    cheapest = ways.loc[ways["cost"].idxmin()]
    return (
        f"declined: making it costs at least {cheapest['cost']:,.2f} a unit (at {cheapest['manufacturer']}), leaving "
        f"it costs {ways['penalty'].max():,.2f}"
    )


def _why_late(ways: pd.DataFrame) -> str:
    in_time = ways[~ways["late"]]
    if in_time.empty:
        return "no manufacturer that makes it can deliver on time"
    done = float(ways.loc[ways["late"] & (ways["units"] > 0), "price"].min())
    return _alternatives(in_time, in_time["price"] - done, " on time", "more expensive than delivering late")


def _alternatives(ways: pd.DataFrame, over: pd.Series, when: str, than: str) -> str:
    """Name the manufacturers that are full, and the extra cost (`over`) of the cheapest way that is left."""
    full = ways.groupby("manufacturer")["full"].all()
    if full.all():
        who = "the only capable manufacturer"
        if len(full) > 1:
            who = f"{'both' if len(full) == 2 else 'all ' + _count(len(full))} capable manufacturers"
        least = max(float(over.min()), 0.0)
        return f"{who} full through {ways['week'].max():%m-%d}, next alternative{when} {least:,.2f} {than}"
    free = ways[~ways["full"]]
    order = over[free.index].groupby(free["manufacturer"]).min().sort_values(kind="stable")
    busy = len(full) - len(order)
    some = f"{_count(busy)} of {_count(len(full))} capable manufacturers full, " if busy else ""
    return f"{some}hours left{when} at {order.index[0]}, but {max(float(order.iloc[0]), 0.0):,.2f} {than}"


def _count(n: int) -> str:
    return NUMBERS[n] if n < len(NUMBERS) else str(n)
