"""Programs put together from families of columns and rows, solved by HiGHS through CVXPY, proved in numpy."""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse


class AllocationError(ValueError):
    """No plan is possible; the message gives the reason and what to change."""


class InfeasibleError(AllocationError):
    """No x satisfies all rows."""


@dataclass(frozen=True)
class Columns:
    """A family of variables x ≥ 0 with their unit costs; `binary` ones are 0 or 1."""

    cost: np.ndarray
    binary: bool = False


@dataclass(frozen=True)
class Rows:
    """A family of constraints: the sum over column families of terms[family] @ x, = or ≤ rhs."""

    terms: Mapping[str, sparse.sparray]
    rhs: np.ndarray
    equal: bool = False


@dataclass(frozen=True)
class Program:
    """min c·x subject to a_eq x = b_eq, a_ub x ≤ b_ub, x ≥ 0, the last `binaries` of x in {0, 1}.

    Matrices are sparse CSR; `columns`, `eq_rows` and `ub_rows` say where each family stands.
    """

    c: np.ndarray
    a_eq: sparse.csr_array
    b_eq: np.ndarray
    a_ub: sparse.csr_array
    b_ub: np.ndarray
    binaries: int
    columns: Mapping[str, slice]
    eq_rows: Mapping[str, slice]
    ub_rows: Mapping[str, slice]


@dataclass(frozen=True)
class Solution:
    """`x` with the multipliers of the rows: c + a_eq'·y_eq + a_ub'·y_ub ≥ 0 and y_ub ≥ 0 at the optimum.

    `bound` is what no solution costs less than, `gap` its distance to the cost of `x`, relative to it. Of an
    integer program the bound is that of the branch and bound, and the multipliers are those of the program
    with its binaries fixed: they price hours and units, and prove nothing of the binaries.
    """

    x: np.ndarray
    y_eq: np.ndarray
    y_ub: np.ndarray
    bound: float
    gap: float
    status: str


def assemble(columns: Mapping[str, Columns], rows: Mapping[str, Rows]) -> Program:
    """Assemble a program from its families, in their order, but binary columns last."""
    ordered = sorted(columns, key=lambda name: columns[name].binary)
    at = _slices({name: columns[name].cost.size for name in ordered})
    width = at[ordered[-1]].stop if ordered else 0

    def stack(equal: bool) -> tuple[sparse.csr_array, np.ndarray, dict[str, slice]]:
        family = {name: r for name, r in rows.items() if r.equal == equal}
        where = _slices({name: r.rhs.size for name, r in family.items()})
        rhs = np.concatenate([np.zeros(0), *(r.rhs for r in family.values())])
        placed = [
            (where[name].start, at[column].start, matrix.tocoo())
            for name, r in family.items()
            for column, matrix in r.terms.items()
        ]
        return _matrix(placed, (rhs.size, width)), rhs, where

    a_eq, b_eq, eq_rows = stack(True)
    a_ub, b_ub, ub_rows = stack(False)
    return Program(
        c=np.concatenate([np.zeros(0), *(columns[name].cost for name in ordered)]),
        a_eq=a_eq,
        b_eq=b_eq,
        a_ub=a_ub,
        b_ub=b_ub,
        binaries=sum(c.cost.size for c in columns.values() if c.binary),
        columns=at,
        eq_rows=eq_rows,
        ub_rows=ub_rows,
    )


def incidence(row_of: np.ndarray, rows: int, weight: np.ndarray | float = 1.0) -> sparse.coo_array:
    """Return a matrix (rows, len(row_of)): column j has weight[j] in row row_of[j]; it is empty where that is -1."""
    from scipy import sparse

    column = np.flatnonzero(row_of >= 0)
    data = np.broadcast_to(np.asarray(weight, float), row_of.shape)[column]
    return sparse.coo_array((data, (row_of[column], column)), shape=(rows, row_of.size))


