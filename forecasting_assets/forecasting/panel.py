"""Demand as a dense matrix: one row a series, one column a week, zero where nothing was ordered."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.features.window import ADI_LIMIT, ALIVE_WEEKS, CV2_LIMIT, NEW_WEEKS
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import weeks_between

#: Demand patterns (Syntetos, Boylan and Croston 2005); a code is a place in this list.
PATTERNS = ["smooth", "erratic", "intermittent", "lumpy", "new"]
#: Demand is taken as log(1 + LOG_GAIN * demand / mean demand): linear near zero, a logarithm near the mean.
LOG_GAIN = 10.0


class DemandError(ValueError):
    """The demand handed in cannot be forecast; the message names the column and the value."""


@dataclass(frozen=True)
class Panel:
    """`demand[i, t]` is the quantity of series i in the t-th week from `first`, in units.

    `series` has one row per row of `demand`: part_id, region, part_category (that of its first order here),
    sorted by the first two.
    """

    series: pd.DataFrame
    first: date
    demand: np.ndarray

    @classmethod
    def of(cls, history: pd.DataFrame, first: date, last: date) -> "Panel":
        """The weeks `first` … `last` of `history` (part_id, region, week, quantity; only weeks with orders).

        Without a column part_category every part is of the category "default".
        Raises DemandError if a column is absent, a quantity negative or not finite, or a week no Monday.
        """
        absent = [c for c in (*SERIES, "week", "quantity") if c not in history]
        if absent:
            raise DemandError(
                f"demand has no column {', '.join(absent)}; it has {', '.join(history.columns)}"
            )
        week = week_numbers(history["week"], first)
        n_weeks = len(weeks_between(first, last))
        seen = (week >= 0) & (week < n_weeks)
        quantity = history["quantity"].to_numpy(float)[seen]
        bad = ~(np.isfinite(quantity) & (quantity >= 0))
        if bad.any():
            raise DemandError(
                f"quantity: {quantity[bad][0]} is no demand; give finite quantities of at least 0"
            )
        keys = history.loc[seen, SERIES]
        rows, series = number_series(keys)
        demand = np.zeros((len(series), n_weeks))
        np.add.at(demand, (rows, week[seen]), quantity)
        series["part_category"] = _first_category(history, seen, week, rows, len(series))
        ordered = demand.any(axis=1)
        return cls(series.iloc[np.flatnonzero(ordered)].reset_index(drop=True), first, demand[ordered])

    def rows(self, which: np.ndarray) -> "Panel":
        """The panel of some of its series."""
        return Panel(self.series.iloc[which].reset_index(drop=True), self.first, self.demand[which])

    def column(self, week: date) -> int:
        return (week - self.first).days // 7

    @cached_property
    def first_order(self) -> np.ndarray:
        """Column of the first order of each series."""
        return (self.demand > 0).argmax(axis=1)

    def alive(self, column: int) -> np.ndarray:
        """Whether each series has an order in the ALIVE_WEEKS weeks that end with `column`."""
        recent = self.demand[:, max(0, column - ALIVE_WEEKS + 1) : column + 1]
        return np.asarray((recent > 0).any(axis=1))

    def patterns(self, columns: np.ndarray) -> np.ndarray:
        """(series, columns): the code of each series' demand pattern as of the end of each of `columns`, from
        the ALIVE_WEEKS weeks before; it is "new" while younger than NEW_WEEKS."""

        def recent(x: np.ndarray) -> np.ndarray:
            total = np.cumsum(np.pad(x, ((0, 0), (1, 0))), axis=1)
            return total[:, columns + 1] - total[:, np.maximum(columns + 1 - ALIVE_WEEKS, 0)]

        age = columns + 1 - self.first_order[:, None]
        orders = np.maximum(recent((self.demand > 0).astype(float)), 1.0)
        mean = np.maximum(recent(self.demand) / orders, 1e-12)
        cv2 = recent(self.demand**2) / orders / mean**2 - 1
        frequent, steady = np.minimum(age, ALIVE_WEEKS) / orders < ADI_LIMIT, cv2 < CV2_LIMIT
        return np.select([age < NEW_WEEKS, frequent & steady, frequent, steady], [4, 0, 1, 2], 3)


def scale_of(demand: np.ndarray, known: int) -> np.ndarray:
    """Mean of each row of `demand` (rows, weeks) from its first order to the column `known`, in units; of a row
    that begins later, its first order."""
    first = (demand > 0).argmax(axis=1)
    last = np.maximum(known, first)
    total = np.cumsum(demand, axis=1)[np.arange(len(demand)), last] / (last + 1 - first)
    return np.where(total > 0, total, 1.0)


def logged(demand: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`demand` (rows, …) on the logarithmic scale; `scale` (rows) in units."""
    return np.log1p(LOG_GAIN * demand / scale[:, None])


def _first_category(
    history: pd.DataFrame, seen: np.ndarray, week: np.ndarray, rows: np.ndarray, n: int
) -> np.ndarray:
    if "part_category" not in history:
        return np.full(n, "default", dtype=object)
    category = np.empty(n, dtype=object)
    latest_first = np.argsort(-week[seen], kind="stable")
    category[rows[latest_first]] = history.loc[seen, "part_category"].to_numpy(object)[latest_first]
    return category


def week_numbers(weeks: pd.Series, first: date) -> np.ndarray:
    """Weeks since `first` of each of `weeks`; DemandError if one is no Monday."""
    days = (weeks.to_numpy("datetime64[ns]") - np.datetime64(first, "ns")) / np.timedelta64(1, "D")
    bad = days % 7 != 0
    if bad.any():
        raise DemandError(f"week: {weeks[bad].iloc[0]} is no Monday; name a week by its Monday")
    return (days // 7).astype(np.int64)


def number_series(keys: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """The row of each of `keys` (part_id, region) in the sorted frame of distinct ones, and that frame."""
    part, parts = pd.factorize(keys["part_id"], sort=True)
    region, regions = pd.factorize(keys["region"], sort=True)
    pairs, rows = np.unique(part * max(len(regions), 1) + region, return_inverse=True)
    of_part, of_region = np.divmod(pairs, max(len(regions), 1))
    return rows, pd.DataFrame(
        {"part_id": np.asarray(parts)[of_part], "region": np.asarray(regions)[of_region]}
    )
