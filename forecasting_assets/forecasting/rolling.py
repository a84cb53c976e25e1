"""Out-of-sample SARIMAX forecasts from every week of a panel, and the scale of their errors.

References
----------
Bates and Granger (1969), "The combination of forecasts".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecasting_assets.features.demand_patterns import ADI_LIMIT
from forecasting_assets.forecasting.candidates import CANDIDATES, candidate_forecasts
from forecasting_assets.forecasting.cleaning import interruptions, outliers
from forecasting_assets.forecasting.covariate_effect import Regressors
from forecasting_assets.forecasting.panel import Panel, mean_demand, to_log_scale

#: Weight of an out-of-sample error relative to one a week later.
MEMORY = 0.98
#: Number of errors that the average of all candidates, and of all series of a pattern, count for where a series has
#: few errors of its own.
PRIOR_ERRORS, PRIOR_SCALE_ERRORS = 50.0, 16.0
#: A single error counts for no more than this many typical ones in the scale of the errors.
MAX_RELATIVE_ERROR = 4.0
#: A candidate is weighted by its mean squared error to the power of minus this.
SHARPNESS = 6
#: No value above this many times the largest demand so far is forecast.
MAX_GROWTH = 3.0
#: Prior weights of the shared season, the own one and none: holidays, which count in few weeks, are in the shared one.
SEASON_PRIOR = np.array([2.0, 1.0, 1.0])
#: Series whose candidates are in memory at once.
CHUNK_SERIES = 500


@dataclass(frozen=True)
class RollingForecasts:
    """Out-of-sample forecasts from every week of a panel, on the logarithmic scale.

    Attributes
    ----------
    endog
        Log demand, (series, weeks); NaN where it is an outlier or in an interruption (`cleaning`).
    scale
        Mean demand of each series, in units, (series,).
    pattern
        Demand pattern as of each week, (series, weeks): codes of `demand_patterns.PATTERNS`.
    highest
        Upper limit of the forecasts, (series, weeks); see MAX_GROWTH.
    season
        Seasonal part of the forecast, (series, weeks, horizon).
    location
        Forecast, (series, weeks, horizon).
    error
        Demand minus forecast, (series, weeks, horizon); NaN where the target week has not closed, is an outlier, or an
        interruption was involved (`cleaning`).
    booked, booked_share
        Of forecasts that start from the order book: units booked and their usual share of demand
        (`book.OrderBook`), (series, weeks, horizon). None if nothing is ever booked.
    regressors
        Of forecasts that use known covariates: these and their effect. Errors are NaN where not all were known.
    young
        What forecasts from the end of each week are multiplied by, as series that have just begun borrow their level
        (`young`), (series, weeks). None if they borrow none.
    """

    endog: np.ndarray
    scale: np.ndarray
    pattern: np.ndarray
    highest: np.ndarray
    season: np.ndarray
    location: np.ndarray
    error: np.ndarray
    booked: np.ndarray | None = None
    booked_share: np.ndarray | None = None
    regressors: Regressors | None = None
    young: np.ndarray | None = None


@dataclass(frozen=True)
class Cells:
    """Cells of a rolling forecast: row of the series, column of the origin week, and horizon counted from 0."""

    series: np.ndarray
    column: np.ndarray
    h: np.ndarray

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.series)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the value of each cell in an array (series, weeks, horizon)."""
        selected: np.ndarray = values[self.series, self.column, self.h]
        return selected


@dataclass(frozen=True)
class Season:
    """The seasonal regressor: past deviations, their coefficients, and the column they were fitted at.

    `past` is (COMPONENTS, series, weeks + horizon); `own` (series, weeks + horizon) is the season that each series
    shows by itself, NaN where unknown; `coefficients` is (2, COMPONENTS), for frequent and for sparse series.
    """

    past: np.ndarray
    own: np.ndarray
    coefficients: np.ndarray
    fitted_at: int


def is_sparse(panel: Panel, fitted_at: int) -> np.ndarray:
    """Return whether each series has too few orders up to the column `fitted_at` to show a season of its own."""
    weeks = np.maximum(fitted_at + 1 - panel.first_order, 1)
    return np.asarray(weeks > ADI_LIMIT * (panel.demand[:, : fitted_at + 1] > 0).sum(axis=1))


