"""Self-contained HTML reports: headline numbers, then pictures, then tables.

A report loads nothing: styles are inline, pictures are data URIs, and there are no scripts. The template escapes
every value.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.reporting.backtest_tables import (
    by_horizon,
    metrics_by_segment,
    value_added,
    value_of_overrides,
    weights,
)
from forecasting_assets.reporting.formats import unbroken
from forecasting_assets.reporting.headlines import Headline, backtest_headlines, plan_headlines
from forecasting_assets.reporting.plan_tables import (
    PlanTables,
    cases_to_try,
    cost_of_plan,
    impact_by_policy,
    load_by_manufacturer,
    plan_lines,
    reasons_table,
    rules_table,
    unmet_demand,
    value_of_hours,
)
from forecasting_assets.reporting.style import described, png
from forecasting_assets.reporting.texttable import TextTable
from forecasting_assets.weeks import days_of

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class _Picture:
    uri: str
    text: str


def backtest_html(week: date, report: pd.DataFrame, pictures: Sequence["Figure"]) -> str:
    """Render the report on forecast accuracy, for planners and data scientists.

    Parameters
    ----------
    week
        Week of the report.
    report
        BACKTEST_REPORT of the week.
    pictures
        Figures to show, in order.

    Raises
    ------
    ReportInputError
        If the report lacks columns or holds several weeks.
    """
    return page(
        "Forecast accuracy",
        week,
        "Forecasts of earlier weeks compared with actual orders; no number here is an in-sample error.",
        backtest_headlines(report),
        pictures,
        [
            value_added(report),
            *([value_of_overrides(report)] if (report["model"] == "override").any() else []),
            metrics_by_segment(report),
            by_horizon(report),
            weights(report),
        ],
    )


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
    return page(
        "Capacity plan",
        week,
        "Planned production of the coming weeks. Costs are in the currency of the network files.",
        plan_headlines(tables),
        pictures,
        [
            cost_of_plan(tables.costs),
            impact_by_policy(tables.impact),
            load_by_manufacturer(tables.capacity_load, tables.plan),
            value_of_hours(tables.capacity_load),
            cases_to_try(week, tables.capacity_load),
            reasons_table(tables.reasons),
            *([rules_table(tables.rules)] if len(tables.rules) else []),
            unmet_demand(tables.shortages),
            plan_lines(tables.plan),
        ],
    )


def page(
    title: str,
    week: date,
    lead: str,
    headlines: Sequence[Headline],
    pictures: Sequence["Figure"],
    tables: Sequence[TextTable],
) -> str:
    """Render a page.

    Parameters
    ----------
    title
        Title of the page.
    week
        Week that it reports on.
    lead
        Introduction, after the dates of the week.
    headlines
        Numbers shown first.
    pictures
        Figures, in order.
    tables
        Tables, in order.
    """
    return _template().render(
        title=title,
        week=str(week),
        days=f"{week} to {days_of(week)[-1]}",
        lead=lead,
        headlines=[Headline(unbroken(h.value), unbroken(h.caption)) for h in headlines],
        pictures=[
            _Picture("data:image/png;base64," + b64encode(png(f)).decode(), described(f)) for f in pictures
        ],
        tables=tables,
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("forecasting_assets.reporting")
    # By default only names that end in .html are escaped.
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")
