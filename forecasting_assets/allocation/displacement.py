"""Displacement: what becomes late or short if an inquiry is served before the demand of a plan."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation.formulate import formulate
from forecasting_assets.allocation.free_capacity import FreeCapacity, Inquiry
from forecasting_assets.allocation.instance import SLOT, Instance, build_instance
from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.problem import Problem
from forecasting_assets.allocation.program import InfeasibleError, Program, Solution, solve
from forecasting_assets.allocation.relaxation import relaxed
from forecasting_assets.tables.frames import stack

#: Changes below this share of a unit are rounding errors of the solver.
_TOLERANCE = 1e-6
_GROUP = ["part_category", "region", "due_week"]
_HOURS = ["regular_hours", "overtime_hours"]
_CAPACITY = ["capacity_hours", "overtime_capacity_hours"]


@dataclass(frozen=True)
class Displaced:
    """Units of other demand that become late or short.

    Attributes
    ----------
    kind
        `late` or `short`.
    part_category, region, due_week
        The demand.
    quantity
        Units more than in the plan.
    """

    kind: str
    part_category: str
    region: str
    due_week: date
    quantity: float


@dataclass(frozen=True)
class Displacement:
    """The cheapest way to serve an inquiry before other demand.

    Attributes
    ----------
    units
        Units that can then be delivered by the week asked for; fewer than asked if even all hours are not enough.
    displaced
        Demand that becomes late or short.
    own_cost
        Production, transport and holding of the units of the inquiry.
    extra_cost
        What all other demand then costs more: overtime, more expensive manufacturers, lateness and shortages.
    gap
        Upper bound of the excess over the cheapest way, relative to the cost of the plan.
    """

    units: float
    displaced: tuple[Displaced, ...]
    own_cost: float
    extra_cost: float
    gap: float


@dataclass(frozen=True)
class Baseline:
    """The plan as it is without the inquiry: the cheapest for the demand that is planned for, taken as known.

    Attributes
    ----------
    instance, network, policy, previous
        What it is made from.
    free
        What it leaves for inquiries.
    cost
        Its cost, with shortages.
    late, short
        Units late and short by category, region and due week.
    """

    instance: Instance
    network: Network
    policy: AllocationPolicy
    previous: pd.DataFrame | None
    free: FreeCapacity
    cost: float
    late: pd.Series
    short: pd.Series

    @classmethod
    def of(
        cls, problem: Problem, network: Network, previous: pd.DataFrame | None, free: FreeCapacity
    ) -> "Baseline":
        """Solve the problem of a plan for the demand that it plans for.

        Parameters
        ----------
        problem
            The problem of the plan.
        network, previous
            The network, and the plan before, as for `optimal.allocate`.
        free
            What the plan leaves.
        """
        policy, instance = problem.policy.certain(), problem.instance
        program, solution = _solve(instance, network, policy, previous)
        late, short = _late_and_short(instance, program, solution, len(instance.classes))
        return cls(instance, network, policy, previous, free, float(program.c @ solution.x), late, short)

    def displace(self, inquiry: Inquiry, by: date, category: str, free: FreeCapacity) -> Displacement:
        """Return the cheapest way to serve an inquiry by a week, whatever other demand it displaces.

        Stock serves the inquiry as far as no other demand uses it, and what was promised before is kept.

        Parameters
        ----------
        inquiry, by
            The inquiry, and its latest week.
        category
            Category of its part.
        free
            What the plan and earlier promises leave.
        """
        stock = free.stock
        own = stock[(stock["part_id"] == inquiry.part_id) & (stock["region"] == inquiry.region)]
        in_time = own.loc[own["week"] <= pd.Timestamp(by), "quantity"].to_numpy(float)
        rest = max(inquiry.quantity - float(np.floor(in_time + _TOLERANCE).sum()), 0.0)
        if rest == 0:
            return Displacement(inquiry.quantity, (), 0.0, 0.0, 0.0)
        instance = self._with_inquiry(replace(inquiry, quantity=rest, by=by), category, free)
        program, solution = _solve(instance, self.network, self.policy, self.previous)
        last = len(instance.classes) - 1
        late, short = _late_and_short(instance, program, solution, last)
        is_own = (instance.arcs["class"] == last).to_numpy()
        at = program.columns["units"]
        own_cost = float(program.c[at][is_own] @ solution.x[at][is_own])
        at = program.columns["shortage"]
        unmet = float(solution.x[at][last])
        penalty = float(program.c[at][last]) * unmet
        extra_cost = float(program.c @ solution.x) - penalty - own_cost - self.cost
        return Displacement(
            units=max(inquiry.quantity - unmet, 0.0) if unmet > _TOLERANCE else inquiry.quantity,
            displaced=(*_more("late", late, self.late), *_more("short", short, self.short)),
            own_cost=own_cost,
            extra_cost=max(extra_cost, 0.0),
            gap=solution.gap,
        )

    def _with_inquiry(self, inquiry: Inquiry, category: str, free: FreeCapacity) -> Instance:
        """Return the problem with the inquiry as its last class, which no other demand is worth leaving short."""
        base = self.instance
        taken = self.free.slots[_HOURS].to_numpy() - free.slots[_HOURS].to_numpy()
        row = pd.MultiIndex.from_frame(free.slots[SLOT]).get_indexer(
            pd.MultiIndex.from_frame(base.slots[SLOT])
        )
        hours = base.slots[_CAPACITY] - np.vstack([taken, np.zeros(2)])[row]
        slots = base.slots.assign(**{c: hours[c].clip(lower=0) for c in _CAPACITY})
        demand = pd.DataFrame(
            {
                "part_id": [inquiry.part_id],
                "part_category": [category],
                "region": [inquiry.region],
                "due_week": pd.to_datetime([str(inquiry.by)]),
                "quantity": [inquiry.quantity],
            }
        )
        # By the week asked for, and not later; delays are no other than those of other demand.
        in_time = self.policy.model_copy(update={"max_weeks_late": 0, "value_bands": 1})
        alone = build_instance(demand, self.network, in_time, slots[[*SLOT, *_CAPACITY]])
        hours_per_unit = base.batches["hours_per_unit"]
        ratio = float(hours_per_unit.max() / hours_per_unit.min()) if len(hours_per_unit) else 1.0
        costs = np.concatenate([of["shortage_cost"].to_numpy() for of in (base.classes, alone.classes)])
        return replace(
            base,
            slots=slots,
            parts=_appended(base.parts, alone.parts, {"class": len(base.classes)}),
            classes=_appended(
                base.classes, alone.classes.assign(shortage_cost=10 * (1 + ratio) * costs.max()), {}
            ),
            arcs=_appended(base.arcs, alone.arcs.assign(lateness_cost=0.0), {"class": len(base.classes)}),
        )


def _appended(table: pd.DataFrame, more: pd.DataFrame, shift: dict[str, int]) -> pd.DataFrame:
    shifted = more.assign(**{column: more[column] + by for column, by in shift.items()})
    return stack([table, shifted])


def _solve(
    instance: Instance, network: Network, policy: AllocationPolicy, previous: pd.DataFrame | None
) -> tuple[Program, Solution]:
    """Solve the problem of an instance; rules that contradict each other are relaxed as in the plan."""
    formulation = formulate(instance, policy, network, previous)
    program = formulation.program
    try:
        return program, solve(program, policy.time_limit, policy.mip_gap)
    except InfeasibleError:
        program, _, _ = relaxed(program, formulation.rules["row"].to_numpy(), policy.time_limit)
        return program, solve(program, policy.time_limit, policy.mip_gap)


def _late_and_short(
    instance: Instance, program: Program, solution: Solution, classes: int
) -> tuple[pd.Series, pd.Series]:
    """Return the units late and short of the first `classes` classes by category, region and due week."""
    arcs, names = instance.arcs, [instance.classes[c] for c in _GROUP]
    is_late = ((arcs["lateness"] > 0) & (arcs["class"] < classes)).to_numpy()
    units = solution.x[program.columns["units"]] * is_late
    late = pd.Series(np.bincount(arcs["class"], units, minlength=len(instance.classes)))
    short = pd.Series(solution.x[program.columns["shortage"]]).where(np.arange(len(names[0])) < classes, 0.0)
    return late.groupby(names).sum(), short.groupby(names).sum()


def _more(kind: str, units: pd.Series, before: pd.Series) -> list[Displaced]:
    """Return what is more than before."""
    added = units.sub(before, fill_value=0.0)
    added = added[added > _TOLERANCE * np.maximum(units.reindex(added.index), 1.0)]
    rows = added.rename("quantity").reset_index()
    return [_displaced(kind, row) for row in rows.itertuples(index=False)]


def _displaced(kind: str, row: Any) -> Displaced:
    return Displaced(kind, row.part_category, row.region, row.due_week.date(), row.quantity)
