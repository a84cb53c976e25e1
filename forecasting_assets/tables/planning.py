"""What is planned for, what there is already, the allocation plan, its cost, and the proof that it is optimal."""

from forecasting_assets.tables.planning_files import FORECAST_OVERRIDES
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
OVERRIDE_USE = Table(
    "override_use",
    (
        Column("file", "string", "Planning file of the override"),
        Column("row", "long", "Row in the file; the header is row 1", minimum=1),
        *FORECAST_OVERRIDES.columns,
        Column("rows", "long", "Rows of demand_plan that it decides", minimum=0),
        amount("statistical", "Units that the forecast has in these rows"),
        amount("override", "Units that the override puts in their place"),
        Column("problem", "string", "Why it changes nothing", nullable=True),
    ),
    key=("file", "row"),
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
        amount("locked_quantity", "Units that are locked or held for promises, part of quantity"),
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
PLAN_CHOICE = Table(
    "plan_choice",
    (
        Column(
            "method",
            "string",
            "What is planned for: the mean demand, a quantile of it, or scenarios",
            values=("deterministic", "quantile", "stochastic"),
        ),
        Column(
            "parameter",
            "double",
            "Service level of the quantile, or number of scenarios; missing for the mean",
            nullable=True,
            minimum=0,
        ),
        Column("weeks", "long", "Past weeks that were replayed, or that there are if too few", minimum=0),
        Column(
            "cost", "double", "What those weeks would have cost; missing if none was replayed", nullable=True
        ),
        Column(
            "on_time_rate",
            "double",
            "Share of the units of those weeks that would have been on time; missing likewise",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column("chosen", "long", "1 for the method that the plan is made with, else 0", minimum=0, maximum=1),
    ),
    key=("method", "parameter"),
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
            "part",
            "string",
            "total, or one cost such as production_cost, shortage_cost, activation_cost; published_total for the "
            "whole units of the plan with the same shortages",
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
        Column("reason", "string", "What stops the cheapest way left, in words"),
        Column("manufacturer_id", "string", "Manufacturer of the cheapest way left", nullable=True),
        Column("production_week", "date", "Production week of the cheapest way left", nullable=True),
        Column(
            "rule",
            "string",
            "What stops that way, several joined by ' + ': regular_hours, maximum_share, frozen_weeks, activation, "
            "minimum_batch; or what holds units where they are made late: minimum_load, minimum_batch, "
            "frozen_weeks; or declined (it costs more than the shortage), cost (it costs more than delivering "
            "late), horizon, unservable, gap (it is within the gap of an integer program)",
        ),
        Column(
            "price",
            "double",
            "What relaxing the rule by one price_unit saves; of declined and cost what a unit costs more",
            nullable=True,
        ),
        Column("price_unit", "string", "Unit of the price", nullable=True, values=("hour", "unit")),
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
            "kind",
            "string",
            "What the value is: the price of one unit or hour of a limit, the price band of a part, the bound of "
            "the cost and the gap to it, or, of a plan for scenarios, its program's solution (x), multipliers "
            "(y_eq, y_ub) and relaxation of rules (eased)",
            values=(
                "regular_hours",
                "overtime_hours",
                "minimum_load",
                "maximum_share",
                "previous_plan",
                "activation",
                "batch_at_most",
                "batch_at_least",
                "band",
                "bound",
                "gap",
                "x",
                "y_eq",
                "y_ub",
                "eased",
            ),
        ),
        Column("manufacturer_id", "string", "Manufacturer of the limit", nullable=True),
        Column("production_week", "date", "Week of production of the limit", nullable=True),
        Column("part_category", "string", "Part category of the limit", nullable=True),
        Column("part_id", "string", "Part of the band", nullable=True),
        Column("region", "string", "Region of the limit or of the part", nullable=True),
        Column("due_week", "date", "Week in which the part of the band is due", nullable=True),
        Column(
            "position", "long", "Position in a vector of the program for scenarios", nullable=True, minimum=0
        ),
        Column("value", "double", "Value; 0 for limits and positions that are not listed"),
    ),
    key=(
        "kind",
        "manufacturer_id",
        "production_week",
        "part_category",
        "part_id",
        "region",
        "due_week",
        "position",
    ),
)
