"""Counts of stock and of work in progress: they replace what was carried forward."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.supply import Position
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks, weeks_since


@dataclass(frozen=True)
class Counts:
    """Counts made in one week.

    Attributes
    ----------
    stock
        STOCK: a part and region that is not listed was not counted.
    work_in_progress
        WORK_IN_PROGRESS: of a part and region that is listed, all units on their way are listed.
    """

    stock: pd.DataFrame
    work_in_progress: pd.DataFrame

    def of_week(self, week: date) -> "Counts":
        """Return the newest count of each part and region that was made in `week`."""
        return Counts(_newest(self.stock, week), _newest(self.work_in_progress, week))

    @property
    def series(self) -> pd.DataFrame:
        """part_id and region of everything counted."""
        return pd.concat([self.stock[SERIES], self.work_in_progress[SERIES]]).drop_duplicates()


def count(
    carried: Position, opening_stock: np.ndarray, counts: Counts, week: date
) -> tuple[Position, pd.MultiIndex, pd.MultiIndex]:
    """Return the position at the end of `week` with the counts made in it.

    A count before the end of the week is carried to its end by the share of the week's change in stock that the days
    left stand for. Work in progress that should have been ready is taken to arrive in the next week.

    Parameters
    ----------
    carried
        Position at the end of the week without the counts.
    opening_stock
        Units in stock when the week began, (S,).
    counts
        Counts of the week (`Counts.of_week`); all parts and regions are among the series of the position.
    week
        The week.

    Returns
    -------
    tuple
        The position, the series whose stock was counted, and those whose work in progress was.
    """
    stock, arriving = carried.stock.copy(), carried.arriving.copy()
    index = carried.index
    counted = pd.MultiIndex.from_frame(counts.stock[SERIES])
    row = index.get_indexer(counted)
    days_left = 6 - counts.stock["counted_on"].dt.dayofweek.to_numpy()
    change = (carried.stock - opening_stock)[row] * days_left / 7
    stock[row] = np.maximum(counts.stock["quantity"].to_numpy(float) + change, 0.0)

    listed = pd.MultiIndex.from_frame(counts.work_in_progress[SERIES])
    row = index.get_indexer(listed)
    arriving[np.unique(row)] = 0.0
    ahead = weeks_since(add_weeks(week, 1), counts.work_in_progress["ready_week"])
    weeks = np.clip(ahead, 0, arriving.shape[1] - 1)
    np.add.at(arriving, (row, weeks), counts.work_in_progress["quantity"].to_numpy(float))
    return replace(carried, stock=stock, arriving=arriving), counted, listed.unique()


def _newest(counts: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return the rows counted in `week`, of each series only those of its newest day."""
    age = weeks_since(week, counts["counted_on"])
    of_week = counts[age == 0]
    newest = of_week.groupby(SERIES)["counted_on"].transform("max")
    newest_rows: pd.DataFrame = of_week[of_week["counted_on"] == newest].reset_index(drop=True)
    return newest_rows
