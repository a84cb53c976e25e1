"""Scenarios side by side."""

from forecasting_assets.lake.scenarios import Outcome
from forecasting_assets.reporting.formats import MINUS
from forecasting_assets.reporting.scenarios import side_by_side

PLAN = Outcome({"total": 1000.0, "production_cost": 1000.0}, 0.9, 0.0, {"M1": 10.0, "M2": 5.0})
LESS = Outcome(
    {"total": 1234.4, "production_cost": 900.0, "shortage_cost": 334.4}, 0.85, 12.0, {"M1": 2.0, "M2": 5.0}
)


def test_each_scenario_has_its_value_and_its_difference_from_the_plan():
    rows = {row[0]: row[1:] for row in side_by_side(PLAN, [LESS, PLAN])}
    assert rows["Total cost"] == ["1,000", "1,234 (+234)", "1,000 (0)"]
    assert rows["Expected on time"] == ["90.0 %", f"85.0 % ({MINUS}5.0 points)", "90.0 % (0.0 points)"]
    assert rows["Units short"] == ["0", "12 (+12)", "0 (0)"]
    assert rows["Hours of M1"] == ["10.0", f"2.0 ({MINUS}8.0)", "10.0 (0.0)"]
    assert "Hours of M2" not in rows
    assert [name for name in rows if "cost" in name.lower()] == ["Total cost"]
