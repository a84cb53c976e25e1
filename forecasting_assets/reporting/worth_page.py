"""The page about the past: what planning was worth."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.reporting.formats import Money
from forecasting_assets.reporting.headlines import worth_headlines
from forecasting_assets.reporting.html import Page, Section, closed_week, render
from forecasting_assets.reporting.plan_tables import impact_by_policy, units_by_policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def worth_html(
    week: date,
    impact: pd.DataFrame,
    money: Money,
    pictures: Sequence["Figure"] = (),
    narrow: Sequence["Figure"] = (),
) -> str:
    """Render the report on what earlier plans were worth, for planners and those who pay for planning.

    Parameters
    ----------
    week
        Last week that it covers.
    impact
        BUSINESS_IMPACT of any weeks.
    money
        How amounts are written.
    pictures, narrow
        Figures to show, in order, for a screen and for a telephone.

    Raises
    ------
    ReportInputError
        If the table lacks columns.
    """
    return render(
        Page(
            "Worth of planning",
            f"up to {closed_week(week)}",
            "Earlier plans, replayed against the orders that came, compared with the status quo and with perfect "
            f"foresight. {money.note}",
            "worth.html",
            worth_headlines(impact, money),
            [
                Section(
                    "Business impact",
                    "impact",
                    tables=[impact_by_policy(impact, money), units_by_policy(impact)],
                ),
                *([Section("Pictures", "pictures", pictures=pictures, narrow=narrow)] if pictures else []),
            ],
        )
    )
