"""What the planners of the marketplace have entered: overrides, a lock, and counts of stock and work in progress."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting_assets.demo.demand import Demand
from forecasting_assets.tables import FORECAST_OVERRIDES, LOCKED_ALLOCATIONS, STOCK, WORK_IN_PROGRESS, Table
from forecasting_assets.weeks import add_weeks

#: The category and region that planners write about, and the manufacturer there that makes it.
CATEGORY, REGION, MANUFACTURER = "CNC machining", "EU", "M02"
#: Weeks before the end of the history: of the count, and of an override whose weeks have closed since.
COUNTED_BEFORE, JUDGED_BEFORE = 13, 6
#: Parts that are counted.
_COUNTED_PARTS = 6
#: Weeks over which the expected demand is averaged.
_RECENT_WEEKS = 8


def planning_files(demand: Demand) -> dict[Table, pd.DataFrame]:
    """Return the planning files of a marketplace, sized to its expected demand.

    The last week of history is the newest week that has closed, and all rows were entered by its end.
    """
    market = demand.market
    last = market.week(market.weeks - 1)
    units = _recent_units(demand)
    return {
        FORECAST_OVERRIDES: pd.DataFrame(
            [
                _override(add_weeks(last, 1 - JUDGED_BEFORE), 1.1, "price campaign"),
                _override(last, 1.15, "trade fair"),
            ],
            columns=FORECAST_OVERRIDES.names,
        ),
        LOCKED_ALLOCATIONS: _lock(last, units),
        **_counts(add_weeks(last, -min(COUNTED_BEFORE, market.weeks - 1)), units),
    }


def write_planning(files: dict[Table, pd.DataFrame], folder: Path) -> None:
    """Write the planning files as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in files.items():
        rows.to_csv(folder / f"{table.name}.csv", index=False, lineterminator="\n")


def _recent_units(demand: Demand) -> pd.DataFrame:
    """Return the parts of CATEGORY sold in REGION with their expected units a week, the largest first."""
    series = demand.series.assign(units=demand.units[-_RECENT_WEEKS:].mean(axis=0))
    chosen = series[(series["part_category"] == CATEGORY) & (series["region"] == REGION)]
    return chosen.sort_values("units", ascending=False, ignore_index=True)


def _override(entered_in: date, factor: float, reason: str) -> dict[str, object]:
    """Return an override of the two weeks that follow the week in which it was entered."""
    return {
        "part_category": CATEGORY,
        "region": REGION,
        "week_from": add_weeks(entered_in, 1),
        "week_to": add_weeks(entered_in, 2),
        "factor": factor,
        "reason": reason,
        "author": "planner",
        "entered": entered_in + timedelta(days=3),
    }


def _lock(last: date, units: pd.DataFrame) -> pd.DataFrame:
    """Lock a tenth of a week's demand."""
    row = {
        "manufacturer_id": MANUFACTURER,
        "part_category": CATEGORY,
        "region": REGION,
        "production_week": add_weeks(last, 2),
        "quantity": np.ceil(units["units"].sum() / 10),
        "reason": "agreed with the manufacturer",
        "entered": last + timedelta(days=4),
    }
    return pd.DataFrame([row], columns=LOCKED_ALLOCATIONS.names)


def _counts(week: date, units: pd.DataFrame) -> dict[Table, pd.DataFrame]:
    """Count three weeks of demand in stock, and for half of the parts one more week on its way."""
    counted = units.head(_COUNTED_PARTS).assign(counted_on=week + timedelta(days=6))
    stock = counted.assign(quantity=np.round(3 * counted["units"]))
    work = counted.iloc[::2].assign(manufacturer_id=MANUFACTURER, ready_week=add_weeks(week, 1))
    work["quantity"] = np.round(work["units"])
    return {STOCK: stock[STOCK.names], WORK_IN_PROGRESS: work[WORK_IN_PROGRESS.names]}
