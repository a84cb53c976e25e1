"""The supply position at the end of a week, from the lake into the lake."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation import (
    KINDS,
    Counts,
    Position,
    advance,
    all_series,
    count,
    ledger,
    promised_production,
    started_production,
)
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import read_network
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.pipeline import COUNT_WEEKS, COUNTS, HELD
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    DEMAND_PLAN,
    SERIES,
    SUPPLY_LEDGER,
    SUPPLY_POSITION,
    WEEKLY_DEMAND,
)
from forecasting_assets.tables.frames import category_of, stack
from forecasting_assets.weeks import add_weeks, weeks_between

#: Category of a counted part that nobody has ordered or forecast.
_UNKNOWN_CATEGORY = "unknown"


def read_position(lake: Lake, week: date, max_weeks_late: int) -> Position:
    """Read the supply position at the end of `week`."""
    rows = lake.read_pandas(SUPPLY_POSITION, [week])
    return Position.read(rows, week, all_series([rows]), max_weeks_late)


def carry_supply_forward(settings: Settings, lake: Lake, week: date) -> Mapping[str, Any]:
    """Write SUPPLY_POSITION and SUPPLY_LEDGER of `week`.

    The position of the week before is carried forward by the production that its plan started and by the orders
    that came; counts replace what they count. Where there is no plan before, it begins with the counts of the last
    weeks, and with nothing where nothing was counted.

    Parameters
    ----------
    settings
        Settings of the home.
    lake
        Its tables.
    week
        A week that has closed.

    Returns
    -------
    Mapping
        Metadata of the week.
    """
    origin = add_weeks(week, -1)
    planning = PlanningFolder.of(settings)
    counts = Counts(*(planning.used_by(week, of) for of in COUNTS))
    if lake.existing(ALLOCATION_PLAN, [origin]) and lake.existing(SUPPLY_POSITION, [origin]):
        held = planning.used_by(week, HELD)
        position, flows, metadata = _next_week(settings, lake, week, counts, held)
    else:
        position, flows, metadata = _first_week(settings, lake, week, counts)
    lake.write_pandas(flows, SUPPLY_LEDGER, week)
    lake.write_pandas(position, SUPPLY_POSITION, week)
    units = position.groupby("kind")["quantity"].sum()
    return {**metadata, **{f"{kind}_units": float(units.get(kind, 0.0)) for kind in KINDS}}


def _next_week(
    settings: Settings, lake: Lake, week: date, counts: Counts, held: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Carry the position of the week before forward; return SUPPLY_POSITION, SUPPLY_LEDGER and metadata."""
    origin = add_weeks(week, -1)
    late, of_week = settings.allocation.max_weeks_late, counts.of_week(week)
    before = lake.read_pandas(SUPPLY_POSITION, [origin])
    plan = lake.read_pandas(ALLOCATION_PLAN, [origin])
    orders = lake.read_pandas(WEEKLY_DEMAND, [week])
    network = read_network(lake, origin)
    promised = promised_production(held, week, network)
    started = started_production(pd.concat([plan, promised]) if len(promised) else plan, week, network)
    series = _with_category([orders, started, before], of_week, lake, week)
    position = Position.read(before, origin, series, late)
    carried, flows = advance(position, started, _by_series(orders, position))
    counted, stock_of, work_of = count(carried, flows.opening_stock, of_week, week)
    rows = _with_source(counted.table(week), stock_of, work_of)
    return rows, ledger(carried, flows, counted), {"carried_forward_from": str(origin)}


def _first_week(
    settings: Settings, lake: Lake, week: date, counts: Counts
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the position where no plan was made the week before: counts, carried forward by the orders since."""
    late = settings.allocation.max_weeks_late
    weeks = weeks_between(max(settings.calendar.first_week, add_weeks(week, -COUNT_WEEKS)), week)
    orders = lake.read_pandas(WEEKLY_DEMAND, weeks, missing_ok=True)
    counted = [counts.of_week(w) for w in weeks]
    series = _with_category([orders.sort_values("week", ascending=False)], counts, lake, week)
    position = Position.empty(series, late)
    was_counted = np.zeros(len(series), dtype=bool)
    started = pd.DataFrame({"part_id": [], "region": [], "quantity": [], "transit": [], "on_time_rate": []})
    for w, of_week in zip(weeks, counted, strict=True):
        # What was ordered before the first count of a part is not known to be open.
        ordered = _by_series(orders[orders["week"] == pd.Timestamp(w)], position) * was_counted
        carried, flows = advance(position, started, ordered)
        position, stock_of, work_of = count(carried, flows.opening_stock, of_week, w)
        was_counted |= position.index.isin(stock_of) | position.index.isin(work_of)
    newest = max((c for c in counts.stock["counted_on"] if c >= pd.Timestamp(weeks[0])), default=None)
    begins = "nothing: no plan was made the week before, and nothing was counted"
    if newest is not None:
        begins = f"counts up to {newest:%Y-%m-%d}: no plan was made the week before"
    rows = _with_source(position.table(week), stock_of, work_of)
    return rows, ledger(carried, flows, position), {"supply_begins_with": begins}


def _with_category(tables: list[pd.DataFrame], counts: Counts, lake: Lake, week: date) -> pd.DataFrame:
    """Return the series of `tables`, newest first, and of counts, with the category in which each is planned."""
    planned = lake.read_pandas(DEMAND_PLAN, [week], [*SERIES, "part_category"], missing_ok=True)
    known = stack([planned, *tables])
    series = pd.concat([table[SERIES] for table in (*tables, counts.series)]).drop_duplicates()
    series = series.sort_values(SERIES, ignore_index=True).astype(object)
    return series.assign(part_category=category_of(series, known).fillna(_UNKNOWN_CATEGORY))


def _by_series(orders: pd.DataFrame, position: Position) -> np.ndarray:
    wanted = orders.set_index(SERIES)["quantity"]
    return np.asarray(wanted.reindex(position.index).fillna(0.0))


def _with_source(rows: pd.DataFrame, stock_of: pd.MultiIndex, work_of: pd.MultiIndex) -> pd.DataFrame:
    """Say of each row of a position whether it was counted this week."""
    index = pd.MultiIndex.from_frame(rows[SERIES])
    counted = (rows["kind"] == "stock") & index.isin(stock_of)
    counted |= (rows["kind"] == "arriving") & index.isin(work_of)
    return rows.assign(source=counted.map({True: "counted", False: "planned"}))
