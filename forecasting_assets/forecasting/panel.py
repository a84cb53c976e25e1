"""Demand as a dense matrix: one row a series, one column a week, zero where nothing was ordered."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.features.build import ALIVE_WEEKS
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import weeks_between


class DemandError(ValueError):
    """The demand handed in cannot be forecast; the message names the column and the value."""


@dataclass(frozen=True)
class Panel:
    """`demand[i, t]` is the quantity of series i in the t-th week from `first`, in units.

    `series` has one row per row of `demand`: part_id, region, sorted by both.
    """

    series: pd.DataFrame
    first: date
    demand: np.ndarray

    @classmethod
    def of(cls, history: pd.DataFrame, first: date, last: date) -> "Panel":
        """The weeks `first` … `last` of `history` (part_id, region, week, quantity; only weeks with orders).

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
        ordered = demand.any(axis=1)
        return cls(series.iloc[np.flatnonzero(ordered)].reset_index(drop=True), first, demand[ordered])

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
