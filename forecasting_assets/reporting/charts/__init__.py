"""Pictures for planners and data scientists: tables in, a matplotlib Figure out.

Every chart takes an empty table and then says that there is nothing yet, and why.
"""

from forecasting_assets.reporting.charts.backtest import (
    error_by_horizon,
    error_by_segment,
    feature_importance,
)
from forecasting_assets.reporting.charts.demand import demand_and_forecast, weekly_orders
from forecasting_assets.reporting.charts.impact import cost_by_policy, sensitivity, worth_by_week
from forecasting_assets.reporting.charts.load import load_by_manufacturer
from forecasting_assets.reporting.charts.what_if import what_if

__all__ = [
    "cost_by_policy",
    "demand_and_forecast",
    "error_by_horizon",
    "error_by_segment",
    "feature_importance",
    "load_by_manufacturer",
    "sensitivity",
    "weekly_orders",
    "what_if",
    "worth_by_week",
]
