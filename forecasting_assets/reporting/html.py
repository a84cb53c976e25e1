"""Self-contained HTML reports: headline numbers in plain words, then pictures, then tables.

A report loads nothing: style is inline, pictures are data URIs, there are no scripts. The template escapes
every value.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.reporting.backtest_tables import by_horizon, metrics_by_segment, value_added, weights
from forecasting_assets.reporting.formats import unbroken
from forecasting_assets.reporting.headlines import Headline, backtest_headlines, plan_headlines
from forecasting_assets.reporting.plan_tables import (
    cases_to_try,
    cost_of_plan,
    impact_by_policy,
    load_by_maker,
    plan_lines,
    reasons_table,
    rules_table,
    short_units,
    worth_of_hours,
)
from forecasting_assets.reporting.style import described, png
from forecasting_assets.reporting.texttable import TextTable

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class _Picture:
    uri: str
    text: str


def backtest_html(week: date, report: pd.DataFrame, pictures: Sequence["Figure"]) -> str:
    """How good the forecasts made before `week` were: a page for planners and data scientists.

    `report` is BACKTEST_REPORT of `week`; `pictures` are shown in their order. Raises ReportInputError for a
    report that lacks columns or holds several weeks.
    """
    return page(
        "Forecast accuracy",
        week,
        "Forecasts of earlier weeks against what was ordered since; no number here is an in-sample error.",
        backtest_headlines(report),
        pictures,
        [value_added(report), metrics_by_segment(report), by_horizon(report), weights(report)],
    )


def plan_html(
    week: date,
    plan: pd.DataFrame,
    capacity_load: pd.DataFrame,
    shortages: pd.DataFrame,
    costs: dict[str, float],
    impact: pd.DataFrame,
    reasons: pd.DataFrame,
    rules: pd.DataFrame,
    pictures: Sequence["Figure"],
) -> str:
    """The capacity plan made at the end of `week`: a page for planners.

    `plan`, `capacity_load`, `shortages`, `reasons`, `rules`: ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES,
    PLAN_REASONS, PLAN_RULES of `week`. `costs`: `total` and its parts. `impact`: BUSINESS_IMPACT of any
    weeks. `pictures` are shown in their order.
    Raises ReportInputError for a table that lacks columns.
    """
    return page(
        "Capacity plan",
        week,
        "Who makes what in the coming weeks. Costs are in the currency of the network files.",
        plan_headlines(plan, capacity_load, shortages, costs, impact),
        pictures,
        [
            cost_of_plan(costs),
            impact_by_policy(impact),
            load_by_maker(capacity_load, plan),
            worth_of_hours(capacity_load),
            cases_to_try(week, capacity_load),
            reasons_table(reasons),
            *([rules_table(rules)] if len(rules) else []),
            short_units(shortages),
            plan_lines(plan),
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
    """A report from its parts."""
    return _template().render(
        title=title,
        week=f"{week:%G}-W{week:%V}",
        days=f"{week.day} {week:%b %Y} to {_sunday(week)}",
        lead=lead,
        headlines=[Headline(unbroken(h.value), unbroken(h.words)) for h in headlines],
        pictures=[
            _Picture("data:image/png;base64," + b64encode(png(f)).decode(), described(f)) for f in pictures
        ],
        tables=tables,
    )


def _sunday(week: date) -> str:
    last = week + timedelta(days=6)
    return f"{last.day} {last:%b %Y}"


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("forecasting_assets.reporting")
    # The default would escape nothing: it goes by the ending of the name, and .j2 is not .html.
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")
