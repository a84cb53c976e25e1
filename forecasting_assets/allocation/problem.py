"""An allocation problem: what it is built from, as tables, and as a program."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.allocation.fixed_production import FixedProduction
from forecasting_assets.allocation.formulate import Formulation
from forecasting_assets.allocation.instance import Instance
from forecasting_assets.allocation.label_model import PlanBasis
from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import Program, Solution
from forecasting_assets.allocation.recourse import TwoStage
from forecasting_assets.allocation.state import PlanningState


@dataclass(frozen=True)
class PlanInputs:
    """What a plan is made from.

    Attributes
    ----------
    demand, network, policy, state
        As for `allocate`.
    """

    demand: pd.DataFrame
    network: Network
    policy: AllocationPolicy
    state: PlanningState


@dataclass(frozen=True)
class Problem:
    """An allocation problem, as tables and as a program.

    Attributes
    ----------
    instance
        The problem as tables.
    formulation
        The program by class.
    program
        The program to solve: the same, or with recourse over scenarios.
    stages
        The program with recourse, if demand is uncertain.
    inputs
        What the problem was built from.
    fixed
        Production that is fixed, if there is any: tables and program hold the hours and the demand that it leaves.
    """

    instance: Instance
    formulation: Formulation
    program: Program
    stages: TwoStage | None
    inputs: PlanInputs
    fixed: FixedProduction | None = None

    @property
    def policy(self) -> AllocationPolicy:
        """Costs, limits and rules."""
        return self.inputs.policy

    @cached_property
    def basis(self) -> PlanBasis:
        """What the plan is proved against: the inputs, with the units planned for in place of the mean demand."""
        inputs, parts = self.inputs, self.instance.parts
        units = parts["share"] * self.instance.classes["quantity"].to_numpy()[parts["class"]]
        demand = inputs.demand if "unit_price" in inputs.demand else inputs.demand.assign(unit_price=np.nan)
        series = ["part_id", "region", "due_week"]
        wanted = demand[[*series, "part_category", "unit_price"]].assign(weight=demand["quantity"])
        wanted = wanted.merge(parts[series].assign(quantity=units), on=series, how="left")
        wanted["quantity"] = wanted["quantity"].fillna(wanted["weight"])
        locked = self.fixed.rows if self.fixed else None
        return PlanBasis(
            wanted, inputs.network, inputs.policy, self.instance.slots, inputs.state.previous, locked
        )

    @property
    def base(self) -> Program:
        """The program by class."""
        return self.formulation.program

    def expected(self, x: np.ndarray) -> np.ndarray:
        """Return the expected solution in the columns of the program by class."""
        return self.stages.expected(x) if self.stages else x

    def family(self, x: np.ndarray, name: str) -> np.ndarray:
        """Return the expected values of a family of columns; empty if the problem does not have it."""
        return self.expected(x)[self.base.columns.get(name, slice(0, 0))]

    def rule_rows(self) -> np.ndarray:
        """Return the rows of a_ub that belong to rules."""
        rows = self.formulation.rules["row"].to_numpy()
        return self.stages.rows(rows) if self.stages else rows

    def prices(self, solution: Solution) -> tuple[np.ndarray, np.ndarray]:
        """Return the multipliers of the rows by class: equalities, inequalities."""
        if not self.stages:
            return solution.y_eq, solution.y_ub
        base = self.base
        return self.stages.prices(solution.y_eq, base.b_eq.size), self.stages.prices(
            solution.y_ub, base.b_ub.size
        )
