"""Solve a program with recourse by the dual simplex method, started from the solutions of its scenarios alone.

If every scenario could decide for itself, each would be a program of its own, which is solved in no time. Its optimal
basis is dual feasible for the program of all scenarios, where only what is decided now is not yet the same in all of
them: the dual simplex method has nothing else left to repair. CVXPY takes no basis, so this talks to HiGHS itself.

References
----------
Birge, J. R. and Louveaux, F. (2011). Introduction to Stochastic Programming, chapters 4 and 5 (wait and see).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting_assets.allocation.program import (
    SIMPLEX,
    InfeasibleError,
    Program,
    Scaling,
    Solution,
    relative_difference,
    scaled_rows,
    time_limit_error,
    unexpected_end,
)

if TYPE_CHECKING:
    from scipy import sparse

    from forecasting_assets.allocation.recourse import TwoStage

#: HiGHS' codes of where a column or row stands in a basis.
_AT_LOWER, _BASIC, _AT_UPPER = 0, 1, 2
#: Far from a solution, the better steps of steepest edge are worth their cost, which they are not for one scenario.
_REPAIR = SIMPLEX | {"simplex_dual_edge_weight_strategy": -1}  # HiGHS chooses


def solve_two_stage(stages: TwoStage, program: Program, time_limit: float) -> Solution:
    """Solve a program with recourse.

    Parameters
    ----------
    stages
        What the columns and rows of the program mean.
    program
        The program of `stages`, or the same with other right-hand sides; without binary columns.
    time_limit
        Seconds.

    Raises
    ------
    InfeasibleError
        If no x satisfies all rows.
    AllocationError
        If the solver does not finish within the time limit, or fails.
    """
    scaling = Scaling.of(program)
    basis = _wait_and_see(stages, program, scaling, time_limit)
    matrix = HighsMatrix(scaled_rows(program.a_eq), scaled_rows(program.a_ub))
    b_eq, b_ub = program.b_eq / scaling.eq / scaling.amount, program.b_ub / scaling.ub / scaling.amount
    solver = matrix.solver(program.c / scaling.cost, b_eq, b_ub, _REPAIR, time_limit)
    _set_basis(solver, basis)
    _run(solver, program, time_limit)
    found = solver.getSolution()
    x = np.maximum(np.array(found.col_value), 0.0) * scaling.amount
    y = -scaling.cost * np.array(found.row_dual)
    y_eq, y_ub = y[: b_eq.size] / scaling.eq, y[b_eq.size :] / scaling.ub
    cost, bound = float(program.c @ x), float(-program.b_eq @ y_eq - program.b_ub @ y_ub)
    return Solution(x, y_eq, y_ub, bound, relative_difference(cost - bound, cost), "optimal")


@dataclass(frozen=True)
class _Basis:
    """Where columns and rows (equalities first) stand in a basis: HiGHS' codes."""

    columns: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class HighsMatrix:
    """Equalities and inequalities of a program, each row divided by its largest coefficient."""

    a_eq: sparse.csr_array
    a_ub: sparse.csr_array

    def solver(
        self,
        cost: np.ndarray,
        b_eq: np.ndarray,
        b_ub: np.ndarray,
        options: Mapping[str, Any],
        time_limit: float,
    ) -> Any:
        """Return HiGHS with the program."""
        import highspy
        from scipy import sparse

        matrix = sparse.vstack([self.a_eq, self.a_ub]).tocsc()
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = matrix.shape
        lp.col_cost_ = cost
        lp.col_lower_, lp.col_upper_ = np.zeros(cost.size), np.full(cost.size, highspy.kHighsInf)
        lp.row_lower_ = np.concatenate([b_eq, np.full(b_ub.size, -highspy.kHighsInf)])
        lp.row_upper_ = np.concatenate([b_eq, b_ub])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
        lp.a_matrix_.value_ = matrix.data
        solver = highspy.Highs()
        for name, value in {"output_flag": False, "time_limit": time_limit, **options}.items():
            solver.setOptionValue(name, value)
        solver.passModel(lp)
        return solver


