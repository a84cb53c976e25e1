"""The allocation problem as flat tables: the demand, every way to serve it, and the available hours.

Parts of one category and value bound for one region and due in one week are alike to the plan (same hours,
unit costs, lanes and penalties), so they form one *demand class*. Plans are made for classes and split over
their parts.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting_assets.allocation.arguments import HOURS, REQUIRED_COLUMNS, check_demand, check_hours
from forecasting_assets.allocation.netting import Netting
from forecasting_assets.allocation.network import Network, servable, weekly_capacity
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.worth import price_units, value_bands_of
from forecasting_assets.weeks import EPOCH_WEEK, add_weeks, weeks_between, weeks_since

DEMAND_CLASS = ["part_category", "region", "due_week", "band"]
#: A week of a manufacturer, and the units of one category that it makes in that week for one region.
SLOT = ["manufacturer_id", "production_week"]
LOT = [*SLOT, "part_category", "region"]
CATEGORY_REGION = ["part_category", "region"]
#: Demand of at most this many units counts as zero; the check of the balance names it.
NEGLIGIBLE_QUANTITY = 1e-6
COST_PARTS = ["production_cost", "overtime_cost", "lane_cost", "holding_cost", "lateness_cost"]


@dataclass(frozen=True)
class Instance:
    """An allocation problem as tables with a positional index.

    A column named after another table, in the singular, holds row positions of that table.

    Attributes
    ----------
    parts
        Parts with demand: part_id, part_category, region, due_week, quantity (units), class, share (of the units of
        the class), and promised (units that fixed production serves), if there are promises.
    classes
        Demand classes: part_category, region, due_week, band, quantity (units), priority, unit_value, shortage_cost
        (of one unit).
    slots
        Weeks of manufacturers: manufacturer_id, production_week, capacity_hours, overtime_capacity_hours (both without
        the hours of fixed production), locked_hours, locked_regular_hours (of fixed production), beyond_horizon (1
        after the last due week, when only late units are made).
    batches
        What one manufacturer can make of one category in one week: slot, part_category, hours_per_unit, unit_cost,
        overtime_cost (premium of one unit), locked_quantity (units of fixed production).
    arcs
        A batch that serves a class: batch, class, lateness (weeks from due to arrival, negative if early), and the
        costs of one unit: production_cost, lane_cost, holding_cost, lateness_cost.
    """

    parts: pd.DataFrame
    classes: pd.DataFrame
    slots: pd.DataFrame
    batches: pd.DataFrame
    arcs: pd.DataFrame

    def netting(self, supply: pd.DataFrame | None, max_weeks_late: int) -> Netting:
        """Return what serves the parts from the supply of `PlanningState` before anything is made."""
        first = self.slots["production_week"].min() if len(self.slots) else self.parts["due_week"].min()
        netting = Netting.of(self.parts, supply, first, max_weeks_late)
        return (
            replace(netting, promised=self.parts["promised"].to_numpy())
            if "promised" in self.parts
            else netting
        )

    def with_units(self, of_parts: np.ndarray, of_classes: np.ndarray | None = None) -> "Instance":
        """Return the same problem for other units of demand.

        Parameters
        ----------
        of_parts
            Units of each part, (parts,), which its share of the class follows.
        of_classes
            Units of each class, (classes,); by default those of its parts.
        """
        class_ = self.parts["class"].to_numpy()
        total = np.bincount(class_, of_parts, minlength=len(self.classes))
        # Where a class has no units, the shares stay as they are: nothing is shared.
        share = np.divide(
            of_parts, total[class_], out=self.parts["share"].to_numpy(copy=True), where=total[class_] > 0
        )
        parts = self.parts.assign(quantity=of_parts, share=share)
        return replace(
            self,
            parts=parts,
            classes=self.classes.assign(quantity=total if of_classes is None else of_classes),
        )


def build_instance(
    demand: pd.DataFrame, network: Network, policy: AllocationPolicy, capacity: pd.DataFrame | None = None
) -> Instance:
    """Build the tables of an allocation problem.

    Demand that no manufacturer can serve (see `network.unservable`) becomes shortage.

    Parameters
    ----------
    demand
        part_id, part_category, region, due_week, quantity[, unit_price].
    network
        The network.
    policy
        Costs and limits.
    capacity
        Hours of each production week, in the columns of `weekly_capacity`; by default those of the network, from
        the first due week until the last demand is too late.

    Raises
    ------
    InputError
        If demand (DemandError) or capacity cannot be planned with.
    """
    check_demand(demand)
    parts, classes = classify(price_units(demand, policy), policy.value_bands, servable(network))
    if capacity is None:
        due = demand["due_week"]
        last_late = add_weeks(due.max().date(), policy.max_weeks_late) if len(demand) else None
        weeks = [] if last_late is None else weeks_between(due.min().date(), last_late)
        capacity = weekly_capacity(network, weeks)
    check_hours(capacity)
    capabilities = capabilities_of(network)
    ways = ways_to_serve(classes, capabilities, network.lanes)
    hours = capacity[HOURS].sum(axis=1).groupby(capacity["manufacturer_id"]).sum()
    classes = price_classes(classes, existing_ways(ways, capabilities, hours), policy)
    slots = capacity.sort_values(["manufacturer_id", "production_week"], ignore_index=True)
    slots = slots[["manufacturer_id", "production_week", "capacity_hours", "overtime_capacity_hours"]]
    slots = slots.assign(
        locked_hours=0.0,
        locked_regular_hours=0.0,
        beyond_horizon=(slots["production_week"] > demand["due_week"].max()).astype(int),
    )
    weeks_of_slots = weeks_since(EPOCH_WEEK, slots["production_week"])
    first = int(weeks_of_slots.min()) if len(slots) else 0

    # slot_at[i, t], batch_at[i, t]: the slot and the batch of capability i in week first + t, or -1.
    manufacturers = pd.Index(slots["manufacturer_id"].unique())
    slot_at = np.full(
        (len(manufacturers) + 1, int(weeks_of_slots.max() - first + 1) if len(slots) else 0), -1
    )
    slot_at[manufacturers.get_indexer(pd.Index(slots["manufacturer_id"])), weeks_of_slots - first] = (
        np.arange(len(slots))
    )
    slot_at = slot_at[
        manufacturers.get_indexer(pd.Index(capabilities["manufacturer_id"]))
    ]  # the last row stands for unknown manufacturers: -1
    made_by, week_made = np.nonzero(slot_at >= 0)
    batch_at = np.full(slot_at.shape, -1)
    batch_at[made_by, week_made] = np.arange(made_by.size)
    columns = ["part_category", "hours_per_unit", "unit_cost"]
    batches = pd.DataFrame({c: capabilities[c].to_numpy()[made_by] for c in columns})
    premium = capabilities["overtime_premium"].to_numpy()[made_by]
    batches = batches.assign(slot=slot_at[made_by, week_made], overtime_cost=premium * batches["unit_cost"])
    batches["locked_quantity"] = 0.0
    return Instance(parts, classes, slots, batches, _arcs(ways, classes, batch_at, first, policy))


def classify(
    demand: pd.DataFrame, value_bands: int = 1, served: Collection[tuple[str, str]] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Group the parts with demand into demand classes.

    Demand for the pairs of category and region in `served` has price bands of its own, so that other demand does not
    shift them. A part without a price has the mean price of its category, region and due week.

    Parameters
    ----------
    demand
        part_id, part_category, region, due_week (Mondays), quantity (units)[, unit_price], with the columns that
        `price_units` adds.
    value_bands
        Most price bands in a category.
    served
        Every (part_category, region) that some manufacturer can serve.

    Returns
    -------
    tuple
        Parts and classes as in `Instance`. In place of unit_value and shortage_cost, classes have unit_price (the
        mean price of a unit, NaN where it is unknown) and shortage_price (NaN where none is set).
    """
    demanded = demand[demand["quantity"] > NEGLIGIBLE_QUANTITY].sort_values(
        ["part_category", "region", "due_week", "part_id"]
    )
    demanded = demanded.reset_index(drop=True)
    price = (
        demanded["unit_price"].astype(float)
        if "unit_price" in demanded
        else pd.Series(np.nan, demanded.index)
    )
    if price.isna().any():
        priced = demanded["quantity"].where(price.notna(), 0.0)
        alike = demanded.assign(priced=priced, revenue=priced * price.fillna(0.0)).groupby(
            REQUIRED_COLUMNS[1:]
        )
        price = price.fillna(
            alike["revenue"].transform("sum") / alike["priced"].transform("sum").replace(0.0, np.nan)
        )
    demanded = demanded.assign(unit_price=price)
    demanded["band"] = value_bands_of(demanded, value_bands, served)
    class_ = demanded.groupby(DEMAND_CLASS, sort=True).ngroup().to_numpy()
    _, first = np.unique(class_, return_index=True)
    quantity = demanded["quantity"].to_numpy(float)
    units, revenue = (np.bincount(class_, amount) for amount in (quantity, quantity * demanded["unit_price"]))
    classes = (
        demanded.loc[first, [*DEMAND_CLASS, "shortage_price", "priority"]]
        .reset_index(drop=True)
        .assign(quantity=units, unit_price=revenue / units)
    )
    parts = demanded[[*REQUIRED_COLUMNS, "quantity"]].assign(
        **{"class": class_, "share": quantity / units[class_]}
    )
    return parts, classes


