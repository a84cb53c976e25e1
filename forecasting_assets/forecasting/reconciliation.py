"""Forecasts of series moved towards a forecast of their market as a whole.

The demand of a market is forecast once by itself (`market_forecast`) and once as the sum of its series. Neither is
always the better one: what the series have in common shows clearly in their sum, what each has of its own only in
itself. The gap between both is shared out by how uncertain they are, as generalised least squares does for errors that
do not depend on each other: a series is moved by the share that its variance has in the variances of all series and of
the forecast of the market. So uncertain series move most, and the less certain the forecast of a market, the less it
moves them.

References
----------
Wickramasuriya, Athanasopoulos and Hyndman (2019), "Optimal forecast reconciliation for hierarchical and grouped time
series through trace minimization", with a diagonal covariance of the errors.
"""

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.forecast_arrays import VALUES, SeriesIndex
from forecasting_assets.tables import MARKET

#: Limits of the factor by which the forecast of a series is multiplied.
FACTORS = 0.5, 2.0
#: Standard deviations between the quantiles q10 and q90 of a normal distribution.
DEVIATIONS = 2.563


def reconcile(
    values: np.ndarray,
    series: pd.DataFrame,
    markets: pd.DataFrame,
    planned: np.ndarray,
    booked: np.ndarray,
) -> np.ndarray:
    """Move forecasts of series towards the forecasts of their markets.

    Parameters
    ----------
    values
        (series, horizons, VALUES), in units; NaN where there is no forecast.
    series
        part_category and region of each series, missing where they are not known.
    markets
        Rows of MARKET_FORECAST of the same origin; there may be none. A forecast of a market is not used if it is not
        of the same number of series, or of one alone.
    planned
        Whether a forecast uses known covariates, (series, horizons). The forecast of a market does not, so weeks
        of a market with such series stay as they are.
    booked
        Units that are ordered already, (series, horizons), below which no value is moved.

    Returns
    -------
    numpy.ndarray
        (series, horizons, VALUES), in units. All values of a cell are multiplied by the same factor.
    """
    if markets.empty:
        return values
    index = SeriesIndex(_named_as_series(markets[MARKET].drop_duplicates()))
    forecast = index.forecast_array(_named_as_series(markets), values.shape[1], [*VALUES, "series"])
    row = np.full(len(series), -1)
    named = series[MARKET].notna().all(axis=1).to_numpy()
    row[named] = index.rows(_named_as_series(series.loc[named, MARKET]))
    inside = row >= 0
    factor = np.ones(values.shape[:2])
    factor[inside] = _factors(values[inside], row[inside], forecast, planned[inside])
    reconciled: np.ndarray = np.where(
        (factor == 1)[..., None], values, np.maximum(values * factor[..., None], booked[..., None])
    )
    return reconciled


def _factors(values: np.ndarray, market: np.ndarray, forecast: np.ndarray, planned: np.ndarray) -> np.ndarray:
    """Return the factor of each cell, (series, horizons).

    `market` is the row in `forecast` of each series; `forecast` is (markets, horizons), with VALUES and the number of
    series as last axis.
    """
    known, values = np.isfinite(values[..., 0]), np.nan_to_num(values)

    def added_up(cells: np.ndarray) -> np.ndarray:
        total = np.zeros(forecast.shape[:2])
        np.add.at(total, market, cells)
        return total

    mean, variance, count = values[..., 0], _variance(values), added_up(known)
    gap = forecast[..., 0] - added_up(mean)
    uncertain = _variance(forecast) + added_up(variance)
    usable = (forecast[..., -1] == count) & (count > 1) & (uncertain > 0) & (added_up(planned) == 0)
    per_variance = np.divide(gap, uncertain, out=np.zeros_like(gap), where=usable)
    moved = np.divide(per_variance[market] * variance, mean, out=np.zeros_like(mean), where=mean > 0)
    factors: np.ndarray = np.clip(1 + moved, *FACTORS)
    return factors


def _variance(values: np.ndarray) -> np.ndarray:
    """Return the variance of forecasts (..., VALUES), from the width of their 80 % interval.

    Where the mean is above the interval, demand is rare and large. As only one week in ten exceeds the interval, the
    variance is then at least nine times the square of the distance.
    """
    mean, low, high = (values[..., VALUES.index(name)] for name in ("mean", "q10", "q90"))
    variance: np.ndarray = np.maximum(((high - low) / DEVIATIONS) ** 2, 9 * np.maximum(mean - high, 0.0) ** 2)
    return variance


def _named_as_series(markets: pd.DataFrame) -> pd.DataFrame:
    """Return a table of markets with the category in the place of the part."""
    return markets.rename(columns={"part_category": "part_id"})