def diagonal(values: np.ndarray) -> sparse.coo_array:
    """Return the diagonal matrix of these values."""
    return incidence(np.arange(values.size), values.size, values)


def _slices(sizes: Mapping[str, int]) -> dict[str, slice]:
    ends = np.cumsum([0, *sizes.values()]).tolist()
    return {name: slice(a, b) for name, a, b in zip(sizes, ends, ends[1:], strict=False)}


def _matrix(placed: Sequence[tuple[int, int, sparse.coo_array]], shape: tuple[int, int]) -> sparse.csr_array:
    """Blocks, each at its first row and column."""
    from scipy import sparse

    if not placed:
        return sparse.csr_array(shape)
    row = np.concatenate([m.coords[0] + r for r, _, m in placed])
    column = np.concatenate([m.coords[1] + c for _, c, m in placed])
    return sparse.csr_array((np.concatenate([m.data for _, _, m in placed]), (row, column)), shape=shape)


#: Feasibility tolerance of integer programs of ordinary amounts.
MIP_TOLERANCE = 1e-9
#: HiGHS' kSolutionStatusFeasible.
_FEASIBLE = 2
#: How a linear program of one demand is solved: presolve finds next to nothing in it, and steepest edge's better steps
#: cost more than they save. Programs with recourse are solved by `warm_start`; for integer programs HiGHS' defaults are
#: best. docs/reference/measurements.md compares methods by kind and size.
#: The tolerances, the smallest HiGHS takes, are absolute in amounts and costs near 1: small classes beside large ones
#: are planned too.
SIMPLEX = {
    "presolve": "off",
    "simplex_dual_edge_weight_strategy": 0,  # Dantzig
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
}


def solve(program: Program, time_limit: float | None = None, gap: float | None = None) -> Solution:
    """Solve a program with HiGHS.

    Parameters
    ----------
    program
        The program.
    time_limit
        Seconds that it may take; an integer program then ends with the best solution so far.
    gap
        Relative gap at which an integer program is done.

    Raises
    ------
    InfeasibleError
        If no x satisfies all rows.
    AllocationError
        If the solver fails, or finds no solution (of a linear program, no optimal one) within the time limit.
    """
    if program.c.size == 0:
        if program.b_eq.any() or (program.b_ub < 0).any():
            raise InfeasibleError("there are no variables, and the constraints are violated")
        return Solution(program.c, np.zeros(program.b_eq.size), np.zeros(program.b_ub.size), 0, 0, "optimal")
    scaling = Scaling.of(program)
    compiled = _compiled(program)
    scaling.set_parameters(program, compiled)
    options: dict[str, Any] = dict(SIMPLEX)
    if program.binaries:
        options = {"mip_rel_gap": gap, "mip_feasibility_tolerance": _integer_tolerance(compiled)}
    if time_limit is not None:
        options["time_limit"] = time_limit
    x, status = _run_solver(program, compiled, options)
    if status != "optimal" and time_limit is not None and not program.binaries:
        raise time_limit_error(program, time_limit)
    if program.binaries:
        bound = _integer_bound(program, compiled, time_limit) * scaling.cost
        return _with_fixed_binaries(program, x, max(bound, 0.0), status)
    x = np.maximum(x, 0.0) * scaling.amount
    y_eq, y_ub = (
        scaling.cost * rows.dual_value / of
        for rows, of in zip(compiled.rows, (scaling.eq, scaling.ub), strict=True)
    )
    cost, bound = float(program.c @ x), float(-program.b_eq @ y_eq - program.b_ub @ y_ub)
    return Solution(x, y_eq, y_ub, bound, relative_difference(cost - bound, cost), status)