def ways_to_serve(classes: pd.DataFrame, capabilities: pd.DataFrame, lanes: pd.DataFrame) -> pd.DataFrame:
    """Return every capable manufacturer with a lane to the region of the class, one row each, sorted by class.

    `capabilities` is the result of `capabilities_of`.
    """
    lanes = lanes.rename(
        columns={"from_region": "manufacturer_region", "to_region": "region", "unit_cost": "lane_cost"}
    )
    pair = classes.groupby(["part_category", "region"], sort=True).ngroup().to_numpy()
    pairs = classes[["part_category", "region"]].iloc[np.unique(pair, return_index=True)[1]]
    pairs = pairs.assign(pair=np.arange(len(pairs)))
    ways = (
        pairs.merge(capabilities, on="part_category")
        .merge(lanes, on=["manufacturer_region", "region"])
        .sort_values(["pair", "capability"], ignore_index=True)
    )
    # The ways of a pair of category and region are those of all its classes: repeat them, not the merges.
    count = np.bincount(ways["pair"], minlength=len(pairs))
    begin = count.cumsum() - count
    class_ = np.repeat(np.arange(len(classes)), count[pair])
    within = np.arange(class_.size) - np.repeat(count[pair].cumsum() - count[pair], count[pair])
    columns = ["capability", "on_time_rate", "overtime_premium", "unit_cost", "lane_cost", "transit_weeks"]
    row = begin[pair][class_] + within
    return pd.DataFrame({"class": class_} | {c: ways[c].to_numpy()[row] for c in columns})


