"""The tables of the platform: one definition of their columns to write, read, check and describe them.

Column names are contract; a table may hold more columns than it declares, of text, only if it is `open`.
"""

from forecasting_assets.tables.forecasts import BACKTEST_REPORT, DEMAND_FORECAST, SARIMAX_MODEL, XGB_MODEL
from forecasting_assets.tables.impact import BUSINESS_IMPACT, REPLAY_STATE
from forecasting_assets.tables.network import (
    CAPABILITIES,
    CAPACITY_OVERRIDES,
    CAPACITY_OVERRIDES_KNOWN,
    LANES,
    MANUFACTURER_NETWORK,
    MANUFACTURERS,
    NETWORK_TABLES,
)
from forecasting_assets.tables.orders import (
    CLEAN_ORDERS,
    DEMAND_HISTORY,
    OPTIONAL_ORDER_COLUMNS,
    ORDER_COLUMNS,
    ORDER_FILE_SUMMARY,
    RAW_ORDERS,
    REJECTED_ORDERS,
    REJECTION_REASONS,
    ROW,
    WEEKLY_DEMAND,
)
from forecasting_assets.tables.planning import (
    ALLOCATION_PLAN,
    CAPACITY_LOAD,
    PLAN_COST,
    PLAN_PROOF,
    PLAN_REASONS,
    PLAN_RULES,
    PLAN_SHORTAGES,
)
from forecasting_assets.tables.schema import Column, ColumnType, Table, texts_ddl
from forecasting_assets.tables.shared import (
    CATEGORY,
    MANUFACTURER,
    PART,
    QUANTILES,
    REGION,
    SERIES,
    WEEK,
    amount,
    share,
)

__all__ = [
    "ALLOCATION_PLAN",
    "BACKTEST_REPORT",
    "BUSINESS_IMPACT",
    "CAPABILITIES",
    "CAPACITY_LOAD",
    "CAPACITY_OVERRIDES",
    "CAPACITY_OVERRIDES_KNOWN",
    "CATEGORY",
    "CLEAN_ORDERS",
    "DEMAND_FORECAST",
    "DEMAND_HISTORY",
    "LANES",
    "MANUFACTURER",
    "MANUFACTURERS",
    "MANUFACTURER_NETWORK",
    "NETWORK_TABLES",
    "OPTIONAL_ORDER_COLUMNS",
    "ORDER_COLUMNS",
    "ORDER_FILE_SUMMARY",
    "PART",
    "PLAN_COST",
    "PLAN_PROOF",
    "PLAN_REASONS",
    "PLAN_RULES",
    "PLAN_SHORTAGES",
    "QUANTILES",
    "RAW_ORDERS",
    "REGION",
    "REJECTED_ORDERS",
    "REJECTION_REASONS",
    "REPLAY_STATE",
    "ROW",
    "SARIMAX_MODEL",
    "SERIES",
    "WEEK",
    "WEEKLY_DEMAND",
    "XGB_MODEL",
    "Column",
    "ColumnType",
    "Table",
    "amount",
    "share",
    "texts_ddl",
]
