"""Plan the demand of a week, from the lake and the planning files into the lake."""

from datetime import date

import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.lake.files import DamagedWeekError, MissingWeeksError
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.pipeline import HELD, OVERRIDES
from forecasting_assets.planning.demand import DemandSources, plan_demand
from forecasting_assets.reporting.forecast_page import FORECAST_PAGE
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    DEMAND_FORECAST,
    DEMAND_PLAN,
    ORDER_BOOK,
    OVERRIDE_USE,
    QUANTILES,
    SERIES,
)
from forecasting_assets.workflows.forecast_page import write_forecast_page
from forecasting_assets.workflows.week_result import WeekResult


def demand_sources(settings: Settings, lake: Lake, week: date) -> DemandSources:
    """Read what the demand plan of `week` is made from.

    Raises
    ------
    PlanningFileError
        If a planning file cannot be used.
    """
    features, planning = feature_columns(settings.calendar.horizon_weeks), PlanningFolder.of(settings)
    parts = lake.read_pandas(features, [week], [*SERIES, "part_category", "price"])
    return DemandSources(
        lake.read_pandas(DEMAND_FORECAST, [week], [*SERIES, "target_week", "mean", *QUANTILES]),
        parts.drop(columns="week"),
        lake.read_pandas(ORDER_BOOK, [week]).drop(columns="week"),
        planning.used_by(week, OVERRIDES),
        planning.used_by(week, HELD),
    )


def planned_demand(lake: Lake, origin: date) -> pd.DataFrame:
    """Read the demand to plan for at the end of `origin`, as for `allocation.allocate`."""
    columns = ["part_id", "region", "part_category", "due_week", "quantity", *QUANTILES, "unit_price"]
    columns += ["booked", "held"]
    return lake.read_pandas(DEMAND_PLAN, [origin], columns).drop(columns="week")


def plan_demand_of_week(settings: Settings, lake: Lake, week: date) -> WeekResult:
    """Plan the demand of a week and write it, what each override did, and the page about the forecast.

    Raises
    ------
    PlanningFileError
        If a planning file cannot be used.
    """
    planned = plan_demand(demand_sources(settings, lake, week), week, settings.calendar.horizon_weeks)
    lake.write_pandas(planned.override_use, OVERRIDE_USE, week)
    rows = lake.write_pandas(planned.plan, DEMAND_PLAN, week)
    units = planned.plan[["statistical", "booked", "held", "quantity"]].sum()
    use = planned.override_use
    metadata = {
        **{f"units/{name}": float(value) for name, value in units.items()},
        "units/changed_by_overrides": float(use["override"].sum() - use["statistical"].sum()),
        "overrides": len(use),
        "overrides_unused": int(use["problem"].notna().sum()),
    }
    page, warning = _forecast_page(settings, lake, week)
    return WeekResult(rows, metadata, report=page, warnings=(warning,) if warning else ())


def _forecast_page(settings: Settings, lake: Lake, week: date) -> tuple[str | None, str]:
    """Write the page about the forecast; return its path, if it was written, and what to warn of."""
    try:
        page, no_drivers = write_forecast_page(settings, lake, week)
    except (DamagedWeekError, MissingWeeksError) as error:
        # The page shows weeks that the demand plan is not made from; the plan does not wait for them.
        return None, f"{FORECAST_PAGE} of {week} was not written: {error}"
    return page, f"{page} does not say what drives forecasts: {no_drivers}" if no_drivers else ""
