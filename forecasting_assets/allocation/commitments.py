"""Production that is fixed before a plan is optimised: what planners have locked, and what is held for promises.

A *commitment* is a row of LOCKED_ALLOCATIONS or PROMISES. What of it can stand is taken out of the problem: its hours
from the slot, regular hours first, and its units serve demand like units on their way. What cannot stand is cut, with
the reason.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.allocation.held import reserve_supply
from forecasting_assets.allocation.instance import Instance
from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.tables.frames import category_of, stack
from forecasting_assets.weeks import add_weeks_to_all

#: Columns of the report on commitments.
REPORT = [
    "kind",
    "promise_id",
    "manufacturer_id",
    "part_id",
    "part_category",
    "region",
    "production_week",
    "due_week",
    "quantity",
    "planned",
    "why",
]
#: Share of a unit by which hours may fall short of a whole unit because of rounding.
_TOLERANCE = 1e-9
_SUPPLY = ["part_id", "region", "week", "quantity"]


@dataclass(frozen=True)
class Commitments:
    """Commitments as far as they can stand.

    Attributes
    ----------
    items
        Fixed production by part: manufacturer_id, part_id, part_category, region, production_week, due_week (NaT
        unless promised), arrival_week, quantity (units), overtime_quantity, slot and batch (of the instance), and the
        costs of one unit: unit_cost, overtime_cost, lane_cost; on_time_rate.
    supply
        part_id, region, week, quantity: units in stock and on their way that are not reserved for promises.
    promised
        part_id, region, due_week, quantity: units of demand that promises serve.
    report
        A row for each commitment, in the columns REPORT: quantity (asked for), planned, and why less is planned; `why`
        is empty if all of it is. manufacturer_id is empty for promises that are kept from supply.
    """

    items: pd.DataFrame
    supply: pd.DataFrame
    promised: pd.DataFrame
    report: pd.DataFrame


def resolve_commitments(
    demand: pd.DataFrame, instance: Instance, network: Network, state: PlanningState, max_weeks_late: int
) -> Commitments:
    """Decide what of each commitment can stand; those entered first come first.

    Parameters
    ----------
    demand
        part_id and part_category of every known part.
    instance
        The problem before anything is fixed.
    network
        The network.
    state
        Locks, promises and supply.
    max_weeks_late
        Weeks that demand may be met late.
    """
    asked = _asked(state, demand)
    supply = usable_supply(state.supply, instance)
    from_supply = _is_from_supply(asked, instance)
    why = pd.Series("", asked.index, dtype=object)
    planned = pd.Series(0.0, asked.index)
    taken, supply = reserve_supply(asked[from_supply], supply, max_weeks_late)
    planned[from_supply] = taken
    short = asked.assign(planned=planned)[from_supply & (planned < asked["quantity"] * (1 - _TOLERANCE))]
    texts = [
        f"only {units:,.6g} units are in stock or arrive by {due:%Y-%m-%d}"
        for units, due in short[["planned", "due_week"]].itertuples(index=False)
    ]
    why.update(pd.Series(texts, short.index, dtype=object))
    made = asked[~from_supply]
    net = instance.netting(supply, max_weeks_late).unmet(instance.parts["quantity"].to_numpy())
    why.update(_faults(made, instance, network, net))
    made = _with_network(made[why[made.index] == ""], instance, network)
    made = made.join(_fit_hours(made, instance))
    planned[made.index] = made["units"]
    cut = made[made["units"] < made["quantity"] * (1 - _TOLERANCE)]
    texts = [
        f"the hours left at {m} in {week:%Y-%m-%d} are enough for {units:,.6g} units"
        for m, week, units in cut[["manufacturer_id", "production_week", "units"]].itertuples(index=False)
    ]
    why.update(pd.Series(texts, cut.index, dtype=object))
    items = _by_part(made[made["units"] > 0], instance, supply, max_weeks_late)
    held = asked.assign(quantity=planned)[(asked["kind"] == "promise") & (planned > 0)]
    promised = held.groupby(["part_id", "region", "due_week"])["quantity"].sum().reset_index()
    # What is kept from supply is made by nobody in this plan.
    manufacturer = asked["manufacturer_id"].where(~from_supply, "")
    report = asked.assign(planned=planned, why=why, manufacturer_id=manufacturer)
    return Commitments(items, supply, promised, report[REPORT])


def _first_week(instance: Instance) -> pd.Timestamp:
    weeks = instance.slots["production_week"] if len(instance.slots) else instance.parts["due_week"]
    return pd.Timestamp(weeks.min())


def usable_supply(supply: pd.DataFrame | None, instance: Instance) -> pd.DataFrame:
    """Return the units of `PlanningState.supply` by part, region and week in which the plan can use them."""
    first = _first_week(instance)
    if supply is None or supply.empty:
        return pd.DataFrame(columns=_SUPPLY).astype({"week": "datetime64[ns]"}).astype({"quantity": float})
    usable = supply.assign(week=supply["week"].where(supply["week"] >= first, first))
    return usable.groupby(_SUPPLY[:3])["quantity"].sum().reset_index()


def _asked(state: PlanningState, demand: pd.DataFrame) -> pd.DataFrame:
    """Return locks and promises as one table with the category of each, those entered first first."""
    kinds = [pd.DataFrame(columns=["kind", "entered", *REPORT[1:9]])]
    if state.promised is not None:
        kinds.append(state.promised.assign(kind="promise"))
    if state.locked is not None:
        kinds.append(state.locked.assign(kind="lock", due_week=np.datetime64("NaT", "ns")))
    asked = stack(kinds)
    asked = asked.reindex(columns=kinds[0].columns)
    weeks = ["production_week", "due_week", "entered"]
    asked = asked.astype({"quantity": float} | dict.fromkeys(weeks, "datetime64[ns]"))
    names = ["promise_id", "manufacturer_id", "part_id", "part_category", "region"]
    asked[names] = asked[names].astype(object).fillna("")
    known = category_of(asked, demand).fillna("")
    asked["part_category"] = asked["part_category"].where(asked["part_category"] != "", known)
    return asked.sort_values("entered", kind="stable", ignore_index=True)


def _is_from_supply(asked: pd.DataFrame, instance: Instance) -> pd.Series:
    """Return which promises are kept from stock, or from production that has begun."""
    begun = ~(asked["production_week"] >= _first_week(instance))
    return (asked["kind"] == "promise") & ((asked["manufacturer_id"] == "") | begun)


def _faults(asked: pd.DataFrame, instance: Instance, network: Network, net: np.ndarray) -> pd.Series:
    """Return why commitments cannot stand, whatever the hours; empty if they can.

    Parameters
    ----------
    net
        Units of each part of the instance that supply does not serve, (parts,).
    """
    weeks = instance.slots["production_week"]
    manufacturer, category, region = (asked[c] for c in ("manufacturer_id", "part_category", "region"))
    home = network.manufacturers.set_index("manufacturer_id")["region"]
    can_make = _pairs(network.capabilities, "manufacturer_id", "part_category")
    has_lane = _pairs(network.lanes, "from_region", "to_region")
    wanted = _pairs(instance.parts[net > 0], "part_category", "region")
    from_region = manufacturer.map(home)
    week = asked["production_week"].dt.strftime("%Y-%m-%d")
    cases = [
        (category.eq("") & asked["part_id"].eq(""), "it names neither a part nor a category"),
        (category.eq(""), "part " + asked["part_id"] + " is unknown"),
        (from_region.isna(), "manufacturer " + manufacturer + " is not in the network"),
        (asked["production_week"] < weeks.min(), "week " + week + " has passed"),
        (~(asked["production_week"] <= weeks.max()), "week " + week + " lies beyond the horizon"),
        (~_isin(manufacturer, category, can_make), manufacturer + " does not make " + category),
        (
            ~_isin(from_region, region, has_lane),
            "there is no lane from " + from_region.fillna("") + " to " + region,
        ),
        (_batch(asked, instance) < 0, manufacturer + " has no hours in " + week),
        (
            asked["part_id"].eq("") & ~_isin(category, region, wanted),
            "no more of " + category + " is wanted in " + region,
        ),
    ]
    texts = [np.broadcast_to(np.asarray(text, dtype=object), len(asked)) for _, text in cases]
    return pd.Series(
        np.select([c.to_numpy(bool) if isinstance(c, pd.Series) else c for c, _ in cases], texts, ""),
        asked.index,
    )


def _pairs(frame: pd.DataFrame, left: str, right: str) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[[left, right]].drop_duplicates())


def _isin(left: pd.Series, right: pd.Series, pairs: pd.MultiIndex) -> np.ndarray:
    return np.asarray(pd.MultiIndex.from_arrays([left, right]).isin(pairs))


def _batch(asked: pd.DataFrame, instance: Instance) -> np.ndarray:
    """Return the batch of each commitment; -1 where there is none."""
    slots, batches = instance.slots, instance.batches
    slot = batches["slot"].to_numpy()
    key = [slots[c].to_numpy()[slot] for c in ("manufacturer_id", "production_week")]
    of_batches = pd.MultiIndex.from_arrays([*key, batches["part_category"]])
    columns = ["manufacturer_id", "production_week", "part_category"]
    return np.asarray(of_batches.get_indexer(pd.MultiIndex.from_frame(asked[columns])))


def _with_network(asked: pd.DataFrame, instance: Instance, network: Network) -> pd.DataFrame:
    """Add batch, slot, hours, costs of one unit and the week of arrival to commitments without faults."""
    batch = _batch(asked, instance)
    batches = instance.batches.iloc[batch]
    manufacturers = network.manufacturers.set_index("manufacturer_id").loc[asked["manufacturer_id"]]
    lanes = network.lanes.set_index(["from_region", "to_region"])
    lane = lanes.iloc[
        lanes.index.get_indexer(pd.MultiIndex.from_arrays([manufacturers["region"], asked["region"]]))
    ]
    transit = lane["transit_weeks"].to_numpy(int)
    return asked.assign(
        batch=batch,
        slot=batches["slot"].to_numpy(),
        hours_per_unit=batches["hours_per_unit"].to_numpy(),
        unit_cost=batches["unit_cost"].to_numpy(),
        overtime_unit_cost=batches["overtime_cost"].to_numpy(),
        lane_unit_cost=lane["unit_cost"].to_numpy(),
        on_time_rate=manufacturers["on_time_rate"].to_numpy(),
        arrival_week=add_weeks_to_all(asked["production_week"].to_numpy(), transit),
    )


def _fit_hours(made: pd.DataFrame, instance: Instance) -> pd.DataFrame:
    """Return the units, and the overtime units among them, that fit the hours of each slot, in turn.

    Regular hours are used before overtime. What does not fit is cut to whole units.
    """
    slots, turn = instance.slots, made.groupby("slot").cumcount().to_numpy()
    regular, overtime = (
        slots[c].to_numpy(float, copy=True) for c in ("capacity_hours", "overtime_capacity_hours")
    )
    units, overtime_units = np.zeros(len(made)), np.zeros(len(made))
    for now in range(int(turn.max(initial=-1)) + 1):
        at = np.flatnonzero(turn == now)
        slot, hours_per_unit, quantity = (
            made[c].to_numpy()[at] for c in ("slot", "hours_per_unit", "quantity")
        )
        room = (regular[slot] + overtime[slot]) / hours_per_unit
        units[at] = np.where(quantity <= room * (1 + _TOLERANCE), quantity, np.floor(room * (1 + _TOLERANCE)))
        hours = units[at] * hours_per_unit
        in_overtime = np.clip(hours - regular[slot], 0.0, overtime[slot])
        regular[slot] = np.maximum(regular[slot] - hours, 0.0)
        overtime[slot] -= in_overtime
        overtime_units[at] = in_overtime / hours_per_unit
    return pd.DataFrame({"units": units, "overtime_units": overtime_units}, index=made.index)


def _by_part(
    made: pd.DataFrame, instance: Instance, supply: pd.DataFrame, max_weeks_late: int
) -> pd.DataFrame:
    """Return fixed production by part; that of a category is split in proportion to the net demand of its parts.

    Net demand is what neither supply nor the production that is fixed for single parts serves; where that is nothing,
    what supply does not serve.
    """
    is_part = made["part_id"] != ""
    single, shared = made[is_part], made[~is_part].reset_index(drop=True)
    if shared.empty:
        return _items(single)
    parts = instance.parts
    quantity = parts["quantity"].to_numpy()
    arriving = single.rename(columns={"arrival_week": "week"}).assign(quantity=single["units"])[_SUPPLY]
    nets = [
        instance.netting(units, max_weeks_late).unmet(quantity)
        for units in (pd.concat([supply, arriving]) if len(arriving) else supply, supply)
    ]
    group = ["part_category", "region"]
    totals = (
        parts.assign(net=nets[0], gross=nets[1])
        .groupby([*group, "part_id"], as_index=False)[["net", "gross"]]
        .sum()
    )
    totals["net"] = totals["net"].where(totals.groupby(group)["net"].transform("sum") > 0, totals["gross"])
    groups = pd.MultiIndex.from_frame(shared[group].drop_duplicates())
    totals["class"] = groups.get_indexer(pd.MultiIndex.from_frame(totals[group]))
    totals = totals[(totals["class"] >= 0) & (totals["net"] > 0)].sort_values("class", ignore_index=True)
    totals["share"] = totals["net"] / totals.groupby("class")["net"].transform("sum")
    shared = shared.assign(lock=np.arange(len(shared)))
    shared["class"] = groups.get_indexer(pd.MultiIndex.from_frame(shared[group]))
    rows = shared.drop(columns="part_id").merge(totals[["class", "part_id", "share"]], on="class")
    units = _whole_shares(rows["units"] * rows["share"], rows["lock"].to_numpy())
    rows["overtime_units"] *= units / rows["units"]
    rows = rows.assign(units=units).drop(columns=["lock", "class", "share"])
    rows = rows[rows["units"] > 0]
    return _items(pd.concat([single, rows], ignore_index=True) if len(single) else rows)


def _whole_shares(shares: pd.Series, lock: np.ndarray) -> np.ndarray:
    """Round the shares of each lock to whole units by largest remainder; the rest of a broken total goes to one."""
    total = shares.groupby(lock).transform("sum").to_numpy()
    units = np.floor(shares.to_numpy() + _TOLERANCE)
    rest = total - pd.Series(units).groupby(lock).transform("sum").to_numpy()
    order = np.lexsort((units - shares.to_numpy(), lock))
    rank = pd.Series(lock[order]).groupby(lock[order]).cumcount().to_numpy()
    units[order] += np.clip(rest[order] - rank, 0.0, 1.0)
    # Sums of shares can miss a whole number by a rounding error.
    nearest = np.round(units)
    return np.where(np.abs(units - nearest) <= _TOLERANCE * np.maximum(total, 1.0), nearest, units)


def _items(made: pd.DataFrame) -> pd.DataFrame:
    quantities = {"quantity": made["units"], "overtime_quantity": made["overtime_units"]}
    return made.assign(**quantities).drop(columns=["units", "overtime_units"]).reset_index(drop=True)
