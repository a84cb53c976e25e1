"""The ARIMA models that SARIMAX forecasts are averaged from, filtered for all series at once.

The gain of a Kalman filter depends on the model and not on the data. So statsmodels runs its filter once a
candidate, and its gains serve every series: the forecasts are those of statsmodels, series by series, at the
price of a few matrix products (Durbin and Koopman 2012, "Time Series Analysis by State Space Methods", §4.3).
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


def smoothing(alpha: float) -> Candidate:
    """Simple exponential smoothing as ARIMA (0, 1, 1)."""
    return Candidate((0, 1, 1), (alpha - 1,))


def damped_trend(alpha: float, beta: float, phi: float) -> Candidate:
    """Holt's smoothing with a damped trend as ARIMA (1, 1, 2) (Hyndman et al. 2008, "Forecasting with
    Exponential Smoothing", table 11.2); `beta` is relative to the level, as in ETS."""
    return Candidate((1, 1, 2), (phi, alpha + phi * beta - 1 - phi, (1 - alpha) * phi))


def reverting(ar: float, ma: float) -> Candidate:
    """ARMA (1, 1) around a mean."""
    return Candidate((1, 0, 1), (ar, ma), level=True)


CANDIDATES = [
    *(smoothing(alpha) for alpha in (0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9)),
    damped_trend(0.3, 0.02, 0.95),
    damped_trend(0.6, 0.1, 0.9),
    reverting(0.8, -0.3),
    reverting(0.9, -0.6),
]


@lru_cache
def _filter(candidate: Candidate, n_weeks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gains (weeks, states), transition (states, states) and design (states) of statsmodels' filter."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    level = np.ones(n_weeks) if candidate.level else None
    model = SARIMAX(np.zeros(n_weeks), exog=level, order=candidate.order, mle_regression=False)
    model.update(np.array([*candidate.parameters, 1.0]))
    gain = model.ssm.filter().kalman_gain[:, 0, :].T
    design = model["design"]
    return gain, model["transition"], design[0, :, 0] if design.ndim == 3 else design[0]


def forecasts(endog: np.ndarray, first: np.ndarray, candidate: Candidate, horizon: int) -> np.ndarray:
    """(series, weeks, horizon): what the candidate forecasts at the end of each week; NaN before the first.

    `endog` (series, weeks); the history of series i begins at the column `first[i]`.
    """
    n, n_weeks = endog.shape
    gain, transition, design = _filter(candidate, n_weeks)
    ahead = [design]
    for _ in range(horizon - 1):
        ahead.append(ahead[-1] @ transition)
    state = np.zeros((n, len(design)))
    out = np.full((n, n_weeks, horizon), np.nan)
    for t in range(n_weeks):
        begun = t >= first
        innovation = endog[:, t] - state @ design
        updated = state @ transition.T + gain[np.maximum(t - first, 0)] * innovation[:, None]
        state = np.where(begun[:, None], updated, state)
        out[begun, t] = state[begun] @ np.array(ahead).T
    return out
