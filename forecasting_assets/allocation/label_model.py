"""An independent model of what a plan may do and what it costs, by labels instead of positions.

The proof of a plan (`proof`) and the reasons for its shortages (`explain`) rest on it. It is written from the
definition of the problem in docs/concepts/plans.md and shares no code with the formulation that the solver receives
(`instance`, `formulate`), so that an error there does not hide itself.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.policy import AllocationPolicy

SLOT = ["manufacturer_id", "production_week"]
BATCH = [*SLOT, "part_category"]
LOT = [*BATCH, "region"]
CLASS = ["part_category", "region", "due_week", "band"]
WAY = [*SLOT, *CLASS]
UNIT_COSTS = ["production_cost", "lane_cost", "holding_cost", "lateness_cost"]


@dataclass(frozen=True)
class PlanBasis:
    """What a plan is made from.

    Attributes
    ----------
    demand
        part_id, part_category, region, due_week, quantity (units planned for), unit_price, weight (of the part in
        the mean price of its class) and band. Parts of one category, region, due week and band form one class.
    network, policy
        The network, and the costs, limits and rules.
    capacity
        manufacturer_id, production_week, capacity_hours, overtime_capacity_hours.
    previous
        manufacturer_id, production_week, part_category, region and quantity of the previous plan, or None.
    """

    demand: pd.DataFrame
    network: Network
    policy: AllocationPolicy
    capacity: pd.DataFrame
    previous: pd.DataFrame | None = None


@dataclass(frozen=True)
class LabelModel:
    """The problem of a plan by labels.

    Attributes
    ----------
    policy
        Costs, limits and rules.
    capacity
        A row for each manufacturer and production week: its hours.
    classes
        A row for each class (`CLASS`): quantity, unit_value, shortage_cost (of one unit).
    ways
        A row for each way to serve a class (`WAY`): slot and class (rows of `capacity` and `classes`),
        hours_per_unit, overtime_cost (premium of one unit), lateness (weeks) and the costs of one unit (`UNIT_COSTS`).
    lots
        A row for each lot (`LOT`) whose change is penalised: quantity in the previous plan, penalty of one unit.
    limits
        A row for each rule: rule, manufacturer_id, part_category (missing for a minimum load), limit.
    """

    policy: AllocationPolicy
    capacity: pd.DataFrame
    classes: pd.DataFrame
    ways: pd.DataFrame
    lots: pd.DataFrame
    limits: pd.DataFrame


def label_model(basis: PlanBasis) -> LabelModel:
    """Build the model of a plan.

    Parameters
    ----------
    basis
        What the plan is made from.

    Returns
    -------
    LabelModel
        Every way, limit and cost, computed from the tables.
    """
    network, policy = basis.network, basis.policy
    classes = _classes(basis.demand)
    offers = (
        classes[CLASS].reset_index(names="class").merge(_capable(network), on=["part_category", "region"])
    )
    classes = _worth(classes, offers, policy)
    capacity = basis.capacity[[*SLOT, "capacity_hours", "overtime_capacity_hours"]].reset_index(drop=True)
    ways = _ways(classes, offers, capacity, policy)
    return LabelModel(
        policy=policy,
        capacity=capacity,
        classes=classes,
        ways=ways,
        lots=_frozen_lots(basis, ways),
        limits=_limits(policy, capacity, classes, ways),
    )


def _capable(network: Network) -> pd.DataFrame:
    """Return what each manufacturer can make, for each region it has a lane to."""
    lanes = network.lanes.rename(
        columns={"from_region": "home", "to_region": "region", "unit_cost": "lane_cost"}
    )
    manufacturers = network.manufacturers.rename(columns={"region": "home"})
    made = network.capabilities.merge(manufacturers, on="manufacturer_id").merge(lanes, on="home")
    made["overtime_cost"] = made["overtime_premium"] * made["unit_cost"]
    columns = ["hours_per_unit", "unit_cost", "overtime_cost", "on_time_rate", "lane_cost", "transit_weeks"]
    return made[["manufacturer_id", "part_category", "region", *columns]]


def _classes(demand: pd.DataFrame) -> pd.DataFrame:
    """Return the classes: units, and the mean price of a unit, where a part without price has that of its like."""
    demand = demand.reset_index(drop=True)
    priced = demand["weight"].where(demand["unit_price"].notna(), 0.0)
    alike = demand.assign(priced=priced, revenue=priced * demand["unit_price"].fillna(0.0)).groupby(CLASS[:3])
    mean = alike["revenue"].transform("sum") / alike["priced"].transform("sum").replace(0.0, np.nan)
    revenue = demand["weight"] * demand["unit_price"].fillna(mean)
    sums = demand.assign(revenue=revenue).groupby(CLASS, sort=False)
    classes = sums[["quantity", "weight"]].sum().assign(revenue=sums["revenue"].sum(min_count=1))
    classes["unit_price"] = classes.pop("revenue") / classes.pop("weight")
    return classes.reset_index()


def _worth(classes: pd.DataFrame, offers: pd.DataFrame, policy: AllocationPolicy) -> pd.DataFrame:
    """Return `classes` with unit_value and shortage_cost."""
    longest = policy.keeping_cost * policy.max_weeks_early
    highest = offers["unit_cost"] * (1 + longest) + offers["overtime_cost"] + offers["lane_cost"]
    value = classes["unit_price"].fillna(highest.groupby(offers["class"]).max())
    value = value.fillna(value.max()).fillna(1.0)
    unreliable = (1 - offers["on_time_rate"]) * policy.lateness_penalty * offers["class"].map(value)
    worst = (highest + unreliable).groupby(offers["class"]).max().reindex(classes.index)
    return classes.assign(unit_value=value, shortage_cost=policy.shortage_cost * np.fmax(value, worst))


def _ways(
    classes: pd.DataFrame, offers: pd.DataFrame, capacity: pd.DataFrame, policy: AllocationPolicy
) -> pd.DataFrame:
    """Return every way: units made in week p arrive transit_weeks later, and may be early or late within limits."""
    lateness = pd.DataFrame({"lateness": range(-policy.max_weeks_early, policy.max_weeks_late + 1)})
    ways = offers.merge(lateness, how="cross")
    weeks = ways["lateness"] - ways["transit_weeks"].astype(int)
    ways["production_week"] = ways["due_week"] + pd.to_timedelta(7 * weeks, unit="D")
    ways = ways.merge(capacity[SLOT].reset_index(names="slot"), on=SLOT)
    # An unreliable manufacturer delivers the share 1 - on_time_rate of its units one week later than planned.
    rate, late = ways["on_time_rate"], ways["lateness"]
    expected = rate * late.clip(lower=0) + (1 - rate) * (late + 1).clip(lower=0)
    value = classes["unit_value"].to_numpy()[ways["class"]]
    ways["production_cost"] = ways["unit_cost"]
    ways["holding_cost"] = policy.keeping_cost * (-late).clip(lower=0) * ways["unit_cost"]
    ways["lateness_cost"] = policy.lateness_penalty * expected * value
    columns = ["slot", "class", "hours_per_unit", "overtime_cost", "lateness"]
    return ways[[*WAY, *columns, *UNIT_COSTS]]


def _frozen_lots(basis: PlanBasis, ways: pd.DataFrame) -> pd.DataFrame:
    """Return the lots of the first production weeks, with what the previous plan made and the price of a change."""
    policy, columns = basis.policy, [*LOT, "quantity", "penalty"]
    if basis.previous is None or not policy.frozen_weeks:
        return pd.DataFrame(columns=columns).astype({"quantity": float, "penalty": float})
    first = np.sort(basis.capacity["production_week"].unique())[: policy.frozen_weeks]
    previous = basis.previous.groupby(LOT)["quantity"].sum().reset_index()
    possible = ways[LOT].drop_duplicates().merge(previous, on=LOT, how="outer").fillna({"quantity": 0.0})
    lots = possible[possible["production_week"].isin(first)]
    # A lot of a manufacturer or week that no longer exists cannot be kept and costs nothing.
    lots = lots.merge(basis.capacity[SLOT], on=SLOT)
    lots = lots.merge(basis.network.capabilities, on=["manufacturer_id", "part_category"])
    return lots.assign(penalty=policy.change_penalty * lots["unit_cost"])[columns]


def _limits(
    policy: AllocationPolicy, capacity: pd.DataFrame, classes: pd.DataFrame, ways: pd.DataFrame
) -> pd.DataFrame:
    """Return the limits set by rules: least hours of a manufacturer, most units of a category at a manufacturer."""
    hours = capacity.groupby("manufacturer_id")["capacity_hours"].sum()
    rows: list[tuple[str, str, str | None, float]] = [
        ("minimum_load", manufacturer, None, share * hours[manufacturer])
        for manufacturer, share in policy.minimum_load.items()
        if manufacturer in hours
    ]
    demand = classes.groupby("part_category")["quantity"].sum()
    makers = ways[["part_category", "manufacturer_id"]].drop_duplicates()
    rows += [
        ("maximum_share", manufacturer, category, policy.maximum_share[category] * demand[category])
        for category, manufacturer in makers.itertuples(index=False)
        if category in policy.maximum_share
    ]
    columns = ["rule", "manufacturer_id", "part_category", "limit"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[:3], object) | {"limit": float})
