"""The cheapest plan: a multi-period transportation problem with overtime, as one linear program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import Instance, build_instance
from forecasting_assets.allocation.linear_program import LinearProgram, certify, solve
from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.plan import AllocationPlan, to_plan
from forecasting_assets.allocation.policy import AllocationPolicy

if TYPE_CHECKING:
    from scipy import sparse

UNIT_COSTS = ["production_cost", "lane_cost", "holding_cost", "lateness_cost"]


def allocate(
    demand: pd.DataFrame, network: Network, policy: AllocationPolicy, capacity: pd.DataFrame | None = None
) -> AllocationPlan:
    """The cheapest plan for `demand` (part_id, part_category, region, due_week, quantity[, unit_price]).

    `capacity` (columns of `weekly_capacity`) says which hours of which production weeks there are; by default
    the network's, from the first week due to the last. What the hours cannot make, or nobody can, is
    shortage. A class is priced at its mean unit price, so the plan is that of a program with one variable a
    part as long as prices do not differ within a class. Activation costs are not part of this program.

    Raises DemandError for demand that cannot be read and AllocationError if the solver finds no optimum.
    """
    instance = build_instance(demand, network, policy, capacity)
    lp, overtime_batches = formulate(instance)
    solution = solve(lp)
    n_arcs, n_slots = len(instance.arcs), len(instance.slots)
    overtime_units = np.zeros(len(instance.batches))
    overtime_units[overtime_batches] = solution.x[n_arcs : n_arcs + len(overtime_batches)]
    return to_plan(
        instance,
        units=solution.x[:n_arcs],
        overtime_units=overtime_units,
        shadow_price=np.maximum(solution.y_ub[:n_slots], 0.0),
        status=solution.status,
        certificate=certify(lp, solution),
    )


def formulate(instance: Instance) -> tuple[LinearProgram, np.ndarray]:
    """The program over x = [units on arcs, overtime units of batches, shortage of classes].

    Rows: demand of each class (=); regular hours of each slot, overtime hours of each slot, and overtime
    units of a batch at most the units made in it (≤). Also returns the batches with an overtime variable.
    """
    from scipy import sparse

    arcs, batches, classes, slots = instance.arcs, instance.batches, instance.classes, instance.slots
    slot, hours = batches["slot"].to_numpy(), batches["hours_per_unit"].to_numpy()
    made = np.bincount(arcs["batch"], minlength=len(batches)) > 0
    overtime = np.flatnonzero(made & (slots["overtime_capacity_hours"].to_numpy()[slot] > 0))
    serves = _incidence(arcs["class"].to_numpy(), len(classes))
    makes = _incidence(arcs["batch"].to_numpy(), len(batches))
    hours_of = _incidence(slot, len(slots)) @ sparse.diags_array(hours)
    overtime_hours = hours_of[:, overtime]
    no_shortage = sparse.csr_array((len(slots), len(classes)))
    no_arcs = sparse.csr_array((len(slots), len(arcs)))
    return (
        LinearProgram(
            c=np.concatenate(
                [
                    arcs[UNIT_COSTS].sum(axis=1),
                    batches["overtime_cost"].to_numpy()[overtime],
                    classes["shortage_cost"],
                ]
            ),
            a_eq=sparse.hstack(
                [serves, sparse.csr_array((len(classes), len(overtime))), sparse.eye_array(len(classes))],
                format="csr",
            ),
            b_eq=classes["quantity"].to_numpy(),
            a_ub=sparse.vstack(
                [
                    sparse.hstack([hours_of @ makes, -overtime_hours, no_shortage]),
                    sparse.hstack([no_arcs, overtime_hours, no_shortage]),
                    sparse.hstack(
                        [
                            -makes[overtime],
                            sparse.eye_array(len(overtime)),
                            sparse.csr_array((len(overtime), len(classes))),
                        ]
                    ),
                ],
                format="csr",
            ),
            b_ub=np.concatenate(
                [slots["capacity_hours"], slots["overtime_capacity_hours"], np.zeros(len(overtime))]
            ),
        ),
        overtime,
    )


def _incidence(row_of: np.ndarray, rows: int) -> sparse.csr_array:
    """0/1 matrix (rows, len(row_of)) with one 1 a column, in the row that `row_of` names."""
    from scipy import sparse

    columns = np.arange(len(row_of))
    return sparse.csr_array((np.ones(len(row_of)), (row_of, columns)), shape=(rows, len(row_of)))
