"""A plan as the tables of the lake, from units on arcs."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting_assets.allocation.certificate import Certificate
from forecasting_assets.allocation.instance import COST_PARTS, DEMAND_CLASS, SLOT, Instance
from forecasting_assets.allocation.split import split
from forecasting_assets.allocation.whole_units import cheapest_overtime, whole_quantities, working_limits
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    CAPACITY_LOAD,
    PLAN_FLOWS,
    PLAN_PROOF,
    PLAN_REASONS,
    PLAN_RULES,
    PLAN_SHORTAGES,
)

#: Quantities below this share of the demand they serve are rounding errors of the solver.
ROUNDING_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Decision:
    """A decision in terms of the instance.

    Attributes
    ----------
    units
        Units on each arc.
    overtime_units
        Overtime units of each batch.
    short
        Units short of each class.
    activation_cost
        Cost of using each slot.
    change_cost
        Penalty for changes of the previous plan.
    shadow_price
        Cost that one more hour in each slot would save.
    """

    units: np.ndarray
    overtime_units: np.ndarray
    short: np.ndarray
    activation_cost: np.ndarray
    change_cost: float
    shadow_price: np.ndarray


@dataclass(frozen=True)
class AllocationPlan:
    """A plan as tables (columns: `forecasting_assets.tables`), with its cost and its proof.

    Attributes
    ----------
    plan, capacity_load
        ALLOCATION_PLAN and CAPACITY_LOAD, in whole units if the policy says so.
    flows, shortages
        PLAN_FLOWS and PLAN_SHORTAGES: the exact amounts of the cheapest plan.
    reasons
        PLAN_REASONS: why units are short or late, in words.
    rules
        PLAN_RULES: each rule with its limit, the planned amount, and by how much it was relaxed.
    cost
        `total` and its parts: COST_PARTS, activation_cost, change_cost and shortage_cost, of the exact plan. For a
        stochastic plan these are expectations over the scenarios. In whole units also `published_total`, the cost of
        the rows in `plan` with the same shortages.
    status
        `optimal`, `time_limit` (the solver stopped at its time limit), `relaxed` (rules contradict each other) or
        `greedy`.
    gap
        Upper bound of the excess over the cost of the cheapest plan, relative; NaN for a greedy plan.
    certificate
        Proof that no plan is cheaper, computed from the tables; None for a plan without proof.
    proof
        PLAN_PROOF: the vectors that `certify_plan` needs in addition to the tables and the problem.
    """

    plan: pd.DataFrame
    flows: pd.DataFrame
    capacity_load: pd.DataFrame
    shortages: pd.DataFrame
    reasons: pd.DataFrame
    rules: pd.DataFrame
    cost: dict[str, float]
    status: str
    gap: float
    certificate: Certificate | None
    proof: pd.DataFrame


def balance(instance: Instance, decision: Decision) -> Decision:
    """Make planned and short units add up to the demand of each class, however small it is.

    The solver satisfies demand within an absolute tolerance, which can be all of a small class beside large ones.
    Units that it leaves out are short.
    """
    class_, quantity = instance.arcs["class"].to_numpy(), instance.classes["quantity"].to_numpy()
    made = np.bincount(class_, decision.units, minlength=len(quantity))
    share = np.divide(quantity, made, out=np.ones(len(quantity)), where=made > quantity)
    units = decision.units * share[class_]
    return replace(decision, units=units, short=np.maximum(quantity - made, 0.0))


def zero_small_amounts(instance: Instance, decision: Decision) -> Decision:
    """Set amounts below the rounding tolerance to zero."""
    quantity = instance.classes["quantity"].to_numpy()
    class_units = np.bincount(instance.arcs["class"], decision.units, minlength=len(quantity))
    scale = np.maximum(quantity, class_units)
    units = np.where(decision.units > ROUNDING_TOLERANCE * scale[instance.arcs["class"]], decision.units, 0.0)
    batch_units = np.bincount(instance.arcs["batch"], units, minlength=len(instance.batches))
    overtime = np.where(
        decision.overtime_units > ROUNDING_TOLERANCE * batch_units,
        np.minimum(decision.overtime_units, batch_units),
        0.0,
    )
    return Decision(
        units,
        overtime,
        np.where(decision.short > ROUNDING_TOLERANCE * scale, decision.short, 0.0),
        decision.activation_cost,
        decision.change_cost,
        decision.shadow_price,
    )


def to_plan(instance: Instance, decision: Decision, status: str) -> AllocationPlan:
    """Return the tables of a decision (after `zero_small_amounts`), still without reasons, rules and proof.

    Overtime is shared by the units of its batch in proportion.
    """
    rows, unmet = _shares_of_parts(instance, decision)
    return _tables(instance, decision, rows, unmet, _flows(instance, decision), status)


def to_whole_units(instance: Instance, decision: Decision, exact: AllocationPlan) -> AllocationPlan:
    """Return a plan whose rows are whole units, with their costs and hours; see `whole_units.whole_quantities`.

    Shortages, the flows, and the total cost with its parts stay those of the exact plan; `published_total` is the cost
    of the whole units with the same shortages.

    Parameters
    ----------
    instance, decision
        The problem and its exact decision.
    exact
        The result of `to_plan`.
    """
    rows, unmet = _shares_of_parts(instance, decision)
    slot = instance.batches["slot"].to_numpy()
    limit = working_limits(instance, decision.overtime_units)
    quantity = whole_quantities(instance, rows, limit)
    rows = rows.assign(quantity=quantity)[quantity > 0]
    batch_units = np.bincount(rows["batch"], rows["quantity"], minlength=len(slot))
    used = np.bincount(slot, batch_units, minlength=len(instance.slots)) > 0
    whole = replace(
        decision,
        overtime_units=cheapest_overtime(instance, batch_units),
        activation_cost=np.where(used, decision.activation_cost, 0.0),
    )
    published = _tables(instance, whole, rows, unmet, exact.flows, exact.status)
    return replace(
        exact,
        plan=published.plan,
        capacity_load=published.capacity_load,
        cost={**exact.cost, "published_total": published.cost["total"]},
    )


def _shares_of_parts(instance: Instance, decision: Decision) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Share a decision out to parts; return the rows that are made, with their arc and batch, and those unmet."""
    arcs = instance.arcs
    used, short = np.flatnonzero(decision.units), np.flatnonzero(decision.short)
    flows = pd.DataFrame(
        {
            "class": np.concatenate([arcs["class"].to_numpy()[used], short]),
            "amount": np.concatenate([decision.units[used], decision.short[short]]),
        }
    )
    shares = split(instance.parts, flows)
    rows = instance.parts.iloc[shares["part"]].reset_index(drop=True)
    rows = rows.assign(flow=shares["flow"], quantity=shares["quantity"])
    is_made = (rows["flow"] < used.size).to_numpy()
    made, unmet = rows[is_made].reset_index(drop=True), rows[~is_made].reset_index(drop=True)
    arc = used[made["flow"]]
    return made.assign(arc=arc, batch=arcs["batch"].to_numpy()[arc]), unmet


