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
            "plan, status_quo, perfect_foresight, or plan_bias_±NN and plan_noise_NN for a forecast with error",
        ),
        Column(
            "metric",
            "string",
            "on_time_rate, fill_rate, utilisation, cost, shortage_units, demand_units, absolute_error, …",
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
