"""The ARIMA models whose forecasts SARIMAX averages, filtered for all series at once.

The gain of a Kalman filter depends on the model and not on the data. So statsmodels runs its filter once for each
candidate, and the gains serve every series: the forecasts are those of statsmodels, series by series, at the cost of
a few matrix products.

References
----------
Durbin and Koopman (2012), "Time Series Analysis by State Space Methods", section 4.3.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


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


def candidate_forecasts(
    endog: np.ndarray, first: np.ndarray, candidate: Candidate, horizon: int
) -> np.ndarray:
    """Forecast every series from the end of every week with one candidate.

    Parameters
    ----------
    endog
        (series, weeks), NaN where it is not known.
    first
        Column in which the history of each series begins.
    candidate
        The model.
    horizon
        Number of weeks to forecast.

    Returns
    -------
    numpy.ndarray
        (series, weeks, horizon), on the scale of `endog`; NaN before the history of a series begins.
    """
    n, n_weeks = endog.shape
    gain, transition, design = _kalman_filter(candidate, n_weeks)
    ahead = [design]
    for _ in range(horizon - 1):
        ahead.append(ahead[-1] @ transition)
    state = np.zeros((n, len(design)))
    forecasts = np.full((n, n_weeks, horizon), np.nan)
    known = np.isfinite(endog)
    for t in range(n_weeks):
        begun = t >= first
        innovation = np.where(known[:, t], endog[:, t] - state @ design, 0.0)
        updated = state @ transition.T + gain[np.maximum(t - first, 0)] * innovation[:, None]
        state = np.where(begun[:, None], updated, state)
        forecasts[begun, t] = state[begun] @ np.array(ahead).T
    return forecasts


@lru_cache
def _kalman_filter(candidate: Candidate, n_weeks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gains (weeks, states), transition (states, states) and design (states) of the filter of statsmodels."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    level = np.ones(n_weeks) if candidate.level else None
    model = SARIMAX(np.zeros(n_weeks), exog=level, order=candidate.order, mle_regression=False)
    model.update(np.array([*candidate.parameters, 1.0]))
    gain = model.ssm.filter().kalman_gain[:, 0, :].T
    design = model["design"]
    return gain, model["transition"], design[0, :, 0] if design.ndim == 3 else design[0]
