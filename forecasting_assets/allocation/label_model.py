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
HOURS = ["capacity_hours", "overtime_capacity_hours", "locked_hours"]
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
        manufacturer_id, production_week, capacity_hours, overtime_capacity_hours (both without the hours of locked
        production), locked_hours, locked_regular_hours, beyond_horizon.
    previous
        manufacturer_id, production_week, part_category, region and quantity of the previous plan, or None.
    locked
        manufacturer_id, production_week, part_category and quantity of locked production, or None. It is not part of
        the plan that is proved, but counts in rules.
    """

    demand: pd.DataFrame
    network: Network
    policy: AllocationPolicy
    capacity: pd.DataFrame
    previous: pd.DataFrame | None = None
    locked: pd.DataFrame | None = None


@dataclass(frozen=True)
class LabelModel:
    """The problem of a plan by labels.

    Attributes
    ----------
    policy
        Costs, limits and rules.
    capacity
        A row for each manufacturer and production week: its hours, as in `PlanBasis`.
    classes
        A row for each class (`CLASS`): quantity, unit_value, shortage_cost (of one unit).
    ways
        A row for each way to serve a class (`WAY`): slot and class (rows of `capacity` and `classes`),
        hours_per_unit, overtime_cost (premium of one unit), lateness (weeks) and the costs of one unit (`UNIT_COSTS`).
    lots
        A row for each lot (`LOT`) whose change is penalised: quantity in the previous plan, penalty of one unit.
    limits
        A row for each rule: rule, manufacturer_id, part_category (missing for a minimum load), stated (limit for all
        production) and limit (what locked production leaves of it).
    locked
        Units of locked production by batch (`BATCH`).
    """

    policy: AllocationPolicy
    capacity: pd.DataFrame
    classes: pd.DataFrame
    ways: pd.DataFrame
    lots: pd.DataFrame
    limits: pd.DataFrame
    locked: pd.Series


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
    classes = _classes(_priced(basis.demand, policy))
    offers = (
        classes[CLASS].reset_index(names="class").merge(_capable(network), on=["part_category", "region"])
    )
    capacity = basis.capacity.reset_index(drop=True)
    hours = capacity.groupby("manufacturer_id")[HOURS].sum()
    works = offers["manufacturer_id"].map(hours.sum(axis=1)).fillna(0.0) > 0
    classes = _worth(classes, offers[works], policy)
    locked = (_NOTHING_LOCKED if basis.locked is None else basis.locked).groupby(BATCH)["quantity"].sum()
    ways = _ways(classes, offers, capacity, policy)
    return LabelModel(
        policy=policy,
        capacity=capacity,
        classes=classes,
        ways=ways,
        lots=_frozen_lots(basis, ways),
        limits=_limits(policy, capacity, classes, ways, locked),
        locked=locked,
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


def _priced(demand: pd.DataFrame, policy: AllocationPolicy) -> pd.DataFrame:
    """Return the demand with the set price of a unit not delivered, of the part before its category, and priority."""
    price, priority = policy.shortage_price, policy.priority
    default = np.nan if price.default is None else price.default
    of_part, of_category = (
        demand[c].map(dict(named)).astype(float)
        for c, named in (("part_id", price.part), ("part_category", price.category))
    )
    named = (("part_id", priority.part), ("part_category", priority.category), ("region", priority.region))
    multiples = [demand[c].map(dict(by_name)).astype(float).fillna(1.0) for c, by_name in named]
    set_price = of_part.fillna(of_category).fillna(default)
    return demand.assign(shortage_price=set_price, priority=multiples[0] * multiples[1] * multiples[2])


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
    # Parts of one band are alike in both.
    classes[["shortage_price", "priority"]] = sums[["shortage_price", "priority"]].first()
    return classes.reset_index()


def _worth(classes: pd.DataFrame, offers: pd.DataFrame, policy: AllocationPolicy) -> pd.DataFrame:
    """Return `classes` with unit_value and shortage_cost."""
    longest = policy.keeping_cost * policy.max_weeks_early
    highest = offers["unit_cost"] * (1 + longest) + offers["overtime_cost"] + offers["lane_cost"]
    value = classes["unit_price"].fillna(highest.groupby(offers["class"]).max())
    value = value.fillna(value.max()).fillna(1.0)
    least = value
    if policy.shortage_floor:
        unreliable = (1 - offers["on_time_rate"]) * policy.lateness_penalty * offers["class"].map(value)
        worst = (highest + unreliable).groupby(offers["class"]).max().reindex(classes.index)
        least = value.where(value >= worst.fillna(-np.inf), worst)
    shortage = classes["shortage_price"].fillna(policy.shortage_cost * least) * classes["priority"]
    return classes.assign(unit_value=value, shortage_cost=shortage)


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
    value = (classes["unit_value"] * classes["priority"]).to_numpy()[ways["class"]]
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
    policy: AllocationPolicy,
    capacity: pd.DataFrame,
    classes: pd.DataFrame,
    ways: pd.DataFrame,
    locked: pd.Series,
) -> pd.DataFrame:
    """Return the limits set by rules: least hours of a manufacturer, most units of a category at a manufacturer.

    Locked production counts: its hours as capacity and load, its units as demand and as made.
    """
    within = capacity.assign(capacity_hours=capacity["capacity_hours"] * (1 - capacity["beyond_horizon"]))
    hours = within.groupby("manufacturer_id")[
        ["capacity_hours", "locked_regular_hours", "locked_hours"]
    ].sum()
    least = hours["capacity_hours"] + hours["locked_regular_hours"]
    rows: list[tuple[str, str, str | None, float, float]] = [
        ("minimum_load", m, None, share * least[m], share * least[m] - hours.loc[m, "locked_hours"])
        for m, share in policy.minimum_load.items()
        if m in hours.index
    ]
    units = locked.reset_index()
    demand = classes.groupby("part_category")["quantity"].sum()
    demand = demand.add(units.groupby("part_category")["quantity"].sum(), fill_value=0.0)
    made = units.groupby(["part_category", "manufacturer_id"])["quantity"].sum()
    for category, manufacturer in ways[["part_category", "manufacturer_id"]].drop_duplicates().to_numpy():
        if category in policy.maximum_share:
            most = policy.maximum_share[category] * demand[category]
            left = most - made.get((category, manufacturer), 0.0)
            rows.append(("maximum_share", manufacturer, category, most, left))
    columns = ["rule", "manufacturer_id", "part_category", "stated", "limit"]
    types = dict.fromkeys(columns[:3], object) | {"stated": float, "limit": float}
    return pd.DataFrame(rows, columns=columns).astype(types)


_NOTHING_LOCKED = pd.DataFrame(
    {c: pd.Series(dtype=object) for c in BATCH} | {"quantity": pd.Series(dtype=float)}
)
