"""The page about forecast accuracy."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from forecasting_assets.forecasting.backtest import Backtest
from forecasting_assets.forecasting.value_added import OVERRIDE
from forecasting_assets.reporting import charts
from forecasting_assets.reporting.accuracy_tables import (
    accuracy_by_group,
    bias_in_words,
    origins_in_words,
    verdict,
    verdict_table,
    worst_parts,
)
from forecasting_assets.reporting.backtest_tables import (
    by_horizon,
    metrics_by_segment,
    value_added,
    value_of_overrides,
    value_of_steps,
    weights,
)
from forecasting_assets.reporting.formats import Money
from forecasting_assets.reporting.headlines import backtest_headlines
from forecasting_assets.reporting.html import Page, Section, closed_week, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_COMPARED = (
    "Forecasts of earlier weeks are compared with actual orders; no number here is an in-sample error."
)


def backtest_html(
    week: date,
    backtest: Backtest,
    money: Money,
    pictures: Sequence["Figure"] = (),
    narrow: Sequence["Figure"] = (),
) -> str:
    """Render the report on forecast accuracy, for planners and data scientists.

    Parameters
    ----------
    week
        Week of the report.
    backtest
        What earlier forecasts were worth, as known at the end of the week.
    money
        How amounts are written.
    pictures, narrow
        Figures of the error by horizon and by demand pattern, for a screen and for a telephone.

    Raises
    ------
    ReportInputError
        If the report lacks columns or holds several weeks.
    """
    return render(
        Page(
            "Forecast accuracy",
            f"up to {closed_week(week)}",
            verdict(backtest.errors),
            "backtest.html",
            backtest_headlines(backtest.report),
            _sections(backtest, money, pictures, narrow),
        )
    )


def _sections(
    backtest: Backtest, money: Money, pictures: Sequence["Figure"], narrow: Sequence["Figure"]
) -> list[Section]:
    report, errors = backtest.report, backtest.errors
    added = [value_added(report), value_of_steps(report)]
    if (report["model"] == OVERRIDE).any():
        added.append(value_of_overrides(report))
    return [
        Section(
            "Verdict",
            "verdict",
            f"{_COMPARED} {bias_in_words(errors)}".strip(),
            tables=[verdict_table(errors)],
        ),
        Section(
            "Over time",
            "time",
            origins_in_words(errors),
            pictures=[charts.accuracy_over_time(errors)],
            narrow=[charts.accuracy_over_time(errors, narrow=True)],
        ),
        Section(
            "Where it is wrong",
            "groups",
            tables=[accuracy_by_group(errors), worst_parts(backtest.parts, money)],
        ),
        Section("Error by horizon and demand pattern", "error", pictures=pictures, narrow=narrow),
        Section(
            "Intervals",
            "calibration",
            pictures=[charts.calibration(report)],
        ),
        Section("Value added", "value-added", tables=added),
        Section("By demand pattern", "patterns", tables=[metrics_by_segment(report)]),
        Section("By horizon", "horizons", tables=[by_horizon(report), weights(report)]),
    ]
