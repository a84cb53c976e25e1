"""Templates of planning files, filled with the parts and forecasts of a planned week."""

from datetime import date

import pandas as pd

from forecasting_assets.allocation import started_production
from forecasting_assets.features.build import feature_columns
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import read_network
from forecasting_assets.planning.templates import (
    corrections_template,
    covariates_template,
    locks_template,
    overrides_template,
    stock_template,
    successors_template,
    work_template,
)
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    CLEANED_POINTS,
    DEMAND_PLAN,
    MANUFACTURER_NETWORK,
    SUPPLY_POSITION,
)
from forecasting_assets.weeks import add_weeks


def read_template(settings: Settings, lake: Lake, kind: str, week: date) -> pd.DataFrame:
    """Return the template of a kind of planning file.

    Parameters
    ----------
    settings, lake
        Settings of the home, and its tables.
    kind
        One of `tables.TEMPLATES`.
    week
        A planned week.

    Raises
    ------
    MissingWeeksError
        If the week has not been planned.
    """
    if kind == "locked_allocations":
        return locks_template(lake.read_pandas(ALLOCATION_PLAN, [week]), week)
    if kind == "work_in_progress":
        return work_template(_started(lake, week), week)
    if kind == "demand_corrections":
        return corrections_template(lake.read_pandas(CLEANED_POINTS, [week]), week)
    if kind == "successors":
        columns = ["part_id", "part_category", "weeks_since_order"]
        features = feature_columns(settings.calendar.horizon_weeks)
        return successors_template(lake.read_pandas(features, [week], columns), week)
    demand = lake.read_pandas(DEMAND_PLAN, [week])
    if kind == "forecast_overrides":
        return overrides_template(demand, week)
    if kind == "stock":
        return stock_template(demand, lake.read_pandas(SUPPLY_POSITION, [week]), week)
    return covariates_template(demand, week)


def _started(lake: Lake, week: date) -> pd.DataFrame:
    """Return the production that the plans of earlier weeks have started and that may still be on its way."""
    lake.require(SUPPLY_POSITION, [week])
    longest = int(read_network(lake, week).lanes["transit_weeks"].max()) + 1
    origins = [add_weeks(week, -weeks) for weeks in range(1, longest + 1)]
    parts = [
        started_production(lake.read_pandas(ALLOCATION_PLAN, [origin]), add_weeks(origin, 1), network)
        for origin in lake.existing(MANUFACTURER_NETWORK, lake.existing(ALLOCATION_PLAN, origins))
        for network in [read_network(lake, origin)]
    ]
    columns = [
        "manufacturer_id",
        "part_id",
        "region",
        "production_week",
        "quantity",
        "transit",
        "on_time_rate",
    ]
    empty = pd.DataFrame({name: pd.Series(dtype=float) for name in columns}).astype(
        {"production_week": "datetime64[ns]"}
    )
    return pd.concat(parts, ignore_index=True)[columns] if parts else empty
