"""The tables of the lake: one place for their columns, used to write, to read, to check and to describe.

Column names are contract; a table may hold more columns than it declares, of text, only if it is `open`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

ColumnType = Literal["string", "double", "long", "date", "timestamp", "doubles"]
_SPARK_TYPES: dict[ColumnType, str] = {
    "string": "STRING",
    "double": "DOUBLE",
    "long": "BIGINT",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "doubles": "ARRAY<DOUBLE>",
}

#: Quantile columns of every forecast table and the probability each stands for.
QUANTILES = {"q05": 0.05, "q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90, "q95": 0.95}

#: A series is one part in one region.
SERIES = ["part_id", "region"]

#: What tells a landed row from all others.
ROW = ["source_file", "source_row"]

#: Columns of an order line, as the platform names them; the optional ones need not be landed.
ORDER_COLUMNS = [
    "order_id",
    "order_date",
    "part_id",
    "region",
    "quantity",
    "unit_price",
    "part_category",
    "line_id",
]
OPTIONAL_ORDER_COLUMNS = ["part_category", "line_id"]

REJECTION_REASONS = [
    "surplus_cells",
    "missing_cells",
    "ambiguous_quotes",
    "bad_date",
    "bad_quantity",
    "non_positive_quantity",
    "bad_price",
    "non_positive_price",
    "missing_part",
    "missing_region",
    "rounded_id",
    "duplicate",
]


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType
    description: str
    nullable: bool = False

    @property
    def spark_type(self) -> str:
        return _SPARK_TYPES[self.type]


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    open: bool = False

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.columns]

    @property
    def ddl(self) -> str:
        """The columns as a Spark schema string."""
        return ", ".join(f"`{c.name}` {c.spark_type}" for c in self.columns)


def texts_ddl(names: Iterable[str]) -> list[str]:
    """Columns of text of any name as parts of a Spark schema string."""
    return [f"`{name.replace('`', '``')}` STRING" for name in names]


PART = Column("part_id", "string", "Part ordered")
CATEGORY = Column("part_category", "string", "Manufacturing process or family the part belongs to")
REGION = Column("region", "string", "Region the part is delivered to")
WEEK = Column("week", "date", "Monday of the week")


def _forecast(name: str, *more: Column) -> Table:
    return Table(
        name,
        (
            PART,
            REGION,
            Column("origin_week", "date", "Week at whose end the forecast was made"),
            Column("target_week", "date", "Week forecast"),
            Column("horizon", "long", "Weeks from origin to target"),
            Column("mean", "double", "Expected demand in units"),
            *(Column(q, "double", f"{p:.0%} quantile of demand in units") for q, p in QUANTILES.items()),
            *more,
        ),
        key=("part_id", "region", "horizon"),
    )


_ORDER_FIELDS = (
    Column("order_id", "string", "Order the line belongs to", nullable=True),
    Column("order_date", "timestamp", "When it was ordered (UTC)"),
    PART,
    CATEGORY,
    REGION,
    Column("quantity", "double", "Units ordered"),
    Column("unit_price", "double", "Price of one unit"),
)

RAW_ORDERS = Table(
    "raw_orders",
    (
        Column("source_file", "string", "File the row came from, relative to the landing zone"),
        Column("source_row", "long", "Row number in that file, 1 is the first after the header"),
        Column("source_modified", "timestamp", "When that file was last changed"),
        Column(
            "row_problem",
            "string",
            "What is wrong with the cells of the row: surplus_cells, missing_cells or ambiguous_quotes",
            nullable=True,
        ),
        Column("surplus_cells", "string", "Cells beyond those of the header, as a JSON list", nullable=True),
    ),
    open=True,
)
CLEAN_ORDERS = Table(
    "clean_orders",
    (
        *_ORDER_FIELDS,
        Column("line_id", "string", "Line of the order, where lines are numbered", nullable=True),
        *RAW_ORDERS.columns[:2],
    ),
)
REJECTED_ORDERS = Table(
    "rejected_orders",
    (
        *RAW_ORDERS.columns,
        Column("reason", "string", "Why the row was rejected: " + ", ".join(REJECTION_REASONS)),
        Column("replaced_by", "string", "Of a duplicate: file and row of the newer line", nullable=True),
        Column(
            "replaced_in",
            "string",
            "Of a duplicate: part_id or region, where the newer line has another one",
            nullable=True,
        ),
    ),
    open=True,
)
ORDER_FILE_SUMMARY = Table(
    "order_file_summary",
    (
        Column("source_file", "string", "Landed file, relative to the landing zone"),
        Column("rows", "long", "Its rows of the week"),
        Column("rejected_rows", "long", "Of them rejected, duplicates left out"),
        Column("units", "double", "Clean units of the week"),
        Column("rejected_units", "double", "About how many units the rejected rows hold"),
    ),
    key=("source_file",),
)
WEEKLY_DEMAND = Table(
    "weekly_demand",
    (
        PART,
        CATEGORY,
        REGION,
        Column("quantity", "double", "Units ordered in the week"),
        Column("order_count", "long", "Orders in the week"),
        Column("unit_price", "double", "Mean price of one unit, weighted by quantity"),
    ),
    key=("part_id", "region"),
)
#: What a forecast is made from: weekly_demand of many weeks; weeks without orders have no row.
DEMAND_HISTORY = Table(
    "demand_history",
    (PART, CATEGORY, REGION, WEEK, Column("quantity", "double", "Units ordered in the week")),
)
SARIMAX_MODEL = _forecast("sarimax_model")
XGB_MODEL = _forecast(
    "xgb_model",
    Column("method", "string", "xgb; or sarimax, where there was too little history for XGBoost"),
)
DEMAND_FORECAST = _forecast("demand_forecast")
BACKTEST_REPORT = Table(
    "backtest_report",
    (
        Column("origin_week", "date", "Week at whose end the report was made"),
        Column("model", "string", "sarimax, xgb, combined or seasonal_naive"),
        Column("segment", "string", "Demand pattern: smooth, erratic, intermittent, lumpy, new, or all"),
        Column("horizon", "long", "Weeks ahead; 0 is all horizons together"),
        Column(
            "metric",
            "string",
            "rmse, mape, mape_left_out, wape, mase, rmsse, pinball, scaled_pinball, coverage_80, coverage_90, "
            "bias, weight or n",
        ),
        Column("value", "double", "Value of the metric", nullable=True),
    ),
    key=("model", "segment", "horizon", "metric"),
)
ALLOCATION_PLAN = Table(
    "allocation_plan",
    (
        Column("manufacturer_id", "string", "Who makes it"),
        PART,
        REGION,
        Column("production_week", "date", "Week it is made"),
        Column("due_week", "date", "Week the demand is due"),
        Column("part_category", "string", CATEGORY.description),
        Column("quantity", "double", "Units"),
        Column("overtime_quantity", "double", "Of them made in overtime"),
        Column("cost", "double", "Total cost of these units"),
        Column("production_cost", "double", "Of it: manufacture in regular time"),
        Column("overtime_cost", "double", "Of it: overtime premium"),
        Column("lane_cost", "double", "Of it: transport"),
        Column("holding_cost", "double", "Of it: holding units made ahead"),
        Column(
            "lateness_cost",
            "double",
            "Of it: penalties for late units, expected delays of the manufacturer included",
        ),
    ),
    key=("manufacturer_id", "part_id", "region", "production_week", "due_week"),
)
CAPACITY_LOAD = Table(
    "capacity_load",
    (
        Column("manufacturer_id", "string", "Manufacturer"),
        Column("production_week", "date", "Week of production"),
        Column("capacity_hours", "double", "Regular hours available"),
        Column("load_hours", "double", "Hours planned, overtime included"),
        Column("overtime_hours", "double", "Of them in overtime"),
        Column("overtime_capacity_hours", "double", "Overtime hours available"),
        Column("shadow_price", "double", "What one more regular hour would save"),
        Column("activation_cost", "double", "Cost of using the manufacturer in the week"),
    ),
    key=("manufacturer_id", "production_week"),
)
PLAN_SHORTAGES = Table(
    "plan_shortages",
    (
        PART,
        REGION,
        Column("due_week", "date", "Week due"),
        Column("quantity", "double", "Units that cannot be made in time"),
        Column("cost", "double", "What missing them costs"),
    ),
    key=("part_id", "region", "due_week"),
)
PLAN_COST = Table(
    "plan_cost",
    (
        Column("part", "string", "total, or a part of it as production_cost, shortage_cost, activation_cost"),
        Column("amount", "double", "Cost, of a stochastic plan its expectation"),
    ),
    key=("part",),
)
PLAN_REASONS = Table(
    "plan_reasons",
    (
        Column("kind", "string", "short or late"),
        CATEGORY,
        REGION,
        Column("due_week", "date", "Week due"),
        Column("quantity", "double", "Units short or late"),
        Column("reason", "string", "The constraints behind it, in words"),
    ),
    key=("kind", "part_category", "region", "due_week"),
)
PLAN_RULES = Table(
    "plan_rules",
    (
        Column("rule", "string", "minimum_load or maximum_share"),
        Column("subject", "string", "Manufacturer, or category at manufacturer"),
        Column("limit", "double", "Hours at least, or units at most"),
        Column("planned", "double", "Hours or units planned"),
        Column("eased", "double", "Hours or units by which the limit had to be given up; 0 if it is kept"),
        Column("contradicts", "string", "The rules it cannot be kept with, if it was given up"),
        Column("shadow_price", "double", "What easing the limit by one would save"),
    ),
    key=("rule", "subject"),
)
PLAN_PROOF = Table(
    "plan_proof",
    (
        Column("vector", "string", "x, y_eq, y_ub: solution and multipliers; eased, bound, gap"),
        Column("position", "long", "Position in the vector; those not listed are 0"),
        Column("value", "double", "Value"),
    ),
    key=("vector", "position"),
)
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
        Column("policy", "string", "Policy of business_impact whose replay goes on from here"),
        Column("since", "date", "Week in which the replay started"),
        Column("part_category", "string", "Part category"),
        Column("region", "string", "Region"),
        Column("kind", "string", "stock, arriving or lacking"),
        Column("weeks", "long", "Weeks until it arrives, or since it was due; 0 for stock"),
        Column("units", "double", "Units"),
    ),
    key=("policy", "part_category", "region", "kind", "weeks"),
)
MANUFACTURERS = Table(
    "manufacturers",
    (
        Column("manufacturer_id", "string", "Manufacturer"),
        Column("region", "string", "Where it is"),
        Column("capacity_hours_per_week", "double", "Regular hours a week"),
        Column("overtime_hours_per_week", "double", "Overtime hours a week"),
        Column("overtime_premium", "double", "Overtime premium as a share of unit cost"),
        Column("on_time_rate", "double", "Share of deliveries on time, 0 to 1"),
        Column("activation_cost", "double", "Cost of using it for a week; 0 is none"),
    ),
    key=("manufacturer_id",),
)
CAPABILITIES = Table(
    "capabilities",
    (
        Column("manufacturer_id", "string", "Manufacturer"),
        CATEGORY,
        Column("hours_per_unit", "double", "Hours one unit takes"),
        Column("unit_cost", "double", "Cost of making one unit"),
    ),
    key=("manufacturer_id", "part_category"),
)
LANES = Table(
    "lanes",
    (
        Column("from_region", "string", "Region of the manufacturer"),
        Column("to_region", "string", "Region of delivery"),
        Column("unit_cost", "double", "Transport cost of one unit"),
        Column("transit_weeks", "long", "Weeks on the way"),
    ),
    key=("from_region", "to_region"),
)
MANUFACTURER_NETWORK = replace(MANUFACTURERS, name="manufacturer_network")
CAPACITY_OVERRIDES = Table(
    "capacity_overrides",
    (
        Column("manufacturer_id", "string", "Manufacturer"),
        WEEK,
        Column("capacity_hours", "double", "Regular hours in that week instead of the usual"),
    ),
    key=("manufacturer_id", "week"),
)
#: The overrides as the lake keeps them: there `week` is the week in which the network was read.
CAPACITY_OVERRIDES_KNOWN = Table(
    "capacity_overrides",
    tuple(replace(c, name="capacity_week") if c.name == "week" else c for c in CAPACITY_OVERRIDES.columns),
    key=("manufacturer_id", "capacity_week"),
)