def _tables(
    instance: Instance,
    decision: Decision,
    rows: pd.DataFrame,
    unmet: pd.DataFrame,
    flows: pd.DataFrame,
    status: str,
) -> AllocationPlan:
    """Return the tables of a plan for these rows; of `decision`, all but the units and shortages of classes count."""
    batches, classes, slots = instance.batches, instance.classes, instance.slots
    arc = instance.arcs.iloc[rows["arc"]].reset_index(drop=True)
    plan = rows.reset_index(drop=True)
    batch = plan["batch"].to_numpy()
    slot = slots.iloc[batches["slot"].to_numpy()[batch]].reset_index(drop=True)
    batch_units = np.bincount(batch, plan["quantity"], minlength=len(batches))
    overtime_share = np.divide(
        decision.overtime_units, batch_units, out=np.zeros(len(batches)), where=batch_units > 0
    )
    plan[["manufacturer_id", "production_week"]] = slot[["manufacturer_id", "production_week"]]
    plan["locked_quantity"] = 0.0
    plan["overtime_quantity"] = plan["quantity"] * overtime_share[batch]
    for part in COST_PARTS:
        if part != "overtime_cost":
            plan[part] = arc[part] * plan["quantity"]
    plan["overtime_cost"] = batches["overtime_cost"].to_numpy()[batch] * plan["overtime_quantity"]
    plan["cost"] = plan[COST_PARTS].sum(axis=1)

    hours = batches["hours_per_unit"]
    load = slots.assign(
        load_hours=np.bincount(batches["slot"], batch_units * hours, minlength=len(slots)),
        overtime_hours=np.bincount(batches["slot"], decision.overtime_units * hours, minlength=len(slots)),
        shadow_price=decision.shadow_price,
        activation_cost=decision.activation_cost,
    )
    missing = unmet.assign(cost=unmet["quantity"] * classes["shortage_cost"].to_numpy()[unmet["class"]])
    cost = {part: float(plan[part].sum()) for part in COST_PARTS}
    cost |= {
        "activation_cost": float(load["activation_cost"].sum()),
        "change_cost": decision.change_cost,
        "shortage_cost": float(missing["cost"].sum()),
    }
    return AllocationPlan(
        plan=plan.sort_values(list(ALLOCATION_PLAN.key), ignore_index=True)[ALLOCATION_PLAN.names],
        flows=flows,
        capacity_load=load[CAPACITY_LOAD.names],
        shortages=missing.sort_values(list(PLAN_SHORTAGES.key), ignore_index=True)[PLAN_SHORTAGES.names],
        reasons=pd.DataFrame(columns=PLAN_REASONS.names),
        rules=pd.DataFrame(columns=PLAN_RULES.names),
        cost={"total": sum(cost.values()), **cost},
        status=status,
        gap=float("nan"),
        certificate=None,
        proof=pd.DataFrame(columns=PLAN_PROOF.names),
    )


