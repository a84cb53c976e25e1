"""What if: a changed network and demand, and how the plan for them differs from the plan there is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import AllocationError
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.weeks import parse_week, weeks_since
from forecasting_assets.wording import count

#: What identifies a row of demand.
_CELL = ["part_id", "region", "due_week"]


@dataclass(frozen=True)
class CapacityChange:
    """A change of the hours of a manufacturer.

    Attributes
    ----------
    manufacturer_id
        The manufacturer.
    factor
        Factor on its hours: on regular and overtime hours of every week, or on the regular hours of one week.
    hours
        Regular hours a week, in place of a factor.
    week
        The production week; None for every week.

    Raises
    ------
    AllocationError
        If the factor is negative or not finite.
    """

    manufacturer_id: str
    factor: float | None = None
    hours: float | None = None
    week: date | None = None

    def __post_init__(self) -> None:
        """Check the factor."""
        _check_factor(f"the capacity of {self.manufacturer_id}", 1.0 if self.factor is None else self.factor)

    def applied(self, hours: pd.Series) -> pd.Series:
        """Return regular hours after the change."""
        if self.factor is not None:
            return hours * self.factor
        return hours if self.hours is None else hours * 0 + self.hours


@dataclass(frozen=True)
class DemandChange:
    """A factor on the demand of a scope; None stands for all parts, categories, regions or weeks.

    Attributes
    ----------
    factor
        The factor.
    part_id, part_category, region, week
        The scope; the week is the one in which the demand is due.

    Raises
    ------
    AllocationError
        If the factor is negative or not finite.
    """

    factor: float
    part_id: str | None = None
    part_category: str | None = None
    region: str | None = None
    week: date | None = None

    def __post_init__(self) -> None:
        """Check the factor."""
        _check_factor(f"the demand of {self.part_id or self.part_category or 'all categories'}", self.factor)

    @property
    def is_cell(self) -> bool:
        """Whether the scope is one part, region and week."""
        return self.part_category is None and None not in (self.part_id, self.region, self.week)

    def covers(self, demand: pd.DataFrame) -> np.ndarray:
        """Return which rows of a demand are in the scope, (n,) of bool."""
        hit = np.ones(len(demand), dtype=bool)
        for column in ("part_id", "part_category", "region"):
            if (name := getattr(self, column)) is not None:
                hit &= (demand[column] == name).to_numpy()
        if self.week is not None:
            hit &= (demand["due_week"] == pd.Timestamp(self.week)).to_numpy()
        return hit


@dataclass(frozen=True)
class Change:
    """A change of the network and of the demand; several changes of the same hours or demand apply in turn.

    Attributes
    ----------
    capacity
        Changes of hours.
    demand
        Changes of demand.
    removed
        Manufacturers that are removed from the network.
    """

    capacity: tuple[CapacityChange, ...] = ()
    demand: tuple[DemandChange, ...] = ()
    removed: tuple[str, ...] = ()


def parse_change(
    capacity: Sequence[str],
    demand: Sequence[str],
    remove: Sequence[str],
    network: Network,
    known: pd.DataFrame,
) -> Change:
    """Parse a change as written on the command line: `M03=-40%`, `M03@2026-12-07=320h`, `CNC/EU=+20%`, `M07`.

    The name of a category, region or manufacturer may be shortened to its first letters if no other name begins
    with them; case does not matter then. `*` stands for all categories or all regions. A part is named in full.

    Parameters
    ----------
    capacity
        Changes of the hours of manufacturers, `MANUFACTURER=-40%` or `MANUFACTURER=320h`, with `@WEEK` before the
        equals sign for one production week.
    demand
        Changes of the demand, `CATEGORY/REGION=+20%` or `PART/REGION=+20%`, with `@WEEK` for one due week.
    remove
        Manufacturers to remove.
    network
        The network, whose manufacturers are known.
    known
        Demand with the columns part_id, part_category and region, whose names are known.

    Returns
    -------
    Change
        Factors (0.6 for -40%) or hours with full names, and the full names of the removed manufacturers.

    Raises
    ------
    AllocationError
        If a change has another form, cuts more than 100%, or has an unknown or ambiguous name.
    """
    manufacturers = network.manufacturers["manufacturer_id"]
    return Change(
        tuple(_capacity_change(text, manufacturers) for text in capacity),
        tuple(_demand_change(text, known) for text in demand),
        tuple(_named(name, manufacturers, "manufacturer") for name in remove),
    )


def require_planned_weeks(change: Change, state: PlanningState, demand: pd.DataFrame) -> None:
    """Require that every week of a change is one that is planned.

    Raises
    ------
    AllocationError
        If a week is not, with the weeks that are.
    """
    production = demand["due_week"] if state.capacity is None else state.capacity["production_week"]
    for what, changes, weeks in (
        ("production", change.capacity, production),
        ("due", change.demand, demand["due_week"]),
    ):
        for week in (c.week for c in changes if c.week is not None):
            if not (weeks == pd.Timestamp(week)).any():
                raise AllocationError(
                    f"{week} is not a {what} week of this plan: it has {weeks.min():%Y-%m-%d} to {weeks.max():%Y-%m-%d}"
                )


def changed_network(network: Network, change: Change) -> Network:
    """Change regular hours, overtime hours and capacity overrides, and remove manufacturers."""
    usual, overrides = network.manufacturers.copy(), network.capacity_overrides.copy()
    for c in change.capacity:
        mine = usual["manufacturer_id"] == c.manufacturer_id
        of_week = overrides["manufacturer_id"] == c.manufacturer_id
        if c.week is None:
            usual.loc[mine, "capacity_hours_per_week"] = c.applied(usual.loc[mine, "capacity_hours_per_week"])
            if c.factor is not None:
                usual.loc[mine, "overtime_hours_per_week"] *= c.factor
        else:
            of_week &= overrides["week"] == pd.Timestamp(c.week)
            if not of_week.any():
                hours = usual.loc[mine, "capacity_hours_per_week"].to_numpy()
                row = {
                    "manufacturer_id": c.manufacturer_id,
                    "week": pd.Timestamp(c.week),
                    "capacity_hours": hours,
                }
                overrides = pd.concat([overrides, pd.DataFrame(row)], ignore_index=True)
                of_week = pd.Series(np.arange(len(overrides)) == len(overrides) - 1)
        overrides.loc[of_week, "capacity_hours"] = c.applied(overrides.loc[of_week, "capacity_hours"])

    def kept(table: pd.DataFrame) -> pd.DataFrame:
        return table[~table["manufacturer_id"].isin(change.removed)].reset_index(drop=True)

    return replace(
        network,
        manufacturers=kept(usual),
        capabilities=kept(network.capabilities),
        capacity_overrides=kept(overrides),
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
    """Change the hours that a plan starts from, and drop locks and promises of removed manufacturers.

    Returns
    -------
    tuple
        The state of the changed case, and what was dropped, a phrase each.
    """
    capacity = state.capacity
    if capacity is not None:
        capacity = capacity[~capacity["manufacturer_id"].isin(change.removed)].reset_index(drop=True)
        for c in change.capacity:
            hit = capacity["manufacturer_id"] == c.manufacturer_id
            if c.week is not None:
                hit &= capacity["production_week"] == pd.Timestamp(c.week)
            elif c.factor is not None:
                capacity.loc[hit, "overtime_capacity_hours"] *= c.factor
            capacity.loc[hit, "capacity_hours"] = c.applied(capacity.loc[hit, "capacity_hours"])
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
    # Changes of single cells may be as many as rows of demand.
    cells = [c for c in change.demand if c.is_cell]
    for c in change.demand:
        if not c.is_cell:
            factor[c.covers(demand)] *= c.factor
    if cells:
        table = pd.DataFrame(
            [(c.part_id, c.region, c.week, c.factor) for c in cells], columns=[*_CELL, "factor"]
        )
        table["due_week"] = pd.to_datetime(table["due_week"])
        changed = table.groupby(_CELL)["factor"].prod()
        of_row = changed.reindex(pd.MultiIndex.from_frame(demand[_CELL])).fillna(1.0)
        factor *= of_row.to_numpy(float)
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


def _capacity_change(text: str, manufacturers: pd.Series) -> CapacityChange:
    name, week, factor, hours = _parts(text, "write NAME=-40%, NAME=+20% or NAME=320h")
    return CapacityChange(_named(name, manufacturers, "manufacturer"), factor, hours, week)


def _demand_change(text: str, known: pd.DataFrame) -> DemandChange:
    name, week, factor, _ = _parts(text, "write NAME=-40% or NAME=+20%")
    if factor is None:
        raise AllocationError(f"--demand {text}: demand is changed by a percentage, as +20%")
    return _scoped(factor, name, week, known, f"--demand {text}")


def parse_scope(text: str, known: pd.DataFrame) -> DemandChange:
    """Parse a scope of demand, `CATEGORY/REGION` or `PART/REGION`, with `@WEEK` for one week: a change by nothing.

    Raises
    ------
    AllocationError
        If it has another form, or an unknown or ambiguous name.
    """
    name, week, _, _ = _parts(f"{text}=+0%", "write PART/REGION or CATEGORY/REGION")
    return _scoped(1.0, name, week, known, text)


def _scoped(factor: float, name: str, week: date | None, known: pd.DataFrame, written: str) -> DemandChange:
    """Change what `name` stands for by a factor; messages begin with what was written."""
    scope, slash, region = name.rpartition("/")
    if not slash:
        raise AllocationError(f"{written}: write CATEGORY/REGION=+20% or PART/REGION=+20%, with * for all")
    part, category = None, None
    if (known["part_id"] == scope).any():
        if (known["part_category"] == scope).any():
            raise AllocationError(f"{written}: {scope!r} is both a part and a category")
        part = scope
    elif scope != "*":
        category = _named(scope, known["part_category"], "part or part category")
    return DemandChange(
        factor, part, category, None if region == "*" else _named(region, known["region"], "region"), week
    )


def _parts(text: str, form: str) -> tuple[str, date | None, float | None, float | None]:
    """Split `NAME@WEEK=CHANGE` into name, week, and a factor or hours."""
    match = re.fullmatch(
        r"(.+?)(?:@(\d{4}-\d{2}-\d{2}))?=(?:([+-]?\d+(?:\.\d+)?)%|(\d+(?:\.\d+)?)h)", text.strip()
    )
    if not match:
        raise AllocationError(f"{text!r} is not a valid change: {form}, or NAME@WEEK=… for one week")
    name, week, percentage, hours = match.groups()
    factor = None if percentage is None else 1 + float(percentage) / 100
    if factor is not None and factor < 0:
        raise AllocationError(f"{text!r} cuts more than 100%: write -100% or a smaller cut")
    return name, parse_week(week) if week else None, factor, None if hours is None else float(hours)


def _check_factor(what: str, factor: float) -> None:
    if not 0 <= factor < np.inf:
        raise AllocationError(f"{what} is multiplied by {factor}: use a finite factor, 0 or more")


def _named(text: str, names: pd.Series, what: str) -> str:
    """Return the name that is `text`, or the only one that begins with it."""
    known = sorted(names.unique())
    matches = [n for n in known if n == text] or [n for n in known if n.lower().startswith(text.lower())]
    if len(matches) != 1:
        raise AllocationError(
            f"{text!r} is {'not a' if not matches else 'more than one'} {what}: there are {', '.join(known)}"
        )
    return str(matches[0])
