"""The certificate of a plan: what proves that it is feasible and that none is cheaper."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from forecasting_assets.allocation.program import Program, Solution, largest_coefficients, relative_difference
from forecasting_assets.wording import count

Method = Literal["duality", "branch_and_bound", "scenarios"]


@dataclass(frozen=True)
class Violation:
    """A condition that a plan does not satisfy, by its worst row.

    Attributes
    ----------
    condition
        What is wrong, in words.
    subject
        Where: manufacturer, week, category, region or part.
    amount
        By how much, in `unit`; infinite for a missing number.
    unit
        units, hours or cost.
    rows
        How many rows violate it.
    """

    condition: str
    subject: str
    amount: float
    unit: str
    rows: int

    def __str__(self) -> str:
        """Say what is wrong, where, by how much, and how often."""
        amount = f", {self.amount:,.6g} {self.unit}".rstrip()
        if np.isinf(self.amount):
            amount = ", a missing number" if self.unit else ""
        more = f", and in {count(self.rows - 1, 'more row')}" if self.rows > 1 else ""
        return f"{self.condition}: {self.subject}{amount}{more}"


@dataclass(frozen=True)
class Certificate:
    """Proof of a plan, independent of what the solver reports.

    Attributes
    ----------
    cost
        Objective of the plan.
    bound
        Cost that no plan is below: proved by linear programming duality, or reported by branch and bound.
    allowed_gap
        For an integer program, how far from the bound the plan may be.
    method
        How the bound is proved: `duality` from the tables, `branch_and_bound` (the solver's word), or `scenarios`
        (duality on the program of all scenarios).
    violations
        Conditions of feasibility and optimality that do not hold; empty for a plan that is proved.

    References
    ----------
    Bertsimas, D. and Tsitsiklis, J. N. (1997). Introduction to Linear Optimization, theorem 4.4.
    """

    cost: float
    bound: float
    allowed_gap: float
    method: Method
    violations: tuple[Violation, ...]

    @property
    def gap(self) -> float:
        """Distance from cost to bound, relative to the cost."""
        return relative_difference(self.cost - self.bound, self.cost)

    def to_dict(self) -> dict[str, float | str]:
        """Return the numbers by name."""
        return {
            "cost": self.cost,
            "bound": self.bound,
            "gap": self.gap,
            "allowed_gap": self.allowed_gap,
            "method": self.method,
            "violated_conditions": float(len(self.violations)),
        }


def certify(program: Program, solution: Solution) -> Certificate:
    """Check a solution of a program: rows, bounds and multipliers, each relative to its own size.

    Of an integer program the bound is the solver's, and only feasibility is checked.

    Parameters
    ----------
    program
        The program.
    solution
        x, multipliers and bound.

    Returns
    -------
    Certificate
        Violations by family of rows, the objective and the bound.
    """
    x = solution.x
    of_eq, of_ub = largest_coefficients(program.a_eq), largest_coefficients(program.a_ub)
    cost = float(program.c @ x)
    binary = x[x.size - program.binaries :]
    size_eq = (abs(program.a_eq) @ np.abs(x) + np.abs(program.b_eq)) / of_eq
    size_ub = (abs(program.a_ub) @ np.abs(x) + np.abs(program.b_ub)) / of_ub
    violations = [
        *_worst("equation of the program", "row", np.abs(program.a_eq @ x - program.b_eq) / of_eq, size_eq),
        *_worst("limit of the program", "row", (program.a_ub @ x - program.b_ub) / of_ub, size_ub),
        *_worst("amount below zero", "column", -x, np.zeros(x.size)),
        *_worst("choice that is neither yes nor no", "column", np.abs(binary - np.round(binary)), binary),
    ]
    if program.binaries:
        return Certificate(cost, float(solution.bound), 0.0, "branch_and_bound", tuple(violations))
    reduced = program.c + program.a_eq.T @ solution.y_eq + program.a_ub.T @ solution.y_ub
    sizes = (
        np.abs(program.c)
        + abs(program.a_eq.T) @ np.abs(solution.y_eq)
        + abs(program.a_ub.T) @ np.abs(solution.y_ub)
    )
    violations += _worst("column cheaper than its price", "column", -reduced, sizes)
    violations += _worst("price below zero", "row", -solution.y_ub, np.zeros(solution.y_ub.size))
    bound = float(-program.b_eq @ solution.y_eq - program.b_ub @ solution.y_ub)
    return Certificate(cost, bound, 0.0, "scenarios", tuple(violations))


def _worst(condition: str, what: str, amount: np.ndarray, size: np.ndarray) -> list[Violation]:
    """Return the largest violation above the tolerance, if there is one."""
    amount = np.where(np.isnan(amount), np.inf, amount)
    over = amount > 1e-6 * np.abs(np.nan_to_num(size)) + 1e-9
    if not over.any():
        return []
    at = int(np.argmax(amount))
    return [Violation(condition, f"{what} {at}", float(amount[at]), "", int(over.sum()))]
