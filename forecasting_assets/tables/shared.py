"""Columns and names that several tables have in common."""

from forecasting_assets.tables.schema import Column

#: Quantile columns of every forecast table and the probability each stands for.
QUANTILES = {"q05": 0.05, "q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90, "q95": 0.95}

#: A series is one part in one region.
SERIES = ["part_id", "region"]
#: A market is one category in one region, within which demand and errors of forecasts move together.
MARKET = ["part_category", "region"]

PART = Column("part_id", "string", "Part ordered")
CATEGORY = Column("part_category", "string", "Manufacturing process or family the part belongs to")
REGION = Column("region", "string", "Region the part is delivered to")
WEEK = Column("week", "date", "Monday of the week", is_week=True)
MANUFACTURER = Column("manufacturer_id", "string", "Manufacturer")


def amount(name: str, description: str) -> Column:
    """Return a column of units, hours or costs, which are 0 or more."""
    return Column(name, "double", description, minimum=0)


def share(name: str, description: str, default: float | None = None) -> Column:
    """Return a column of shares, from 0 to 1."""
    return Column(name, "double", description, minimum=0, maximum=1, default=default)
