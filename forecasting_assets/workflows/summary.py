"""The end of a run in words: what a planner wants to know of the newest week."""

from collections.abc import Sequence
from datetime import date

from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.reports import report_path
from forecasting_assets.reporting import Commands, summary
from forecasting_assets.settings import Settings
from forecasting_assets.tables import BACKTEST_REPORT, BUSINESS_IMPACT
from forecasting_assets.workflows.planning import read_plan_costs


def summarise(settings: Settings, lake: Lake, weeks: Sequence[date]) -> str:
    """Summarise the newest of `weeks`: accuracy, business impact of the plans up to it, reports."""
    newest = weeks[-1]
    commands = Commands.of(settings.home)
    return summary(
        lake.read_pandas(BACKTEST_REPORT, [newest]),
        lake.read_pandas(BUSINESS_IMPACT, weeks),
        read_plan_costs(lake, newest),
        [
            *(
                report_path(settings.reports_path, newest, name)
                for name in ("plan.html", "worth.html", "backtest.html")
            ),
            commands.line("open"),
        ],
        f"{commands.line('dev')}, then http://127.0.0.1:3000",
    )
