"""Pictures for planners and data scientists: functions from tables to a matplotlib Figure.

For an empty table, every chart says that there are no data yet, and why.
"""

from forecasting_assets.reporting.charts.accuracy import accuracy_over_time, calibration
from forecasting_assets.reporting.charts.backtest import (
    error_by_horizon,
    error_by_segment,
    feature_importance,
)
from forecasting_assets.reporting.charts.demand import demand_and_forecast
from forecasting_assets.reporting.charts.impact import cost_by_policy, impact_by_week, sensitivity
from forecasting_assets.reporting.charts.load import load_by_manufacturer
from forecasting_assets.reporting.charts.what_if import what_if

__all__ = [
    "accuracy_over_time",
    "calibration",
    "cost_by_policy",
    "demand_and_forecast",
    "error_by_horizon",
    "error_by_segment",
    "feature_importance",
    "impact_by_week",
    "load_by_manufacturer",
    "sensitivity",
    "what_if",
]
