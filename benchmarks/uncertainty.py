"""Compare methods of HiGHS by the kind and size of the program: for one demand, and for scenarios of it.

    python -m benchmarks.uncertainty [--limit 600] [--programs scenarios-100000 ...]

Every method solves the same program, in a process of its own, so that memory is its own too. *Dual simplex* is HiGHS'
default; *without presolve, Dantzig* is how the platform solves the program of one demand; *from scenarios alone* is how
it solves programs with recourse (`allocation.warm_start`). HiPO needs the package highspy-extras and is left out
without it. An interior point method without crossover ends with a solution that is optimal to 1e-8, all others with a
vertex. Interior point methods and HiPO are measured without crossover, which only makes them slower.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import results
from benchmarks.allocation import SIZES, market
from forecasting_assets.allocation import AllocationError, AllocationPolicy, Problem, build_problem
from forecasting_assets.allocation.program import SIMPLEX, Program, solve
from forecasting_assets.allocation.warm_start import HighsMatrix, solve_two_stage
from forecasting_assets.tables import QUANTILES

#: Program -> number of arcs of one demand, and policy.
PROGRAMS: dict[str, tuple[int, dict[str, Any]]] = {
    "mean-10000": (10_000, {}),
    "mean-100000": (100_000, {}),
    "scenarios-10000": (10_000, {"uncertainty": "stochastic", "scenarios": 30}),
    "cvar-10000": (10_000, {"uncertainty": "stochastic", "scenarios": 30, "risk": "cvar"}),
    "scenarios-100000": (100_000, {"uncertainty": "stochastic", "scenarios": 20}),
}
PLATFORM = "platform"
METHODS: dict[str, dict[str, Any]] = {
    PLATFORM: {},
    "dual simplex": {},
    "without presolve, Dantzig": dict(SIMPLEX),
    "interior point": {"solver": "ipx", "run_crossover": "off"},
    "HiPO": {"solver": "hipo", "run_crossover": "off"},
}
#: Standard deviation of demand, relative to its mean.
SPREAD = 0.3
#: Goal for 100,000 arcs and 20 scenarios.
GOAL_SECONDS, GOAL_GIB = 300.0, 8.0


def uncertain(demand: pd.DataFrame) -> pd.DataFrame:
    """Add the quantiles of lognormal demand with the same mean."""
    sigma = np.sqrt(np.log1p(SPREAD**2))
    score = {name: NormalDist().inv_cdf(level) for name, level in QUANTILES.items()}
    factors = {name: float(np.exp(sigma * z - sigma**2 / 2)) for name, z in score.items()}
    return demand.assign(**{name: demand["quantity"] * factor for name, factor in factors.items()})


def problem_of(name: str, limit: float) -> Problem:
    """Build a problem by its name."""
    arcs, settings = PROGRAMS[name]
    demand, network = market(*SIZES[arcs])
    policy = AllocationPolicy(time_limit=limit, **settings)
    return build_problem(uncertain(demand), network, policy)


def with_highs(program: Program, limit: float, options: dict[str, Any]) -> float | None:
    """Solve with HiGHS alone; return the cost, None if it does not end in time."""
    import highspy

    matrix = HighsMatrix(program.a_eq, program.a_ub)
    solver = matrix.solver(program.c, program.b_eq, program.b_ub, options, limit)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return float(solver.getInfo().objective_function_value)


def measure(name: str, method: str, limit: float) -> dict[str, Any]:
    """Solve a program by a method; return columns, rows, cost, seconds of solving and of building, and memory."""
    for package in ("cvxpy", "highspy", "scipy.sparse"):  # imports are not to be measured
        import_module(package)
    begin = time.perf_counter()
    problem = problem_of(name, limit)
    program = problem.program
    built = time.perf_counter()
    cost: float | None = None
    if method != PLATFORM:
        cost = with_highs(program, limit, METHODS[method])
    else:
        try:
            solution = (
                solve_two_stage(problem.stages, program, limit) if problem.stages else solve(program, limit)
            )
            cost = float(program.c @ solution.x)
        except AllocationError as error:
            print(error, file=sys.stderr)
    return {
        "columns": program.c.size,
        "rows": program.b_eq.size + program.b_ub.size,
        "cost": cost,
        "building": built - begin,
        "seconds": time.perf_counter() - built,
        "GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def compare(name: str, limit: float) -> list[str]:
    """Measure all methods on a program, each in its own process; return the paragraphs to report."""
    methods = [method for method in METHODS if method != "HiPO" or find_spec("highspy_extras")]
    found = {}
    for method in methods:
        command = [
            sys.executable,
            "-m",
            "benchmarks.uncertainty",
            "--limit",
            str(limit),
            "--one",
            name,
            method,
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        found[method] = json.loads(ended.stdout.splitlines()[-1])
        print(name, method, found[method], flush=True)
    costs = [result["cost"] for result in found.values() if result["cost"] is not None]
    if max(costs) - min(costs) > 1e-6 * abs(costs[0]):
        raise SystemExit(f"the costs differ: {found}")
    rows = [
        {
            "": method,
            "seconds": result["seconds"] if result["cost"] is not None else f"over {limit:.0f}",
            "GiB": result["GiB"],
        }
        for method, result in found.items()
    ]
    ours = found[PLATFORM]
    parts = [f"**{name}**: {ours['columns']:,} columns, {ours['rows']:,} rows", results.table(rows)]
    if name == "scenarios-100000":
        seconds = results.against(ours["building"] + ours["seconds"], at_most=GOAL_SECONDS)
        parts.append(
            f"Built and solved in seconds: {seconds}; GiB: {results.against(ours['GiB'], at_most=GOAL_GIB)}."
        )
    return parts


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for each method")
    parser.add_argument("--programs", nargs="*", default=list(PROGRAMS), choices=list(PROGRAMS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, method = arguments.one
        print(json.dumps(measure(name, method, arguments.limit)))
        return
    parts = [part for name in arguments.programs for part in compare(name, arguments.limit)]
    results.section(
        "uncertainty",
        "Methods of solving, by kind and size",
        "The same programs solved by the platform and by methods of HiGHS alone: for the mean of demand, for scenarios "
        "with the expected cost, and with the mean cost of the worst of them (CVaR).",
        ["forecasting-assets", "highspy", "cvxpy"],
        parts,
        "single runs",
    )


if __name__ == "__main__":
    main()
