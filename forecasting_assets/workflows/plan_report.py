"""Pages about the plan of a week, from the lake into the folder of reports."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecasting_assets.allocation import build_problem, planned_units
from forecasting_assets.allocation.changes import PlannedWeek, plan_changes
from forecasting_assets.allocation.commitments import REPORT
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.reports import remove_other_files, write_report
from forecasting_assets.reporting import (
    Commands,
    Money,
    PlanProblems,
    PlanReport,
    charts,
    plan_html,
    png,
    sheets,
    worth_html,
)
from forecasting_assets.reporting.sheets import Sheet
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    DEMAND_PLAN,
    OVERRIDE_USE,
    PLAN_PROOF,
    PLAN_SHORTAGES,
)
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.exports import write_exports
from forecasting_assets.workflows.planning import IMPACT_WEEKS, planning_inputs, read_plan_tables
from forecasting_assets.workflows.week_result import WeekResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Folder of the sheets within the folder of a week.
_SHEETS = "manufacturers"


def report_plan(settings: Settings, lake: Lake, week: date, metadata: Mapping[str, Any]) -> WeekResult:
    """Write the pages about the plan of a week, and its exports."""
    path, pictures = write_plan_report(settings, lake, week)
    write_exports(settings, lake, week)
    return WeekResult(lake.rows(ALLOCATION_PLAN, week), metadata, pictures, path)


def write_plan_report(settings: Settings, lake: Lake, week: date) -> tuple[str, dict[str, bytes]]:
    """Write plan.html and the sheets of the manufacturers; return the path of the page, and its pictures by name."""
    report = read_plan_report(settings, lake, week)
    load = report.tables.capacity_load
    picture, narrow = (charts.load_by_manufacturer(load, narrow=narrow) for narrow in (False, True))
    path = write_report(settings.reports_path, week, "plan.html", plan_html(report, picture, narrow))
    written = [
        path
        for sheet in sheets(week, report.tables.plan, report.capabilities)
        for path in _write_sheet(settings, week, sheet)
    ]
    remove_other_files(settings.reports_path, week, _SHEETS, written)
    return path, {"load_against_capacity": png(picture)}


def _write_sheet(settings: Settings, week: date, sheet: Sheet) -> list[str]:
    """Write page and file of a sheet; return their paths."""
    contents = {f"{sheet.file}.html": sheet.html.encode(), sheet.csv_name: sheet.csv}
    return [
        write_report(settings.reports_path, week, f"{_SHEETS}/{name}", content)
        for name, content in contents.items()
    ]


def read_plan_report(settings: Settings, lake: Lake, week: date) -> PlanReport:
    """Read what the pages about the plan of a week show."""
    tables = read_plan_tables(lake, week)
    inputs = planning_inputs(settings, lake, week)
    problem = build_problem(inputs.demand, inputs.network, inputs.policy, inputs.state)
    problems = PlanProblems(
        week,
        tables.reasons,
        tables.rules,
        tables.shortages,
        float(planned_units(problem)["quantity"].sum()),
        settings.checks.shortage_limit,
        problem.fixed.report if problem.fixed else pd.DataFrame(columns=REPORT),
        lake.read_pandas(OVERRIDE_USE, [week], missing_ok=True),
    )
    return PlanReport(
        week,
        tables,
        inputs.network.capabilities,
        lake.read_pandas(PLAN_PROOF, [week]),
        problems,
        _changes(lake, week),
        Money(settings.reports.currency),
        Commands.of(settings.home),
    )


def _changes(lake: Lake, week: date) -> pd.DataFrame | None:
    """Return what the plan of a week changes in the plan before; None if there is nothing to compare."""
    weeks = [add_weeks(week, -1), week]
    if lake.existing(ALLOCATION_PLAN, weeks) != weeks or not all(lake.rows(CAPACITY_LOAD, w) for w in weeks):
        return None
    before, now = (
        PlannedWeek(
            *(
                lake.read_pandas(table, [w])
                for table in (ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES, DEMAND_PLAN)
            )
        )
        for w in weeks
    )
    return plan_changes(before, now)


def write_worth_report(settings: Settings, lake: Lake, week: date) -> tuple[str, dict[str, bytes]]:
    """Write worth.html, about plans up to a week; return its path, and its pictures by name."""
    weeks = weeks_between(add_weeks(week, 1 - IMPACT_WEEKS), week)
    impact = lake.read_pandas(BUSINESS_IMPACT, weeks, missing_ok=True)
    wide = _impact_figures(impact, narrow=False) if len(impact) else {}
    narrow = _impact_figures(impact, narrow=True) if len(impact) else {}
    money = Money(settings.reports.currency)
    page = worth_html(week, impact, money, list(wide.values()), list(narrow.values()))
    path = write_report(settings.reports_path, week, "worth.html", page)
    return path, {name: png(figure) for name, figure in wide.items()}


def _impact_figures(impact: pd.DataFrame, narrow: bool) -> "dict[str, Figure]":
    """Draw what plans were worth, from rows of BUSINESS_IMPACT."""
    return {
        "cost_by_policy": charts.cost_by_policy(impact, narrow=narrow),
        "impact_by_week": charts.impact_by_week(impact, narrow=narrow),
        "sensitivity": charts.sensitivity(impact, narrow=narrow),
    }
