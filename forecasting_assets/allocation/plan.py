"""A plan as the tables of the lake, from units on arcs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.allocation.certificate import Certificate
from forecasting_assets.allocation.instance import COST_PARTS, Instance
from forecasting_assets.allocation.split import split
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    CAPACITY_LOAD,
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
    plan, capacity_load, shortages
        ALLOCATION_PLAN, CAPACITY_LOAD and PLAN_SHORTAGES.
    reasons
        PLAN_REASONS: why units are short or late, in words.
    rules
        PLAN_RULES: each rule with its limit, the planned amount, and by how much it was relaxed.
    cost
        `total` and its parts: the costs in `plan`, activation_cost, change_cost and shortage_cost. For a stochastic
        plan these are expectations over the scenarios.
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
    capacity_load: pd.DataFrame
    shortages: pd.DataFrame
    reasons: pd.DataFrame
    rules: pd.DataFrame
    cost: dict[str, float]
    status: str
    gap: float
    certificate: Certificate | None
    proof: pd.DataFrame


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
    arcs, batches, classes, slots = instance.arcs, instance.batches, instance.classes, instance.slots
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

    plan = rows[is_made].reset_index(drop=True)
    arc = arcs.iloc[used[plan["flow"]]].reset_index(drop=True)
    batch = arc["batch"].to_numpy()
    slot = slots.iloc[batches["slot"].to_numpy()[batch]].reset_index(drop=True)
    batch_units = np.bincount(arcs["batch"], decision.units, minlength=len(batches))
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
    missing = rows[~is_made].reset_index(drop=True)
    missing["cost"] = missing["quantity"] * classes["shortage_cost"].to_numpy()[missing["class"]]
    cost = {part: float(plan[part].sum()) for part in COST_PARTS}
    cost |= {
        "activation_cost": float(load["activation_cost"].sum()),
        "change_cost": decision.change_cost,
        "shortage_cost": float(missing["cost"].sum()),
    }
    return AllocationPlan(
        plan=plan.sort_values(list(ALLOCATION_PLAN.key), ignore_index=True)[ALLOCATION_PLAN.names],
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
