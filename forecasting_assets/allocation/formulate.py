"""The allocation problem as a program: a multi-period transportation problem with overtime, and the rules.

Families of columns: `units` on arcs, `overtime` units of batches, `shortage` of classes; with scenarios and rules also
`spare` units of classes, `lots` of batches by region, units `added` to and `dropped` from the previous plan,
and whether slots are `active` and batches `run` (0/1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import LOT, Instance
from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import (
    AllocationError,
    Columns,
    Program,
    Rows,
    assemble,
    diagonal,
    incidence,
)

UNIT_COSTS = ["production_cost", "lane_cost", "holding_cost", "lateness_cost"]
#: Families of rows that can be relaxed if they contradict each other; the others are arithmetic.
RULES = ["minimum_load", "maximum_share"]


@dataclass(frozen=True)
class Formulation:
    """A program and the meaning of its parts.

    Attributes
    ----------
    program
        The program.
    overtime
        Batches with an overtime column.
    active
        Slots with a binary column.
    run
        Batches with a binary column.
    rules
        A row for each rule row of the program: rule, subject, limit, sign (-1: at least), row (in a_ub).
    lots
        Lots whose change is penalised, a row for each row of `previous_plan`: manufacturer_id, production_week,
        part_category, region.
    """

    program: Program
    overtime: np.ndarray
    active: np.ndarray
    run: np.ndarray
    rules: pd.DataFrame
    lots: pd.DataFrame


@dataclass
class _Draft:
    """Families of columns and rows added so far, in the order in which the program will have them."""

    instance: Instance
    policy: AllocationPolicy
    columns: dict[str, Columns] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)
    #: rule, subject, limit and sign of each rule row
    rules: list[tuple[str, str, float, int]] = field(default_factory=list)

    @cached_property
    def batch(self) -> np.ndarray:
        """Batch of each arc."""
        return np.asarray(self.instance.arcs["batch"])

    @cached_property
    def slot(self) -> np.ndarray:
        """Slot of each batch."""
        return np.asarray(self.instance.batches["slot"])

    @cached_property
    def hours(self) -> np.ndarray:
        """Hours of one unit of each batch."""
        return np.asarray(self.instance.batches["hours_per_unit"])

    @cached_property
    def used(self) -> np.ndarray:
        """Whether each batch serves any class."""
        return np.asarray(np.bincount(self.batch, minlength=len(self.instance.batches)) > 0)

    @cached_property
    def all_hours(self) -> np.ndarray:
        """Regular and overtime hours of each slot."""
        hours = self.instance.slots[["capacity_hours", "overtime_capacity_hours"]]
        return np.asarray(hours.to_numpy().sum(axis=1))

    @cached_property
    def manufacturer(self) -> np.ndarray:
        """Manufacturer of each batch."""
        return np.asarray(self.instance.slots["manufacturer_id"].to_numpy()[self.slot])


def check_rules(policy: AllocationPolicy, network: Network, demand: pd.DataFrame) -> None:
    """Check that the manufacturers, categories and regions named by rules, prices and priorities exist.

    Parts are not checked: one without demand in some week is no error (see `worth.parts_without_demand`).

    Parameters
    ----------
    policy
        The rules.
    network
        The network; its manufacturers, the categories of its capabilities and the regions of its lanes are known.
    demand
        Demand with the columns part_category and region, whose categories and regions are known too.

    Raises
    ------
    AllocationError
        If a name is unknown; the message gives the first one.
    """
    manufacturers = set(network.manufacturers["manufacturer_id"])
    categories = set(network.capabilities["part_category"]) | set(demand["part_category"])
    regions = set(network.lanes["to_region"]) | set(demand["region"])
    named: list[tuple[str, Mapping[str, float], set[str]]] = [
        ("minimum_load", policy.minimum_load, manufacturers),
        ("maximum_share", policy.maximum_share, categories),
        ("minimum_batch", policy.minimum_batch, categories),
        ("shortage_price.category", policy.shortage_price.category, categories),
        ("priority.category", policy.priority.category, categories),
        ("priority.region", policy.priority.region, regions),
    ]
    for rule, names, known in named:
        for name in sorted(set(names) - known):
            raise AllocationError(
                f"[allocation.{rule}] names {name!r}, which is unknown; known names are "
                f"{', '.join(sorted(known))}. Correct or remove it"
            )


def formulate(
    instance: Instance,
    policy: AllocationPolicy,
    network: Network,
    previous: pd.DataFrame | None = None,
    committed: np.ndarray | None = None,
) -> Formulation:
    """Formulate the program of an instance.

    Parameters
    ----------
    instance
        The problem as tables.
    policy
        Costs and rules.
    network
        The network, for activation costs.
    previous
        ALLOCATION_PLAN of the previous plan, for frozen weeks.
    committed
        (slots,) of bool: whether production in a slot is decided before demand is known, for a program with
        recourse. The units of a batch for a region are then a column of their own (`lots`), for any due week,
        and production for a class may exceed its demand (`spare`).
    """
    draft = _Draft(instance, policy)
    overtime = _add_basics(draft)
    if committed is not None:
        _add_recourse(draft, committed)
    _add_minimum_load(draft)
    _add_maximum_share(draft)
    lots = pd.DataFrame(columns=LOT)
    if previous is not None and policy.frozen_weeks:
        lots = _add_frozen_weeks(draft, previous)
    active, run = _add_activation(draft, network), _add_minimum_batch(draft)
    program = assemble(draft.columns, draft.rows)
    return Formulation(program, overtime, active, run, _rule_table(draft, program), lots)


def _add_basics(draft: _Draft) -> np.ndarray:
    """Add demand, regular hours and overtime; return the batches with an overtime column."""
    arcs, batches, classes, slots = (
        draft.instance.arcs,
        draft.instance.batches,
        draft.instance.classes,
        draft.instance.slots,
    )
    batch, slot, hours = draft.batch, draft.slot, draft.hours
    overtime = np.flatnonzero(draft.used & (slots["overtime_capacity_hours"].to_numpy()[slot] > 0))
    overtime_hours = incidence(slot[overtime], len(slots), hours[overtime])
    draft.columns |= {
        "units": Columns(np.sum([arcs[part].to_numpy() for part in UNIT_COSTS], axis=0)),
        "overtime": Columns(batches["overtime_cost"].to_numpy()[overtime]),
        "shortage": Columns(classes["shortage_cost"].to_numpy()),
    }
    draft.rows |= {
        "demand": Rows(
            {
                "units": incidence(arcs["class"].to_numpy(), len(classes)),
                "shortage": diagonal(np.ones(len(classes))),
            },
            classes["quantity"].to_numpy(),
            equal=True,
        ),
        "regular_hours": Rows(
            {"units": incidence(slot[batch], len(slots), hours[batch]), "overtime": -overtime_hours},
            slots["capacity_hours"].to_numpy(),
        ),
        "overtime_hours": Rows({"overtime": overtime_hours}, slots["overtime_capacity_hours"].to_numpy()),
        "overtime_units": Rows(
            {
                "units": incidence(_position(overtime, len(batches))[batch], overtime.size, -1.0),
                "overtime": diagonal(np.ones(overtime.size)),
            },
            np.zeros(overtime.size),
        ),
    }
    return overtime


def _add_recourse(draft: _Draft, committed: np.ndarray) -> None:
    """Add lots of committed slots, and spare units."""
    arcs, classes = draft.instance.arcs, draft.instance.classes
    draft.columns["spare"] = Columns(np.zeros(len(classes)))
    demand = draft.rows["demand"]
    spare = diagonal(-np.ones(len(classes)))
    draft.rows["demand"] = replace(demand, terms={**demand.terms, "spare": spare})
    region = classes["region"].to_numpy()[arcs["class"]]
    lot = pd.MultiIndex.from_arrays([draft.batch, region])
    lots = lot[committed[draft.slot[draft.batch]]].unique()
    draft.columns["lots"] = Columns(np.zeros(len(lots)))
    draft.rows["lots"] = Rows(
        {"units": incidence(lots.get_indexer(lot), len(lots)), "lots": diagonal(-np.ones(len(lots)))},
        np.zeros(len(lots)),
        equal=True,
    )


def _add_minimum_load(draft: _Draft) -> None:
    """Add the hours that manufacturers must be given over the horizon."""
    policy, slots = draft.policy, draft.instance.slots
    loaded = [m for m in policy.minimum_load if m in set(slots["manufacturer_id"])]
    if not loaded:
        return
    # Beyond the horizon no demand is known that could fill the hours. Locked production counts as load, and its hours
    # as capacity.
    regular = slots["capacity_hours"].where(slots["beyond_horizon"] == 0, 0.0) + slots["locked_regular_hours"]
    capacity, locked = (
        hours.groupby(slots["manufacturer_id"]).sum().reindex(loaded).to_numpy()
        for hours in (regular, slots["locked_hours"])
    )
    limit = capacity * [policy.minimum_load[m] for m in loaded]
    rule = pd.Index(loaded).get_indexer(pd.Index(draft.manufacturer))
    hours = incidence(rule[draft.batch], len(loaded), -draft.hours[draft.batch])
    draft.rows["minimum_load"] = Rows({"units": hours}, locked - limit)
    draft.rules += [("minimum_load", m, at_least, -1) for m, at_least in zip(loaded, limit, strict=True)]


def _add_maximum_share(draft: _Draft) -> None:
    """Add the units of a category that one manufacturer may make at most."""
    policy, classes = draft.policy, draft.instance.classes
    if not policy.maximum_share:
        return
    category = draft.instance.batches["part_category"].to_numpy()
    pair = pd.MultiIndex.from_arrays([category, draft.manufacturer])
    limited = draft.used & np.isin(category.astype(str), list(policy.maximum_share))
    pairs = pair[limited].unique().sort_values()
    # Locked units are part of what is planned of a category, and of what the manufacturer makes.
    locked = draft.instance.batches["locked_quantity"]
    demand = classes.groupby("part_category")["quantity"].sum()
    demand = demand.add(locked.groupby(category).sum(), fill_value=0.0)
    limit = np.array([policy.maximum_share[c] * demand[c] for c, _ in pairs])
    row = pairs.get_indexer(pair)
    units = incidence(row[draft.batch], len(pairs))
    made = np.bincount(row[row >= 0], locked[row >= 0], minlength=len(pairs))
    draft.rows["maximum_share"] = Rows({"units": units}, limit - made)
    draft.rules += [
        ("maximum_share", f"{c} at {m}", at_most, 1) for (c, m), at_most in zip(pairs, limit, strict=True)
    ]


def _add_activation(draft: _Draft, network: Network) -> np.ndarray:
    """Add the fixed costs of using slots; return the slots with a binary column."""
    slots = draft.instance.slots
    if not draft.policy.activation_costs:
        return np.zeros(0, dtype=int)
    cost = network.manufacturers.set_index("manufacturer_id")["activation_cost"]
    slot_cost = slots["manufacturer_id"].map(cost).to_numpy()
    used = np.bincount(draft.slot[draft.used], minlength=len(slots)) > 0
    # A slot with locked production is used in any case.
    active = np.flatnonzero((slot_cost > 0) & used & (slots["locked_hours"] == 0).to_numpy())
    if active.size:
        row = _position(active, len(slots))[draft.slot[draft.batch]]
        draft.columns["active"] = Columns(slot_cost[active], binary=True)
        draft.rows["activation"] = Rows(
            {
                "units": incidence(row, active.size, draft.hours[draft.batch]),
                "active": diagonal(-draft.all_hours[active]),
            },
            np.zeros(active.size),
        )
    return active


def _add_minimum_batch(draft: _Draft) -> np.ndarray:
    """Add smallest batches; return the batches with a binary column."""
    arcs, batches, classes = draft.instance.arcs, draft.instance.batches, draft.instance.classes
    if not draft.policy.minimum_batch:
        return np.zeros(0, dtype=int)
    smallest = batches["part_category"].map(draft.policy.minimum_batch).to_numpy(float)
    run = np.flatnonzero(draft.used & np.isfinite(smallest))
    # A batch is at most what its hours allow and what the classes it serves demand.
    quantity = classes["quantity"].to_numpy()[arcs["class"]]
    demand = np.bincount(draft.batch, quantity, minlength=len(batches))
    largest = np.minimum(draft.all_hours[draft.slot] / draft.hours, demand)[run]
    draft.columns["run"] = Columns(np.zeros(run.size), binary=True)
    units = incidence(_position(run, len(batches))[draft.batch], run.size)
    draft.rows["batch_at_most"] = Rows({"units": units, "run": diagonal(-largest)}, np.zeros(run.size))
    # Locked units are part of the batch.
    locked = batches["locked_quantity"].to_numpy()[run]
    draft.rows["batch_at_least"] = Rows({"units": -units, "run": diagonal(smallest[run])}, locked)
    return run


def _rule_table(draft: _Draft, program: Program) -> pd.DataFrame:
    """Return the rules of a formulation with their rows in a_ub."""
    rules = pd.DataFrame(draft.rules, columns=["rule", "subject", "limit", "sign"])
    slices = [program.ub_rows[rule] for rule in RULES if rule in draft.rows]
    rows = [np.arange(at.start, at.stop) for at in slices]
    rules["row"] = np.concatenate(rows).astype(int) if rows else np.zeros(0, dtype=int)
    return rules


def _add_frozen_weeks(draft: _Draft, previous: pd.DataFrame) -> pd.DataFrame:
    """Penalise changes of the previous plan, by batch and region, in the first production weeks; return these lots.

    A lot of the previous plan whose batch no longer exists (the week is over, or the manufacturer was removed) cannot
    be kept and costs nothing.
    """
    instance, policy = draft.instance, draft.policy
    lot = LOT
    slots = instance.slots.iloc[instance.batches["slot"]].reset_index(drop=True)
    batches = slots[["manufacturer_id", "production_week"]].assign(
        part_category=instance.batches["part_category"], unit_cost=instance.batches["unit_cost"]
    )
    first = np.sort(instance.slots["production_week"].unique())[: policy.frozen_weeks]
    arc_lots = batches.iloc[instance.arcs["batch"]].reset_index(drop=True)
    arc_lots["region"] = instance.classes["region"].to_numpy()[instance.arcs["class"]]
    planned = previous.groupby(lot)["quantity"].sum().reset_index().merge(batches, on=lot[:3])
    lots = pd.concat([arc_lots, planned])[[*lot, "unit_cost"]].drop_duplicates(lot)
    lots = lots[lots["production_week"].isin(first)].sort_values(lot, ignore_index=True)
    key = pd.MultiIndex.from_frame(lots[lot])
    row = key.get_indexer(pd.MultiIndex.from_frame(arc_lots[lot]))
    penalty = policy.change_penalty * lots["unit_cost"].to_numpy()
    draft.columns["added"], draft.columns["dropped"] = Columns(penalty), Columns(penalty)
    same = diagonal(np.ones(len(lots)))
    draft.rows["previous_plan"] = Rows(
        {"units": incidence(row, len(lots)), "added": -same, "dropped": same},
        planned.set_index(lot)["quantity"].reindex(key).fillna(0.0).to_numpy(),
        equal=True,
    )
    return lots[lot]


def _position(chosen: np.ndarray, size: int) -> np.ndarray:
    """Return the position in `chosen` of each of `size` items; -1 for those not chosen."""
    position = np.full(size, -1)
    position[chosen] = np.arange(chosen.size)
    return position
