"""Weeks that say nothing about the usual demand of a series: absurd quantities, and interruptions of its sales.

They are kept out of levels and seasons. A week is compared only with weeks up to a given column, so that later weeks
change nothing. Planners may correct what is found here (`planner_notes`).
"""

from dataclasses import dataclass

import numpy as np

from forecasting_assets.weeks import YEAR_WEEKS

#: A week is an outlier if its demand is more than OUTLIER_FACTOR times the upper decile of the weeks with demand, of a
#: series with at least OUTLIER_WEEKS of these.
OUTLIER_FACTOR, OUTLIER_WEEKS = 8.0, 10
#: A run of weeks without demand is an interruption if it has at least INTERRUPTION_WEEKS weeks, in a series with
#: orders in at least FREQUENT of the weeks outside of such runs and in at least half of all weeks.
INTERRUPTION_WEEKS, FREQUENT = 4, 0.9


@dataclass(frozen=True)
class Corrections:
    """What planners say about single weeks, (series, weeks) each.

    Attributes
    ----------
    excluded
        Weeks that do not count, such as those of a one-off order or without stock.
    kept
        Weeks whose demand is real, however unusual it is.
    """

    excluded: np.ndarray
    kept: np.ndarray


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
        (series, weeks), true for an outlier or an excluded week.
    """
    usual = demand if corrections is None else np.where(corrections.excluded, 0.0, demand)
    past = np.sort(usual[:, : known + 1], axis=1)
    count = (past > 0).sum(axis=1)
    # Rounded down, so that with OUTLIER_WEEKS weeks the largest is never the upper decile.
    place = past.shape[1] - 1 - np.ceil(0.1 * np.maximum(count, 1)).astype(int)
    decile = past[np.arange(len(past)), np.maximum(place, 0)]
    limit = np.where(count >= OUTLIER_WEEKS, OUTLIER_FACTOR * decile, np.inf)
    found: np.ndarray = demand > limit[:, None]
    return found if corrections is None else found & ~corrections.kept | corrections.excluded


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
        ordered |= corrections.excluded[:, :n_weeks]
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
