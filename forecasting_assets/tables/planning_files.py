"""What planners know and decide: the kinds of files in the planning folder, and how the lake keeps them."""

from forecasting_assets.tables.schema import Column, Table
from forecasting_assets.tables.shared import MANUFACTURER, PART, REGION, amount

_ENTERED = Column("entered", "date", "Day on which it was entered; a week uses the rows entered by its end")
_REASON = Column("reason", "string", "Why, in the planner's words", nullable=True)
_AUTHOR = Column("author", "string", "Who entered it", nullable=True)
_ANY_PART = Column("part_id", "string", "Part; empty for all parts", nullable=True)
_ANY_CATEGORY = Column("part_category", "string", "Category; empty for all categories", nullable=True)
_ANY_REGION = Column("region", "string", "Region; empty for all regions", nullable=True)
_PRODUCTION_WEEK = Column("production_week", "date", "Monday of the week of production", is_week=True)

FORECAST_OVERRIDES = Table(
    "forecast_overrides",
    (
        _ANY_PART,
        _ANY_CATEGORY,
        _ANY_REGION,
        Column("week_from", "date", "Monday of the first week", is_week=True),
        Column("week_to", "date", "Monday of the last week", is_week=True),
        Column("quantity", "double", "Units a week of all it covers together", nullable=True, minimum=0),
        Column(
            "factor", "double", "Factor on the forecast, in place of a quantity", nullable=True, minimum=0
        ),
        _REASON,
        _AUTHOR,
        _ENTERED,
    ),
    optional=True,
)
LOCKED_ALLOCATIONS = Table(
    "locked_allocations",
    (
        MANUFACTURER,
        Column("part_id", "string", "Part; empty if a category is locked", nullable=True),
        Column("part_category", "string", "Category; empty if a part is locked", nullable=True),
        REGION,
        _PRODUCTION_WEEK,
        amount("quantity", "Units that must be made"),
        _REASON,
        _ENTERED,
    ),
    optional=True,
)
STOCK = Table(
    "stock",
    (
        Column("counted_on", "date", "Day at whose end the units were counted"),
        PART,
        REGION,
        amount("quantity", "Finished units on hand; 0 if there are none"),
    ),
    key=("counted_on", "part_id", "region"),
    optional=True,
)
WORK_IN_PROGRESS = Table(
    "work_in_progress",
    (
        Column("counted_on", "date", "Day at whose end the units were counted"),
        MANUFACTURER,
        PART,
        REGION,
        Column("ready_week", "date", "Monday of the week in which the units are in the region", is_week=True),
        amount("quantity", "Units being made or on their way; 0 if there are none"),
    ),
    key=("counted_on", "manufacturer_id", "part_id", "region", "ready_week"),
    optional=True,
)
PROMISES = Table(
    "promises",
    (
        Column("promise_id", "string", "Name of the promise; its rows are one promise"),
        Column(
            "manufacturer_id",
            "string",
            "Manufacturer; empty if the units are in stock or arriving",
            nullable=True,
        ),
        PART,
        Column("part_category", "string", "Category of the part"),
        REGION,
        Column(
            "production_week",
            "date",
            "Monday of the week of production; empty if the units are in stock or arriving",
            nullable=True,
            is_week=True,
        ),
        Column("due_week", "date", "Monday of the week in which the units are promised", is_week=True),
        amount("quantity", "Units held for the promise"),
        Column("expires", "date", "Last day on which the units are held"),
        _REASON,
        _ENTERED,
    ),
    optional=True,
)
#: A file has any number of further columns, each with the values of one covariate.
COVARIATE_FILE = Table(
    "known_covariates",
    (
        _ANY_PART,
        _ANY_REGION,
        Column("week", "date", "Monday of the week that it is about", is_week=True),
        Column(
            "published", "date", "Day on which it became known; empty if it was always known", nullable=True
        ),
    ),
    open=True,
    optional=True,
)


def is_price(covariate: str) -> bool:
    """Return whether a covariate is a price: it is above zero, and its ratios count, not its differences."""
    return covariate.endswith("price")


DEMAND_CORRECTIONS = Table(
    "demand_corrections",
    (
        PART,
        REGION,
        Column("week", "date", "Monday of the week whose demand it is about", is_week=True),
        Column(
            "action",
            "string",
            "exclude: the week does not count (a one-off order, no stock); keep: its demand is real, however unusual",
            values=("exclude", "keep"),
        ),
        _REASON,
        _AUTHOR,
        _ENTERED,
    ),
    optional=True,
)
SUCCESSORS = Table(
    "successors",
    (
        Column("part_id", "string", "Part that is replaced"),
        Column("successor_id", "string", "Part that takes over its demand"),
        _ANY_REGION,
        Column("from_week", "date", "Monday of the first week in which it takes over", is_week=True),
        Column(
            "share",
            "double",
            "Share of the demand that it takes over; empty for all",
            nullable=True,
            minimum=0,
            exclusive_minimum=True,
            maximum=1,
        ),
        _REASON,
        _AUTHOR,
        _ENTERED,
    ),
    key=("part_id", "successor_id", "region"),
    optional=True,
)
#: The kinds of planning files, by name: `<name>*.csv`, `.csv.gz`, `.parquet` or `.xlsx` in the planning folder.
PLANNING_FILES = {
    table.name: table
    for table in (
        FORECAST_OVERRIDES,
        LOCKED_ALLOCATIONS,
        STOCK,
        WORK_IN_PROGRESS,
        PROMISES,
        COVARIATE_FILE,
        DEMAND_CORRECTIONS,
        SUCCESSORS,
    )
}

#: Kinds that have a template to fill in; promises are written by the command promise.
TEMPLATES = tuple(kind for kind in PLANNING_FILES if kind != PROMISES.name)

#: Kind -> column with the day on which a row became known: week W uses the rows known by its Sunday.
KNOWN_ON = {
    "forecast_overrides": "entered",
    "locked_allocations": "entered",
    "stock": "counted_on",
    "work_in_progress": "counted_on",
    "promises": "entered",
    "known_covariates": "published",
    "demand_corrections": "entered",
    "successors": "entered",
}
#: Kind -> column with the last week or day that a row is about: once it is over, later weeks no longer use the row.
LAST_USE = {"forecast_overrides": "week_to", "locked_allocations": "production_week", "promises": "expires"}
