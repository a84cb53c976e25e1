"""Weeks that say nothing about the usual demand of a series: absurd quantities, and interruptions of its sales.

They are kept out of levels and seasons. A week is compared only with weeks up to a given column, so that later weeks
change nothing. Planners may correct what is found here (`planner_notes`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from forecasting_assets.weeks import YEAR_WEEKS

#: A week is an outlier if its demand is more than OUTLIER_FACTOR times the upper decile of the weeks with demand, of a
#: series with at least OUTLIER_WEEKS of these.
OUTLIER_FACTOR, OUTLIER_WEEKS = 8.0, 10
#: Demand above the limit in at least SHIFT_WEEKS weeks with orders running is a new level and no outlier, unless it is
#: more than MAX_SHIFT times the upper decile: then units are mistaken.
SHIFT_WEEKS, MAX_SHIFT = 4, 100.0
#: A run of weeks without demand is an interruption if it has at least INTERRUPTION_WEEKS weeks, in a series with
#: orders in at least FREQUENT of the weeks outside of such runs and in at least half of all weeks.
INTERRUPTION_WEEKS, FREQUENT = 4, 0.9


@dataclass(frozen=True)
class Corrections:
    """Weeks that count differently, (series, weeks) each.

    Attributes
    ----------
    excluded
        Weeks that do not count as planners say, such as those of a one-off order or without stock.
    kept
        Weeks whose demand is real as planners say, however unusual it is.
    absurd
        Weeks whose demand is absurd compared with that of the category (`CategoryLimits`), and of which planners say
        nothing; None if there is none.
    """

    excluded: np.ndarray
    kept: np.ndarray
    absurd: np.ndarray | None = None

    @property
    def not_counted(self) -> np.ndarray:
        """Weeks that do not count, whoever says so, (series, weeks)."""
        return self.excluded if self.absurd is None else self.excluded | self.absurd


def outliers(demand: np.ndarray, known: int, corrections: Corrections | None = None) -> np.ndarray:
    """Find quantities that are far beyond the usual size of the series.

    Parameters
    ----------
    demand
        (series, weeks), in units.
    known
        Last column that sets the usual size.
    corrections
        Weeks that count differently.

    Returns
    -------
    numpy.ndarray
        (series, weeks), true for an outlier or another week that does not count.
    """
    usual = demand if corrections is None else np.where(corrections.not_counted, 0.0, demand)
    decile = upper_decile(usual[:, : known + 1])[:, None]
    found = demand > OUTLIER_FACTOR * decile
    found &= ~_new_level(usual, OUTLIER_FACTOR * decile, known)
    if corrections is not None:
        found = found & ~corrections.kept | corrections.not_counted
    return np.asarray(found)


def upper_decile(demand: np.ndarray) -> np.ndarray:
    """Return the upper decile of the weeks with demand: (rows,), infinite with fewer than OUTLIER_WEEKS of them.

    `demand` is (rows, weeks).
    """
    if not demand.shape[1]:
        return np.full(len(demand), np.inf)
    ordered = np.sort(demand, axis=1)
    count = (ordered > 0).sum(axis=1)
    # Rounded down, so that with OUTLIER_WEEKS weeks the largest is never the upper decile.
    place = ordered.shape[1] - 1 - np.ceil(0.1 * np.maximum(count, 1)).astype(int)
    decile = ordered[np.arange(len(ordered)), np.maximum(place, 0)]
    return np.asarray(np.where(count >= OUTLIER_WEEKS, decile, np.inf))


def _new_level(demand: np.ndarray, limit: np.ndarray, known: int) -> np.ndarray:
    """Find demand above a limit that is a new level: at least SHIFT_WEEKS such weeks running.

    Weeks without orders do not end a run. A run has to be long enough by the column `known`, and may go on after it.

    Parameters
    ----------
    demand
        (rows, weeks), in units.
    limit
        (rows, 1), in units.
    known
        Last column that is used to judge a run.
    """
    ordered = demand > 0
    high = (demand > limit) & (demand <= MAX_SHIFT / OUTLIER_FACTOR * limit)
    column, n_weeks = np.arange(demand.shape[1]), demand.shape[1]
    ends = ordered & ~high
    before = np.maximum.accumulate(np.where(ends, column, -1), axis=1)
    after = np.minimum.accumulate(np.where(ends, column, n_weeks)[:, ::-1], axis=1)[:, ::-1]
    so_far = np.pad(np.cumsum(high, axis=1), ((0, 0), (1, 0)))
    last = np.minimum(after - 1, known)
    until, since = (np.take_along_axis(so_far, at + 1, axis=1) for at in (last, before))
    return np.asarray(high & (until - since >= SHIFT_WEEKS))


@dataclass(frozen=True)
class CategoryLimits:
    """Limits above which the weekly demand of a series is absurd compared with that of its whole category.

    They find absurd quantities where a series has too few orders to show its usual size.

    Attributes
    ----------
    week
        Last week of the demand that they are learned from.
    by_category
        Limit of the series of each category, in units.
    of_others
        Limit of the series of other categories.
    """

    week: date
    by_category: dict[str, float]
    of_others: float

    @classmethod
    def of(cls, week: date, names: Sequence[str], totals: np.ndarray) -> "CategoryLimits":
        """Learn the limits from the weekly demand of whole categories up to `week`, (names, weeks).

        A category that has begun late has the limit of all categories together.
        """
        of_all = OUTLIER_FACTOR * float(upper_decile(totals.sum(axis=0, keepdims=True))[0])
        limits = OUTLIER_FACTOR * upper_decile(totals)
        known = np.isfinite(limits)
        return cls(week, dict(zip(names, np.where(known, limits, of_all).tolist(), strict=True)), of_all)

    def exceeded(self, demand: np.ndarray, categories: Sequence[str], known: int) -> np.ndarray:
        """Find absurd quantities in series with fewer than OUTLIER_WEEKS weeks with orders up to the column `known`.

        Parameters
        ----------
        demand
            (series, weeks), in units.
        categories
            Category of each series.
        known
            Last column that is used to judge what is usual.

        Returns
        -------
        numpy.ndarray
            (series, weeks).
        """
        limit = np.array([self.by_category.get(name, self.of_others) for name in categories]).reshape(-1, 1)
        few = np.isinf(upper_decile(demand[:, : known + 1]))[:, None]
        return np.asarray(few & (demand > limit) & ~_new_level(demand, limit, known))


def without_outliers(demand: np.ndarray, known: int, corrections: Corrections | None = None) -> np.ndarray:
    """Return demand with zero in place of `outliers`, whose parameters these are: (series, weeks), in units."""
    return np.where(outliers(demand, known, corrections), 0.0, demand)


def interruptions(demand: np.ndarray, known: int, corrections: Corrections | None = None) -> np.ndarray:
    """Find weeks in which a series that is ordered nearly every week was not ordered for a while, as if closed.

    A pause that returns every year is a season, not an interruption. A pause counts only after it has ended, so that a
    part that is no longer ordered fades.

    Parameters
    ----------
    demand
        (series, weeks), in units.
    known
        Last column that is used; no later week is an interruption.
    corrections
        Weeks that count differently: neither those that are excluded nor those that are kept are interruptions.

    Returns
    -------
    numpy.ndarray
        (series, weeks), true for a week of an interruption.
    """
    n_weeks = known + 1
    week = np.arange(n_weeks)
    ordered = demand[:, :n_weeks] > 0
    if corrections is not None:
        begun = np.logical_or.accumulate(ordered, axis=1)
        ordered |= corrections.not_counted[:, :n_weeks] & begun
    last = np.maximum.accumulate(np.where(ordered, week, -1), axis=1)
    following = np.where(ordered, week, n_weeks)[:, ::-1]
    following = np.minimum.accumulate(following, axis=1)[:, ::-1]
    inside = ~ordered & (last >= 0) & (following < n_weeks)
    long = inside & (following - last - 1 >= INTERRUPTION_WEEKS)
    counted = (last >= 0) & (following < n_weeks) & ~long
    orders = ordered.sum(axis=1)
    frequent = (orders >= FREQUENT * counted.sum(axis=1)) & (orders >= 0.5 * (last >= 0).sum(axis=1))
    yearly = np.zeros_like(long)
    yearly[:, YEAR_WEEKS:] |= ~ordered[:, :-YEAR_WEEKS] & (last[:, :-YEAR_WEEKS] >= 0)
    yearly[:, :-YEAR_WEEKS] |= ~ordered[:, YEAR_WEEKS:]
    found = np.zeros(demand.shape, dtype=bool)
    found[:, :n_weeks] = long & frequent[:, None] & ~yearly
    return found if corrections is None else found & ~corrections.kept
