"""The page of a planner's week: what to order, what has changed, what needs a decision, and the whole plan."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.reporting.change_tables import changes_by_reason, changes_in_detail
from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.exceptions import PlanProblems, exception_tables, find_exceptions
from forecasting_assets.reporting.formats import Money
from forecasting_assets.reporting.headlines import plan_headlines
from forecasting_assets.reporting.html import Page, Section, closed_week, render
from forecasting_assets.reporting.pivot import plan_pivot
from forecasting_assets.reporting.plan_tables import (
    PlanTables,
    cases_to_try,
    cost_of_plan,
    load_by_week,
    proof_table,
    rules_table,
    this_week,
    unmet_demand,
    value_of_hours,
)
from forecasting_assets.reporting.sheets import sheet_files
from forecasting_assets.reporting.texttable import TextTable, day

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class PlanReport:
    """What the pages about the plan of a week show.

    Attributes
    ----------
    week
        Week after which the plan was made.
    tables
        Tables of the plan.
    capabilities, proof
        CAPABILITIES and PLAN_PROOF of the week.
    problems
        What may be wrong with the plan.
    changes
        What it changes in the plan before (`allocation.changes.plan_changes`); None if there was none.
    money, commands
        How amounts and commands are written.
    """

    week: date
    tables: PlanTables
    capabilities: pd.DataFrame
    proof: pd.DataFrame
    problems: PlanProblems
    changes: pd.DataFrame | None
    money: Money
    commands: Commands


def planned_weeks(capacity_load: pd.DataFrame) -> str:
    """Name the weeks of a plan that are within its horizon: `weeks 2026-11-23 to 2027-01-11`."""
    weeks = capacity_load.loc[capacity_load["beyond_horizon"] == 0, "production_week"]
    if weeks.empty:
        return "no weeks"
    return f"weeks {day(weeks.min())} to {day(weeks.max())}"


def plan_html(report: PlanReport, picture: "Figure | None" = None, narrow: "Figure | None" = None) -> str:
    """Render the report on the capacity plan, for planners.

    Parameters
    ----------
    report
        What it shows.
    picture, narrow
        Picture of load against capacity, for a screen and for a telephone.

    Raises
    ------
    ReportInputError
        If a table lacks columns.
    """
    tables, money = report.tables, report.money
    found = find_exceptions(report.problems, money)
    listed, remedies = exception_tables(found, report.commands)
    return render(
        Page(
            "Capacity plan",
            planned_weeks(tables.capacity_load),
            f"Made after {closed_week(report.week)} had closed; weeks are named by their Monday. {money.note}",
            "plan.html",
            plan_headlines(tables, report.changes, len(found), money),
            [
                Section("This week", "this-week", tables=[_this_week(report)]),
                _what_changed(report.changes),
                Section("Exceptions", "exceptions", tables=[listed, remedies, *_short(tables)]),
                Section(
                    "Load",
                    "load",
                    pictures=[picture] if picture else [],
                    narrow=[narrow] if narrow else [],
                    tables=[
                        load_by_week(tables.capacity_load, money),
                        value_of_hours(tables.capacity_load, money),
                    ],
                ),
                Section(
                    "The whole plan",
                    "plan",
                    "Group, filter and sort it, down to single parts. A click on a heading sorts by it.",
                    widget=plan_pivot(tables.plan, report.capabilities, money),
                ),
                Section(
                    "Cost and proof",
                    "proof",
                    tables=[
                        cost_of_plan(tables.costs, money),
                        proof_table(tables.costs, report.proof, money),
                        *([rules_table(tables.rules, money)] if len(tables.rules) else []),
                        cases_to_try(report.week, tables.capacity_load, report.commands),
                    ],
                ),
            ],
        )
    )


def _this_week(report: PlanReport) -> TextTable:
    tables = report.tables
    sheets = {
        m: f"manufacturers/{file}.html" for m, file in sheet_files(tables.plan["manufacturer_id"]).items()
    }
    return this_week(tables.capacity_load, tables.plan, sheets, report.money)


def _what_changed(changes: pd.DataFrame | None) -> Section:
    title, anchor = "What changed", "changes"
    if changes is None:
        return Section(title, anchor, "There is no plan of the week before to compare with.")
    return Section(title, anchor, tables=[changes_by_reason(changes), changes_in_detail(changes)])


def _short(tables: PlanTables) -> list[TextTable]:
    return [unmet_demand(tables.shortages)] if len(tables.shortages) else []
