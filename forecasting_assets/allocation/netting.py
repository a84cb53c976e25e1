"""Serve demand from stock and from units on their way. Units of a part in a region serve only that part and region."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import weeks_since


@dataclass(frozen=True)
class Netting:
    """Demand, and the units that can serve it, by part and region.

    Orders that are overdue (due before the first week) are served first, the oldest first. Then the
    earliest due week is served from units that arrive in time; demand that is left, from units that arrive up to
    `max_weeks_late` weeks after it is due.

    Attributes
    ----------
    series, due
        Position of each row of demand in the arrays by part and region (S) and by week (T), (rows,).
    available
        Units that become available in each week, (S, T).
    first
        Position of the first week that is planned, among the T weeks.
    max_weeks_late
        Weeks that demand may be met late.
    promised
        Units of each row of demand that promises serve already, (rows,).
    """

    series: np.ndarray
    due: np.ndarray
    available: np.ndarray
    first: int
    max_weeks_late: int
    promised: np.ndarray | float = 0.0

    @classmethod
    def of(
        cls, demand: pd.DataFrame, supply: pd.DataFrame | None, first_week: pd.Timestamp, max_weeks_late: int
    ) -> "Netting":
        """Arrange demand and supply.

        Parameters
        ----------
        demand
            part_id, region, due_week; at most one row for each.
        supply
            part_id, region, week, quantity: units that become available in a week; those of earlier weeks are available
            in the first week.
        first_week
            First week that is planned.
        max_weeks_late
            Weeks that demand may be met late.
        """
        if supply is None or supply.empty or demand.empty:
            nothing = np.zeros(len(demand), dtype=int)
            return cls(nothing, nothing, np.zeros((1, 1)), 0, max_weeks_late)
        start = min(demand["due_week"].min(), first_week)
        first = int(weeks_since(start, pd.Series([first_week]))[0])
        due, week = weeks_since(start, demand["due_week"]), weeks_since(start, supply["week"])
        week = np.maximum(week, first)
        index = pd.MultiIndex.from_frame(demand[SERIES].drop_duplicates())
        series = index.get_indexer(pd.MultiIndex.from_frame(demand[SERIES]))
        of_supply = index.get_indexer(pd.MultiIndex.from_frame(supply[SERIES]))
        last = int(due.max()) + max_weeks_late
        usable = (of_supply >= 0) & (week <= last)
        available = np.zeros((len(index), last + 1))
        quantity = supply["quantity"].to_numpy(float)
        np.add.at(available, (of_supply[usable], week[usable]), quantity[usable])
        return cls(series, due, available, first, max_weeks_late)

    def unmet(self, quantity: np.ndarray) -> np.ndarray:
        """Return the units of each row of demand that nothing serves, (rows,), for its units `quantity`, (rows,)."""
        quantity = np.maximum(quantity - self.promised, 0.0)
        if not self.available.any():
            return quantity
        total = np.zeros_like(self.available)
        np.add.at(total, (self.series, self.due), quantity)
        left = total.copy()
        for due, _, taken in self._served(left):
            left[:, due] -= taken
        # Differences of large numbers can leave less than nothing.
        return np.asarray(np.clip(left[self.series, self.due], 0.0, quantity))

    def served(self, quantity: np.ndarray) -> pd.DataFrame:
        """Return which units serve which demand.

        Returns
        -------
        DataFrame
            row (of the demand), week (number of weeks after the first week or due week), quantity.
        """
        left = np.zeros_like(self.available)
        np.add.at(left, (self.series, self.due), np.maximum(quantity - self.promised, 0.0))
        row_at = np.full(left.shape, -1)
        row_at[self.series, self.due] = np.arange(quantity.size)
        rows, weeks, units = [np.empty(0, int)], [np.empty(0, int)], [np.empty(0)]
        for due, week, taken in self._served(left):
            left[:, due] -= taken
            some = np.flatnonzero(taken > 0)
            rows.append(row_at[some, due])
            weeks.append(np.full(some.size, week))
            units.append(taken[some])
        columns = {"row": rows, "week": weeks, "quantity": units}
        return pd.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})

    def _served(self, left: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield (due week, week of supply, units taken by part and region); the caller subtracts them from `left`."""
        supply, weeks = self.available.copy(), left.shape[1]
        overdue, planned = range(min(self.first, weeks)), range(self.first, weeks)
        for dues, late in ((overdue, self.max_weeks_late), (planned, 0), (planned, self.max_weeks_late)):
            for due in dues:
                for week in range(self.first, min(due + late + 1, weeks)):
                    taken = np.minimum(left[:, due], supply[:, week])
                    if taken.any():
                        supply[:, week] -= taken
                        yield due, week, taken
