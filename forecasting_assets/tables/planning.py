"""What is planned for, what there is already, the allocation plan, its cost, and the proof that it is optimal."""

from forecasting_assets.tables.schema import Column, Table
from forecasting_assets.tables.shared import CATEGORY, MANUFACTURER, PART, QUANTILES, REGION, amount

_DUE_WEEK = Column("due_week", "date", "Week the demand is due")

DEMAND_PLAN = Table(
    "demand_plan",
    (
        PART,
        CATEGORY,
        REGION,
        _DUE_WEEK,
        amount("statistical", "Mean of the forecast"),
        amount("booked", "Units that customers have ordered already for this week"),
        Column(
            "override",
            "double",
            "Units that planners have put in place of the forecast",
            nullable=True,
            minimum=0,
        ),
        amount("held", "Units held for promises that are not yet orders"),
        amount("quantity", "Units planned for"),
        *(amount(q, f"{level:.0%} quantile of the units planned for") for q, level in QUANTILES.items()),
        Column("unit_price", "double", "Latest price of one unit", nullable=True, minimum=0),
        Column("reason", "string", "Reason of the override", nullable=True),
        Column("author", "string", "Author of the override", nullable=True),
    ),
    key=("part_id", "region", "due_week"),
)
SUPPLY_POSITION = Table(
    "supply_position",
    (
        PART,
        CATEGORY,
        REGION,
        Column(
            "kind",
            "string",
            "Finished units in stock, units arriving, or overdue orders",
            values=("stock", "arriving", "overdue"),
        ),
        Column(
            "week_of_units",
            "date",
            "Week in which units arrive, or overdue orders were due; of stock the week of the partition",
        ),
        amount("quantity", "Units"),
        Column(
            "source",
            "string",
            "Counted, or carried forward by plans and orders",
            values=("counted", "planned"),
        ),
    ),
    key=("part_id", "region", "kind", "week_of_units"),
)
SUPPLY_LEDGER = Table(
    "supply_ledger",
    (
        PART,
        CATEGORY,
        REGION,
        amount("opening_stock", "Units in stock when the week began"),
        amount("started", "Units whose production the plan of the week before started in the week"),
        amount("arrived", "Units that arrived in the week"),
        amount("ordered", "Units wanted in the week"),
        amount("delivered_on_time", "Units delivered in the week they were wanted"),
        amount("delivered_late", "Units delivered for orders of earlier weeks"),
        amount("given_up", "Units overdue for longer than allowed, which are no longer delivered"),
        Column(
            "count_difference", "double", "Units in stock that a count found in addition; negative if fewer"
        ),
        Column(
            "arriving_difference",
            "double",
            "Units on their way that a count found in addition; negative if fewer",
        ),
        amount("closing_stock", "Units in stock when the week ended"),
    ),
    key=("part_id", "region"),
)

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
PLAN_FLOWS = Table(
    "plan_flows",
    (
        MANUFACTURER,
        CATEGORY,
        REGION,
        Column("production_week", "date", "Week of production"),
        _DUE_WEEK,
        Column("band", "long", "Band of parts of one category that are planned as one", minimum=0),
        amount(
            "quantity", "Exact units of the cheapest plan, before they are rounded to whole units of parts"
        ),
        amount("overtime_quantity", "Units made in overtime, part of quantity"),
    ),
    key=("manufacturer_id", "part_category", "region", "production_week", "due_week", "band"),
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
        Column(
            "beyond_horizon",
            "long",
            "1 in weeks after the last due week, in which only late units are made and free hours mean nothing",
            minimum=0,
            maximum=1,
        ),
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
