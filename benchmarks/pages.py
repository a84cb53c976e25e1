"""Measure the pages of a plan of many series: seconds to make and write them, and their size.

    python -m benchmarks.pages [--series 20000] [--manufacturers 50]

The plan is synthetic: every series is made in every week of the horizon, a part of it by a second manufacturer, and
the plan of the week before differs in a tenth of its rows. Measured are the comparison with the plan before, the page
of the plan with its pictures, the sheet of each manufacturer as page and as CSV file, and writing them; not the reading
of tables and the planning itself.
"""

import argparse
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.results import section, table
from forecasting_assets.allocation.changes import PlannedWeek, plan_changes
from forecasting_assets.allocation.commitments import REPORT
from forecasting_assets.lake.reports import write_report
from forecasting_assets.reporting import (
    Commands,
    Money,
    PlanProblems,
    PlanReport,
    PlanTables,
    charts,
    plan_html,
    sheets,
)
from forecasting_assets.reporting.style import png
from forecasting_assets.tables import BUSINESS_IMPACT, OVERRIDE_USE, PLAN_REASONS, PLAN_RULES
from forecasting_assets.weeks import add_weeks

WEEK = date(2026, 11, 16)
HORIZON = 8
CATEGORIES = np.array(["CNC machining", "Injection moulding", "Sheet metal", "3D printing", "Casting"])
REGIONS = np.array(["AMER", "APAC", "EMEA", "LATAM"])
#: Share of the series that a second manufacturer makes as well, and of the rows that the plan before had otherwise.
SPLIT, CHANGED = 0.3, 0.1
MIB = 2**20


def planned_week(series: int, manufacturers: int, changed: float) -> PlannedWeek:
    """Return a plan of `series` over the horizon, with another quantity in the share `changed` of the rows."""
    rng = np.random.default_rng(0)
    part = np.arange(series) // len(REGIONS)
    maker = rng.integers(0, manufacturers, series)
    second = np.flatnonzero(rng.random(series) < SPLIT)
    of_row = np.concatenate([np.arange(series), second]).repeat(HORIZON)
    makers = np.concatenate([maker, (maker[second] + 1) % manufacturers]).repeat(HORIZON)
    weeks = np.array([np.datetime64(add_weeks(WEEK, h), "ns") for h in range(1, HORIZON + 1)])
    week = np.resize(weeks, len(of_row))
    quantity = np.round(rng.lognormal(3, 1, len(of_row))) + 1
    quantity += np.where(rng.random(len(of_row)) < changed, 5.0, 0.0)
    plan = pd.DataFrame(
        {
            "manufacturer_id": _names("M", makers, 2),
            "part_id": _names("P", part[of_row], 6),
            "region": REGIONS[of_row % len(REGIONS)].astype(object),
            "production_week": week,
            "due_week": week,
            "part_category": CATEGORIES[part[of_row] % len(CATEGORIES)].astype(object),
            "quantity": quantity,
            "locked_quantity": 0.0,
            "overtime_quantity": 0.0,
            "cost": np.round(12.345 * quantity, 2),
            "production_cost": np.round(12.345 * quantity, 2),
            **dict.fromkeys(("overtime_cost", "lane_cost", "holding_cost", "lateness_cost"), 0.0),
        }
    )
    demand = plan.groupby(["part_id", "region", "due_week"], as_index=False)["quantity"].sum()
    demand = demand.assign(override=np.nan, booked=0.0, held=0.0)
    return PlannedWeek(
        plan, _load(plan), _no_rows(["part_id", "region", "due_week", "quantity", "cost"]), demand
    )


def _names(prefix: str, numbers: np.ndarray, digits: int) -> np.ndarray:
    return np.char.add(prefix, np.char.zfill(numbers.astype(str), digits)).astype(object)


def _no_rows(columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(columns=columns)
    weeks = [c for c in columns if c.endswith("_week")]
    return frame.astype(dict.fromkeys(weeks, "datetime64[ns]"))


def _load(plan: pd.DataFrame) -> pd.DataFrame:
    hours = 0.1 * plan.groupby(["manufacturer_id", "production_week"])["quantity"].sum()
    load = hours.rename("load_hours").reset_index()
    columns = ("overtime_hours", "overtime_capacity_hours", "activation_cost")
    return load.assign(
        capacity_hours=load["load_hours"], shadow_price=4.2, beyond_horizon=0, **dict.fromkeys(columns, 0.0)
    )


def plan_report(now: PlannedWeek, changes: pd.DataFrame) -> PlanReport:
    """Return what the pages show, without exceptions."""
    reasons, rules = _no_rows(PLAN_REASONS.names), _no_rows(PLAN_RULES.names)
    total = {"total": float(now.plan["cost"].sum())}
    tables = PlanTables(
        now.plan, now.capacity_load, now.shortages, total, _no_rows(BUSINESS_IMPACT.names), reasons, rules
    )
    units = float(now.demand["quantity"].sum())
    problems = PlanProblems(
        WEEK, reasons, rules, now.shortages, units, 0.05, _no_rows(REPORT), _no_rows(OVERRIDE_USE.names)
    )
    capabilities = now.plan[["manufacturer_id", "part_category"]].drop_duplicates().assign(hours_per_unit=0.1)
    proof = pd.DataFrame({"kind": ["bound"], "value": [total["total"]]})
    return PlanReport(WEEK, tables, capabilities, proof, problems, changes, Money("EUR"), Commands())


def measure(series: int, manufacturers: int, folder: Path) -> dict[str, float]:
    """Make and write all pages; return seconds and sizes."""
    before, now = (planned_week(series, manufacturers, changed) for changed in (CHANGED, 0.0))
    # Each figure is drawn once only, so the pictures of an earlier repetition would cost nothing.
    png.cache_clear()
    start = time.perf_counter()
    report = plan_report(now, plan_changes(before, now))
    wide, narrow = (charts.load_by_manufacturer(now.capacity_load, narrow=n) for n in (False, True))
    write_report(folder, WEEK, "plan.html", plan_html(report, wide, narrow))
    plan_seconds = time.perf_counter() - start
    largest = 0
    for sheet in sheets(WEEK, now.plan, report.capabilities):
        for name, content in ((f"{sheet.file}.html", sheet.html.encode()), (f"{sheet.file}.csv", sheet.csv)):
            write_report(folder, WEEK, f"manufacturers/{name}", content)
            largest = max(largest, len(content))
    return {
        "rows": len(now.plan),
        "plan seconds": plan_seconds,
        "all seconds": time.perf_counter() - start,
        "plan MiB": (folder / f"week={WEEK}" / "plan.html").stat().st_size / MIB,
        "largest sheet MiB": largest / MIB,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--manufacturers", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [measure(options.series, options.manufacturers, Path(folder)) for _ in range(options.repeats)]
    row = {"series": options.series, "manufacturers": options.manufacturers}
    row |= {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    section(
        "pages",
        "Pages of a large plan",
        "The page of a plan and the sheets of its manufacturers, made from tables in memory and written.",
        ["jinja2", "matplotlib", "pandas"],
        [table([row]), "The aim is pages below 10 MB, written within 20 seconds."],
        options.repeats,
    )


if __name__ == "__main__":
    main()
