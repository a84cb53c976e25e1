"""What if: a changed network and demand, and how the plan for them differs from the plan there is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting_assets.allocation.arguments import HOURS
from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import AllocationError
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.weeks import weeks_since
from forecasting_assets.wording import count


@dataclass(frozen=True)
class Change:
    """A change of the network and of the demand.

    Attributes
    ----------
    capacity
        Factor on the hours of each manufacturer, by manufacturer_id.
    demand
        Factor on the demand, by (part_category, region); None stands for all categories or all regions.
    removed
        Manufacturers that are removed from the network.

    Raises
    ------
    AllocationError
        If a factor is negative or not finite.
    """

    capacity: dict[str, float]
    demand: dict[tuple[str | None, str | None], float]
    removed: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the factors."""
        for what, factors in (("capacity", self.capacity), ("demand", self.demand)):
            for name, factor in factors.items():
                if not 0 <= factor < np.inf:
                    raise AllocationError(
                        f"the {what} of {name} is multiplied by {factor}: use a finite factor, 0 or more"
                    )


def parse_change(
    capacity: Sequence[str],
    demand: Sequence[str],
    remove: Sequence[str],
    network: Network,
    known: pd.DataFrame,
) -> Change:
    """Parse a change as written on the command line: `M03=-40%`, `CNC/EU=+20%`, `M07`.

    The name of a category, region or manufacturer may be shortened to its first letters if no other name begins
    with them; case does not matter then. `*` stands for all categories or all regions.

    Parameters
    ----------
    capacity
        Changes of the hours of manufacturers, `MANUFACTURER=-40%`.
    demand
        Changes of the demand, `CATEGORY/REGION=+20%`.
    remove
        Manufacturers to remove.
    network
        The network, whose manufacturers are known.
    known
        Demand with the columns part_category and region, whose names are known.

    Returns
    -------
    Change
        Factors (0.6 for -40%) by full name, and the full names of the removed manufacturers.

    Raises
    ------
    AllocationError
        If a change has another form, cuts more than 100%, or has an unknown or ambiguous name.
    """
    manufacturers = network.manufacturers["manufacturer_id"]

    def series(text: str) -> tuple[str | None, str | None]:
        category, slash, region = text.partition("/")
        if not slash:
            raise AllocationError(f"--demand {text}: write CATEGORY/REGION=+20%, with * for all")
        return (
            None if category == "*" else _named(category, known["part_category"], "part category"),
            None if region == "*" else _named(region, known["region"], "region"),
        )

    return Change(
        {_named(name, manufacturers, "manufacturer"): factor for name, factor in map(_factor, capacity)},
        {series(name): factor for name, factor in map(_factor, demand)},
        tuple(_named(name, manufacturers, "manufacturer") for name in remove),
    )


