"""Forecasts by statsforecast and mlforecast, configured as in their documentation.

Every peer takes a `history` and returns unique_id, ds, mean and, if it has any, the quantiles, clipped at zero. Where
it returns no forecast or NaN, as for a series that is too short for it, Naive is used instead.
"""

import warnings
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.tables import QUANTILES

LEVELS = [50, 80, 90]
LAGS = [*range(1, 9), 13, 26, 51, 52, 53]
TREES: dict[str, Any] = {"n_estimators": 400, "learning_rate": 0.04}
KEYS = ["unique_id", "ds"]
STATIC = ["part", "region"]
DIRECT = "LightGBM-direct"
PEERS = ["SeasonalNaive", "AutoETS", "AutoTheta", "CrostonSBA", "LightGBM", "XGBoost", DIRECT, "AutoARIMA"]
Peer = Callable[[pd.DataFrame, int], pd.DataFrame]


def history(demand: pd.DataFrame, first: date, origin: date) -> pd.DataFrame:
    """Return the history of every series with an order in the year before the end of `origin`.

    Parameters
    ----------
    demand
        part_id, region, week and quantity; rows of the same week are summed.
    first, origin
        First week and last week of the history.

    Returns
    -------
    DataFrame
        unique_id, ds, y, part and region from the first order of each series on; weeks without an order are zero.
    """
    panel = Panel.from_history(demand, first, origin)
    panel = panel.rows(np.flatnonzero(panel.active(panel.column(origin))))
    weeks = pd.date_range(first, origin, freq="7D")
    series, week = np.nonzero(np.arange(len(weeks)) >= panel.first_order[:, None])
    names = panel.series[["part_id", "region"]].astype("category").iloc[series].reset_index(drop=True)
    table = pd.DataFrame({"unique_id": series, "ds": weeks[week], "y": panel.demand[series, week]})
    return table.join(names.rename(columns={"part_id": "part"}))


