"""The manufacturer network: as the files of `landing/network` hold it, and as the lake keeps it."""

from dataclasses import replace

from forecasting_assets.tables.schema import Column, Table
from forecasting_assets.tables.shared import CATEGORY, MANUFACTURER, WEEK, amount, share

MANUFACTURERS = Table(
    "manufacturers",
    (
        MANUFACTURER,
        Column("region", "string", "Region of the manufacturer"),
        amount("capacity_hours_per_week", "Regular hours a week"),
        Column("overtime_hours_per_week", "double", "Overtime hours a week", minimum=0, default=0),
        Column(
            "overtime_premium", "double", "Overtime premium as a share of unit cost", minimum=0, default=0
        ),
        share("on_time_rate", "Share of deliveries on time", default=1),
        Column(
            "activation_cost",
            "double",
            "Fixed cost of each week in which the manufacturer is used",
            minimum=0,
            default=0,
        ),
    ),
    key=("manufacturer_id",),
)
CAPABILITIES = Table(
    "capabilities",
    (
        MANUFACTURER,
        CATEGORY,
        Column("hours_per_unit", "double", "Hours needed for one unit", minimum=0, exclusive_minimum=True),
        amount("unit_cost", "Production cost of one unit"),
    ),
    key=("manufacturer_id", "part_category"),
)
LANES = Table(
    "lanes",
    (
        Column("from_region", "string", "Region of the manufacturer"),
        Column("to_region", "string", "Region of delivery"),
        amount("unit_cost", "Transport cost of one unit"),
        Column("transit_weeks", "long", "Weeks in transit", minimum=0),
    ),
    key=("from_region", "to_region"),
)
CAPACITY_OVERRIDES = Table(
    "capacity_overrides",
    (
        MANUFACTURER,
        WEEK,
        amount("capacity_hours", "Regular hours in that week instead of the usual"),
    ),
    key=("manufacturer_id", "week"),
    optional=True,
)
#: The tables that `landing/network` holds, a CSV file each.
NETWORK_TABLES = (MANUFACTURERS, CAPABILITIES, LANES, CAPACITY_OVERRIDES)

MANUFACTURER_NETWORK = replace(MANUFACTURERS, name="manufacturer_network")
#: The overrides as the lake keeps them: there `week` is the week in which the network was read.
CAPACITY_OVERRIDES_KNOWN = Table(
    "capacity_overrides",
    tuple(replace(c, name="capacity_week") if c.name == "week" else c for c in CAPACITY_OVERRIDES.columns),
    key=("manufacturer_id", "capacity_week"),
)
