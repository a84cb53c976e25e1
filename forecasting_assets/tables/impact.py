"""The business impact of planning, and the state from which its replay continues."""

from forecasting_assets.tables.planning import SUPPLY_POSITION
from forecasting_assets.tables.schema import Column, Table
from forecasting_assets.tables.shared import WEEK

BUSINESS_IMPACT = Table(
    "business_impact",
    (
        WEEK,
        Column(
            "policy",
            "string",
            "plan, status_quo, naive_optimal, forecast_greedy, perfect_foresight, lower_bound (only its cost), or "
            "plan_bias_±NN and plan_noise_NN for a forecast with error. Values of perfect_foresight are what the week "
            "adds to its replay, changes in earlier weeks included, and can be negative",
        ),
        Column(
            "metric",
            "string",
            "demand_units = on_time_units + late_units (delivered this week) + shortage_units (given up this week) + "
            "overdue_change_units (since the week before); overdue_units and stock_units at the end of the week; "
            "load_hours, capacity_hours; on_time_rate, fill_rate, utilisation; absolute_error of the forecast; cost "
            "and its parts, among them lateness_cost of the units overdue at the end of the week, and shortage_cost of "
            "the units given up, less the lateness already charged for them",
        ),
        Column("value", "double", "Value of the metric", nullable=True),
    ),
    key=("policy", "metric"),
)
REPLAY_STATE = Table(
    "replay_state",
    (
        WEEK,
        Column("policy", "string", "Policy of business_impact whose replay continues from here"),
        Column("since", "date", "Week in which the replay started"),
        *SUPPLY_POSITION.columns[:-1],
    ),
    key=("policy", *SUPPLY_POSITION.key),
)
