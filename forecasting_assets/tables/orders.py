"""Orders from the landed row to weekly demand."""

from forecasting_assets.tables.schema import Column, Table
from forecasting_assets.tables.shared import CATEGORY, PART, REGION, WEEK, amount

#: The columns that identify a landed row.
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
    "due_date",
]
OPTIONAL_ORDER_COLUMNS = ["part_category", "line_id", "due_date"]

#: What can be wrong with the cells of a row as a whole.
ROW_PROBLEMS = ("surplus_cells", "missing_cells", "ambiguous_quotes")
REJECTION_REASONS = [
    "cancelled",
    *ROW_PROBLEMS,
    "bad_date",
    "bad_due_date",
    "bad_quantity",
    "non_positive_quantity",
    "bad_price",
    "non_positive_price",
    "missing_part",
    "missing_region",
    "rounded_id",
    "duplicate",
]

_PRICE = Column("unit_price", "double", "Price of one unit", minimum=0, exclusive_minimum=True)

RAW_ORDERS = Table(
    "raw_orders",
    (
        Column("source_file", "string", "File the row came from, relative to the landing zone"),
        Column(
            "source_row",
            "long",
            "Row number in that file, 1 is the first after the header",
            minimum=1,
        ),
        Column("source_modified", "timestamp", "When that file was last changed"),
        Column(
            "row_problem",
            "string",
            "What is wrong with the cells of the row",
            nullable=True,
            values=ROW_PROBLEMS,
        ),
        Column("surplus_cells", "string", "Cells beyond those of the header, as a JSON list", nullable=True),
    ),
    open=True,
)
CLEAN_ORDERS = Table(
    "clean_orders",
    (
        Column("order_id", "string", "Order the line belongs to", nullable=True),
        Column("order_date", "timestamp", "When it was ordered (UTC)"),
        PART,
        CATEGORY,
        REGION,
        Column("quantity", "double", "Units ordered", minimum=0, exclusive_minimum=True),
        _PRICE,
        Column("line_id", "string", "Line of the order, where lines are numbered", nullable=True),
        Column(
            "due_date",
            "timestamp",
            "When the customer wants it (UTC); empty if that was not landed",
            nullable=True,
        ),
        *RAW_ORDERS.columns[:2],
    ),
)
REJECTED_ORDERS = Table(
    "rejected_orders",
    (
        *RAW_ORDERS.columns,
        Column("reason", "string", "Why the row was rejected", values=tuple(REJECTION_REASONS)),
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
        Column("rows", "long", "Its rows of the week", minimum=0),
        Column(
            "rejected_rows",
            "long",
            "Rejected rows among them, without duplicates and cancellations",
            minimum=0,
        ),
        amount("units", "Clean units of the week"),
        amount("rejected_units", "Estimated units in the rejected rows"),
    ),
    key=("source_file",),
)
_MEAN_PRICE = Column(
    "unit_price",
    "double",
    "Mean price of one unit, weighted by quantity",
    minimum=0,
    exclusive_minimum=True,
)
ORDER_BOOK = Table(
    "order_book",
    (
        PART,
        CATEGORY,
        REGION,
        Column("due_week", "date", "Week the customers want the units in, after the week of the book"),
        Column("quantity", "double", "Units ordered and not due yet", minimum=0, exclusive_minimum=True),
        Column("order_count", "long", "Orders of these units", minimum=1),
        _MEAN_PRICE,
    ),
    key=("part_id", "region", "due_week"),
)
WEEKLY_DEMAND = Table(
    "weekly_demand",
    (
        PART,
        CATEGORY,
        REGION,
        Column("quantity", "double", "Units wanted in the week", minimum=0, exclusive_minimum=True),
        Column("order_count", "long", "Orders of these units", minimum=1),
        _MEAN_PRICE,
    ),
    key=("part_id", "region"),
)
KNOWN_COVARIATES = Table(
    "known_covariates",
    (
        Column("part_id", "string", "Part; empty for all parts", nullable=True),
        Column("region", "string", "Region; empty for all regions", nullable=True),
        Column("target_week", "date", "Week that the value is about"),
        Column("covariate", "string", "Name of the covariate: a column of the planning files"),
        Column("value", "double", "Its value"),
        Column(
            "published", "date", "Day on which it became known; empty if it was always known", nullable=True
        ),
    ),
    key=("part_id", "region", "target_week", "covariate"),
)
#: Columns of the rows about known covariates in the history that forecasts are made from; their week is the target
#: week.
COVARIATE_COLUMNS = (
    Column("covariate", "string", "Name of the covariate", nullable=True),
    Column("value", "double", "Its value", nullable=True),
    Column("known", "date", "Week in which it became known", nullable=True),
)
DUE_WEEK = Column("due_week", "date", "Of units ordered for a later week: that week", nullable=True)
#: The history that forecasts are made from: weekly_demand of many weeks, in which weeks without orders have no row, and
#: order_book of these weeks, in which the week is that of the book.
DEMAND_HISTORY = Table(
    "demand_history",
    (
        PART,
        CATEGORY,
        REGION,
        WEEK,
        Column(
            "quantity",
            "double",
            "Units wanted in the week, or ordered by its end for the due week",
            minimum=0,
        ),
        DUE_WEEK,
    ),
)
