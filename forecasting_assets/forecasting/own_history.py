"""Distribution of a rarely ordered series by its own last year, blended into the forecast of ARIMA models.

The logarithmic scale of the ARIMA models suits demand that is mostly there. Where most weeks have no orders, the
share of such weeks and the sizes of the orders in the last year tell more of the coming weeks than the latest level,
and their mean is a forecast without bias. A series that has had no orders for much longer than usual has probably
ended, however often it was ordered before in that year, so that its distribution moves to zero.

References
----------
Fader, Hardie and Shang (2010), "Customer-base analysis in a discrete-time noncontractual setting".
Willemain, Smart and Schwarz (2004), "A new approach to forecasting intermittent demand for service parts
inventories".
"""

import numpy as np

from forecasting_assets.features.demand_patterns import PATTERNS
from forecasting_assets.forecasting.forecast_arrays import LEVELS, VALUES
from forecasting_assets.forecasting.panel import in_units
from forecasting_assets.forecasting.rolling import RollingForecasts

#: Patterns whose forecasts are blended, and the weight of the own history in the blend.
BLENDED = [PATTERNS.index("intermittent"), PATTERNS.index("lumpy")]
WEIGHT = 0.5
#: Number of latest weeks that make the distribution.
OWN_WEEKS = 52
#: Probability that a series ends in a week: it is ordered for four years on average.
ENDING = 0.005
#: Least probability that a series has not ended: it may only pause, as a shop that is rebuilt.
PAUSED = 0.2


def blend_own_history(
    values: np.ndarray, rolling: RollingForecasts, series: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """Blend the forecasts of rarely ordered series with the distribution of their own last year.

    Quantiles at levels up to the probability of a week without orders are zero. A series none of whose weeks is known
    keeps its forecast.

    Parameters
    ----------
    values
        Forecasts (cells, VALUES), in units.
    rolling
        Forecasts of every week, with the demand that they are made from.
    series, column
        Row of the series and column of the origin of each cell.

    Returns
    -------
    numpy.ndarray
        (cells, VALUES), in units.
    """
    blended = np.flatnonzero(np.isin(rolling.pattern[series, column], BLENDED))
    if not len(blended):
        return values
    # All horizons of a series and origin share one distribution.
    origins, origin = np.unique(
        series[blended] * rolling.pattern.shape[1] + column[blended], return_inverse=True
    )
    own, no_orders = own_distributions(rolling, *np.divmod(origins, rolling.pattern.shape[1]))
    known = np.isfinite(own[origin]).all(axis=1)
    blended, origin = blended[known], origin[known]
    mixed = (1 - WEIGHT) * values[blended] + WEIGHT * own[origin]
    mixed[:, 1:] = np.where(no_orders[origin, None] >= LEVELS, 0.0, mixed[:, 1:])
    result = values.copy()
    result[blended] = mixed
    return result


def own_distributions(
    rolling: RollingForecasts, series: np.ndarray, column: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and quantiles of the demand of the OWN_WEEKS weeks that end with each origin.

    The distribution is mixed with zero demand, weighted by the probability that the series has ended.

    Parameters
    ----------
    rolling
        Forecasts of every week, with the demand that they are made from.
    series, column
        Row of the series and column of each origin.

    Returns
    -------
    tuple
        (origins, VALUES), in units, with quantiles of NaN where no week is known; and the probability (origins,) that a
        week has no orders or the series has ended. The share of weeks without orders is multiplied by 1 - 1 / weeks, so
        that it is never one.
    """
    week = column[:, None] - np.arange(OWN_WEEKS)
    log_demand = rolling.endog[series[:, None], np.maximum(week, 0)]
    # Log demand is zero before the first order, and not known in weeks that are outliers or excluded.
    first = (rolling.endog != 0).argmax(axis=1)[series]
    demand = np.where(week >= first[:, None], in_units(log_demand, rolling.scale[series]), np.nan)
    ordered = np.sort(demand, axis=1)  # unknown weeks come last
    count = np.maximum(np.isfinite(ordered).sum(axis=1), 1)
    not_ended = probability_not_ended(demand)
    level = np.maximum(1 - (1 - LEVELS) / not_ended[:, None], 0.0)
    place = level * (count - 1)[:, None]
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, (count - 1)[:, None])
    below, above = (np.take_along_axis(ordered, at, axis=1) for at in (low, high))
    values = np.empty((len(series), len(VALUES)))
    values[:, 0] = not_ended * np.nansum(demand, axis=1) / count
    values[:, 1:] = below + (place - low) * (above - below)
    no_orders = 1 - not_ended + not_ended * (demand == 0).sum(axis=1) / count * (1 - 1 / count)
    return values, no_orders


def probability_not_ended(demand: np.ndarray) -> np.ndarray:
    """Return the probability that a series has not ended.

    In each week it ends with the probability ENDING; otherwise it is ordered with the share of its weeks that had
    orders. The weeks without orders since its last one are evidence that it has ended.

    Parameters
    ----------
    demand
        (origins, weeks), the latest week first; NaN where it is not known.

    Returns
    -------
    numpy.ndarray
        (origins,), at least PAUSED.
    """
    known, ordered = np.isfinite(demand), demand > 0
    share = ordered.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    since = (known & (np.cumsum(ordered, axis=1) == 0)).sum(axis=1)
    quiet = (1 - ENDING) * (1 - share)
    still = quiet**since
    ended = ENDING * (1 - quiet**since) / (1 - quiet)
    probability: np.ndarray = np.maximum(still / (still + ended), PAUSED)
    return probability
