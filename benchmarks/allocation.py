"""Compare the speed of planning, building and solving, with HiGHS alone, linopy and PuLP.

    python -m benchmarks.allocation [arcs ...]        (by default 10,000, 100,000 and 1,000,000)

All start from the same tables and solve the same linear program. *HiGHS alone* is highspy on our matrix, passed as
arrays, with its default options: all other times are relative to it. *Our options* has the options that the platform
solves with. *First week* builds, compiles and solves; *next week* does so with different demand, for which the compiled
problem is reused. linopy uses its vectorised groupby and passes the model to HiGHS in memory; PuLP is written as usual
scripts are, with a variable for each arc, sums in loops and its own solver CBC. Both get our table of arcs for free.
Runs are interleaved and medians of their ratios are reported, as the speed of the machine varies.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import results
from forecasting_assets.allocation import AllocationPolicy, Network, allocate, build_problem
from forecasting_assets.allocation.instance import Instance
from forecasting_assets.allocation.program import SIMPLEX, Program, solve

#: Number of arcs -> manufacturers, categories, regions, weeks.
SIZES = {
    10_000: (23, 8, 7, 8),
    100_000: (70, 12, 12, 9),
    1_000_000: (230, 20, 19, 10),
}
REPEATS = {10_000: 9, 100_000: 5, 1_000_000: 1}
#: PuLP is skipped where it would take longer than this, estimated as ten times the previous size.
PULP_LIMIT_SECONDS = 300
POLICY = AllocationPolicy()
OURS = "ours, first week"
PACKAGES = ["forecasting-assets", "highspy", "cvxpy", "linopy", "pulp"]


def market(manufacturers: int, categories: int, regions: int, weeks: int) -> tuple[pd.DataFrame, Network]:
    """Make demand for 85 % of the hours, and manufacturers that each make a quarter of the categories."""
    rng = np.random.default_rng(1)
    ids = [f"M{i:04d}" for i in range(manufacturers)]
    category_names = [f"C{i:02d}" for i in range(categories)]
    region_names = [f"R{i:02d}" for i in range(regions)]
    hours = rng.uniform(50, 150, manufacturers)
    network = Network(
        pd.DataFrame(
            {
                "manufacturer_id": ids,
                "region": [region_names[i % regions] for i in range(manufacturers)],
                "capacity_hours_per_week": hours,
                "overtime_hours_per_week": 0.2 * hours,
                "overtime_premium": 0.4,
                "on_time_rate": rng.uniform(0.8, 1, manufacturers),
                "activation_cost": 0.0,
            }
        ),
        pd.DataFrame(
            [
                (manufacturer, category, rng.uniform(0.5, 2), rng.uniform(5, 20))
                for manufacturer in ids
                for category in rng.choice(category_names, max(1, categories // 4), replace=False)
            ],
            columns=["manufacturer_id", "part_category", "hours_per_unit", "unit_cost"],
        ),
        pd.DataFrame(
            [
                (a, b, 0.5 if a == b else rng.uniform(1, 4), 0 if a == b else int(rng.integers(1, 3)))
                for a in region_names
                for b in region_names
            ],
            columns=["from_region", "to_region", "unit_cost", "transit_weeks"],
        ),
        pd.DataFrame({"manufacturer_id": [], "week": pd.to_datetime([]), "capacity_hours": np.zeros(0)}),
    )
    key = pd.MultiIndex.from_product(
        [category_names, region_names, pd.date_range("2025-01-06", periods=weeks, freq="7D")],
        names=["part_category", "region", "due_week"],
    )
    demand = key.to_frame(index=False)
    mean_quantity = 0.85 * hours.sum() / 1.25 / (categories * regions)
    return (
        demand.assign(
            part_id=demand["part_category"],
            quantity=mean_quantity * rng.uniform(0.5, 1.5, len(demand)),
            unit_price=rng.uniform(20, 60, categories)[demand["part_category"].str[1:].astype(int)],
        ),
        network,
    )


def timed(function: Callable[[], float]) -> tuple[float, float]:
    """Return the seconds that `function` takes, and the cost that it returns."""
    begin = time.perf_counter()
    cost = function()
    return time.perf_counter() - begin, cost


def ours(demand: pd.DataFrame, network: Network) -> float:
    """Build and solve with the platform; return the cost."""
    program = build_problem(demand, network, POLICY).program
    return float(program.c @ solve(program).x)


def highs_alone(program: Program, **options: Any) -> float:
    """Solve with HiGHS alone, which gets the model as arrays; return the cost."""
    import highspy
    from scipy import sparse

    matrix = sparse.vstack([program.a_eq, program.a_ub]).tocsc()
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    for name, value in options.items():
        solver.setOptionValue(name, value)
    inf = highspy.kHighsInf
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_ = program.c, np.zeros(program.c.size)
    lp.col_upper_ = np.full(program.c.size, inf)
    lp.row_lower_ = np.concatenate([program.b_eq, np.full(program.b_ub.size, -inf)])
    lp.row_upper_ = np.concatenate([program.b_eq, program.b_ub])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
    lp.a_matrix_.value_ = matrix.data
    solver.passModel(lp)
    solver.run()
    return float(solver.getInfo().objective_function_value)


def arcs_of(instance: Instance) -> pd.DataFrame:
    """Return the arcs with their cost, slot and hours."""
    batches = instance.batches.iloc[instance.arcs["batch"]].reset_index(drop=True)
    costs = ["production_cost", "lane_cost", "holding_cost", "lateness_cost"]
    return instance.arcs.assign(
        cost=instance.arcs[costs].sum(axis=1), slot=batches["slot"], hours=batches["hours_per_unit"]
    )


def with_linopy(instance: Instance) -> float:
    """Build and solve with linopy and HiGHS; return the cost."""
    import linopy
    import xarray as xr

    arcs, batches, slots, classes = (
        arcs_of(instance),
        instance.batches,
        instance.slots,
        instance.classes,
    )
    model = linopy.Model()
    units = model.add_variables(lower=0, coords=[arcs.index.rename("arc")], name="units")
    overtime = model.add_variables(lower=0, coords=[batches.index.rename("batch")], name="overtime")
    short = model.add_variables(lower=0, coords=[classes.index.rename("class")], name="short")

    def column(frame: pd.DataFrame, name: str, dim: str) -> xr.DataArray:
        return xr.DataArray(frame[name].to_numpy(), dims=[dim], coords={dim: frame.index}, name=name)

    served = (1 * units).groupby(column(arcs, "class", "arc")).sum()
    model.add_constraints(served + short == column(classes, "quantity", "class"), name="demand")
    load = (column(arcs, "hours", "arc") * units).groupby(column(arcs, "slot", "arc")).sum()
    extra = (
        (column(batches, "hours_per_unit", "batch") * overtime)
        .groupby(column(batches, "slot", "batch"))
        .sum()
    )
    model.add_constraints(load - extra <= column(slots, "capacity_hours", "slot"), name="regular")
    model.add_constraints(extra <= column(slots, "overtime_capacity_hours", "slot"), name="overtime_hours")
    made = (1 * units).groupby(column(arcs, "batch", "arc")).sum()
    model.add_constraints(overtime - made <= 0, name="overtime_units")
    model.add_objective(
        (column(arcs, "cost", "arc") * units).sum()
        + (column(batches, "overtime_cost", "batch") * overtime).sum()
        + (column(classes, "shortage_cost", "class") * short).sum()
    )
    model.solve("highs", io_api="direct", log_to_console=False, progress=False)
    cost: Any = model.objective.value
    return float(cost)


def with_pulp(instance: Instance) -> float:
    """Build and solve with PuLP and CBC; return the cost."""
    import pulp

    arcs, batches = arcs_of(instance).to_dict("records"), instance.batches.to_dict("records")
    slots, classes = instance.slots.to_dict("records"), instance.classes.to_dict("records")
    model = pulp.LpProblem("plan", pulp.LpMinimize)
    units = pulp.LpVariable.dicts("units", range(len(arcs)), lowBound=0)
    overtime = pulp.LpVariable.dicts("overtime", range(len(batches)), lowBound=0)
    short = pulp.LpVariable.dicts("short", range(len(classes)), lowBound=0)
    model += (
        pulp.lpSum(arc["cost"] * units[a] for a, arc in enumerate(arcs))
        + pulp.lpSum(batch["overtime_cost"] * overtime[b] for b, batch in enumerate(batches))
        + pulp.lpSum(k["shortage_cost"] * short[i] for i, k in enumerate(classes))
    )
    of_class: dict[int, list[int]] = {}
    of_slot: dict[int, list[int]] = {}
    of_batch: dict[int, list[int]] = {}
    for a, arc in enumerate(arcs):
        of_class.setdefault(arc["class"], []).append(a)
        of_slot.setdefault(arc["slot"], []).append(a)
        of_batch.setdefault(arc["batch"], []).append(a)
    extra: dict[int, list[int]] = {}
    for b, batch in enumerate(batches):
        extra.setdefault(batch["slot"], []).append(b)
        model += overtime[b] <= pulp.lpSum(units[a] for a in of_batch.get(b, []))
    for i, k in enumerate(classes):
        model += pulp.lpSum(units[a] for a in of_class.get(i, [])) + short[i] == k["quantity"]
    for s, slot in enumerate(slots):
        over = pulp.lpSum(batches[b]["hours_per_unit"] * overtime[b] for b in extra.get(s, []))
        load = pulp.lpSum(arcs[a]["hours"] * units[a] for a in of_slot.get(s, []))
        model += load - over <= slot["capacity_hours"]
        model += over <= slot["overtime_capacity_hours"]
    model.solve(pulp.PULP_CBC_CMD(msg=False))
    return float(pulp.value(model.objective))


def compare(arcs: int, pulp_seconds: float) -> tuple[list[str], float]:
    """Compare at one size; return the paragraphs to report, and the actual or estimated seconds of PuLP."""
    demand, network = market(*SIZES[arcs])
    instance = build_problem(demand, network, POLICY).instance
    program = build_problem(demand, network, POLICY).program
    later = demand.assign(
        quantity=demand["quantity"] * np.random.default_rng(2).uniform(0.9, 1.1, len(demand))
    )
    later_program = build_problem(later, network, POLICY).program
    size = (
        f"**{len(instance.arcs):,} arcs**: {program.c.size:,} columns, "
        f"{program.b_eq.size + program.b_ub.size:,} rows, {program.a_eq.nnz + program.a_ub.nnz:,} coefficients; "
        f"repeats: {REPEATS[arcs]}"
    )
    contenders: dict[str, Callable[[], float]] = {
        "HiGHS alone": lambda: highs_alone(program),
        "HiGHS alone, our options": lambda: highs_alone(program, **SIMPLEX),
        OURS: lambda: _without_cache(lambda: ours(demand, network)),
        "HiGHS alone, next week": lambda: highs_alone(later_program),
        "ours, next week": lambda: ours(later, network),
        "ours, with tables and proof": lambda: allocate(demand, network, POLICY).cost["total"],
        "linopy": lambda: with_linopy(instance),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    costs: dict[str, float] = {}
    for _ in range(REPEATS[arcs]):
        for name, run in contenders.items():
            seconds, costs[name] = timed(run)
            times[name].append(seconds)
    if pulp_seconds <= PULP_LIMIT_SECONDS:
        seconds, costs["PuLP with CBC"] = timed(lambda: with_pulp(instance))
        times["PuLP with CBC"] = [seconds]
        pulp_seconds = seconds
    rows, ratios = [], {}
    for name, measured in times.items():
        base = times["HiGHS alone, next week" if "next" in name else "HiGHS alone"]
        ratios[name] = statistics.median(s / b for s, b in zip(measured, base, strict=False))
        rows.append(
            {
                "": name,
                "seconds": statistics.median(measured),
                "times HiGHS alone": ratios[name],
                "cost": f"{costs[name]:,.4f}",
            }
        )
    parts = [size, results.table(rows)]
    parts.append(
        f"Building and solving relative to HiGHS alone: {results.against(ratios[OURS], at_most=1.3)}."
    )
    if "PuLP with CBC" not in times:
        parts.append(f"PuLP with CBC is skipped: it would take about {pulp_seconds:,.0f} s.")
    print("\n" + "\n".join(parts), flush=True)
    same = [cost for name, cost in costs.items() if "next" not in name]
    if max(same) - min(same) > 1e-6 * abs(same[0]):
        raise SystemExit(f"the costs differ: {costs}")
    return parts, pulp_seconds


def _without_cache(run: Callable[[], float]) -> float:
    """Run as in a new process, without compiled problems."""
    from forecasting_assets.allocation import program

    program._CACHE.clear()
    return run()


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arcs", nargs="*", type=int, default=list(SIZES), help=f"some of {list(SIZES)}")
    sizes = parser.parse_args().arcs
    # Imports are not to be measured.
    demand, network = market(4, 2, 2, 3)
    instance = build_problem(demand, network, POLICY).instance
    for run in (lambda: ours(demand, network), lambda: with_linopy(instance), lambda: with_pulp(instance)):
        run()
    pulp_seconds, parts = 0.0, []
    for arcs in sorted(sizes):
        size_parts, pulp_seconds = compare(arcs, 10 * pulp_seconds)
        parts += size_parts
    results.section(
        "allocation",
        "Speed of planning",
        "The same linear program built and solved by the platform, by HiGHS alone on our matrix with its default "
        "options, by linopy with HiGHS, and by PuLP with CBC; runs interleaved, medians of the ratios.",
        PACKAGES,
        parts,
        "medians, see each size",
    )


if __name__ == "__main__":
    main()
