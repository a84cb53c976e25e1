"""The plan as a pivot table: compact data for the script that draws, filters and sorts it."""

from typing import Any

import pandas as pd

from forecasting_assets.reporting.formats import Money
from forecasting_assets.reporting.html import Widget
from forecasting_assets.reporting.measures import require
from forecasting_assets.tables import ALLOCATION_PLAN

#: Column of the plan -> name in the pivot.
_DIMENSIONS = {
    "manufacturer_id": "Manufacturer",
    "part_id": "Part",
    "part_category": "Category",
    "region": "Region",
    "production_week": "Production week",
    "due_week": "Due week",
}
_WITHOUT_SCRIPT = "This table needs JavaScript. The sheets of the manufacturers hold the same rows."


def plan_pivot(plan: pd.DataFrame, capabilities: pd.DataFrame, money: Money) -> Widget:
    """Return the pivot of a plan.

    Every name is in the data once, and the rows refer to it by its position; hours follow from the units.

    Parameters
    ----------
    plan
        ALLOCATION_PLAN.
    capabilities
        CAPABILITIES: the hours of one unit.
    money
        How amounts are written.
    """
    require(plan, ALLOCATION_PLAN.names, "allocation_plan")
    weeks = dict.fromkeys(("production_week", "due_week"), "datetime64[ns]")
    plan = plan.astype({**weeks, "quantity": float, "cost": float})
    dimensions: list[dict[str, Any]] = []
    for column, name in _DIMENSIONS.items():
        codes, values = pd.factorize(plan[column], sort=True)
        dimensions.append({"name": name, "values": _texts(pd.Index(values)), "codes": codes.tolist()})
    rate = capabilities.set_index(["manufacturer_id", "part_category"])["hours_per_unit"]
    makes = rate[rate.index.isin(pd.MultiIndex.from_frame(plan[["manufacturer_id", "part_category"]]))]
    return Widget(
        "pivot",
        {
            "dimensions": dimensions,
            "hours": makes.round(6).reset_index().to_numpy(object).tolist(),
            "units": plan["quantity"].round(3).tolist(),
            "cost": plan["cost"].round(2).tolist(),
            "costName": money.heading("Cost"),
        },
        _WITHOUT_SCRIPT,
    )


def _texts(values: pd.Index) -> list[str]:
    if isinstance(values, pd.DatetimeIndex):
        return values.strftime("%Y-%m-%d").tolist()
    return [str(value) for value in values]
