"""What planners would enter to make a changed case the plan: forecast overrides and capacity overrides."""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.what_if import Change, DemandChange
from forecasting_assets.tables import CAPACITY_OVERRIDES, FORECAST_OVERRIDES
from forecasting_assets.weeks import days_of

_SCOPE = ["part_id", "part_category", "region"]


def obstacles(change: Change, network: Network) -> list[str]:
    """Say what of a change no planning or capacity file can express, and what to do instead.

    Parameters
    ----------
    change
        The change.
    network
        The network before it.
    """
    overtime = network.manufacturers.set_index("manufacturer_id")["overtime_hours_per_week"]
    return [
        *(
            f"{c.manufacturer_id} has overtime, and capacity_overrides.csv holds regular hours alone: try its regular "
            f"hours (as {c.manufacturer_id}=320h, or {c.manufacturer_id}@WEEK=-40% for one week), or edit "
            "manufacturers.csv"
            for c in change.capacity
            if c.week is None and c.factor is not None and overtime[c.manufacturer_id] > 0
        ),
        *(f"remove {name} from the network files by hand" for name in change.removed),
    ]


def adopted_hours(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of CAPACITY_OVERRIDES that turn the regular hours of a plan into those of a changed case.

    Parameters
    ----------
    before, after
        manufacturer_id, production_week and capacity_hours of the plan and of the case, from which manufacturers may be
        missing.
    """
    key = ["manufacturer_id", "production_week"]
    rows = after.merge(before, on=key, suffixes=("", "_before"))
    changed = rows[~np.isclose(rows["capacity_hours"], rows["capacity_hours_before"], rtol=1e-12, atol=0)]
    hours = changed.rename(columns={"production_week": "week"})[CAPACITY_OVERRIDES.names]
    return hours.reset_index(drop=True)


def adopted_overrides(change: Change, demand: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return the forecast overrides that make the changed demand the plan, without reason and author.

    A change becomes a factor on the forecast of its scope. Rows that already have an override, or that several changes
    concern, get a quantity of their own, because the newest override of a row counts alone. As with every override,
    units that are booked are not multiplied, and a row is never planned below them.

    Parameters
    ----------
    change
        The change.
    demand
        DEMAND_PLAN of the week.
    week
        The planned week; rows are entered on its last day, so that its plan uses them.

    Returns
    -------
    DataFrame
        Columns of FORECAST_OVERRIDES.
    """
    first, last = demand["due_week"].min(), demand["due_week"].max()
    factors = pd.DataFrame(
        [_factor_row(c, first, last) for c in change.demand], columns=FORECAST_OVERRIDES.names
    )
    hits, factor = np.zeros(len(demand), dtype=int), np.ones(len(demand))
    for c in change.demand:
        covered = c.covers(demand)
        hits += covered
        factor[covered] *= c.factor
    overridden = demand["override"].notna().to_numpy()
    own = (hits > 1) | ((hits == 1) & overridden)
    rows = demand[own]
    base = rows["override"].fillna(rows["statistical"])
    quantities = rows[_SCOPE].assign(
        week_from=rows["due_week"], week_to=rows["due_week"], quantity=base * factor[own], factor=np.nan
    )
    parts = [part for part in (factors, quantities) if len(part)] or [factors]
    entered = pd.Timestamp(days_of(week)[-1])
    adopted = pd.concat(parts, ignore_index=True).assign(entered=entered)
    return adopted.reindex(columns=FORECAST_OVERRIDES.names)


def _factor_row(change: DemandChange, first: pd.Timestamp, last: pd.Timestamp) -> dict[str, object]:
    week = None if change.week is None else pd.Timestamp(change.week)
    return {
        **{name: getattr(change, name) for name in _SCOPE},
        "week_from": week or first,
        "week_to": week or last,
        "quantity": np.nan,
        "factor": change.factor,
    }
