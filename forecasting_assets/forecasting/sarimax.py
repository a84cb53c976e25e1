"""SARIMAX: one regression with ARMA(1,1) errors per series, fitted on a fixed calendar, filtered in between.

The demand of a week is modelled on a logarithmic scale as a level and Fourier pairs of the year whose
coefficients are states with a prior variance, so that a season is learnt as far as the data speak for it,
plus an ARMA(1,1) error. Only two parameters are left to the optimiser (Durbin and Koopman 2012, "Time Series
Analysis by State Space Methods", §6.2 on regression in the state; §2.10 on the concentrated scale).

Series too young or too sparse for a fit are smoothed (`smoothing.py`); the column `method` says which were.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.features.calendar import WEEKS_PER_YEAR
from forecasting_assets.forecasting.cube import LEVELS, SeriesIndex, forecast_table
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.smoothing import smooth
from forecasting_assets.weeks import add_weeks, refit_week, week_index

#: What `params` of a fitted series holds: AR and MA coefficient, variance of the innovations, the mean demand
#: and mean transformed demand that it was scaled and centred by, and the number of its Fourier pairs.
PARAMETERS = ["ar", "ma", "sigma2", "scale", "centre", "fourier_pairs"]

#: Demand is taken as log(1 + LOG_GAIN * demand / mean demand): linear near zero, a logarithm near the mean.
LOG_GAIN = 10.0
#: Prior variances relative to the innovations': of the level, and of the k-th Fourier pair times k.
LEVEL_PRIOR, SEASON_PRIOR = 1e4, 1.0
#: No value is forecast above this many times the largest demand seen.
MAX_GROWTH = 3.0
#: Weeks of history below which a series has no Fourier pairs: a season is not known before it has come once.
SEASON_WEEKS = 52
MAX_ITERATIONS = 60
#: Where the optimiser starts, in its unconstrained coordinates: AR 0.7, MA -0.3.
START = np.array([-0.98, -0.31])

FITTED, SHORT, SPARSE, FAILED = "sarimax", "smoothing_short", "smoothing_sparse", "smoothing_failed"


def forecast(
    history: pd.DataFrame, origins: Sequence[date], horizon: int, settings: ForecastingSettings
) -> pd.DataFrame:
    """Forecasts from the end of each of `origins` for every series alive there.

    `history`: part_id, region, week, quantity, only weeks with orders. Columns: those of a forecast table,
    `method`, and `params`, a list as in PARAMETERS on the rows of horizon 1 of fitted series. A forecast of
    origin W depends on the weeks `history_weeks` before its refit week … W alone. Raises DemandError.
    """
    tables, used = [], []
    for week in sorted({refit_week(o, settings.sarimax_refit_weeks) for o in origins}):
        params = fit(history, week, settings)
        of_week = [o for o in origins if refit_week(o, settings.sarimax_refit_weeks) == week]
        table = predict(params, history, week, of_week, horizon, settings)
        shown = np.flatnonzero((table["horizon"] == 1) & (table["method"] == FITTED))
        column = np.full(len(table), None, dtype=object)
        column[shown] = params["params"].to_numpy(object)[SeriesIndex(params).rows(table.iloc[shown])]
        tables.append(table)
        used.append(column)
    return pd.concat(tables, ignore_index=True).assign(params=np.concatenate(used))


def fit(history: pd.DataFrame, week: date, settings: ForecastingSettings) -> pd.DataFrame:
    """Parameters of every series alive at the end of `week`: part_id, region, method, params.

    `params` is a list as in PARAMETERS, or None where the method is a fallback: smoothing_short,
    smoothing_sparse or, where the optimiser did not converge, smoothing_failed.
    """
    from threadpoolctl import threadpool_limits

    panel = Panel.of(history, add_weeks(week, 1 - settings.history_weeks), week)
    last = panel.column(week)
    rows = np.flatnonzero(panel.alive(last))
    weeks = last + 1 - panel.first_order[rows]
    interval = weeks / (panel.demand[rows] > 0).sum(axis=1)
    method = np.select(
        [weeks < settings.sarimax_min_weeks, interval > settings.sarimax_max_interval],
        [SHORT, SPARSE],
        FITTED,
    ).astype(object)
    params = np.full(len(rows), None, dtype=object)
    with threadpool_limits(1):  # matrices this small lose a hundredfold to the threads of BLAS
        for i in np.flatnonzero(method == FITTED):
            begin = panel.first_order[rows[i]]
            pairs = settings.fourier_pairs if weeks[i] >= SEASON_WEEKS else 0
            found = _maximise(panel.demand[rows[i], begin:], _season(panel, begin, last + 1, pairs))
            params[i] = found and [*found, float(pairs)]
    method[(method == FITTED) & pd.isna(params)] = FAILED
    return panel.series.iloc[rows].assign(method=method, params=params).reset_index(drop=True)


def predict(
    params: pd.DataFrame,
    history: pd.DataFrame,
    week: date,
    origins: Sequence[date],
    horizon: int,
    settings: ForecastingSettings,
) -> pd.DataFrame:
    """Forecasts from each of `origins` for every series alive there, with the parameters `fit` at `week`.

    Columns of a forecast table and `method`. Every origin is `week` or a week before the next refit. A series
    that is not in `params` was born (or revived) after `week` and is smoothed.
    """
    from threadpoolctl import threadpool_limits

    origins = sorted(origins)
    panel = Panel.of(history, add_weeks(week, 1 - settings.history_weeks), origins[-1])
    columns = np.array([panel.column(o) for o in origins])
    known = SeriesIndex(params).rows(panel.series)
    method = np.full((len(panel.series), len(origins)), SHORT, dtype=object)
    method[known >= 0] = params["method"].to_numpy(object)[known[known >= 0], None]
    values = np.repeat(smooth(panel, columns)[:, :, None], horizon, axis=2)

    rows = np.flatnonzero(method[:, 0] == FITTED)
    if len(rows):
        theta = np.array(params["params"].iloc[known[rows]].tolist(), dtype=float)
        location, variance = (np.empty((len(rows), len(columns), horizon)) for _ in range(2))
        for pairs in np.unique(theta[:, 5]):
            season = _season(panel, 0, columns[-1] + 1 + horizon, int(pairs))
            of = theta[:, 5] == pairs
            with threadpool_limits(1):
                location[of], variance[of] = _filter(panel, rows[of], columns, horizon, theta[of], season)
        largest = np.maximum.accumulate(panel.demand[rows], axis=1)[:, columns, None]
        fitted = _demand_distribution(location, variance, theta[:, None, None, 3:5], largest)
        good = np.isfinite(fitted).all(axis=(2, 3))
        values[rows] = np.where(good[:, :, None, None], fitted, values[rows])
        method[rows] = np.where(good, FITTED, FAILED)

    series, origin = np.nonzero(np.stack([panel.alive(c) for c in columns], axis=1))
    weeks = np.array(origins, dtype="datetime64[ns]")
    table = forecast_table(panel.series.iloc[series], weeks[origin], values[series, origin])
    return table.assign(method=np.repeat(method[series, origin], horizon))


def _season(panel: Panel, begin: int, end: int, pairs: int) -> np.ndarray:
    """(weeks, 1 + 2 pairs): a constant and the Fourier pairs of the weeks `begin` … `end` - 1."""
    week = week_index(panel.first) + np.arange(begin, end)
    angle = 2 * np.pi / WEEKS_PER_YEAR * np.outer(week, np.arange(1, pairs + 1))
    return np.column_stack([np.ones(end - begin), np.sin(angle), np.cos(angle)])


def _transformed(demand: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    return np.log1p(LOG_GAIN * demand / scale)


def _model(endog: np.ndarray, season: np.ndarray, sigma2: float | None = None) -> Any:
    """statsmodels' SARIMAX (1, 0, 1) with `season` in the state; without `sigma2` it is concentrated out."""
    from statsmodels.tsa.statespace.initialization import Initialization
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    model = SARIMAX(
        endog, exog=season, order=(1, 0, 1), mle_regression=False, concentrate_scale=sigma2 is None
    )
    pairs = np.arange(1, (season.shape[1] - 1) // 2 + 1)
    prior = np.concatenate([[LEVEL_PRIOR], SEASON_PRIOR / pairs, SEASON_PRIOR / pairs]) * (sigma2 or 1.0)
    start = Initialization(model.k_states)
    start.set((0, 2), "stationary")
    start.set((2, model.k_states), "known", constant=np.zeros(len(prior)), stationary_cov=np.diag(prior))
    model.ssm.initialization = start
    model.ssm.loglikelihood_burn = 0  # the prior is proper, so the first weeks count too
    return model


def _maximise(demand: np.ndarray, season: np.ndarray) -> list[float] | None:
    """The first five PARAMETERS of one series by maximum likelihood; None if that fails or demand is constant."""
    from scipy.optimize import minimize

    scale = float(demand.mean())
    endog = _transformed(demand, scale)
    centre = float(endog.mean())
    if endog.std() < 1e-6:
        return None
    model = _model(endog - centre, season)

    def loss(x: np.ndarray) -> float:
        return -model.loglike(x, transformed=False) / len(endog)

    found = minimize(loss, START, method="L-BFGS-B", options={"maxiter": MAX_ITERATIONS, "ftol": 1e-6})
    if not (found.success and np.isfinite(found.fun)):
        return None
    ar, ma = model.transform_params(found.x)
    model.update([ar, ma])
    sigma2 = float(model.ssm.filter().scale)
    return [float(ar), float(ma), sigma2, scale, centre] if np.isfinite(sigma2) and sigma2 > 0 else None


def _filter(
    panel: Panel, rows: np.ndarray, columns: np.ndarray, horizon: int, theta: np.ndarray, season: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (rows, columns, horizon) of the transformed demand, as known at each of `columns`.

    One pass of the Kalman filter over a series gives the state at every origin; the horizons follow from it
    by powers of the transition matrix.
    """
    k = season.shape[1] + 2
    state, cov = np.empty((len(rows), len(columns), k)), np.empty((len(rows), len(columns), k, k))
    for i, row in enumerate(rows):
        ar, ma, sigma2, scale, centre = theta[i, :5]
        begin = panel.first_order[row]
        endog = _transformed(panel.demand[row, begin:], scale) - centre
        model = _model(endog, season[begin : columns[-1] + 1], sigma2)
        model.update([ar, ma, sigma2])
        seen = model.ssm.filter()
        state[i] = seen.filtered_state.T[columns - begin]
        cov[i] = seen.filtered_state_cov.T[columns - begin]

    ar, ma, sigma2 = theta[:, 0], theta[:, 1], theta[:, 2]
    transition = np.tile(np.eye(k), (len(rows), 1, 1, 1))
    transition[:, 0, :2, :2] = np.stack(
        [ar, np.ones_like(ar), np.zeros_like(ar), np.zeros_like(ar)], -1
    ).reshape(-1, 2, 2)
    shock = np.zeros((len(rows), 1, k, k))
    shock[:, 0, 0, 0], shock[:, 0, 1, 1] = sigma2, sigma2 * ma**2
    shock[:, 0, 0, 1] = shock[:, 0, 1, 0] = sigma2 * ma
    location, variance = (np.empty((len(rows), len(columns), horizon)) for _ in range(2))
    for h in range(horizon):
        state = (transition @ state[..., None])[..., 0]
        cov = transition @ cov @ transition.swapaxes(-1, -2) + shock
        design = np.column_stack([np.ones(len(columns)), np.zeros(len(columns)), season[columns + 1 + h]])
        location[..., h] = (state * design).sum(axis=-1)
        variance[..., h] = np.einsum("sojk,oj,ok->so", cov, design, design)
    return location, variance


def _demand_distribution(
    location: np.ndarray, variance: np.ndarray, scale_centre: np.ndarray, largest: np.ndarray
) -> np.ndarray:
    """Mean and quantiles (…, 8) of demand whose transform is normal, cut at zero and MAX_GROWTH * `largest`.

    The mean is the expectation of the back-transformed normal by Gauss-Hermite quadrature.
    """
    from numpy.polynomial.hermite_e import hermegauss
    from scipy.special import ndtri

    scale, centre = scale_centre[..., 0], scale_centre[..., 1]
    highest = _transformed(MAX_GROWTH * largest, scale)

    def demand(normal: float) -> np.ndarray:
        transformed = centre + location + normal * np.sqrt(variance)
        return np.expm1(np.clip(transformed, 0.0, highest)) * scale / LOG_GAIN

    nodes, weights = hermegauss(9)
    mean = sum(w * demand(x) for x, w in zip(nodes, weights / weights.sum(), strict=True))
    return np.stack([mean, *(demand(z) for z in ndtri(LEVELS))], axis=-1)
