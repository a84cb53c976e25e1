"""Templates of planning files: one row for everything that may be entered, with what is expected beside it.

The cells that a planner fills in are empty. Rows in which they stay empty say nothing, so that a template can be put
into the planning folder with a few rows filled in.
"""

from datetime import date

import pandas as pd

from forecasting_assets.tables import (
    DEMAND_CORRECTIONS,
    FORECAST_OVERRIDES,
    LOCKED_ALLOCATIONS,
    SERIES,
    STOCK,
    SUCCESSORS,
    WORK_IN_PROGRESS,
    Table,
)
from forecasting_assets.weeks import days_of


def overrides_template(demand: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return a template of forecast overrides with a row for each part, region and due week.

    Parameters
    ----------
    demand
        DEMAND_PLAN of the week.
    week
        The week that has closed; rows are entered on its last day, so that its plan uses them.

    Returns
    -------
    DataFrame
        Columns of FORECAST_OVERRIDES; then forecast, booked and planned (units).
    """
    rows = demand.sort_values(["part_id", "region", "due_week"], ignore_index=True)
    return _template(
        FORECAST_OVERRIDES,
        {
            **{name: rows[name] for name in ("part_id", "part_category", "region")},
            "week_from": rows["due_week"],
            "week_to": rows["due_week"],
            "entered": _last_day(week),
        },
        {
            "forecast": rows["statistical"].round(1),
            "booked": rows["booked"],
            "planned": rows["quantity"].round(1),
        },
    )


def locks_template(plan: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return a template of locked allocations with a row for each manufacturer, part, region and production week.

    Parameters
    ----------
    plan
        ALLOCATION_PLAN of the week.
    week
        As for `overrides_template`.

    Returns
    -------
    DataFrame
        Columns of LOCKED_ALLOCATIONS; then category, planned and already_locked (units).
    """
    key = ["manufacturer_id", "part_id", "region", "production_week"]
    rows = plan.groupby(key, as_index=False).agg(
        category=("part_category", "first"),
        planned=("quantity", "sum"),
        already_locked=("locked_quantity", "sum"),
    )
    return _template(
        LOCKED_ALLOCATIONS,
        {**{name: rows[name] for name in key}, "entered": _last_day(week)},
        {name: rows[name] for name in ("category", "planned", "already_locked")},
    )


def stock_template(demand: pd.DataFrame, position: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return a template of a stock count with a row for each part and region that is planned or in stock.

    Parameters
    ----------
    demand, position
        DEMAND_PLAN and SUPPLY_POSITION of the week.
    week
        The week at whose end units are counted.

    Returns
    -------
    DataFrame
        Columns of STOCK; then expected (units).
    """
    stock = position[position["kind"] == "stock"].groupby(SERIES, as_index=False)["quantity"].sum()
    series = pd.concat([demand[SERIES], stock[SERIES]]).drop_duplicates().sort_values(SERIES)
    rows = series.merge(stock, on=SERIES, how="left")
    return _template(
        STOCK,
        {"counted_on": _last_day(week), **{name: rows[name] for name in SERIES}},
        {"expected": rows["quantity"].fillna(0.0).round(1)},
    )


def work_template(started: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return a template of a count of work in progress with a row for all that plans have started.

    Parameters
    ----------
    started
        manufacturer_id, part_id, region, production_week, quantity, transit (weeks) and on_time_rate of production that
        was started up to the week.
    week
        The week at whose end units are counted.

    Returns
    -------
    DataFrame
        Columns of WORK_IN_PROGRESS; then expected (units): the share of units that is on time after its transit, the
        rest a week later.
    """
    arrivals = [
        started.assign(
            ready_week=started["production_week"]
            + pd.to_timedelta(7 * (started["transit"] + late), unit="D"),
            expected=started["quantity"] * share,
        )
        for late, share in ((0, started["on_time_rate"]), (1, 1 - started["on_time_rate"]))
    ]
    key = ["manufacturer_id", "part_id", "region", "ready_week"]
    rows = pd.concat(arrivals).groupby(key, as_index=False)["expected"].sum()
    rows["expected"] = rows["expected"].round(1)
    rows = rows[(rows["ready_week"] > pd.Timestamp(week)) & (rows["expected"] > 0)].reset_index(drop=True)
    return _template(
        WORK_IN_PROGRESS,
        {"counted_on": _last_day(week), **{name: rows[name] for name in key}},
        {"expected": rows["expected"]},
    )


def covariates_template(demand: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return a template of known covariates with a row for each part, region and due week of DEMAND_PLAN.

    It has the latest price of each part and region. `week` is as for `overrides_template`.
    """
    rows = demand.sort_values(["part_id", "region", "due_week"], ignore_index=True)
    return pd.DataFrame(
        {
            "part_id": rows["part_id"],
            "region": rows["region"],
            "week": rows["due_week"],
            "unit_price": rows["unit_price"].round(4),
            "promotion": None,
            "published": _last_day(week),
        }
    )


def corrections_template(points: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return a template of demand corrections with a row for each week that the models leave out by themselves.

    Parameters
    ----------
    points
        CLEANED_POINTS of the week.
    week
        As for `overrides_template`.

    Returns
    -------
    DataFrame
        Columns of DEMAND_CORRECTIONS; then left_out_as, ordered and usual (units). The largest quantities come first.
    """
    found = points[points["reason"] != "excluded"]
    rows = found.sort_values(["quantity", *SERIES, "demand_week"], ascending=[False, True, True, True])
    rows = rows.reset_index(drop=True)
    return _template(
        DEMAND_CORRECTIONS,
        {
            **{name: rows[name] for name in SERIES},
            "week": rows["demand_week"],
            "entered": _last_day(week),
        },
        {"left_out_as": rows["reason"], "ordered": rows["quantity"], "usual": rows["usual"].round(1)},
    )


def successors_template(parts: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return a template of successors with a row for each part that is ordered.

    Parameters
    ----------
    parts
        part_id, part_category and weeks_since_order of the series in feature_table.
    week
        As for `overrides_template`.

    Returns
    -------
    DataFrame
        Columns of SUCCESSORS; then part_category, and weeks_since_order in any region. Parts without orders for the
        longest time come first.
    """
    rows = parts.groupby("part_id", as_index=False).agg(
        part_category=("part_category", "first"), weeks_since_order=("weeks_since_order", "min")
    )
    rows = rows.sort_values(["weeks_since_order", "part_id"], ascending=[False, True], ignore_index=True)
    return _template(
        SUCCESSORS,
        {"part_id": rows["part_id"], "from_week": pd.Timestamp(week), "entered": _last_day(week)},
        {name: rows[name] for name in ("part_category", "weeks_since_order")},
    )


def _template(
    table: Table, filled: dict[str, pd.Series | pd.Timestamp], notes: dict[str, pd.Series]
) -> pd.DataFrame:
    """Return the columns of a kind, empty where they are not filled, and notes beside them."""
    index = next(iter(notes.values())).index
    columns = {name: filled.get(name) for name in table.names}
    return pd.DataFrame({**columns, **notes}, index=index)


def _last_day(week: date) -> pd.Timestamp:
    return pd.Timestamp(days_of(week)[-1])