def changed_network(network: Network, change: Change) -> Network:
    """Scale regular hours, overtime hours and capacity overrides, and remove manufacturers."""

    def scaled(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
        factor = table["manufacturer_id"].map(change.capacity).fillna(1.0).to_numpy()
        kept = ~table["manufacturer_id"].isin(change.removed)
        return table.assign(**{c: table[c] * factor for c in columns})[kept].reset_index(drop=True)

    return replace(
        network,
        manufacturers=scaled(network.manufacturers, ["capacity_hours_per_week", "overtime_hours_per_week"]),
        capabilities=scaled(network.capabilities, []),
        capacity_overrides=scaled(network.capacity_overrides, ["capacity_hours"]),
    )


def changed_policy(
    policy: AllocationPolicy, change: Change, network: Network, demand: pd.DataFrame
) -> tuple[AllocationPolicy, list[str]]:
    """Drop the rules that name removed manufacturers, or categories that only they make.

    Parameters
    ----------
    policy
        Costs and rules.
    change
        The change.
    network, demand
        The network after the change, and the demand; prices and rules by category apply to what these know.

    Returns
    -------
    tuple
        The policy of the changed case, and what was dropped, a phrase each.
    """
    categories = set(network.capabilities["part_category"]) | set(demand["part_category"])
    kept: dict[str, object] = {}
    dropped = []
    for rule in ("minimum_load", "maximum_share", "minimum_batch"):
        limits = getattr(policy, rule)
        gone = [n for n in limits if (n in change.removed if rule == "minimum_load" else n not in categories)]
        kept[rule] = {name: limit for name, limit in limits.items() if name not in gone}
        dropped += [f"{rule} of {name}" for name in gone]
    for prices in ("shortage_price", "priority"):
        tables = getattr(policy, prices)
        gone = [name for name in tables.category if name not in categories]
        by_category = {name: value for name, value in tables.category.items() if name not in gone}
        kept[prices] = tables.model_copy(update={"category": by_category})
        dropped += [f"{prices} of {name}" for name in gone]
    return policy.model_copy(update=kept), dropped


def changed_state(state: PlanningState, change: Change) -> tuple[PlanningState, list[str]]:
    """Scale the hours that a plan starts from, and drop locks and promises of removed manufacturers.

    Returns
    -------
    tuple
        The state of the changed case, and what was dropped, a phrase each.
    """
    capacity = state.capacity
    if capacity is not None:
        capacity = capacity[~capacity["manufacturer_id"].isin(change.removed)].reset_index(drop=True)
        factor = capacity["manufacturer_id"].map(change.capacity).fillna(1.0)
        capacity = capacity.assign(**{column: capacity[column] * factor for column in HOURS})
    kept, dropped = {}, []
    for field, what in (("locked", "lock"), ("promised", "promised row")):
        rows = getattr(state, field)
        if rows is not None:
            gone = rows["manufacturer_id"].isin(change.removed)
            number = rows.loc[gone, "manufacturer_id"].value_counts(sort=False)
            dropped += [f"{count(int(n), what)} of {name}" for name, n in number.items()]
            rows = rows[~gone]
        kept[field] = rows
    return replace(state, capacity=capacity, **kept), dropped


def changed_demand(demand: pd.DataFrame, change: Change, amounts: Sequence[str]) -> pd.DataFrame:
    """Scale the columns `amounts` of a demand."""
    factor = np.ones(len(demand))
    for (category, region), by in change.demand.items():
        hit = np.ones(len(demand), dtype=bool)
        if category is not None:
            hit &= (demand["part_category"] == category).to_numpy()
        if region is not None:
            hit &= (demand["region"] == region).to_numpy()
        factor[hit] *= by
    return demand.assign(**{c: demand[c] * factor for c in amounts})


def on_time_rate(plan: pd.DataFrame, shortages: pd.DataFrame, network: Network) -> float:
    """Return the share of demand that a plan is expected to deliver by its due week."""
    region_of = network.manufacturers.set_index("manufacturer_id")["region"]
    rate = network.manufacturers.set_index("manufacturer_id")["on_time_rate"]
    transit = network.lanes.set_index(["from_region", "to_region"])["transit_weeks"]
    lane = pd.MultiIndex.from_arrays([plan["manufacturer_id"].map(region_of), plan["region"]])
    ahead = weeks_since(plan["production_week"], plan["due_week"])
    early = ahead - transit.reindex(lane).to_numpy()
    # What is made a week ahead is in time even if its manufacturer is not.
    share = np.where(early > 0, 1.0, np.where(early == 0, plan["manufacturer_id"].map(rate), 0.0))
    total = float(plan["quantity"].sum() + shortages["quantity"].sum())
    return float(plan["quantity"] @ share) / total if total else float("nan")


def hours_by_manufacturer(plans: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Return the hours of each manufacturer in CAPACITY_LOAD of several plans, a column each; largest change first."""
    hours = {name: load.groupby("manufacturer_id")["load_hours"].sum() for name, load in plans}
    table = pd.DataFrame(hours).fillna(0.0)
    change = table.iloc[:, -1] - table.iloc[:, 0]
    return table.assign(change=change).loc[change.abs().sort_values(ascending=False, kind="stable").index]


def _factor(text: str) -> tuple[str, float]:
    match = re.fullmatch(r"(.+)=([+-]?\d+(?:\.\d+)?)%", text.strip())
    if not match:
        raise AllocationError(f"{text!r} is not a valid change: write NAME=-40% or NAME=+20%")
    factor = 1 + float(match[2]) / 100
    if factor < 0:
        raise AllocationError(f"{text!r} cuts more than 100%: write -100% or a smaller cut")
    return match[1], factor


def _named(text: str, names: pd.Series, what: str) -> str:
    """Return the name that is `text`, or the only one that begins with it."""
    known = sorted(names.unique())
    matches = [n for n in known if n == text] or [n for n in known if n.lower().startswith(text.lower())]
    if len(matches) != 1:
        raise AllocationError(
            f"{text!r} is {'not a' if not matches else 'more than one'} {what}: there are {', '.join(known)}"
        )
    return str(matches[0])