def _flows(instance: Instance, decision: Decision) -> pd.DataFrame:
    """Return PLAN_FLOWS of a decision."""
    used = np.flatnonzero(decision.units)
    arc = instance.arcs.iloc[used].reset_index(drop=True)
    batch = arc["batch"].to_numpy()
    slots = instance.slots.iloc[instance.batches["slot"].to_numpy()[batch]].reset_index(drop=True)
    classes = instance.classes.iloc[arc["class"]].reset_index(drop=True)
    batch_units = np.bincount(instance.arcs["batch"], decision.units, minlength=len(instance.batches))
    overtime = decision.overtime_units[batch] / batch_units[batch]
    return pd.concat([slots, classes[DEMAND_CLASS]], axis=1).assign(
        quantity=decision.units[used], overtime_quantity=decision.units[used] * overtime
    )[PLAN_FLOWS.names]


def exact_plan(
    instance: Instance, flows: pd.DataFrame, shortages: pd.DataFrame, load: pd.DataFrame
) -> AllocationPlan | None:
    """Return the exact plan by part that PLAN_FLOWS and PLAN_SHORTAGES hold; None if a row is not of the instance.

    Parameters
    ----------
    instance
        The problem, built again.
    flows, shortages, load
        PLAN_FLOWS, PLAN_SHORTAGES and CAPACITY_LOAD; of the load, activation costs and shadow prices count.
    """
    slots = instance.slots.iloc[instance.batches["slot"]].reset_index(drop=True)
    batch_key = pd.MultiIndex.from_arrays(
        [slots["manufacturer_id"], slots["production_week"], instance.batches["part_category"]]
    )
    class_key = pd.MultiIndex.from_frame(instance.classes[DEMAND_CLASS])
    arc_key = pd.MultiIndex.from_frame(instance.arcs[["batch", "class"]])
    series = ["part_id", "region", "due_week"]
    part_key = pd.MultiIndex.from_frame(instance.parts[series])
    slot_key = pd.MultiIndex.from_frame(instance.slots[SLOT])
    batch = batch_key.get_indexer(
        pd.MultiIndex.from_frame(flows[["manufacturer_id", "production_week", "part_category"]])
    )
    class_ = class_key.get_indexer(pd.MultiIndex.from_frame(flows[DEMAND_CLASS]))
    arc = arc_key.get_indexer(pd.MultiIndex.from_arrays([batch, class_]))
    part = part_key.get_indexer(pd.MultiIndex.from_frame(shortages[series]))
    row = pd.MultiIndex.from_frame(load[SLOT]).get_indexer(slot_key)
    if any((at < 0).any() for at in (batch, class_, arc, part, row)):
        return None
    activation_cost, shadow_price = load[["activation_cost", "shadow_price"]].to_numpy(float)[row].T
    short_class = instance.parts["class"].to_numpy()[part]
    decision = Decision(
        units=np.bincount(arc, flows["quantity"], minlength=len(instance.arcs)),
        overtime_units=np.bincount(batch, flows["overtime_quantity"], minlength=len(instance.batches)),
        short=np.bincount(short_class, shortages["quantity"], minlength=len(instance.classes)),
        activation_cost=activation_cost,
        change_cost=0.0,
        shadow_price=shadow_price,
    )
    return to_plan(instance, decision, status="exact")