def peer(name: str, threads: int) -> Peer:
    """Return one of PEERS."""
    if name == DIRECT:
        model = direct(threads)
    elif name in ("LightGBM", "XGBoost"):
        model = recursive(name, threads)
    else:
        model = statistical(name, threads)

    def forecast(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return completed(model(history, horizon), history, horizon)

    return forecast


def completed(forecast: pd.DataFrame, history: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Complete a forecast for every series of `history`.

    A series without a mean at some horizon gets the forecast of Naive; a quantile that Naive lacks as well is set to
    the mean.
    """
    values = [c for c in forecast if c not in KEYS]
    count = forecast[forecast["mean"].notna()].groupby("unique_id").size()
    complete = count.index[count == horizon]
    missing = history[~history["unique_id"].isin(complete)]
    if len(missing):
        naive = statistical("Naive", 1)(missing, horizon)[[*KEYS, *values]]
        forecast = pd.concat([forecast[forecast["unique_id"].isin(complete)], naive])
    forecast = forecast.sort_values(KEYS, ignore_index=True)
    return forecast[KEYS].join(forecast[values].apply(lambda column: column.fillna(forecast["mean"])))


def statistical(name: str, threads: int) -> Peer:
    """Return a model of statsforecast, fitted to each series, with its own intervals; Naive where it fails."""

    def forecast(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
        from statsforecast import StatsForecast, models

        constructors: dict[str, Callable[[], Any]] = {
            "Naive": models.Naive,
            "SeasonalNaive": lambda: models.SeasonalNaive(season_length=52),
            "AutoETS": lambda: models.AutoETS(season_length=1),
            "AutoTheta": lambda: models.AutoTheta(season_length=1),
            "AutoARIMA": lambda: models.AutoARIMA(season_length=1),
            "CrostonSBA": models.CrostonSBA,
        }
        fitted = StatsForecast(
            models=[constructors[name]()], freq="W-MON", n_jobs=threads, fallback_model=models.Naive()
        )
        levels = None if name == "CrostonSBA" else LEVELS
        predicted: Any = fitted.forecast(df=history[[*KEYS, "y"]], h=horizon, level=levels)
        return quantiles(predicted, name)

    return forecast


def regressor(name: str, threads: int) -> Any:
    """Return XGBoost or LightGBM with the settings of TREES."""
    if name == "XGBoost":
        from xgboost import XGBRegressor

        return XGBRegressor(**TREES, enable_categorical=True, n_jobs=threads, verbosity=0)
    from lightgbm import LGBMRegressor

    return LGBMRegressor(**TREES, n_jobs=threads, verbosity=-1)


def mlforecast(models: dict[str, Any]) -> Any:
    """Return mlforecast with lags, rolling features and scaling for `models`."""
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import ExponentiallyWeightedMean, RollingMean, RollingStd
    from mlforecast.target_transforms import LocalStandardScaler

    rolling: list[Any] = [RollingMean(w, min_samples=1) for w in (4, 13, 26, 52)]
    rolling += [RollingStd(13, min_samples=2), ExponentiallyWeightedMean(0.2)]
    return MLForecast(
        models=models,
        freq="W-MON",
        lags=LAGS,
        lag_transforms={1: rolling},
        date_features=["week", "month"],
        target_transforms=[LocalStandardScaler()],
    )


def recursive(name: str, threads: int, intervals: bool = True) -> Peer:
    """Return one global model of mlforecast, applied recursively.

    Its conformal intervals are from four windows, or from as many as the longest series has. Naive takes its place
    where there are fewer than two.
    """

    def forecast(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
        from mlforecast.utils import PredictionIntervals

        forecaster = mlforecast({name: regressor(name, threads)})
        weeks = history.groupby("unique_id")["ds"].transform("size")
        n_windows = min(4, (weeks.max() - 2) // horizon) if intervals else 0
        if intervals and n_windows < 2:
            return statistical("Naive", threads)(history, horizon)
        windows = PredictionIntervals(n_windows=n_windows, h=horizon) if intervals else None
        enough = weeks > n_windows * horizon + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecaster.fit(
                history[enough], static_features=STATIC, prediction_intervals=windows, dropna=False
            )
            return quantiles(forecaster.predict(h=horizon, level=LEVELS if intervals else None), name)

    return forecast


def direct(threads: int) -> Peer:
    """Return LightGBM with a model for every horizon, mean and quantile."""

    def forecast(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
        from lightgbm import LGBMRegressor

        models = {"mean": LGBMRegressor(**TREES, n_jobs=threads, verbosity=-1)}
        for q, level in QUANTILES.items():
            models[q] = LGBMRegressor(
                **TREES, objective="quantile", alpha=level, n_jobs=threads, verbosity=-1
            )
        forecaster = mlforecast(models)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecaster.fit(history, static_features=STATIC, max_horizon=horizon, dropna=False)
            predicted = forecaster.predict(h=horizon)
        predicted[list(QUANTILES)] = np.sort(predicted[list(QUANTILES)].to_numpy(), axis=1)
        return _clipped(predicted)

    return forecast


def quantiles(predicted: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return mean and quantiles from a model's point forecast and intervals, if it has any."""
    forecast = predicted[KEYS].assign(mean=predicted[name], q50=predicted[name])
    for level in LEVELS:
        lower = f"q{(100 - level) // 2:02d}"
        upper = f"q{100 - (100 - level) // 2:02d}"
        if f"{name}-lo-{level}" in predicted:
            forecast[lower], forecast[upper] = (
                predicted[f"{name}-lo-{level}"],
                predicted[f"{name}-hi-{level}"],
            )
    return _clipped(forecast)


def _clipped(forecast: pd.DataFrame) -> pd.DataFrame:
    values = [c for c in ("mean", *QUANTILES) if c in forecast]
    return forecast[KEYS].join(forecast[values].clip(lower=0.0))
