"""Tables that are handed out as files: the plan, its forecast and shortages, and what each manufacturer is to make."""

from datetime import date

import pandas as pd

from forecasting_assets.tables import ALLOCATION_PLAN, DEMAND_PLAN, PLAN_SHORTAGES
from forecasting_assets.tables.frames import category_of
from forecasting_assets.weeks import days_of

_LOCK_KEY = ["part_id", "region", "production_week"]


def plan_export(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ALLOCATION_PLAN, sorted by their key."""
    return _sorted(plan[ALLOCATION_PLAN.names], list(ALLOCATION_PLAN.key))


def forecast_export(demand: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of DEMAND_PLAN, sorted by their key: forecast, booked units, override and planned quantity."""
    return _sorted(demand[DEMAND_PLAN.names], list(DEMAND_PLAN.key))


def shortages_export(shortages: pd.DataFrame, demand: pd.DataFrame, reasons: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of PLAN_SHORTAGES with the category of each part and the reason.

    Parameters
    ----------
    shortages, demand, reasons
        PLAN_SHORTAGES, DEMAND_PLAN and PLAN_REASONS of the week.
    """
    rows = shortages[PLAN_SHORTAGES.names]
    rows = rows.assign(part_category=category_of(rows, demand))
    why = ["part_category", "region", "due_week"]
    short = reasons.loc[reasons["kind"] == "short", [*why, "reason"]]
    return _sorted(rows.merge(short, on=why, how="left"), list(PLAN_SHORTAGES.key))


def manufacturer_export(plan: pd.DataFrame, manufacturer: str, week: date) -> pd.DataFrame:
    """Return what one manufacturer is to make, as rows that the planning folder takes as locked allocations.

    Parameters
    ----------
    plan
        ALLOCATION_PLAN of the week.
    manufacturer
        Its manufacturer_id.
    week
        The week of the plan.

    Returns
    -------
    DataFrame
        The columns of LOCKED_ALLOCATIONS that name a part, one row for each part, region and production week: quantity
        are the units that are neither locked nor held for a promise yet, so that landing the file adds no unit twice;
        entered is the last day of the week. Then, for the reader, category, first_due_week, planned_quantity and
        already_locked (units).
    """
    rows = plan[plan["manufacturer_id"] == manufacturer]
    sheet = rows.groupby(_LOCK_KEY, as_index=False).agg(
        category=("part_category", "first"),
        first_due_week=("due_week", "min"),
        planned_quantity=("quantity", "sum"),
        already_locked=("locked_quantity", "sum"),
    )
    return pd.DataFrame(
        {
            "manufacturer_id": manufacturer,
            **{name: sheet[name] for name in _LOCK_KEY},
            "quantity": (sheet["planned_quantity"] - sheet["already_locked"]).clip(lower=0),
            "reason": "",
            "entered": pd.Timestamp(days_of(week)[-1]),
            **{name: sheet[name] for name in sheet.columns if name not in _LOCK_KEY},
        }
    ).sort_values(["production_week", "part_id", "region"], ignore_index=True)


def _sorted(rows: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    return rows.sort_values(key, ignore_index=True)
