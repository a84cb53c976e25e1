"""What promises hold: which of them a plan keeps, the production that began for them, and units that are reserved."""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.network import Network
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import EPOCH_WEEK, weeks_since

#: Weeks, more than any horizon.
_LONG = 1_000


def active_promises(promises: pd.DataFrame, last_day: pd.Timestamp) -> pd.DataFrame:
    """Return the promises that a plan made at the end of `last_day` (a Sunday) must keep.

    Promises that were entered later, have expired by then, or were due by then, are left out.

    Parameters
    ----------
    promises
        PROMISES.
    last_day
        Last day of the week that the plan is made for.
    """
    known = (promises["entered"] <= last_day) & (promises["expires"] > last_day)
    return promises[known & (promises["due_week"] > last_day)].reset_index(drop=True)


def promised_production(promises: pd.DataFrame, week: date, network: Network) -> pd.DataFrame:
    """Return the production for promises that began in `week` beside the plan, because they were entered in that week.

    Parameters
    ----------
    promises
        PROMISES known by the end of `week`.
    week
        The week.
    network
        The network of the plan of the week before.

    Returns
    -------
    DataFrame
        manufacturer_id, part_id, part_category, region, production_week, quantity. Promises that the network cannot
        make are left out.
    """
    now = (promises["entered"] >= pd.Timestamp(week)) & (promises["production_week"] == pd.Timestamp(week))
    home = network.manufacturers[["manufacturer_id", "region"]].rename(columns={"region": "from_region"})
    lanes = network.lanes.rename(columns={"to_region": "region"})[["from_region", "region"]]
    rows = (
        promises[now]
        .merge(network.capabilities[["manufacturer_id", "part_category"]])
        .merge(home, on="manufacturer_id")
        .merge(lanes)
    )
    return rows[["manufacturer_id", "part_id", "part_category", "region", "production_week", "quantity"]]


def reserve_supply(
    asked: pd.DataFrame, supply: pd.DataFrame, max_weeks_late: int = 0
) -> tuple[np.ndarray, pd.DataFrame]:
    """Reserve units of the supply for promises.

    The units that arrive last but in time are taken first, so that demand due earlier keeps the others; then those
    that are late.

    Parameters
    ----------
    asked
        part_id, region, due_week, quantity of each promise.
    supply
        part_id, region, week, quantity; a row for each part, region and week.
    max_weeks_late
        Weeks that units may arrive after they are due.

    Returns
    -------
    tuple
        Units reserved for each promise, (promises,), and the supply that is left.
    """
    series = pd.MultiIndex.from_frame(asked[SERIES].drop_duplicates())
    of_asked = series.get_indexer(pd.MultiIndex.from_frame(asked[SERIES]))
    of_supply = series.get_indexer(pd.MultiIndex.from_frame(supply[SERIES]))
    week = weeks_since(EPOCH_WEEK, supply["week"])
    due_week = weeks_since(EPOCH_WEEK, asked["due_week"])
    left, quantity = supply["quantity"].to_numpy(float, copy=True), asked["quantity"].to_numpy(float)
    taken = np.zeros(len(asked))
    turn = asked.groupby(SERIES).cumcount().to_numpy()
    for now in range(int(turn.max(initial=-1)) + 1):
        at = np.flatnonzero(turn == now)
        # The last entry stands for supply of series without a promise.
        want, due = np.zeros(len(series) + 1), np.zeros(len(series) + 1, dtype=int)
        want[of_asked[at]], due[of_asked[at]] = quantity[at], due_week[at]
        late = week - due[of_supply]
        usable = np.where(late <= max_weeks_late, left, 0.0)
        order = np.lexsort((np.where(late <= 0, -late, late + _LONG), of_supply))
        sums = pd.Series(usable[order]).groupby(of_supply[order]).cumsum().to_numpy()
        got = np.zeros(len(supply))
        got[order] = np.clip(want[of_supply[order]] - (sums - usable[order]), 0.0, usable[order])
        left = left - got
        taken[at] = np.bincount(of_supply + 1, got, minlength=len(series) + 1)[1:][of_asked[at]]
    return taken, supply.assign(quantity=left)
