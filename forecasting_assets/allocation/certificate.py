"""The certificate of a plan: what proves that it is feasible and that none is cheaper."""

from dataclasses import asdict, dataclass

import numpy as np

from forecasting_assets.allocation.program import Program, Solution, largest_coefficients, relative_difference


@dataclass(frozen=True)
class Certificate:
    """Proof of optimality by linear programming duality, independent of what the solver reports.

    If the first three attributes are zero, no plan is cheaper. For an integer program the dual objective is the bound
    of branch and bound, which cannot be checked here.

    Attributes
    ----------
    primal_residual
        Largest violation of a row (divided by its largest coefficient, so in units) or bound, relative to the largest
        demand or amount.
    dual_residual
        Largest negative reduced cost or multiplier, relative to the largest cost.
    duality_gap
        Primal minus dual objective, relative to the primal.
    primal_objective, dual_objective
        The objectives.
    table_residual
        Largest difference between the plan's tables and the solution, relative to the largest demand.
    allowed_gap
        For an integer program, how far from the bound the plan may be.

    References
    ----------
    Bertsimas, D. and Tsitsiklis, J. N. (1997). Introduction to Linear Optimization, theorem 4.4.
    """

    primal_residual: float
    dual_residual: float
    duality_gap: float
    primal_objective: float
    dual_objective: float
    table_residual: float = 0.0
    allowed_gap: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the residuals by name."""
        return asdict(self)


def certify(program: Program, solution: Solution) -> Certificate:
    """Check feasibility of `x`, feasibility of the multipliers, and that their objectives meet.

    Of an integer program the dual side is the solver's bound, and only feasibility is checked.
    """
    x = solution.x
    primal = float(program.c @ x)
    binary = x[x.size - program.binaries :]
    of_eq, of_ub = largest_coefficients(program.a_eq), largest_coefficients(program.a_ub)
    terms = np.concatenate([abs(program.a_eq) @ np.abs(x) / of_eq, program.b_eq / of_eq, x])
    primal_residual = max(
        _relative(np.abs(program.a_eq @ x - program.b_eq) / of_eq, terms),
        _relative((program.a_ub @ x - program.b_ub) / of_ub, terms),
        _relative(-x, terms),
        float(np.abs(binary - np.round(binary)).max(initial=0.0)),
    )
    dual, dual_residual = solution.bound, 0.0
    if not program.binaries:
        reduced_cost = program.c + program.a_eq.T @ solution.y_eq + program.a_ub.T @ solution.y_ub
        dual = float(-program.b_eq @ solution.y_eq - program.b_ub @ solution.y_ub)
        dual_residual = max(_relative(-reduced_cost, program.c), _relative(-solution.y_ub, program.c))
    return Certificate(
        primal_residual=primal_residual,
        dual_residual=dual_residual,
        duality_gap=abs(float(relative_difference(primal - dual, primal))),
        primal_objective=primal,
        dual_objective=float(dual),
    )


def _relative(violation: np.ndarray, terms: np.ndarray) -> float:
    """Return the largest positive violation over the largest term; absolute where all terms are zero."""
    scale = float(np.abs(terms).max(initial=0.0)) or 1.0
    return float(violation.max(initial=0.0)) / scale
