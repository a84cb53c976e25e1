"""Solve a linear program and prove the answer: HiGHS through CVXPY, and a certificate in plain numpy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse


class AllocationError(ValueError):
    """The solver found no optimal plan; the message gives its status."""


@dataclass(frozen=True)
class LinearProgram:
    """min c·x subject to a_eq x = b_eq, a_ub x ≤ b_ub, x ≥ 0 (sparse CSR matrices)."""

    c: np.ndarray
    a_eq: sparse.csr_array
    b_eq: np.ndarray
    a_ub: sparse.csr_array
    b_ub: np.ndarray


@dataclass(frozen=True)
class Solution:
    """`x` with the multipliers of the rows: c + a_eq'·y_eq + a_ub'·y_ub ≥ 0 and y_ub ≥ 0 at the optimum."""

    x: np.ndarray
    y_eq: np.ndarray
    y_ub: np.ndarray
    status: str


@dataclass(frozen=True)
class Certificate:
    """Proof of optimality by linear programming duality, independent of what the solver reports.

    primal_residual: largest violation of a row or bound, relative to the largest term of that kind of row
    dual_residual:   largest negative reduced cost or multiplier, relative to the largest cost
    duality_gap:     primal minus dual objective, relative to the primal
    All three at zero prove that no plan is cheaper (e.g. Bertsimas & Tsitsiklis, *Introduction to Linear
    Optimization*, 1997, theorem 4.4).
    """

    primal_residual: float
    dual_residual: float
    duality_gap: float
    primal_objective: float
    dual_objective: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def solve(lp: LinearProgram) -> Solution:
    """Solve with HiGHS. Raises AllocationError if the status is not optimal."""
    if lp.c.size == 0:
        return Solution(lp.c, np.zeros(lp.b_eq.size), np.zeros(lp.b_ub.size), "optimal")
    import cvxpy as cp

    # HiGHS' dual tolerance is absolute: costs near 1 make it mean the same in every currency.
    unit = float(np.median(lp.c[lp.c > 0])) if (lp.c > 0).any() else 1.0
    x = cp.Variable(lp.c.size, nonneg=True)
    rows = [lp.a_eq @ x == lp.b_eq, lp.a_ub @ x <= lp.b_ub]
    problem = cp.Problem(cp.Minimize((lp.c / unit) @ x), rows)
    try:
        problem.solve(solver=cp.HIGHS)
    except cp.SolverError as error:
        raise AllocationError(f"HiGHS failed on {lp.c.size} variables: {error}") from error
    if problem.status != cp.OPTIMAL:
        raise AllocationError(
            f"HiGHS ended with status {problem.status!r} on {lp.c.size} variables and "
            f"{lp.b_eq.size + lp.b_ub.size} rows; look for extreme costs, hours or quantities in the input"
        )
    return Solution(x.value, unit * rows[0].dual_value, unit * rows[1].dual_value, problem.status)


def certify(lp: LinearProgram, solution: Solution) -> Certificate:
    """Check feasibility of `x`, feasibility of the multipliers, and that their objectives meet."""
    x, y_eq, y_ub = solution.x, solution.y_eq, solution.y_ub
    reduced_cost = lp.c + lp.a_eq.T @ y_eq + lp.a_ub.T @ y_ub
    primal, dual = float(lp.c @ x), float(-lp.b_eq @ y_eq - lp.b_ub @ y_ub)
    return Certificate(
        primal_residual=max(
            _relative(np.abs(lp.a_eq @ x - lp.b_eq), lp.b_eq),
            _relative(lp.a_ub @ x - lp.b_ub, np.maximum(abs(lp.a_ub) @ np.abs(x), np.abs(lp.b_ub))),
            _relative(-x, x),
        ),
        dual_residual=max(_relative(-reduced_cost, lp.c), _relative(-y_ub, lp.c)),
        duality_gap=_relative(np.array([abs(primal - dual)]), np.array([primal])),
        primal_objective=primal,
        dual_objective=dual,
    )


def _relative(violation: np.ndarray, terms: np.ndarray) -> float:
    """Largest positive violation over the largest term; absolute where all terms are zero."""
    scale = float(np.abs(terms).max(initial=0.0)) or 1.0
    return float(violation.max(initial=0.0)) / scale
