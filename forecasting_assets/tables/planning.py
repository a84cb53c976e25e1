"""The allocation plan, what it costs, and the proof that it is optimal."""

from forecasting_assets.tables.schema import Column, Table
from forecasting_assets.tables.shared import CATEGORY, MANUFACTURER, PART, REGION, amount

_DUE_WEEK = Column("due_week", "date", "Week the demand is due")

ALLOCATION_PLAN = Table(
    "allocation_plan",
    (
        Column("manufacturer_id", "string", "Manufacturer that makes the units"),
        PART,
        REGION,
        Column("production_week", "date", "Week of production"),
        _DUE_WEEK,
        CATEGORY,
        amount("quantity", "Units"),
        amount("overtime_quantity", "Units made in overtime, part of quantity"),
        amount("cost", "Total cost of these units, the sum of the costs that follow"),
        amount("production_cost", "Production in regular time"),
        amount("overtime_cost", "Overtime premium"),
        amount("lane_cost", "Transport"),
        amount("holding_cost", "Holding units made ahead"),
        amount(
            "lateness_cost",
            "Penalties for late units, including the expected delays of the manufacturer",
        ),
    ),
    key=("manufacturer_id", "part_id", "region", "production_week", "due_week"),
)
CAPACITY_LOAD = Table(
    "capacity_load",
    (
        MANUFACTURER,
        Column("production_week", "date", "Week of production"),
        amount("capacity_hours", "Regular hours available"),
        amount("load_hours", "Hours planned, including overtime"),
        amount("overtime_hours", "Overtime hours planned"),
        amount("overtime_capacity_hours", "Overtime hours available"),
        amount("shadow_price", "Cost that one more regular hour would save"),
        amount("activation_cost", "Fixed cost of using the manufacturer in the week"),
    ),
    key=("manufacturer_id", "production_week"),
)
PLAN_SHORTAGES = Table(
    "plan_shortages",
    (
        PART,
        REGION,
        _DUE_WEEK,
        amount("quantity", "Units of demand that the plan does not meet"),
        amount("cost", "Penalty for not delivering them"),
    ),
    key=("part_id", "region", "due_week"),
)
PLAN_COST = Table(
    "plan_cost",
    (
        Column(
            "part", "string", "total, or one cost such as production_cost, shortage_cost, activation_cost"
        ),
        amount("amount", "Cost; of a stochastic plan the expected cost"),
    ),
    key=("part",),
)
PLAN_REASONS = Table(
    "plan_reasons",
    (
        Column("kind", "string", "Whether the units are short or late", values=("short", "late")),
        CATEGORY,
        REGION,
        _DUE_WEEK,
        amount("quantity", "Units short or late"),
        Column("reason", "string", "The binding constraints, in words"),
    ),
    key=("kind", "part_category", "region", "due_week"),
)
PLAN_RULES = Table(
    "plan_rules",
    (
        Column("rule", "string", "Rule of the marketplace", values=("minimum_load", "maximum_share")),
        Column("subject", "string", "Manufacturer, or category at manufacturer"),
        amount("limit", "Minimum hours, or maximum units"),
        amount("planned", "Hours or units planned"),
        amount("eased", "Hours or units by which the limit had to be relaxed; 0 if it is kept"),
        Column("contradicts", "string", "The rules it contradicts, if it had to be relaxed"),
        amount("shadow_price", "Cost that relaxing the limit by one would save"),
    ),
    key=("rule", "subject"),
)
PLAN_PROOF = Table(
    "plan_proof",
    (
        Column(
            "vector",
            "string",
            "Solution (x), multipliers of its rows (y_eq, y_ub), relaxation of rules (eased), bound and gap",
            values=("x", "y_eq", "y_ub", "eased", "bound", "gap"),
        ),
        Column("position", "long", "Position in the vector; the value is 0 where none is listed", minimum=0),
        Column("value", "double", "Value"),
    ),
    key=("vector", "position"),
)
