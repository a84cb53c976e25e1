"""The allocation problem as flat tables: what is asked, every way to serve it, and the hours there are.

Parts of one category bound for one region and due in one week are alike to the plan (same hours, unit costs
and lanes), so they form one *demand class*. Plans are made for classes and split over their parts.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.allocation.network import Network, weekly_capacity
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.weeks import weeks_between

CLASS = ["part_category", "region", "due_week"]
COST_PARTS = ["production_cost", "overtime_cost", "lane_cost", "holding_cost", "lateness_cost"]


class DemandError(ValueError):
    """The demand cannot be planned; the message names the column, the value and the remedy."""


@dataclass(frozen=True)
class Instance:
    """Tables with a positional index; a column named after another table (singular) is a row in it.

    parts:   part_id, region, due_week, class, share (of the class)
    classes: part_category, region, due_week, quantity, unit_value, shortage_cost (of one unit)
    slots:   manufacturer_id, production_week, capacity_hours, overtime_capacity_hours
    batches: what one manufacturer can make of one category in one week: slot, hours_per_unit,
             overtime_cost (premium of one unit)
    arcs:    a batch serving a class: batch, class, lateness (weeks from due to arrival, negative if early),
             and the unit costs production_cost, lane_cost, holding_cost, lateness_cost
    """

    parts: pd.DataFrame
    classes: pd.DataFrame
    slots: pd.DataFrame
    batches: pd.DataFrame
    arcs: pd.DataFrame


def build_instance(
    demand: pd.DataFrame, network: Network, policy: AllocationPolicy, capacity: pd.DataFrame | None = None
) -> Instance:
    """The problem of serving `demand` (part_id, part_category, region, due_week, quantity[, unit_price]).

    `capacity` has the columns of `weekly_capacity` and says which production weeks there are; by default the
    network's, from the first week due to the last.
    Raises DemandError. Demand nobody can serve is no error here (see `check_demand`): it becomes shortage.
    """
    parts, classes = classify(demand)
    if capacity is None:
        due = demand["due_week"]
        weeks = [] if demand.empty else weeks_between(due.min().date(), due.max().date())
        capacity = weekly_capacity(network, weeks)
    ways = ways_to_serve(classes, network)
    classes = price_classes(classes, ways, policy)
    slots = capacity.sort_values(["manufacturer_id", "production_week"], ignore_index=True)
    slots = slots[["manufacturer_id", "production_week", "capacity_hours", "overtime_capacity_hours"]]
    batches = (
        slots.reset_index(names="slot")[["slot", "manufacturer_id", "production_week"]]
        .merge(_capabilities(network), on="manufacturer_id")
        .sort_values(["slot", "capability"], ignore_index=True)
    )
    batches["overtime_cost"] = batches["overtime_premium"] * batches["unit_cost"]
    arcs = _arcs(ways, classes, batches, policy)
    return Instance(parts, classes, slots, batches[["slot", "hours_per_unit", "overtime_cost"]], arcs)


def classify(demand: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The parts with demand and their classes (see `Instance`), with unit_price, NaN where none is known.

    Raises DemandError.
    """
    _check(demand)
    asked = demand[demand["quantity"] > 0].sort_values(["part_category", "region", "due_week", "part_id"])
    asked = asked.reset_index(drop=True)
    price = asked["unit_price"].astype(float) if "unit_price" in asked else pd.Series(np.nan, asked.index)
    priced = asked["quantity"].where(price.notna(), 0.0)
    asked = asked.assign(priced=priced, revenue=priced * price.fillna(0.0))
    grouped = asked.groupby(CLASS, sort=True)
    classes = grouped[["quantity", "priced", "revenue"]].sum().reset_index()
    classes["unit_price"] = classes.pop("revenue") / classes.pop("priced").replace(0.0, np.nan)
    parts = asked[["part_id", "region", "due_week"]].assign(**{"class": grouped.ngroup()})
    parts["share"] = asked["quantity"] / classes["quantity"].to_numpy()[parts["class"]]
    return parts, classes


def ways_to_serve(classes: pd.DataFrame, network: Network) -> pd.DataFrame:
    """Every capable manufacturer with a lane to the region of the class, one row each, sorted by class."""
    makers = _capabilities(network).merge(
        network.manufacturers[["manufacturer_id", "region", "on_time_rate"]], on="manufacturer_id"
    )
    lanes = network.lanes.rename(
        columns={"from_region": "maker_region", "to_region": "region", "unit_cost": "lane_cost"}
    )
    return (
        classes[CLASS]
        .reset_index(names="class")
        .merge(makers.rename(columns={"region": "maker_region"}), on="part_category")
        .merge(lanes, on=["maker_region", "region"])
        .sort_values(["class", "capability"], ignore_index=True)
    )


