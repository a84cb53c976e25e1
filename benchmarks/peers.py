"""What a user would pick instead: statsforecast and mlforecast, set as in their documentation.

Every peer takes a `history` and returns unique_id, ds, mean and, if it has any, the quantiles, cut at zero. What
it leaves out or NaN, as with a series too short for it, Naive fills in.
"""

import warnings
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.tables import QUANTILES

LEVELS = [50, 80, 90]
LAGS = [*range(1, 9), 13, 26, 51, 52, 53]
TREES = {"n_estimators": 400, "learning_rate": 0.04}
KEYS = ["unique_id", "ds"]
STATIC = ["part", "region"]
DIRECT = "LightGBM-direct"
PEERS = ["SeasonalNaive", "AutoETS", "AutoTheta", "CrostonSBA", "LightGBM", "XGBoost", DIRECT, "AutoARIMA"]
Peer = Callable[[pd.DataFrame, int], pd.DataFrame]


def history(demand: pd.DataFrame, first: date, origin: date) -> pd.DataFrame:
    """unique_id, ds, y, part and region of every series with an order in the year before the end of `origin`,
    from its first order on, weeks without an order as zero.

    `demand`: part_id, region, week, quantity; rows of the same week are added up.
    """
    panel = Panel.of(demand, first, origin)
    panel = panel.rows(np.flatnonzero(panel.alive(panel.column(origin))))
    weeks = pd.date_range(first, origin, freq="7D")
    series, week = np.nonzero(np.arange(len(weeks)) >= panel.first_order[:, None])
    names = panel.series[["part_id", "region"]].astype("category").iloc[series].reset_index(drop=True)
    table = pd.DataFrame({"unique_id": series, "ds": weeks[week], "y": panel.demand[series, week]})
    return table.join(names.rename(columns={"part_id": "part"}))


def peer(name: str, threads: int) -> Peer:
    """One of PEERS."""
    if name == DIRECT:
        made = direct(threads)
    elif name in ("LightGBM", "XGBoost"):
        made = recursive(name, threads)
    else:
        made = statistical(name, threads)

    def forecast(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return completed(made(history, horizon), history, horizon)

    return forecast


def completed(made: pd.DataFrame, history: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """`made` for every series of `history`: a series with a mean missing is Naive's, and a quantile that not even
    Naive has is the mean."""
    values = [c for c in made if c not in KEYS]
    count = made[made["mean"].notna()].groupby("unique_id").size()
    whole = count.index[count == horizon]
    lacking = history[~history["unique_id"].isin(whole)]
    if len(lacking):
        naive = statistical("Naive", 1)(lacking, horizon)[[*KEYS, *values]]
        made = pd.concat([made[made["unique_id"].isin(whole)], naive])
    made = made.sort_values(KEYS, ignore_index=True)
    return made[KEYS].join(made[values].apply(lambda column: column.fillna(made["mean"])))


def statistical(name: str, threads: int) -> Peer:
    """A model of statsforecast for each series by itself, with its own intervals; Naive where it fails."""

    def forecast(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
        from statsforecast import StatsForecast, models

        made = {
            "Naive": models.Naive,
            "SeasonalNaive": lambda: models.SeasonalNaive(season_length=52),
            "AutoETS": lambda: models.AutoETS(season_length=1),
            "AutoTheta": lambda: models.AutoTheta(season_length=1),
            "AutoARIMA": lambda: models.AutoARIMA(season_length=1),
            "CrostonSBA": models.CrostonSBA,
        }[name]()
        fitted = StatsForecast(models=[made], freq="W-MON", n_jobs=threads, fallback_model=models.Naive())
        levels = None if name == "CrostonSBA" else LEVELS
        return quantiles(fitted.forecast(df=history[[*KEYS, "y"]], h=horizon, level=levels), name)

    return forecast


def regressor(name: str, threads: int):
    if name == "XGBoost":
        from xgboost import XGBRegressor

        return XGBRegressor(**TREES, enable_categorical=True, n_jobs=threads, verbosity=0)
    from lightgbm import LGBMRegressor

    return LGBMRegressor(**TREES, n_jobs=threads, verbosity=-1)


def mlforecast(models: dict):
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import ExponentiallyWeightedMean, RollingMean, RollingStd
    from mlforecast.target_transforms import LocalStandardScaler

    rolling = [RollingMean(w, min_samples=1) for w in (4, 13, 26, 52)]
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
    """One global model of mlforecast, horizon after horizon, with conformal intervals of four windows."""

    def forecast(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
        from mlforecast.utils import PredictionIntervals

        forecaster = mlforecast({name: regressor(name, threads)})
        windows = PredictionIntervals(n_windows=4, h=horizon) if intervals else None
        enough = history.groupby("unique_id")["ds"].transform("size") > 4 * horizon + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecaster.fit(
                history[enough], static_features=STATIC, prediction_intervals=windows, dropna=False
            )
            return quantiles(forecaster.predict(h=horizon, level=LEVELS if intervals else None), name)

    return forecast


def direct(threads: int) -> Peer:
    """LightGBM for every horizon, mean and quantile."""

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
            made = forecaster.predict(h=horizon)
        made[list(QUANTILES)] = np.sort(made[list(QUANTILES)].to_numpy(), axis=1)
        return _cut(made)

    return forecast


def quantiles(made: pd.DataFrame, name: str) -> pd.DataFrame:
    """Mean and quantiles from a model's point and its intervals; a model without intervals has none."""
    out = made[KEYS].assign(mean=made[name], q50=made[name])
    for level in LEVELS:
        below = f"q{(100 - level) // 2:02d}"
        above = f"q{100 - (100 - level) // 2:02d}"
        if f"{name}-lo-{level}" in made:
            out[below], out[above] = made[f"{name}-lo-{level}"], made[f"{name}-hi-{level}"]
    return _cut(out)


def _cut(out: pd.DataFrame) -> pd.DataFrame:
    values = [c for c in ("mean", *QUANTILES) if c in out]
    return out[KEYS].join(out[values].clip(lower=0.0))
