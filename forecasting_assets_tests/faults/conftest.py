"""What every fault is tried on, and the summary of what was tried."""

from forecasting_assets_tests.faults.harness import TALLY
from forecasting_assets_tests.support.homes import home as home
from forecasting_assets_tests.support.homes import home_copy as home_copy


def pytest_terminal_summary(terminalreporter) -> None:
    if TALLY.kills or TALLY.outages or TALLY.corruptions:
        terminalreporter.section("faults")
        for line in TALLY.lines():
            terminalreporter.write_line(line)
