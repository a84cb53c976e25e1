"""The ARIMA models whose forecasts SARIMAX averages, filtered for all series at once.

The gain of a Kalman filter depends on the model and not on the data. So statsmodels runs its filter once for each
candidate, and the gains serve every series: where no week is missing, the forecasts are those of statsmodels, series by
series, at the cost of a few matrix products. After missing weeks the gains stay as they are without any, so a forecast
follows new demand more slowly than that of statsmodels. The average is computed week by week in the same pass, so that
of each candidate only the forecasts of weeks still to come are in memory.

References
----------
Durbin and Koopman (2012), "Time Series Analysis by State Space Methods", section 4.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

#: Weight of an out-of-sample error relative to one a week later.
MEMORY = 0.98
#: Number of errors that the average of all forecasts counts for where a series has few errors of its own.
PRIOR_ERRORS = 50.0
#: A forecast, by a candidate or with a season, is weighted by its mean squared error to the power of minus this.
SHARPNESS = 6


@dataclass(frozen=True)
class Candidate:
    """An ARIMA `order` with its parameters (AR, then MA coefficients); `level` adds an unknown mean."""

    order: tuple[int, int, int]
    parameters: tuple[float, ...]
    level: bool = False


def exponential_smoothing(alpha: float) -> Candidate:
    """Return simple exponential smoothing, written as ARIMA (0, 1, 1)."""
    return Candidate((0, 1, 1), (alpha - 1,))


def damped_trend(alpha: float, beta: float, phi: float) -> Candidate:
    """Return Holt's smoothing with a damped trend, written as ARIMA (1, 1, 2).

    Parameters
    ----------
    alpha, beta
        Smoothing of the level and of the trend; `beta` is relative to the level, as in ETS.
    phi
        Damping of the trend.

    References
    ----------
    Hyndman, Koehler, Ord and Snyder (2008), "Forecasting with Exponential Smoothing", table 11.2.
    """
    return Candidate((1, 1, 2), (phi, alpha + phi * beta - 1 - phi, (1 - alpha) * phi))


def mean_reverting(ar: float, ma: float) -> Candidate:
    """Return an ARMA (1, 1) process around an unknown mean."""
    return Candidate((1, 0, 1), (ar, ma), level=True)


CANDIDATES = [
    *(exponential_smoothing(alpha) for alpha in (0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9, 0.99)),
    damped_trend(0.3, 0.02, 0.95),
    damped_trend(0.6, 0.1, 0.9),
    mean_reverting(0.8, -0.3),
    mean_reverting(0.9, -0.6),
]


def average_candidates(
    endog: np.ndarray, first: np.ndarray, horizon: int, candidates: Sequence[Candidate] = CANDIDATES
) -> np.ndarray:
    """Forecast every series from the end of every week by the average of some candidates.

    They are weighted by their errors up to each week (`error_weights`).

    Parameters
    ----------
    endog
        (series, weeks), NaN where it is not known.
    first
        Column in which the history of each series begins.
    horizon
        Number of weeks to forecast.
    candidates
        The models.

    Returns
    -------
    numpy.ndarray
        (series, weeks, horizon), on the scale of `endog`; NaN before the history of a series begins.
    """
    n, n_weeks = endog.shape
    gain, transition, design = _kalman_filters(tuple(candidates), n_weeks)
    ahead = np.concatenate([design @ np.linalg.matrix_power(transition, h) for h in range(horizon)], axis=1)
    horizons = np.arange(1, horizon + 1)
    state = np.zeros((len(candidates), transition.shape[-1], n))
    # Row `week % horizon`, column `h - 1`: forecasts of `week` that were made h weeks before. The row of a week is
    # free again once its demand has been compared with them.
    pending = np.zeros((horizon, horizon, len(candidates), n))
    squared, count = np.zeros((len(candidates), n)), np.zeros(n)
    average = np.full((n_weeks, horizon, n), np.nan)
    for t in range(n_weeks):
        known = np.isfinite(endog[:, t]) & (t >= first)
        demand = np.where(known, endog[:, t], 0.0)
        compared = known & ((t - horizons)[:, None] >= first)
        error = (pending[t % horizon] - demand) * compared[:, None]
        squared = MEMORY * squared + (error**2).sum(axis=0)
        count = MEMORY * count + compared.sum(axis=0)

        innovation = (demand - pending[t % horizon, 0]) * known
        state = transition @ state + gain[:, :, np.maximum(t - first, 0)] * innovation[:, None]
        forecasts = ahead @ state
        pending[(t + horizons) % horizon, horizons - 1] = forecasts.swapaxes(0, 1)
        weighted = error_weights(squared, count)[:, None] * forecasts
        average[t] = np.where(t >= first, weighted.sum(axis=0), np.nan)
    return np.moveaxis(average, -1, 0)


def error_weights(squared: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the weights of some forecasts by their past errors.

    Parameters
    ----------
    squared
        Sum of the squared errors of each forecast, (forecasts, ...), with a fading MEMORY.
    count
        Number of these errors, (...), with the same memory.

    Returns
    -------
    numpy.ndarray
        (forecasts, ...); they add up to one.
    """
    shrunk = squared / (squared.mean(axis=0) + 1e-9) + PRIOR_ERRORS / np.maximum(count, 1.0)
    weights: np.ndarray = shrunk ** -float(SHARPNESS)
    weights /= weights.sum(axis=0)
    return weights


@lru_cache
def _kalman_filters(
    candidates: tuple[Candidate, ...], n_weeks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the filters of all candidates, padded with zeros to the same number of states.

    Returns
    -------
    tuple
        Gains (candidates, states, weeks), transition (candidates, states, states) and design (candidates, 1, states).
    """
    filters = [_kalman_filter(candidate, n_weeks) for candidate in candidates]
    states = max(len(design) for _, _, design in filters)
    gain, transition, design = (
        np.zeros((len(filters), *shape)) for shape in ((states, n_weeks), (states, states), (1, states))
    )
    for i, (of_weeks, to_next, to_demand) in enumerate(filters):
        size = len(to_demand)
        gain[i, :size], transition[i, :size, :size], design[i, 0, :size] = of_weeks, to_next, to_demand
    return gain, transition, design


def _kalman_filter(candidate: Candidate, n_weeks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gains (states, weeks), transition (states, states) and design (states) of the filter of statsmodels."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    level = np.ones(n_weeks) if candidate.level else None
    model = SARIMAX(np.zeros(n_weeks), exog=level, order=candidate.order, mle_regression=False)
    model.update(np.array([*candidate.parameters, 1.0]))
    gain = model.ssm.filter().kalman_gain[:, 0, :]
    design = model["design"]
    return gain, model["transition"], design[0, :, 0] if design.ndim == 3 else design[0]
