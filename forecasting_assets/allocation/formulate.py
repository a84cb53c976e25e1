"""The allocation problem as a program: a multi-period transportation problem with overtime, and the rules.

Families of columns: `units` on arcs, `overtime` units of batches, `shortage` of classes; with scenarios and rules also
`spare` units of classes, `lots` of batches by region, units `added` to and `dropped` from the previous plan,
and whether slots are `active` and batches `run` (0/1).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import Instance
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
#: Families of rows that a marketplace can give up; the others are arithmetic.
RULES = ["minimum_load", "maximum_share"]


@dataclass(frozen=True)
class Formulation:
    """A program and what its parts stand for.

    overtime: batches with an overtime column; active: slots, run: batches with a binary column
    rules: a row for each rule row of the program: rule, subject, limit, row (in a_ub), sign (-1: at least)
    """

    program: Program
    overtime: np.ndarray
    active: np.ndarray
    run: np.ndarray
    rules: pd.DataFrame


def check_rules(policy: AllocationPolicy, network: Network, demand: pd.DataFrame) -> None:
    """Raise AllocationError where a rule names a manufacturer or category that there is not."""
    categories = set(network.capabilities["part_category"]) | set(demand["part_category"])
    known = {
        "minimum_load": set(network.manufacturers["manufacturer_id"]),
        "maximum_share": categories,
        "minimum_batch": categories,
    }
    for rule, names in known.items():
        for name in sorted(set(getattr(policy, rule)) - names):
            raise AllocationError(
                f"[allocation.{rule}] names {name!r}, which is none of {', '.join(sorted(names))}; "
                "correct or remove it"
            )


def formulate(
    instance: Instance,
    policy: AllocationPolicy,
    network: Network,
    previous: pd.DataFrame | None = None,
    committed: np.ndarray | None = None,
) -> Formulation:
    """The program of `instance`. `previous` is ALLOCATION_PLAN of the plan before, for frozen weeks.

    `committed`: whether what a slot makes is decided before demand is known, for a program with recourse. How
    much of a batch is made for a region is then a column of its own (`lots`), for which week is open still, and
    more may be made for a class than is asked (`spare`).
    """
    arcs, batches, classes, slots = instance.arcs, instance.batches, instance.classes, instance.slots
    batch, slot = arcs["batch"].to_numpy(), batches["slot"].to_numpy()
    hours = batches["hours_per_unit"].to_numpy()
    made = np.bincount(batch, minlength=len(batches)) > 0
    overtime = np.flatnonzero(made & (slots["overtime_capacity_hours"].to_numpy()[slot] > 0))
    overtime_hours = incidence(slot[overtime], len(slots), hours[overtime])
    columns = {
        "units": Columns(np.sum([arcs[part].to_numpy() for part in UNIT_COSTS], axis=0)),
        "overtime": Columns(batches["overtime_cost"].to_numpy()[overtime]),
        "shortage": Columns(classes["shortage_cost"].to_numpy()),
    }
    rows = {
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
    if committed is not None:
        columns["spare"] = Columns(np.zeros(len(classes)))
        rows["demand"] = replace(
            rows["demand"], terms={**rows["demand"].terms, "spare": diagonal(-np.ones(len(classes)))}
        )
        region = classes["region"].to_numpy()[arcs["class"]]
        lot = pd.MultiIndex.from_arrays([batch, region])
        lots = lot[committed[slot[batch]]].unique()
        columns["lots"] = Columns(np.zeros(len(lots)))
        rows["lots"] = Rows(
            {"units": incidence(lots.get_indexer(lot), len(lots)), "lots": diagonal(-np.ones(len(lots)))},
            np.zeros(len(lots)),
            equal=True,
        )
    listed = []
    maker, category = slots["manufacturer_id"].to_numpy()[slot], batches["part_category"].to_numpy()
    loaded = [m for m in policy.minimum_load if m in set(slots["manufacturer_id"])]
    if loaded:
        capacity = slots.groupby("manufacturer_id")["capacity_hours"].sum().reindex(loaded).to_numpy()
        limit = capacity * [policy.minimum_load[m] for m in loaded]
        of_rule = pd.Index(loaded).get_indexer(maker)
        rows["minimum_load"] = Rows({"units": incidence(of_rule[batch], len(loaded), -hours[batch])}, -limit)
        listed += [("minimum_load", m, at_least, -1) for m, at_least in zip(loaded, limit, strict=True)]
    if policy.maximum_share:
        pair = pd.MultiIndex.from_arrays([category, maker])
        pairs = pair[made & np.isin(category.astype(str), list(policy.maximum_share))].unique().sort_values()
        asked = classes.groupby("part_category")["quantity"].sum()
        limit = np.array([policy.maximum_share[c] * asked[c] for c, _ in pairs])
        rows["maximum_share"] = Rows({"units": incidence(pairs.get_indexer(pair)[batch], len(pairs))}, limit)
        listed += [
            ("maximum_share", f"{c} at {m}", most, 1) for (c, m), most in zip(pairs, limit, strict=True)
        ]
    if previous is not None and policy.frozen_weeks:
        _freeze(instance, policy, previous, columns, rows)
    active = run = np.zeros(0, dtype=int)
    all_hours = slots[["capacity_hours", "overtime_capacity_hours"]].to_numpy().sum(axis=1)
    if policy.activation_costs:
        cost = network.manufacturers.set_index("manufacturer_id")["activation_cost"]
        by_slot = slots["manufacturer_id"].map(cost).to_numpy()
        active = np.flatnonzero((by_slot > 0) & (np.bincount(slot[made], minlength=len(slots)) > 0))
    if active.size:
        of_active = _position(active, len(slots))[slot[batch]]
        columns["active"] = Columns(by_slot[active], binary=True)
        rows["activation"] = Rows(
            {
                "units": incidence(of_active, active.size, hours[batch]),
                "active": diagonal(-all_hours[active]),
            },
            np.zeros(active.size),
        )
    if policy.minimum_batch:
        least = batches["part_category"].map(policy.minimum_batch).to_numpy(float)
        run = np.flatnonzero(made & np.isfinite(least))
        # A batch is at most what its hours make and what could be asked of it.
        asked_of = np.bincount(batch, classes["quantity"].to_numpy()[arcs["class"]], minlength=len(batches))
        most = np.minimum(all_hours[slot] / hours, asked_of)[run]
        columns["run"] = Columns(np.zeros(run.size), binary=True)
        of_run = incidence(_position(run, len(batches))[batch], run.size)
        rows["batch_at_most"] = Rows({"units": of_run, "run": diagonal(-most)}, np.zeros(run.size))
        rows["batch_at_least"] = Rows({"units": -of_run, "run": diagonal(least[run])}, np.zeros(run.size))
    program = assemble(columns, rows)
    rules = pd.DataFrame(listed, columns=["rule", "subject", "limit", "sign"])
    at = [
        np.arange(program.ub_rows[rule].start, program.ub_rows[rule].stop) for rule in RULES if rule in rows
    ]
    rules["row"] = np.concatenate(at).astype(int) if at else np.zeros(0, dtype=int)
    return Formulation(program, overtime, active, run, rules)


def _freeze(
    instance: Instance,
    policy: AllocationPolicy,
    previous: pd.DataFrame,
    columns: dict[str, Columns],
    rows: dict[str, Rows],
) -> None:
    """Units made in a batch for a region in the first weeks, against what the previous plan said.

    A lot of the previous plan whose batch is no more (the week is over, the manufacturer is gone) is nobody's
    to keep and costs nothing.
    """
    lot = ["manufacturer_id", "production_week", "part_category", "region"]
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
    columns["added"], columns["dropped"] = Columns(penalty), Columns(penalty)
    same = diagonal(np.ones(len(lots)))
    rows["previous_plan"] = Rows(
        {"units": incidence(row, len(lots)), "added": -same, "dropped": same},
        planned.set_index(lot)["quantity"].reindex(key).fillna(0.0).to_numpy(),
        equal=True,
    )


def _position(chosen: np.ndarray, size: int) -> np.ndarray:
    """Where each of `size` things stands in `chosen`; -1 for those that do not."""
    position = np.full(size, -1)
    position[chosen] = np.arange(chosen.size)
    return position