@dataclass(frozen=True)
class Scaling:
    """Units of costs and amounts, and the largest coefficient of each row.

    HiGHS' tolerances are absolute: with amounts, coefficients and costs near 1 they mean the same in every
    unit. An integer program keeps its amounts, for binaries must stay 0 or 1.
    """

    cost: float
    amount: float
    eq: np.ndarray
    ub: np.ndarray

    @classmethod
    def of(cls, program: Program) -> Scaling:
        """Choose the scaling of a program."""
        eq, ub = largest_coefficients(program.a_eq), largest_coefficients(program.a_ub)
        rows = ((program.a_eq, program.b_eq / eq), (program.a_ub, program.b_ub / ub))
        # Rows without coefficients, as of hours nobody can use, say nothing about the size of amounts.
        amounts = [b[np.diff(a.indptr) > 0] for a, b in rows]
        amount = 1.0 if program.binaries else _typical(np.concatenate(amounts))
        return cls(_typical(program.c), amount, eq, ub)

    def set_parameters(self, program: Program, compiled: _Compiled) -> None:
        """Set the scaled costs and right-hand sides of a compiled problem."""
        compiled.cost.value = program.c / self.cost
        compiled.b_eq.value = program.b_eq / self.eq / self.amount
        compiled.b_ub.value = program.b_ub / self.ub / self.amount


def _integer_tolerance(compiled: _Compiled) -> float:
    """Return the tolerance of the rows of an integer program; it is absolute, and rounding grows with the amounts."""
    largest = max(np.abs(b.value).max(initial=0.0) for b in (compiled.b_eq, compiled.b_ub))
    return max(MIP_TOLERANCE, 4 * float(np.finfo(float).eps * largest))


def _run_solver(program: Program, compiled: _Compiled, options: dict[str, Any]) -> tuple[np.ndarray, str]:
    """Solve a compiled problem; return its scaled x and the status."""
    import cvxpy as cp

    try:
        with warnings.catch_warnings():
            # CVXPY calls a solution at the time limit inaccurate; the gap says by how much.
            warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
            compiled.problem.solve(solver=cp.HIGHS, warm_start=False, **options)
    except cp.SolverError as error:
        raise unexpected_end("error", program) from error
    status = compiled.problem.status
    # No cost is negative, so the program cannot be unbounded.
    if status in (cp.INFEASIBLE, cp.settings.INFEASIBLE_OR_UNBOUNDED):
        raise InfeasibleError(f"HiGHS ended with status {status!r}")
    x = compiled.value()
    if status not in (cp.OPTIMAL, cp.USER_LIMIT) or x is None:
        raise unexpected_end(status, program)
    return x, status


def unexpected_end(status: str, program: Program) -> AllocationError:
    """Return the error of a solver that ended with another status than it should."""
    return AllocationError(
        f"HiGHS ended with status {status!r} on {program.c.size:,} variables and "
        f"{program.b_eq.size + program.b_ub.size:,} rows; look for extreme costs, hours or quantities in the input"
    )


def time_limit_error(program: Program, time_limit: float) -> AllocationError:
    """Return the error of a program for which no solution is found in time."""
    kind = f", {program.binaries:,} of them binary" if program.binaries else ""
    return AllocationError(
        f"HiGHS found no plan within the {time_limit:g} s of [allocation] time_limit, for a program of "
        f"{program.c.size:,} variables{kind}: allow it more time, or plan for fewer scenarios or bands"
    )


def _integer_bound(program: Program, compiled: _Compiled, time_limit: float | None) -> float:
    """Return the scaled bound of the branch and bound; raise AllocationError if it found no solution."""
    info = compiled.problem.solver_stats.extra_stats
    # At its time limit HiGHS returns an x even if it found none that satisfies the rows.
    if info.primal_solution_status != _FEASIBLE:
        raise time_limit_error(program, time_limit or float("inf"))
    return float(info.mip_dual_bound)


def _with_fixed_binaries(program: Program, x: np.ndarray, bound: float, status: str) -> Solution:
    """Solve for the other variables with the binaries fixed; the multipliers are those of that program."""
    binary = np.round(x[x.size - program.binaries :])
    rest = solve(_with_binaries(program, binary))
    x = np.concatenate([rest.x, binary])
    cost = float(program.c @ x)
    return replace(rest, x=x, bound=bound, gap=relative_difference(cost - bound, cost), status=status)


