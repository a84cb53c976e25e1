"""Demand as a dense matrix: a row for each series, a column for each week, zero where nothing was ordered."""

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.features.window import ACTIVE_WEEKS
from forecasting_assets.forecasting.cleaning import CategoryLimits, Corrections
from forecasting_assets.forecasting.planner_notes import noted_demand, split_notes
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import are_weeks, weeks_apart, weeks_between, weeks_since

#: Demand is transformed to log(1 + LOG_GAIN * demand / mean demand): linear near zero, a logarithm near the mean.
LOG_GAIN = 10.0


class ForecastDataError(PicklableError, ValueError):
    """Demand or forecasts that cannot be used; `column` is the column that is missing or has a bad value, if any."""

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class Panel:
    """Weekly demand of some series.

    Attributes
    ----------
    series
        A row for each row of `demand`: part_id, region, part_category (that of the first order in the panel),
        sorted by part_id and region.
    first
        The first week.
    demand
        (series, weeks) in units; column t is the t-th week from `first`.
    bookings
        Rows of the order book: series (row of `demand`), week (column at whose end they were booked), ahead (weeks
        from there to the week they are wanted in) and quantity in units.
    covariates
        What is known ahead: part_id and region (missing for all of them), week, covariate (its name), value, and known
        (the week at whose end it became known). None if nothing is.
    corrections
        Weeks that count differently; None if there are none.
    orders
        Orders of each series, (series, weeks) in units, where weeks count differently or planners name successors:
        `demand` also holds what a series inherits. None if it does not differ.
    """

    series: pd.DataFrame
    first: date
    demand: np.ndarray
    bookings: pd.DataFrame | None = None
    covariates: pd.DataFrame | None = None
    corrections: Corrections | None = None
    orders: np.ndarray | None = None

    @classmethod
    def from_history(
        cls, history: pd.DataFrame, first: date, last: date, limits: CategoryLimits | None = None
    ) -> "Panel":
        """Build the panel of the weeks `first` to `last`, of every series with orders in them.

        Parameters
        ----------
        history
            part_id, region, week, quantity, only weeks with orders, and optionally part_category; without it every
            part is of the category "default". Rows with a `due_week` are no demand, but units that were booked at the
            end of `week` for that week; only series with demand keep them. Rows with a `covariate` say what is
            known of `week` before it comes, see `covariates`. Rows with a `note` say how weeks and parts count, see
            `planner_notes`; those that became known after `last` are not used.
        first, last
            First and last week, both included.
        limits
            Limits of the weekly demand of a series, above which it does not count; None for no limits.

        Raises
        ------
        ForecastDataError
            If a column is missing, a part, region or category has no value, a quantity is negative or not finite, or a
            week is not a Monday.
        """
        missing = [c for c in (*SERIES, "week", "quantity") if c not in history]
        if missing:
            names = ", ".join(missing)
            raise ForecastDataError(
                f"demand has no column {names}; it has {', '.join(history.columns)}", missing[0]
            )
        history, covariates = split_covariates(history)
        history, notes = split_notes(history, last)
        history, booked = split_history(history)
        week = week_numbers(history["week"], first)
        n_weeks = len(weeks_between(first, last))
        inside = (week >= 0) & (week < n_weeks)
        quantity = history["quantity"].to_numpy(float)[inside]
        bad = ~(np.isfinite(quantity) & (quantity >= 0))
        if bad.any():
            raise ForecastDataError(
                f"quantity: {quantity[bad][0]} is not valid; use finite quantities of at least 0", "quantity"
            )
        for name in (*SERIES, *history.columns.intersection(["part_category"])):
            if unnamed := int(history.loc[inside, name].isna().sum()):
                raise ForecastDataError(f"{name}: {unnamed:,} rows of demand have no value", name)
        rows, series = number_series(history.loc[inside, SERIES])
        demand = np.zeros((len(series), n_weeks))
        np.add.at(demand, (rows, week[inside]), quantity)
        series["part_category"] = _first_category(history, inside, week, rows, len(series))
        ordered = demand.any(axis=1)
        series, demand = series.iloc[np.flatnonzero(ordered)].reset_index(drop=True), demand[ordered]
        panel = cls(series, first, demand, _bookings(booked, series, first, n_weeks), covariates)
        if notes is None and limits is None:
            return panel
        noted = noted_demand(demand, series, first, notes, limits)
        if notes is None and not noted.corrections.not_counted.any():
            return panel
        return replace(panel, demand=noted.demand, corrections=noted.corrections, orders=demand)

    def rows(self, which: np.ndarray) -> "Panel":
        """Return the demand of some of its series, by row number, without bookings, covariates and corrections."""
        return Panel(self.series.iloc[which].reset_index(drop=True), self.first, self.demand[which])

    def booked(self, horizon: int) -> np.ndarray:
        """Return the units booked at the end of each week for the weeks ahead, (series, weeks, horizon)."""
        booked = np.zeros((*self.demand.shape, horizon))
        if self.bookings is not None:
            rows = self.bookings[self.bookings["ahead"] <= horizon]
            cells = tuple(rows[name].to_numpy() for name in ("series", "week"))
            np.add.at(booked, (*cells, rows["ahead"].to_numpy() - 1), rows["quantity"].to_numpy(float))
        return booked

    def part_totals(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the demand of each part in all regions, (parts, weeks), and the row of the part of each series."""
        code, parts = pd.factorize(self.series["part_id"])
        total = np.zeros((len(parts), self.demand.shape[1]))
        np.add.at(total, code, self.demand)
        return total, code

    def column(self, week: date) -> int:
        """Return the column of a week."""
        return weeks_apart(self.first, week)

    @cached_property
    def first_order(self) -> np.ndarray:
        """Column of the first week with demand of each series; the number of weeks if it has none."""
        ordered = self.demand > 0
        first: np.ndarray = np.where(ordered.any(axis=1), ordered.argmax(axis=1), ordered.shape[1])
        return first

    @property
    def ordered(self) -> np.ndarray:
        """Orders of each series, without what a series inherits, (series, weeks) in units."""
        return self.demand if self.orders is None else self.orders

    @property
    def begun(self) -> np.ndarray:
        """Whether each series has had its first week with demand by the end of each week, (series, weeks)."""
        return np.asarray(np.arange(self.demand.shape[1]) >= self.first_order[:, None])

    @cached_property
    def active_weeks(self) -> np.ndarray:
        """Whether each series has an order in the ACTIVE_WEEKS weeks that end with each week, (series, weeks)."""
        return np.asarray(recent_sum((self.ordered > 0).astype(float), ACTIVE_WEEKS) > 0)

    def active(self, column: int) -> np.ndarray:
        """Return whether each series has an order in the ACTIVE_WEEKS weeks that end with `column`."""
        return np.asarray(self.active_weeks[:, column])


def recent_sum(values: np.ndarray, weeks: int) -> np.ndarray:
    """Return the sum of the `weeks` columns up to each column, (rows, columns)."""
    total = np.cumsum(np.pad(values, ((0, 0), (weeks, 0))), axis=1)
    recent: np.ndarray = total[:, weeks:] - total[:, :-weeks]
    return recent


def mean_demand(demand: np.ndarray, known: int) -> np.ndarray:
    """Return the mean weekly demand of each series from its first order to the column `known`, in units.

    `demand` is (series, weeks). A series that begins after `known` has the size of its first order, a series without
    orders 1.
    """
    first = (demand > 0).argmax(axis=1)
    last = np.maximum(known, first)
    total = np.cumsum(demand, axis=1)[np.arange(len(demand)), last] / (last + 1 - first)
    return np.where(total > 0, total, 1.0)


def to_log_scale(demand: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Transform demand to the logarithmic scale; see LOG_GAIN.

    `demand` is (series, ...), `scale` (series) its mean; both are in units.
    """
    logs: np.ndarray = np.log1p(LOG_GAIN * demand / scale[:, None])
    return logs


def in_units(log_demand: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Transform demand (series, ...) back from the logarithmic scale; `scale` (series) is in units."""
    by_series = scale.reshape(-1, *[1] * (log_demand.ndim - 1))
    units: np.ndarray = np.expm1(np.maximum(log_demand, 0.0)) * by_series / LOG_GAIN
    return units


def split_covariates(history: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the rows without known covariates, and these (rows with a `covariate`), None if there are none."""
    if "covariate" not in history:
        return history, None
    known = history["covariate"].notna()
    if not known.any():
        return history, None
    return history[~known], history.loc[known, [*SERIES, "week", "covariate", "value", "known"]]


def known_at(history: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return the rows of demand, the order book, known covariates and notes that were known at the end of `week`."""
    since = history["week"]
    for name in ("covariate", "note"):
        if name in history:
            since = since.where(history[name].isna(), history["known"])
    return history[since <= pd.Timestamp(week)]


def split_history(history: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the rows of demand, and those of the order book (with a `due_week`), None if there are none."""
    if "due_week" not in history:
        return history, None
    booked = history["due_week"].notna()
    if not booked.any():
        return history, None
    return history[~booked], history[booked]


def week_numbers(weeks: pd.Series, first: date) -> np.ndarray:
    """Return the number of weeks from `first` to each of `weeks`.

    Raises
    ------
    ForecastDataError
        If one of `weeks` is not a Monday.
    """
    bad = ~are_weeks(weeks)
    if bad.any():
        raise ForecastDataError(
            f"week: {weeks[bad].iloc[0]} is not a Monday; name a week by its Monday", "week"
        )
    return weeks_since(first, weeks)


def number_series(keys: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Assign a number to each series, in the order of part_id and region.

    Returns
    -------
    tuple
        The number of the series of each row of `keys` (part_id, region), and a frame with part_id and region of each
        series by number.
    """
    part, parts = pd.factorize(keys["part_id"], sort=True)
    region, regions = pd.factorize(keys["region"], sort=True)
    pairs, rows = np.unique(part * max(len(regions), 1) + region, return_inverse=True)
    of_part, of_region = np.divmod(pairs, max(len(regions), 1))
    return rows, pd.DataFrame(
        {"part_id": np.asarray(parts)[of_part], "region": np.asarray(regions)[of_region]}
    )


def _bookings(
    booked: pd.DataFrame | None, series: pd.DataFrame, first: date, n_weeks: int
) -> pd.DataFrame | None:
    """Arrange rows of the order book as Panel.bookings."""
    if booked is None:
        return None
    keys = pd.MultiIndex.from_frame(series[SERIES])
    table = pd.DataFrame(
        {
            "series": keys.get_indexer(pd.MultiIndex.from_frame(booked[SERIES].astype(object))),
            "week": week_numbers(booked["week"], first),
            "ahead": week_numbers(booked["due_week"], first) - week_numbers(booked["week"], first),
            "quantity": booked["quantity"].to_numpy(float),
        }
    )
    inside = (table["series"] >= 0) & table["week"].between(0, n_weeks - 1) & (table["ahead"] > 0)
    return table[inside].reset_index(drop=True)


def _first_category(
    history: pd.DataFrame, inside: np.ndarray, week: np.ndarray, rows: np.ndarray, n: int
) -> np.ndarray:
    if "part_category" not in history:
        return np.full(n, "default", dtype=object)
    category = np.empty(n, dtype=object)
    newest_first = np.argsort(-week[inside], kind="stable")
    category[rows[newest_first]] = history.loc[inside, "part_category"].to_numpy(object)[newest_first]
    return category