def price_classes(classes: pd.DataFrame, ways: pd.DataFrame, policy: AllocationPolicy) -> pd.DataFrame:
    """`classes` with unit_value and shortage_cost, as `AllocationPolicy` defines them.

    A class without price and without any way to serve it is valued like the most valuable class, or 1.
    """
    longest_holding = policy.holding_cost * policy.max_weeks_early
    way_cost = ways["unit_cost"] * (1 + ways["overtime_premium"] + longest_holding) + ways["lane_cost"]
    dearest = way_cost.groupby(ways["class"]).max().reindex(classes.index)
    value = classes["unit_price"].fillna(dearest)
    value = value.fillna(value.max()).fillna(1.0)
    expected_lateness = (1 - ways["on_time_rate"]) * policy.lateness_penalty * value.to_numpy()[ways["class"]]
    dearest = (way_cost + expected_lateness).groupby(ways["class"]).max().reindex(classes.index)
    return classes.assign(
        unit_value=value, shortage_cost=policy.shortage_cost * np.fmax(value, dearest)
    ).drop(columns="unit_price")


def _capabilities(network: Network) -> pd.DataFrame:
    """Capabilities sorted by key with their position and the overtime premium of the manufacturer."""
    return (
        network.capabilities.sort_values(["manufacturer_id", "part_category"])
        .merge(network.manufacturers[["manufacturer_id", "overtime_premium"]], on="manufacturer_id")
        .reset_index(names="capability")
    )


def _arcs(
    ways: pd.DataFrame, classes: pd.DataFrame, batches: pd.DataFrame, policy: AllocationPolicy
) -> pd.DataFrame:
    """A unit made in week p arrives in week p + transit_weeks: early, in time or late by whole weeks."""
    offsets = np.arange(-policy.max_weeks_early, policy.max_weeks_late + 1)
    arcs = ways.loc[ways.index.repeat(len(offsets))].reset_index(drop=True)
    lateness = np.tile(offsets, len(ways))
    shift = pd.to_timedelta(7 * (lateness - arcs["transit_weeks"].to_numpy()), unit="D")
    arcs["production_week"] = arcs["due_week"] + shift
    arcs["lateness"] = lateness
    arcs["holding_cost"] = policy.holding_cost * np.maximum(-lateness, 0) * arcs["unit_cost"]
    # An unreliable manufacturer is expected to deliver (1 - on_time_rate) of its units one week later.
    expected_weeks_late = np.maximum(lateness, 0) + 1 - arcs["on_time_rate"]
    value = classes["unit_value"].to_numpy()[arcs["class"]]
    arcs["lateness_cost"] = policy.lateness_penalty * expected_weeks_late * value
    made = batches[["capability", "production_week"]].reset_index(names="batch")
    arcs = arcs.merge(made, on=["capability", "production_week"]).rename(
        columns={"unit_cost": "production_cost"}
    )
    columns = ["batch", "class", "lateness", "production_cost", "lane_cost", "holding_cost", "lateness_cost"]
    return arcs.sort_values(["class", "batch"], ignore_index=True)[columns]


def _check(demand: pd.DataFrame) -> None:
    missing = [c for c in ["part_id", *CLASS, "quantity"] if c not in demand]
    if missing:
        raise DemandError(
            f"the demand has no column {', '.join(missing)}; it has {', '.join(demand.columns)}"
        )
    for column in ["part_id", *CLASS]:
        if demand[column].isna().any():
            raise DemandError(f"the demand has rows without {column}; fill it or leave the rows out")
    if not pd.api.types.is_datetime64_dtype(demand["due_week"]):
        raise DemandError(
            f"due_week is of type {demand['due_week'].dtype}; convert it with pandas.to_datetime"
        )
    if (demand["due_week"].dt.dayofweek != 0).any():
        day = demand.loc[demand["due_week"].dt.dayofweek != 0, "due_week"].iloc[0]
        raise DemandError(f"due_week {day:%Y-%m-%d} is no Monday; weeks are named by their Monday")
    for column, nan_allowed in (("quantity", False), ("unit_price", True)):
        if column in demand:
            values = demand[column].astype(float)
            good = (np.isfinite(values) & (values >= 0)) | (values.isna() & nan_allowed)
            if not good.all():
                row = demand[~good].iloc[0]
                raise DemandError(
                    f"{column} {row[column]} of part {row['part_id']!r} in {row['region']!r}, due "
                    f"{row['due_week']:%Y-%m-%d}: it must be finite and not negative"
                )
    twice = demand.duplicated(["part_id", "region", "due_week"])
    if twice.any():
        row = demand[twice].iloc[0]
        raise DemandError(
            f"part {row['part_id']!r} in {row['region']!r}, due {row['due_week']:%Y-%m-%d}, is there twice; "
            "add the quantities up and give each part one category"
        )
