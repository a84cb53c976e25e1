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
DUST = 1e-9


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
    """A plan as tables (columns: `forecasting_assets.tables`), what it costs, and its proof.

    plan, capacity_load, shortages: ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES
    reasons: PLAN_REASONS, why units are short or late, in words
    rules: PLAN_RULES, each rule with its limit, what is planned and whether it was given up
    cost: total, and its parts: those of the plan table, activation_cost, change_cost and shortage_cost; of a
        stochastic plan its expectation over the scenarios
    status: optimal; time_limit; relaxed where rules contradict each other; greedy
    gap: largest possible excess over the cost of the cheapest plan, relative
    certificate: proof that no plan is cheaper, computed from the tables; None if none is claimed
    proof: PLAN_PROOF, what `certify_plan` needs besides tables and problem
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


def without_dust(instance: Instance, decision: Decision) -> Decision:
    """Set amounts below the rounding tolerance to zero."""
    quantity = instance.classes["quantity"].to_numpy()
    made_of = np.bincount(instance.arcs["class"], decision.units, minlength=len(quantity))
    scale = np.maximum(quantity, made_of)
    units = np.where(decision.units > DUST * scale[instance.arcs["class"]], decision.units, 0.0)
    made = np.bincount(instance.arcs["batch"], units, minlength=len(instance.batches))
    overtime = np.where(decision.overtime_units > DUST * made, np.minimum(decision.overtime_units, made), 0.0)
    return Decision(
        units,
        overtime,
        np.where(decision.short > DUST * scale, decision.short, 0.0),
        decision.activation_cost,
        decision.change_cost,
        decision.shadow_price,
    )


def to_plan(instance: Instance, decision: Decision, status: str) -> AllocationPlan:
    """Return the tables of a decision (without dust), still without reasons, rules and proof.

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
    made = np.bincount(arcs["batch"], decision.units, minlength=len(batches))
    overtime_share = np.divide(decision.overtime_units, made, out=np.zeros(len(batches)), where=made > 0)
    plan[["manufacturer_id", "production_week"]] = slot[["manufacturer_id", "production_week"]]
    plan["overtime_quantity"] = plan["quantity"] * overtime_share[batch]
    for part in COST_PARTS:
        if part != "overtime_cost":
            plan[part] = arc[part] * plan["quantity"]
    plan["overtime_cost"] = batches["overtime_cost"].to_numpy()[batch] * plan["overtime_quantity"]
    plan["cost"] = plan[COST_PARTS].sum(axis=1)

    hours = batches["hours_per_unit"]
    load = slots.assign(
        load_hours=np.bincount(batches["slot"], made * hours, minlength=len(slots)),
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
