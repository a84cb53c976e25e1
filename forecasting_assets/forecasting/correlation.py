"""How the errors of forecasts depend on each other: across series in a week, and across the weeks of a series.

Errors are compared as normal scores: the level of the forecast's distribution at which the real demand lies, as a
quantile of the standard normal distribution. Scores beyond the outermost quantiles all count as the middle of that
tail, so that no single week or series dominates.

Scores count from zero, not from their mean: where all forecasts of a market have been too low for a year, that is an
error that they have in common. Series that are rarely ordered are left out, as most of their scores only say that
nothing was ordered; the more of them there are, the more the prior counts.

References
----------
Nelsen (2006), "An Introduction to Copulas".
Denuit and Lambert (2005), "Constraints on concordance measures in bivariate discrete data" (mid-levels of demand with
positive probability).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.forecast_arrays import LEVELS
from forecasting_assets.tables import ASSUMED_CORRELATIONS, ERROR_CORRELATIONS, MARKET

#: What each series and origin contributes to, by horizon. `scores` counts all scores. All others are of series that are
#: not rarely ordered: scores with the sum of their squares, pairs of series of one market and week, and pairs of one
#: series in two successive weeks, each with the sum of the products.
SUMS = ["scores", "cells", "squared", "pairs", "pair_product", "lags", "lag_product"]
#: Number of origins that the prior counts for: constants for the whole home, and the whole home for a market.
PRIOR_ORIGINS = 13.0
#: No correlation above this is reported.
LARGEST = 0.95


def normal_scores(actual: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Return the normal score of demand under its forecast.

    Parameters
    ----------
    actual
        Demand, (...), in units; NaN where it is unknown.
    quantiles
        Forecast quantiles at LEVELS, (..., LEVELS), in units.

    Returns
    -------
    numpy.ndarray
        (...), NaN where demand or forecast is unknown. Demand with positive probability gets the middle of its levels.
    """
    from scipy.special import ndtri

    known = np.isfinite(actual) & np.isfinite(quantiles).all(axis=-1)
    y, q = actual[known], quantiles[known]
    below, at_most = (q < y[:, None]).sum(axis=1), (q <= y[:, None]).sum(axis=1)
    row, last = np.arange(y.size), LEVELS.size - 1
    low, high = np.clip(below - 1, 0, last), np.clip(below, 0, last)
    gap = q[row, high] - q[row, low]
    weight = np.divide(y - q[row, low], gap, out=np.zeros(y.size), where=gap > 0)
    between = LEVELS[low] + weight * (LEVELS[high] - LEVELS[low])
    inside = np.where(below == 0, LEVELS[0] / 2, np.where(below > last, (1 + LEVELS[-1]) / 2, between))
    lowest = np.where((y == 0) & (below == 0), 0.0, LEVELS[high])
    tied = (lowest + LEVELS[np.clip(at_most - 1, 0, last)]) / 2
    scores = np.full(actual.shape, np.nan)
    scores[known] = ndtri(np.where(at_most > below, tied, inside))
    return scores


@dataclass(frozen=True)
class MarketSums:
    """What one origin tells of correlations.

    Attributes
    ----------
    markets
        part_category and region of each market.
    sums
        (horizons, markets + 1, SUMS); the last is the whole home, whose pairs are of any two series. A pair of weeks
        belongs to the later of its horizons.
    """

    markets: pd.DataFrame
    sums: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, rare: np.ndarray, markets: pd.DataFrame) -> "MarketSums":
        """Sum the scores of one origin by horizon and market.

        Parameters
        ----------
        scores
            Normal scores, (series, horizons), NaN where unknown.
        rare
            Whether a series is rarely ordered, (series, horizons).
        markets
            part_category and region of each series; missing ones count for the whole home alone.
        """
        grouped = markets.groupby(MARKET)
        names = grouped.size().reset_index()[MARKET]
        # -1 is the last row, the whole home.
        market = grouped.ngroup().fillna(-1).to_numpy(int)
        scored = np.isfinite(scores)
        known = scored & ~rare
        z = np.where(known, scores, 0.0)
        lag, lagged = np.zeros_like(z), np.zeros_like(known)
        lag[:, 1:] = z[:, 1:] * z[:, :-1]
        lagged[:, 1:] = known[:, 1:] & known[:, :-1]
        sums = np.zeros((6, len(names) + 1, z.shape[1]))
        for values, total in zip((scored, known, z, z**2, lagged, lag), sums, strict=True):
            np.add.at(total, market, values)
            total[-1] += total[:-1].sum(axis=0)
        scores_known, count, score, squared, lags, lag_product = sums
        columns = [scores_known, count, squared, count * (count - 1), score**2 - squared, lags, lag_product]
        return cls(names, np.stack(columns, axis=-1).swapaxes(0, 1))


def error_correlations(known: Sequence[MarketSums]) -> pd.DataFrame:
    """Estimate the correlations of the errors, shrunk where few origins are known or many series rarely ordered.

    The estimate of the whole home is shrunk towards ASSUMED_CORRELATIONS, that of a
    market towards the whole home.

    Parameters
    ----------
    known
        Sums of the origins that count, zero for horizons that have not closed.

    Returns
    -------
    pandas.DataFrame
        Rows of ERROR_CORRELATIONS: the whole home first, with empty part_category and region, then each market with a
        known error.
    """
    markets = pd.concat([pd.DataFrame(columns=MARKET), *(o.markets for o in known)], ignore_index=True)
    grouped = markets.groupby(MARKET)
    names, market = grouped.size().reset_index()[MARKET], grouped.ngroup().to_numpy()
    total = np.zeros((len(known), len(names) + 1, len(SUMS)))
    begin = 0
    for origin, by_market in zip(known, total, strict=True):
        count = len(origin.markets)
        sums = origin.sums.sum(axis=0)
        by_market[market[begin : begin + count]], by_market[-1] = sums[:-1], sums[-1]
        begin += count
    scores, cells, squared, pairs, pair_product, lags, lag_product = total.sum(axis=0).T
    variance, frequent = _ratio(squared, cells), _ratio(cells, scores)
    origins = (total[..., SUMS.index("scores")] > 0).sum(axis=0)

    def shrunk(product: np.ndarray, of: np.ndarray, prior: float) -> np.ndarray:
        correlation = np.clip(_ratio(_ratio(product, of), variance), 0.0, LARGEST)
        trust = np.where((of > 0) & (variance > 0), frequent * origins / (origins + PRIOR_ORIGINS), 0.0)
        home = trust[-1] * correlation[-1] + (1 - trust[-1]) * prior
        return np.insert(trust[:-1] * correlation[:-1] + (1 - trust[:-1]) * home, 0, home)

    table = pd.concat([pd.DataFrame({c: [""] for c in MARKET}), names], ignore_index=True).assign(
        part_correlation=shrunk(pair_product, pairs, ASSUMED_CORRELATIONS["part_correlation"]),
        week_correlation=shrunk(lag_product, lags, ASSUMED_CORRELATIONS["week_correlation"]),
        origins=np.insert(origins[:-1], 0, origins[-1]),
    )
    known_error = (table["origins"] > 0) | (table.index == 0)
    return table.loc[known_error, ERROR_CORRELATIONS.names].reset_index(drop=True)


def _ratio(part: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is not positive."""
    ratio: np.ndarray = np.divide(part, of, out=np.zeros_like(part), where=of > 0)
    return ratio
