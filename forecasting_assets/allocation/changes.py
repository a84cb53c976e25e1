"""What a plan changes in the plan of the week before: which units moved, are new or are dropped, and why."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.tables.frames import category_of, stack

#: Units below which amounts are equal.
_EQUAL = 1e-6
_GROUP = ["part_id", "region", "due_week"]
_PLACE = ["manufacturer_id", "production_week"]
_DEMAND = ["quantity", "override", "certain"]

#: Why units changed, in words.
REASONS = {
    "lock": "Locked or held for a promise",
    "override": "Override changed",
    "forecast": "Forecast changed",
    "orders": "Orders or promises exceed the forecast",
    "capacity": "Capacity changed",
    "supply": "Stock, arrivals or overdue orders changed",
    "horizon": "Week planned for the first time",
    "other_demand": "Hours needed for other demand",
}
#: Columns of the changes.
CHANGES = [
    "kind",
    "reason",
    "part_id",
    "part_category",
    "region",
    "due_week",
    "from_manufacturer",
    "from_week",
    "to_manufacturer",
    "to_week",
    "quantity",
]


@dataclass(frozen=True)
class PlannedWeek:
    """A plan, with what it was made for.

    Attributes
    ----------
    plan, capacity_load, shortages
        ALLOCATION_PLAN, CAPACITY_LOAD and PLAN_SHORTAGES.
    demand
        DEMAND_PLAN.
    """

    plan: pd.DataFrame
    capacity_load: pd.DataFrame
    shortages: pd.DataFrame
    demand: pd.DataFrame


def plan_changes(before: PlannedWeek, now: PlannedWeek) -> pd.DataFrame:
    """Compare a plan with the plan of the week before, in the weeks that both can still plan.

    Units of a part for a region and due week that are made elsewhere or in another week have *moved*; what the plan
    makes more of them is *new*, what it makes less is *dropped*. The earliest units that are taken away are matched
    with the earliest that are added.

    Parameters
    ----------
    before, now
        The plans. Production that the plan before has started is no longer in question.

    Returns
    -------
    DataFrame
        The columns CHANGES: kind (`moved`, `new`, `dropped`), reason (a key of REASONS), where and when the units were
        and are made (missing where they were or are not), and quantity (units).
    """
    cells = _cells(before, now)
    groups = cells[_GROUP].drop_duplicates().reset_index(drop=True)
    cells = cells.merge(groups.reset_index(names="group"), on=_GROUP)
    down, up = _side(cells, -1), _side(cells, 1)
    moved = np.minimum(*(_per_group(side["amount"], side, len(groups)) for side in (down, up)))
    pairs = _pairs(down, up, moved)
    changes = pd.concat(
        [
            _moved(pairs, down, up),
            _rest(down, moved, "dropped", "from"),
            _rest(up, moved, "new", "to"),
        ],
        ignore_index=True,
    )
    changes = changes[changes["quantity"] > _EQUAL].reset_index(drop=True)
    labelled = changes.join(groups, on="group")
    context = _context(groups, before, now).iloc[changes["group"]].reset_index(drop=True)
    labelled["reason"] = np.where(
        labelled["kind"] == "moved",
        _why_moved(labelled, context, before.capacity_load, now.capacity_load),
        _why_more_or_less(labelled, context),
    )
    labelled["part_category"] = category_of(labelled, stack([now.plan, before.plan]))
    order = ["kind", *_GROUP, "from_week", "from_manufacturer", "to_week", "to_manufacturer"]
    return labelled.sort_values(order, ignore_index=True)[CHANGES]


def _cells(before: PlannedWeek, now: PlannedWeek) -> pd.DataFrame:
    """Return units and locked units of both plans by part, region, due week, manufacturer and production week."""
    first = now.capacity_load["production_week"].min()
    comparable = before.plan[before.plan["production_week"] >= first]
    sides = [
        plan.groupby([*_GROUP, *_PLACE])[["quantity", "locked_quantity"]].sum()
        for plan in (comparable, now.plan)
    ]
    cells = sides[0].join(sides[1], how="outer", lsuffix="_before", rsuffix="_now").fillna(0.0).reset_index()
    cells["change"] = cells["quantity_now"] - cells["quantity_before"]
    cells["locked_change"] = cells["locked_quantity_now"] - cells["locked_quantity_before"]
    return cells[cells["change"].abs() > _EQUAL]


def _side(cells: pd.DataFrame, sign: int) -> pd.DataFrame:
    """Return the cells with less (-1) or more (1) units, with `amount` and its cumulative sum `end` in each group."""
    side = cells[sign * cells["change"] > 0].sort_values(["group", "production_week", "manufacturer_id"])
    side = side.assign(amount=sign * side["change"]).reset_index(drop=True)
    return side.assign(end=side.groupby("group")["amount"].cumsum())


def _per_group(values: pd.Series, side: pd.DataFrame, size: int) -> np.ndarray:
    return np.bincount(side["group"], values, minlength=size)


def _pairs(down: pd.DataFrame, up: pd.DataFrame, moved: np.ndarray) -> pd.DataFrame:
    """Match the first `moved` units of both sides of each group in order: down, up (rows) and quantity.

    The groups are laid end to end on one line, on which each row of a side covers an interval; every stretch between
    two ends belongs to one row of either side.
    """
    base = np.concatenate([[0.0], np.cumsum(moved)])
    ends = [
        (base[side["group"]] + np.minimum(side["end"], moved[side["group"]])).to_numpy()
        for side in (down, up)
    ]
    ends = [np.maximum.accumulate(end) if len(end) else end for end in ends]
    breaks = np.unique(np.concatenate(ends))
    length = np.diff(breaks, prepend=0.0)
    middle = breaks - length / 2
    whole = length > _EQUAL
    at = [np.searchsorted(end, middle[whole]) for end in ends]
    return pd.DataFrame({"down": at[0], "up": at[1], "quantity": length[whole]})


def _moved(pairs: pd.DataFrame, down: pd.DataFrame, up: pd.DataFrame) -> pd.DataFrame:
    origin, target = (
        side.iloc[pairs[name]].reset_index(drop=True) for name, side in (("down", down), ("up", up))
    )
    return pd.DataFrame(
        {
            "kind": "moved",
            "group": origin["group"],
            "from_manufacturer": origin["manufacturer_id"],
            "from_week": origin["production_week"],
            "to_manufacturer": target["manufacturer_id"],
            "to_week": target["production_week"],
            "quantity": pairs["quantity"],
            "lock_added": target["locked_change"],
            "lock_removed": -origin["locked_change"],
        }
    )


def _rest(side: pd.DataFrame, moved: np.ndarray, kind: str, where: str) -> pd.DataFrame:
    """Return what is left of a side after the moved units."""
    start, end = side["end"] - side["amount"], side["end"]
    matched = moved[side["group"]]
    locks = side["locked_change"]
    return pd.DataFrame(
        {
            "kind": kind,
            "group": side["group"],
            f"{where}_manufacturer": side["manufacturer_id"],
            f"{where}_week": side["production_week"],
            "quantity": end - np.clip(matched, start, end),
            "lock_added": locks if kind == "new" else 0.0,
            "lock_removed": -locks if kind == "dropped" else 0.0,
        }
    )


def _context(groups: pd.DataFrame, before: PlannedWeek, now: PlannedWeek) -> pd.DataFrame:
    """Return demand, override, certain units and shortages of both plans for each group, and whether it is new."""
    context = groups
    for plan, suffix in ((before, "before"), (now, "now")):
        demand = plan.demand.assign(certain=plan.demand["booked"] + plan.demand["held"])
        short = plan.shortages.groupby(_GROUP)["quantity"].sum().rename("short")
        known = demand.set_index(_GROUP)[_DEMAND].join(short, how="outer").add_suffix(f"_{suffix}")
        context = context.join(known, on=_GROUP)
    filled = [f"{name}_{suffix}" for name in ("quantity", "certain", "short") for suffix in ("before", "now")]
    context[filled] = context[filled].astype(float).fillna(0.0)
    return context.assign(planned_before=context["due_week"] <= before.demand["due_week"].max())


def _override_changed(context: pd.DataFrame) -> pd.Series:
    old, new = context["override_before"].astype(float), context["override_now"].astype(float)
    return ~((old.isna() & new.isna()) | ((old - new).abs() <= _EQUAL))


def _why_moved(
    changes: pd.DataFrame, context: pd.DataFrame, before: pd.DataFrame, now: pd.DataFrame
) -> np.ndarray:
    hours = [load.set_index(_PLACE)["capacity_hours"] for load in (before, now)]
    more = {}
    for side in ("from", "to"):
        place = pd.MultiIndex.from_frame(changes[[f"{side}_manufacturer", f"{side}_week"]])
        old, new = (h.reindex(place).fillna(0.0).to_numpy() for h in hours)
        more[side] = new - old
    cases = {
        "lock": (changes["lock_added"] > _EQUAL) | (changes["lock_removed"] > _EQUAL),
        "capacity": (more["from"] < -_EQUAL) | (more["to"] > _EQUAL),
        "override": _override_changed(context),
    }
    return np.select([np.asarray(case) for case in cases.values()], list(cases), "other_demand")


def _why_more_or_less(changes: pd.DataFrame, context: pd.DataFrame) -> np.ndarray:
    sign = np.where(changes["kind"] == "new", 1.0, -1.0)
    wanted = sign * (context["quantity_now"] - context["quantity_before"])
    # Demand explains a change if it moved the same way by at least half as much.
    by_demand = wanted >= 0.5 * changes["quantity"]
    certain = (context["certain_now"] > context["certain_before"]) & (
        context["certain_now"] >= context["quantity_now"] - _EQUAL
    )
    cases = {
        "lock": (changes["lock_added"] > _EQUAL) | (changes["lock_removed"] > _EQUAL),
        "horizon": (sign > 0) & ~context["planned_before"],
        "override": _override_changed(context) & (wanted > _EQUAL),
        "orders": by_demand & certain,
        "forecast": by_demand,
        "capacity": sign * (context["short_before"] - context["short_now"]) > _EQUAL,
    }
    return np.select([np.asarray(case) for case in cases.values()], list(cases), "supply")
