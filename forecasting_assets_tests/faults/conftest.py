"""What every fault is tried on, and the summary of what was tried."""

from forecasting_assets_tests.faults.harness import TALLY


def pytest_terminal_summary(terminalreporter) -> None:
    if TALLY.kills or TALLY.outages or TALLY.corruptions:
        terminalreporter.section("faults")
        for line in TALLY.lines():
            terminalreporter.write_line(line)
