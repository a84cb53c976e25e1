"""Width of the intervals of the combined forecast, set so that they hold the share of weeks that they promise.

Averaging models and the overfit of trees make intervals too narrow or too wide. For each demand pattern, the distance
of past demand from the median is compared with the distance of the interval's end on the same side: the level of an
interval is held where its quantile of these ratios is one. Both ends are moved by the same factor, as the side on
which demand fell in a few weeks says little of the next weeks. Demand that is outside even of intervals twice as wide
as the widest, such as that of a shop that opens again, is left out: wider intervals would cost accuracy and not hold
it either. The factor is shrunk towards one by the number of weeks that it was learnt from, as the errors of one week
depend on each other.

References
----------
Romano, Patterson and Candès (2019), "Conformalized quantile regression".
"""

import numpy as np

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.forecast_arrays import MEDIAN, VALUES

#: Names in VALUES of the two ends of each interval, and the share of weeks that it promises to hold.
INTERVALS = [("q10", "q90", 0.8), ("q05", "q95", 0.9)]
#: Limits of the factor.
NARROWEST, WIDEST = 0.8, 1.7
#: Upper edges of the bins in which ratios are counted, one percent apart within the limits; ratios above the last edge
#: are left out. One is an edge, because a week without demand lies exactly on the end of an interval that begins at
#: zero.
EDGES = np.append(np.exp(np.arange(np.ceil(100 * np.log(NARROWEST)), 100 * np.log(WIDEST)) / 100), 2 * WIDEST)
#: Number of weeks and of forecast cells that a factor of one counts for.
PRIOR_WEEKS, PRIOR_CELLS = 13.0, 500.0


def ratio_counts(actual: np.ndarray, values: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Count the distances of demand from the median, relative to those of the interval's end on the same side.

    Parameters
    ----------
    actual
        Demand, (series, horizons), in units; NaN where the week has not closed.
    values
        Plain average of the forecasts of all models, reconciled with those of markets, (series, horizons, VALUES), in
        units.
    segment
        Position in SEGMENTS of each series, (series,).

    Returns
    -------
    numpy.ndarray
        (horizons, SEGMENTS, INTERVALS, EDGES + 1); the first segment holds all series.
    """
    horizons, bins = actual.shape[1], len(EDGES) + 1
    counts = np.zeros((horizons, len(SEGMENTS), len(INTERVALS), bins))
    known = np.isfinite(actual) & np.isfinite(values).all(axis=-1)
    for i, (low, high, level) in enumerate(INTERVALS):
        ends = values[..., [VALUES.index(low), MEDIAN, VALUES.index(high)]]
        # No factor changes an interval without any width.
        counted = known & (ends[..., 2] > ends[..., 1])
        (series, h), y = np.nonzero(counted), actual[counted]
        bottom, median, top = ends[counted].T
        gap, reach = np.abs(y - median), np.where(y >= median, top - median, median - bottom)
        ratio = np.divide(gap, reach, out=np.full_like(gap, np.inf), where=reach > 0)
        at = np.searchsorted(EDGES, ratio)
        np.add.at(counts[:, :, i], (h, segment[series], at), 1.0)
        # Demand cannot fall below an interval that begins at zero, which so holds half of what should be outside. As
        # many weeks are counted as far outside.
        one_sided = (bottom <= 0) & (at < len(EDGES))
        cells = h[one_sided], segment[series[one_sided]], len(EDGES) - 1
        np.add.at(counts[:, :, i], cells, (1 - level) / (2 * level))
    counts[:, 0] = counts.sum(axis=1)
    return counts


def width_factors(counts: np.ndarray, weeks: float) -> np.ndarray:
    """Return the factor of the distance of each quantile from the median.

    Parameters
    ----------
    counts
        Sums of `ratio_counts` over past origins and horizons, (SEGMENTS, INTERVALS, EDGES + 1).
    weeks
        Number of origins that they come from, where older ones may count less.

    Returns
    -------
    numpy.ndarray
        (SEGMENTS,), one where nothing is known.
    """
    within_reach = counts[..., :-1]
    cells = within_reach.sum(axis=-1)
    shares = np.cumsum(within_reach, axis=-1) / np.maximum(cells, 1.0)[..., None]
    logs = np.zeros(counts.shape[:2])
    for i, (_, _, level) in enumerate(INTERVALS):
        at = np.minimum((shares[:, i] < level).sum(axis=-1), len(EDGES) - 1)
        logs[:, i] = np.log(np.minimum(EDGES[at], WIDEST))
    of_cells = cells[:, 0] / (cells[:, 0] + PRIOR_CELLS)
    factors: np.ndarray = np.exp(logs.mean(axis=1) * of_cells * weeks / (weeks + PRIOR_WEEKS))
    return factors


def widen(values: np.ndarray, factor: np.ndarray, booked: np.ndarray) -> np.ndarray:
    """Multiply the distances of the quantiles from the median.

    Parameters
    ----------
    values
        Forecasts, (series, horizons, VALUES), in units.
    factor
        Factor of each series, (series,).
    booked
        Units that are ordered already, (series, horizons).

    Returns
    -------
    numpy.ndarray
        (series, horizons, VALUES), in units. Mean and median change only where they are below what is booked, as no
        value may be.
    """
    median = values[..., MEDIAN, None]
    quantiles = median + factor[:, None, None] * (values[..., 1:] - median)
    widened = np.concatenate([values[..., :1], quantiles], axis=-1)
    return np.asarray(np.maximum(widened, booked[..., None]))
