"""The page of a planner's week: what to do, what has changed, what needs a decision, and the whole plan."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from forecasting_assets.reporting.headlines import plan_headlines
from forecasting_assets.reporting.html import Page, Section, closed_week, render
from forecasting_assets.reporting.plan_tables import (
    PlanTables,
    cases_to_try,
    cost_of_plan,
    load_by_manufacturer,
    plan_lines,
    reasons_table,
    rules_table,
    unmet_demand,
    value_of_hours,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plan_html(week: date, tables: PlanTables, pictures: Sequence["Figure"]) -> str:
    """Render the report on the capacity plan, for planners.

    Parameters
    ----------
    week
        Week after which the plan was made.
    tables
        Tables of the plan.
    pictures
        Figures to show, in order.

    Raises
    ------
    ReportInputError
        If a table lacks columns.
    """
    return render(
        Page(
            "Capacity plan",
            f"after {closed_week(week)}",
            "Planned production of the coming weeks. Costs are in the currency of the network files.",
            "plan.html",
            plan_headlines(tables),
            [
                Section(
                    "Load",
                    "load",
                    pictures=pictures,
                    tables=[
                        load_by_manufacturer(tables.capacity_load, tables.plan),
                        value_of_hours(tables.capacity_load),
                        cases_to_try(week, tables.capacity_load),
                    ],
                ),
                Section(
                    "Exceptions",
                    "exceptions",
                    tables=[
                        reasons_table(tables.reasons),
                        *([rules_table(tables.rules)] if len(tables.rules) else []),
                        unmet_demand(tables.shortages),
                    ],
                ),
                Section("Plan", "plan", tables=[plan_lines(tables.plan)]),
                Section("Cost", "cost", tables=[cost_of_plan(tables.costs)]),
            ],
        )
    )
