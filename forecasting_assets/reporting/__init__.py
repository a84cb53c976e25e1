"""Pictures, HTML reports and the summary of a run, from the tables of the lake."""

from forecasting_assets.reporting import charts
from forecasting_assets.reporting.backtest_page import backtest_html
from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.exceptions import PlanProblems
from forecasting_assets.reporting.formats import Money
from forecasting_assets.reporting.plan_page import PlanReport, plan_html
from forecasting_assets.reporting.plan_tables import PlanTables
from forecasting_assets.reporting.promise import ANSWER_HEADING, answer_rows, answer_text
from forecasting_assets.reporting.sheets import sheets
from forecasting_assets.reporting.style import png
from forecasting_assets.reporting.summary import summary
from forecasting_assets.reporting.what_if import what_if_html, what_if_text
from forecasting_assets.reporting.worth import worth_in_words
from forecasting_assets.reporting.worth_page import worth_html

__all__ = [
    "ANSWER_HEADING",
    "Commands",
    "Money",
    "PlanProblems",
    "PlanReport",
    "PlanTables",
    "answer_rows",
    "answer_text",
    "backtest_html",
    "charts",
    "plan_html",
    "png",
    "sheets",
    "summary",
    "what_if_html",
    "what_if_text",
    "worth_html",
    "worth_in_words",
]