def existing_ways(ways: pd.DataFrame, capabilities: pd.DataFrame, hours: pd.Series) -> pd.DataFrame:
    """Return the ways whose manufacturers have hours; `hours` is by manufacturer_id."""
    works = (capabilities["manufacturer_id"].map(hours).fillna(0.0) > 0).to_numpy()
    return ways[works[ways["capability"]]]


def price_classes(classes: pd.DataFrame, ways: pd.DataFrame, policy: AllocationPolicy) -> pd.DataFrame:
    """Return `classes` with unit_value and shortage_cost, as `AllocationPolicy` defines them.

    A class without price and without any way to serve it is valued like the most valuable class, or 1. `ways` are
    those that exist: by manufacturers with hours.
    """
    longest_holding = policy.keeping_cost * policy.max_weeks_early
    way_cost = ways["unit_cost"] * (1 + ways["overtime_premium"] + longest_holding) + ways["lane_cost"]
    highest_cost = way_cost.groupby(ways["class"]).max().reindex(classes.index)
    value = classes["unit_price"].fillna(highest_cost)
    value = value.fillna(value.max()).fillna(1.0)
    at_least = value
    if policy.shortage_floor:
        late_share = 1 - ways["on_time_rate"]
        expected_lateness = late_share * policy.lateness_penalty * value.to_numpy()[ways["class"]]
        highest_cost = (way_cost + expected_lateness).groupby(ways["class"]).max().reindex(classes.index)
        at_least = np.fmax(value, highest_cost)
    shortage_cost = classes["shortage_price"].fillna(policy.shortage_cost * at_least) * classes["priority"]
    return classes.assign(unit_value=value, shortage_cost=shortage_cost).drop(
        columns=["unit_price", "shortage_price"]
    )


def capabilities_of(network: Network) -> pd.DataFrame:
    """Return capabilities sorted by key, with their position and the costs and rates of their manufacturer."""
    manufacturers = network.manufacturers[["manufacturer_id", "region", "overtime_premium", "on_time_rate"]]
    return (
        network.capabilities.sort_values(["manufacturer_id", "part_category"])
        .merge(manufacturers.rename(columns={"region": "manufacturer_region"}), on="manufacturer_id")
        .reset_index(names="capability")
    )


def _arcs(
    ways: pd.DataFrame, classes: pd.DataFrame, batch_at: np.ndarray, first: int, policy: AllocationPolicy
) -> pd.DataFrame:
    """Return the arcs. A unit made in week p arrives in week p + transit_weeks: early, on time or late."""
    offsets = np.arange(-policy.max_weeks_early, policy.max_weeks_late + 1)
    on_time = (
        weeks_since(EPOCH_WEEK, classes["due_week"])[ways["class"]]
        - ways["transit_weeks"].to_numpy(int)
        - first
    )
    week = on_time[:, None] + offsets
    inside = (week >= 0) & (week < batch_at.shape[1])
    capability = ways["capability"].to_numpy()[:, None]
    batch = np.where(inside, batch_at[capability, np.where(inside, week, 0)] if batch_at.size else -1, -1)
    way, offset = np.nonzero(batch >= 0)
    lateness = offsets[offset]
    class_ = ways["class"].to_numpy()[way]
    production_cost = ways["unit_cost"].to_numpy()[way]
    # An unreliable manufacturer is expected to deliver (1 - on_time_rate) of its units one week later, which
    # does no harm to units that would have been early.
    rate = ways["on_time_rate"].to_numpy()[way]
    weeks_late = rate * np.maximum(lateness, 0) + (1 - rate) * np.maximum(lateness + 1, 0)
    late_price = (classes["unit_value"] * classes["priority"]).to_numpy()
    return pd.DataFrame(
        {
            "batch": batch[way, offset],
            "class": class_,
            "lateness": lateness,
            "production_cost": production_cost,
            "lane_cost": ways["lane_cost"].to_numpy()[way],
            "holding_cost": policy.keeping_cost * np.maximum(-lateness, 0) * production_cost,
            "lateness_cost": policy.lateness_penalty * weeks_late * late_price[class_],
        }
    )
