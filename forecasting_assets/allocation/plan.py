"""A plan as the tables of the lake, from units on arcs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import COST_PARTS, Instance
from forecasting_assets.allocation.linear_program import Certificate
from forecasting_assets.tables import ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES

#: Quantities below this share of the demand they serve are rounding of the solver, not a plan.
DUST = 1e-9


@dataclass(frozen=True)
class AllocationPlan:
    """Tables `ALLOCATION_PLAN`, `CAPACITY_LOAD`, `PLAN_SHORTAGES`, and what they cost.

    cost: total, its parts as in the plan table, and shortage_cost
    certificate: proof that no plan is cheaper; None for a plan that claims no optimality
    """

    plan: pd.DataFrame
    capacity_load: pd.DataFrame
    shortages: pd.DataFrame
    cost: dict[str, float]
    status: str
    certificate: Certificate | None


def to_plan(
    instance: Instance,
    units: np.ndarray,
    overtime_units: np.ndarray,
    shadow_price: np.ndarray,
    status: str,
    certificate: Certificate | None,
) -> AllocationPlan:
    """Tables for `units` on each arc, `overtime_units` of each batch and the shadow price of each slot.

    Overtime is shared by the units of its batch in proportion, and so is a class by its parts.
    """
    arcs, batches, classes, slots = instance.arcs, instance.batches, instance.classes, instance.slots
    quantity = classes["quantity"].to_numpy()
    units = np.where(units > DUST * quantity[arcs["class"]], units, 0.0)
    made = np.bincount(arcs["batch"], units, minlength=len(batches))
    overtime_units = np.where(overtime_units > DUST * made, np.minimum(overtime_units, made), 0.0)
    short = quantity - np.bincount(arcs["class"], units, minlength=len(classes))
    short = np.where(short > DUST * quantity, short, 0.0)

    overtime_cost = np.divide(
        overtime_units * batches["overtime_cost"].to_numpy(), made, out=np.zeros(len(batches)), where=made > 0
    )
    used = arcs.assign(units=units, overtime_cost=overtime_cost[arcs["batch"]])[units > 0]
    slot = slots.iloc[batches["slot"].to_numpy()[used["batch"]]]
    used = used.assign(
        manufacturer_id=slot["manufacturer_id"].to_numpy(), production_week=slot["production_week"].to_numpy()
    )
    plan = used.merge(instance.parts, on="class")
    plan["quantity"] = plan["units"] * plan["share"]
    plan[COST_PARTS] = plan[COST_PARTS].mul(plan["quantity"], axis=0)
    plan["cost"] = plan[COST_PARTS].sum(axis=1)

    hours = batches["hours_per_unit"]
    load = slots.assign(
        load_hours=np.bincount(batches["slot"], made * hours, minlength=len(slots)),
        overtime_hours=np.bincount(batches["slot"], overtime_units * hours, minlength=len(slots)),
        shadow_price=shadow_price,
    )

    missing = instance.parts.assign(quantity=short[instance.parts["class"]] * instance.parts["share"])
    missing["cost"] = missing["quantity"] * classes["shortage_cost"].to_numpy()[instance.parts["class"]]
    cost = {part: float(plan[part].sum()) for part in COST_PARTS}
    cost["shortage_cost"] = float(missing["cost"].sum())
    return AllocationPlan(
        plan=plan.sort_values(list(ALLOCATION_PLAN.key), ignore_index=True)[ALLOCATION_PLAN.names],
        capacity_load=load[CAPACITY_LOAD.names],
        shortages=missing[missing["quantity"] > 0].sort_values(list(PLAN_SHORTAGES.key), ignore_index=True)[
            PLAN_SHORTAGES.names
        ],
        cost={"total": sum(cost.values()), **cost},
        status=status,
        certificate=certificate,
    )
