"""Summary for planners at the end of a run."""

import pytest

from forecasting_assets.reporting.summary import summary
from forecasting_assets_tests.unit.reporting import factories

COSTS = {"total": 512_345.6, "production_cost": 400_000.0, "overtime_cost": 0.0, "shortage_cost": 112_345.6}
REPORTS = ["reports/week=2025-03-03/backtest.html", "reports/week=2025-03-03/plan.html"]


def test_summary_has_accuracy_impact_cost_and_reports() -> None:
    text = summary(factories.backtest(), factories.impact(), COSTS, REPORTS, "open here")
    lines = text.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in text
    rows = {" ".join(line.split()) for line in lines}
    assert {
        "Combined 24.0 % 20 % better 0.70 80.0 % 90.0 %",
        "Seasonal naive 30.0 % 0.87 77.0 % 87.0 %",
        "Plan 720,000 97.2 % 83.0 %",
        "Status quo 813,600 13 % more expensive 90.5 % 74.0 %",
        "Perfect foresight 676,800 6 % cheaper 99.0 % 86.0 %",
    } <= rows
    assert "  Cost 512,346: production 400,000, shortage 112,346" in lines
    assert {f"  {r}" for r in REPORTS} | {"  open here"} <= set(lines)


@pytest.mark.parametrize("first", ["Model", "Policy"])
def test_columns_are_aligned(first: str) -> None:
    lines = summary(factories.backtest(), factories.impact(), COSTS, REPORTS, "open here").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"  {first}"))
    table = [line for line in lines[start : lines.index("", start)] if not line.endswith(".")]
    assert len({len(line) for line in table}) == 1


def test_summary_without_data() -> None:
    text = summary(factories.backtest().iloc[:0], factories.impact().iloc[:0], {}, [], "open here")
    assert "No backtest yet" in text
    assert "No planned week has closed yet" in text
    assert "There is no plan yet" in text
    assert "nan" not in text