def forecast_every_week(
    panel: Panel, season: Season, horizon: int, regressors: Regressors | None = None
) -> RollingForecasts:
    """Forecast every series of `panel` from the end of every week, using only the weeks up to it.

    The effect of known covariates (`regressors`) is taken out of past demand, and added to the forecast as it is known
    at the origin.
    """
    n, n_weeks = panel.demand.shape
    first = panel.first_order
    outlier = outliers(panel.demand, season.fitted_at, panel.corrections)
    scale = mean_demand(np.where(outlier, 0.0, panel.demand), season.fitted_at)
    coefficients = season.coefficients[is_sparse(panel, season.fitted_at).astype(int)]
    shared = np.einsum("cnt,nc->nt", season.past, coefficients)
    own = np.where(np.isnan(season.own), shared, season.own)
    endog = np.where(outlier, np.nan, to_log_scale(panel.demand, scale))
    cleaned = endog if regressors is None else endog - regressors.past
    location, ahead = (np.empty((n, n_weeks, horizon)) for _ in range(2))
    for begin in range(0, n, CHUNK_SERIES):
        chunk = slice(begin, begin + CHUNK_SERIES)
        offsets = [shared[chunk], own[chunk], np.zeros_like(own[chunk])]
        location[chunk], ahead[chunk] = _average_seasons(cleaned[chunk], offsets, first[chunk], horizon)
    if regressors is not None:
        location += regressors.ahead
    location = np.maximum(location, 0.0)
    error = np.full_like(location, np.nan)
    paused = interruptions(panel.demand, season.fitted_at, panel.corrections)
    for h in range(1, horizon + 1):
        usual = ~(paused[:, h:] | paused[:, :-h])
        error[:, :-h, h - 1] = np.where(usual, endog[:, h:] - location[:, :-h, h - 1], np.nan)
    if regressors is not None:
        error[~regressors.covariates.complete] = np.nan
    highest = to_log_scale(
        MAX_GROWTH * np.maximum.accumulate(np.where(outlier, 0.0, panel.demand), axis=1), scale
    )
    pattern = panel.patterns(np.arange(n_weeks))
    # The ARIMA models had to follow a closure down, but it says nothing of later demand.
    endog = np.where(paused, np.nan, endog)
    return RollingForecasts(endog, scale, pattern, highest, ahead, location, error, regressors=regressors)


def _average_seasons(
    endog: np.ndarray, offsets: Sequence[np.ndarray], first: np.ndarray, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average the forecasts with each seasonal offset (series, weeks + horizon): location and season."""
    n_weeks = endog.shape[1]
    ahead = np.stack(
        [np.stack([o[:, 1 + h : n_weeks + 1 + h] for h in range(horizon)], axis=-1) for o in offsets]
    )
    forecasts = np.stack(
        [_average_candidates(endog - offset[:, :n_weeks], first, horizon) for offset in offsets]
    )
    forecasts += ahead
    weights = _error_weights(forecasts, endog) * SEASON_PRIOR[:, None, None]
    weights /= weights.sum(axis=0)
    return np.einsum("cnt,cnth->nth", weights, forecasts), np.einsum("cnt,cnth->nth", weights, ahead)


def _average_candidates(endog: np.ndarray, first: np.ndarray, horizon: int) -> np.ndarray:
    """Average the candidates, weighted by their errors up to each week: (series, weeks, horizon)."""
    forecasts = np.stack([candidate_forecasts(endog, first, candidate, horizon) for candidate in CANDIDATES])
    average: np.ndarray = np.einsum("cnt,cnth->nth", _error_weights(forecasts, endog), forecasts)
    return average


def _error_weights(forecasts: np.ndarray, endog: np.ndarray) -> np.ndarray:
    """Weights of some forecasts (forecasts, series, weeks, horizon) of each series by their errors up to each week.

    Returns
    -------
    numpy.ndarray
        (forecasts, series, weeks), which add up to one.
    """
    # Errors of the forecasts of a week, summed over horizons.
    squared, count = np.zeros(forecasts.shape[:3]), np.zeros(endog.shape)
    for h in range(1, min(forecasts.shape[-1], endog.shape[1] - 1) + 1):
        error = forecasts[:, :, :-h, h - 1] - endog[:, h:]
        known = np.isfinite(error)
        squared[:, :, h:] += np.where(known, error, 0.0) ** 2
        count[:, h:] += known[0]
    for t in range(1, endog.shape[1]):
        squared[:, :, t] += MEMORY * squared[:, :, t - 1]
        count[:, t] += MEMORY * count[:, t - 1]
    shrunk = squared / (squared.mean(axis=0) + 1e-9) + PRIOR_ERRORS / np.maximum(count, 1.0)
    weights: np.ndarray = shrunk ** -float(SHARPNESS)
    weights /= weights.sum(axis=0)
    return weights


def error_scales(rolling: RollingForecasts, by_horizon: np.ndarray, by_pattern: np.ndarray) -> np.ndarray:
    """Return the mean absolute error of each series as known at the end of each week.

    The mean is shrunk towards that of the demand pattern.

    Parameters
    ----------
    rolling
        Forecasts and their errors.
    by_horizon
        Typical absolute error, (horizon,).
    by_pattern
        Mean absolute error relative to `by_horizon`, (PATTERNS,).

    Returns
    -------
    numpy.ndarray
        (series, weeks, horizon), logarithmic.
    """
    n, n_weeks, horizon = rolling.error.shape
    relative = np.minimum(np.abs(rolling.error) / by_horizon, MAX_RELATIVE_ERROR)
    total, count = np.zeros(n), np.zeros(n)
    scale = np.empty((n, n_weeks))
    for t in range(n_weeks):
        total, count = MEMORY * total, MEMORY * count
        for h in range(1, min(horizon, t) + 1):
            total += np.nan_to_num(relative[:, t - h, h - 1])
            count += np.isfinite(relative[:, t - h, h - 1])
        scale[:, t] = (total + PRIOR_SCALE_ERRORS * by_pattern[rolling.pattern[:, t]]) / (
            count + PRIOR_SCALE_ERRORS
        )
    scales: np.ndarray = scale[:, :, None] * by_horizon
    return scales