def _wait_and_see(stages: TwoStage, program: Program, scaling: Scaling, time_limit: float) -> _Basis:
    """Solve each scenario as if it were the only one; return their bases as one of the whole program."""
    base, n = stages.base, stages.scenarios
    of_base = Scaling.of(base)
    equalities, later = base.b_eq.size, stages.later.size
    b_eq = (program.b_eq.reshape(n, -1) / of_base.eq) / scaling.amount
    b_ub = (program.b_ub[: n * base.b_ub.size].reshape(n, -1) / of_base.ub) / scaling.amount
    matrix = HighsMatrix(scaled_rows(base.a_eq), scaled_rows(base.a_ub))
    solver = matrix.solver(base.c / of_base.cost, b_eq[0], b_ub[0], SIMPLEX, time_limit)
    row = np.arange(equalities + base.b_ub.size, dtype=np.int32)
    free = np.full(base.b_ub.size, -np.inf)
    # Each column that is decided now has one coefficient, in an equality (its lot).
    own_row = base.a_eq.tocsc()[:, stages.now].indices
    columns, rows, costs = np.zeros(program.c.size, dtype=np.int8), [], np.zeros(n)
    for scenario in range(n):
        solver.changeRowsBounds(
            row.size,
            row,
            np.concatenate([b_eq[scenario], free]),
            np.concatenate([b_eq[scenario], b_ub[scenario]]),
        )
        _run(solver, base, time_limit)
        basis = solver.getBasis()
        of_columns, of_rows = (np.array([int(s) for s in k]) for k in (basis.col_status, basis.row_status))
        columns[scenario * later : (scenario + 1) * later] = of_columns[stages.later]
        # What is decided now leaves the basis, and its row takes its place.
        of_rows[own_row[of_columns[stages.now] == _BASIC]] = _BASIC
        rows.append(of_rows)
        costs[scenario] = solver.getInfo().objective_function_value
    table = np.array(rows, dtype=np.int8)
    parts = [table[:, :equalities].ravel(), table[:, equalities:].ravel()]
    if stages.cvar_level is not None:
        beyond = _worst_scenarios(columns[n * later :], costs, stages.cvar_level)
        parts.append(beyond)
    return _Basis(columns, np.concatenate(parts))


def _worst_scenarios(columns: np.ndarray, costs: np.ndarray, level: float) -> np.ndarray:
    """Put the columns of the CVaR (value at risk +, -, excess of each scenario) into the basis; return its rows.

    The worst scenarios have the largest weight; the next worst, whose cost is the value at risk, has the rest of it.
    """
    weight = (1 - level) * costs.size
    full = max(int(np.ceil(weight - 1e-9)) - 1, 0)
    worst_first = np.argsort(-costs, kind="stable")
    rows = np.full(costs.size, _BASIC, dtype=np.int8)
    rows[worst_first[: full + 1]] = _AT_UPPER
    columns[0] = _BASIC
    columns[2 + worst_first[:full]] = _BASIC
    return rows


def _set_basis(solver: Any, basis: _Basis) -> None:
    import highspy

    status = np.array([highspy.HighsBasisStatus(code) for code in (_AT_LOWER, _BASIC, _AT_UPPER, 3, 4)])
    start = highspy.HighsBasis()
    start.col_status, start.row_status = status[basis.columns].tolist(), status[basis.rows].tolist()
    start.valid = True
    solver.setBasis(start)


def _run(solver: Any, program: Program, time_limit: float) -> None:
    """Run HiGHS; raise an error if it does not end with an optimal solution."""
    import highspy

    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kTimeLimit:
        raise time_limit_error(program, time_limit)
    if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        raise InfeasibleError(f"HiGHS ended with status {status.name!r}")
    if status != highspy.HighsModelStatus.kOptimal:
        raise unexpected_end(status.name, program)
