"""The page about forecast accuracy."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.reporting.backtest_tables import (
    by_horizon,
    metrics_by_segment,
    value_added,
    value_of_overrides,
    weights,
)
from forecasting_assets.reporting.headlines import backtest_headlines
from forecasting_assets.reporting.html import Page, Section, closed_week, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    has_overrides = (report["model"] == "override").any()
    return render(
        Page(
            "Forecast accuracy",
            f"up to {closed_week(week)}",
            "Forecasts of earlier weeks compared with actual orders; no number here is an in-sample error.",
            "backtest.html",
            backtest_headlines(report),
            [
                Section("Error", "error", pictures=pictures),
                Section(
                    "Value added",
                    "value-added",
                    tables=[value_added(report), *([value_of_overrides(report)] if has_overrides else [])],
                ),
                Section("By demand pattern", "patterns", tables=[metrics_by_segment(report)]),
                Section("By horizon", "horizons", tables=[by_horizon(report), weights(report)]),
            ],
        )
    )