def _with_binaries(program: Program, binary: np.ndarray) -> Program:
    """Return the program of the other variables for given binaries."""
    n = program.c.size - binary.size
    return replace(
        program,
        c=program.c[:n],
        a_eq=program.a_eq[:, :n],
        b_eq=program.b_eq - program.a_eq[:, n:] @ binary,
        a_ub=program.a_ub[:, :n],
        b_ub=program.b_ub - program.a_ub[:, n:] @ binary,
        binaries=0,
    )


@dataclass(frozen=True)
class _Compiled:
    """A CVXPY problem whose costs and right-hand sides are parameters, so that it is compiled once (DPP)."""

    problem: Any
    variables: tuple[Any, ...]
    cost: Any
    b_eq: Any
    b_ub: Any
    rows: tuple[Any, Any]

    def value(self) -> np.ndarray | None:
        values = [v.value for v in self.variables]
        return None if any(v is None for v in values) else np.concatenate(values)


#: The latest compiled problems by their matrices: the weeks of a range, and the curves of one week, share one.
_CACHE: OrderedDict[tuple[int, bytes, bytes], _Compiled] = OrderedDict()
_CACHED = 4


def _compiled(program: Program) -> _Compiled:
    key = (program.binaries, _digest(program.a_eq), _digest(program.a_ub))
    if key not in _CACHE:
        _CACHE[key] = _compile(program)
        if len(_CACHE) > _CACHED:
            _CACHE.popitem(last=False)
    _CACHE.move_to_end(key)
    return _CACHE[key]


def _compile(program: Program) -> _Compiled:
    import cvxpy as cp

    continuous = program.c.size - program.binaries
    variables = [cp.Variable(continuous, bounds=[0, None])]
    if program.binaries:
        variables.append(cp.Variable(program.binaries, boolean=True))
    x = cp.hstack(variables) if program.binaries else variables[0]
    cost, b_eq, b_ub = (cp.Parameter(v.size) for v in (program.c, program.b_eq, program.b_ub))
    a_eq, a_ub = (scaled_rows(a) for a in (program.a_eq, program.a_ub))
    rows = (a_eq @ x == b_eq, a_ub @ x <= b_ub)
    return _Compiled(cp.Problem(cp.Minimize(cost @ x), list(rows)), tuple(variables), cost, b_eq, b_ub, rows)


def _digest(matrix: sparse.csr_array) -> bytes:
    digest = hashlib.blake2b(str(matrix.shape).encode(), digest_size=16)
    for array in (matrix.indptr, matrix.indices, matrix.data):
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def largest_coefficients(matrix: sparse.csr_array) -> np.ndarray:
    """Return the largest coefficient of each row; 1 for a row without any."""
    if not matrix.nnz:
        return np.ones(matrix.shape[0])
    largest = abs(matrix).max(axis=1).toarray().ravel()
    return np.where(largest > 0, largest, 1.0)


def scaled_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    """Divide each row by its largest coefficient."""
    from scipy import sparse

    # A product with a diagonal would leave the indices unsorted, and CVXPY sort them.
    of = np.repeat(largest_coefficients(matrix), np.diff(matrix.indptr))
    return sparse.csr_array((matrix.data / of, matrix.indices, matrix.indptr), shape=matrix.shape)


def _typical(values: np.ndarray) -> float:
    """Return the median of the positive values, but no less than a billionth of the largest."""
    positive = values[values > 0]
    if not positive.size:
        return 1.0
    return float(np.clip(np.median(positive), 1e-9 * positive.max(), positive.max()))


def relative_difference(difference: float, of: float) -> float:
    """Return a difference as a share of an amount; the difference itself if the amount is zero."""
    return difference / (abs(of) or 1.0)
