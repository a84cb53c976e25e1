"""The feature matrix that the trees see."""

import numpy as np
import pandas as pd

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.forecasting.covariate_effect import Regressors
from forecasting_assets.forecasting.covariates import covariate_feature_names, covariate_features
from forecasting_assets.forecasting.panel import in_units
from forecasting_assets.forecasting.sarimax import Cells
from forecasting_assets.forecasting.xgb.baseline import MIN_START, Baseline
from forecasting_assets.weeks import add_weeks_to_all

#: Features in units of demand; they are divided by the order size.
IN_UNITS = [
    "quantity",
    *(f"lag_{k}" for k in (1, 2, 3, 4, 5, 6, 7, 8, 13, 26)),
    *(f"mean_{k}" for k in (4, 13, 26, 52)),
    *(f"std_{k}" for k in (13, 52)),
]
#: Demand of the target week a year ago and of the weeks beside it. The lag depends on the horizon; this is the lag at
#: horizon 0. Also in units.
LAST_YEAR = {"last_year_before": 53, "last_year": 52, "last_year_after": 51}
UNCHANGED = ["age_weeks", "weeks_since_order", "order_weeks_52", "adi", "cv2", "price_ratio"]
#: Demand of the group in the week over its mean of 13 weeks.
GROUP_RATIOS = {"category_ratio": "category", "region_ratio": "region"}
CATEGORIES = ["part_category", "region", "segment"]
#: Horizons of the latest SARIMAX errors: of the forecasts of the origin week made this many weeks before.
SARIMAX_ERRORS = (1, 2, 4)
FEATURES = [
    *IN_UNITS,
    *LAST_YEAR,
    "last_year_ratio",
    *UNCHANGED,
    *GROUP_RATIOS,
    *CATEGORIES,
    "log_order_size",
    "horizon",
    "target_holidays",
    "sarimax_log_ratio",
    "sarimax_location",
    "sarimax_season",
    "sarimax_spread",
    "sarimax_change",
    *(f"sarimax_error_{k}" for k in SARIMAX_ERRORS),
]
#: Features of the order book, of models that are trained where orders have due dates.
BOOK_FEATURES = ["booked", "booked_share", "booked_log_ratio"]


#: Effect of known covariates on log demand in the target week and in the origin week, of models that use covariates.
EFFECT_FEATURES = ["covariate_effect", "covariate_effect_origin"]


def feature_names(with_book: bool, covariates: tuple[str, ...] = ()) -> list[str]:
    """Return the columns of the feature matrix, with those of the order book or without, and those of covariates."""
    names = [*FEATURES, *BOOK_FEATURES] if with_book else FEATURES
    return [*names, *EFFECT_FEATURES, *covariate_feature_names(covariates)] if covariates else names


def order_size(features: pd.DataFrame) -> np.ndarray:
    """Return the mean units of the weeks with orders among the last 52, by which a series is scaled."""
    return (features["mean_52"] * features["adi"]).to_numpy(float)


def design(
    features: pd.DataFrame,
    horizon: np.ndarray,
    base: Baseline,
    categories: dict[str, list[str]],
    countries: tuple[str, ...],
    with_book: bool = False,
) -> np.ndarray:
    """Build the feature matrix.

    Parameters
    ----------
    features
        Rows of the feature table.
    horizon
        Horizon of each row, from 1.
    base
        SARIMAX forecasts of the series of `features`.
    categories
        Values of each categorical feature; a value is encoded by its position.
    countries
        ISO 3166 codes of the countries whose public holidays are a feature.
    with_book
        Whether the order book is a feature.

    Returns
    -------
    numpy.ndarray
        (rows, `feature_names`), float32; unknown values are NaN. It has the columns of known covariates if the SARIMAX
        forecasts use them.
    """
    size, cells = order_size(features), base.cells(features, horizon)
    columns = {
        **_demand_columns(features, horizon, size),
        **_series_columns(features, categories),
        "log_order_size": np.log(size),
        "horizon": horizon,
        "target_holidays": _target_holidays(features, horizon, countries),
        **_sarimax_columns(base, cells, size),
        **(_book_columns(base, cells, size) if with_book else {}),
    }
    x = np.column_stack([columns[c].astype(np.float32) for c in feature_names(with_book)])
    regressors = base.rolling.regressors
    return x if regressors is None else np.column_stack([x, _covariate_columns(regressors, cells)])


def _demand_columns(features: pd.DataFrame, horizon: np.ndarray, size: np.ndarray) -> dict[str, np.ndarray]:
    columns = {c: features[c].to_numpy(float) / size for c in IN_UNITS}
    for name, weeks in LAST_YEAR.items():
        lag = np.full(len(features), np.nan)
        for h in np.unique(horizon):
            if f"lag_{weeks - h}" in features:
                at = horizon == h
                lag[at] = features[f"lag_{weeks - h}"].to_numpy(float)[at]
        columns[name] = lag / size
    # Mean demand of the three weeks around the origin a year ago.
    year_ago = features[["lag_51", "lag_52", "lag_53"]].to_numpy(float).mean(axis=1)
    columns["last_year_ratio"] = _ratio(columns["last_year"] * size, year_ago)
    return columns


def _series_columns(features: pd.DataFrame, categories: dict[str, list[str]]) -> dict[str, np.ndarray]:
    columns = {c: features[c].to_numpy(float) for c in UNCHANGED}
    for name, group in GROUP_RATIOS.items():
        columns[name] = _ratio(
            features[f"{group}_quantity"].to_numpy(float), features[f"{group}_mean_13"].to_numpy(float)
        )
    for c in CATEGORIES:
        code = pd.Categorical(features[c], categories=categories[c]).codes
        columns[c] = np.where(code >= 0, code, np.nan)
    return columns


def _target_holidays(features: pd.DataFrame, horizon: np.ndarray, countries: tuple[str, ...]) -> np.ndarray:
    target = add_weeks_to_all(features["week"].to_numpy("datetime64[D]"), horizon)
    weeks, week = np.unique(target, return_inverse=True)
    calendar = calendar_features(weeks.astype(object).tolist(), countries)
    return calendar["holidays"].to_numpy(float)[week]


def _sarimax_columns(base: Baseline, cells: Cells, size: np.ndarray) -> dict[str, np.ndarray]:
    rolling, series, column = base.rolling, cells.series, cells.column
    location, scale = cells.of(rolling.location), cells.of(base.scales)
    median = in_units(location, rolling.scale[series])
    columns = {
        "sarimax_log_ratio": np.log(np.maximum(median / size, MIN_START)),
        "sarimax_location": location,
        "sarimax_spread": scale,
        "sarimax_season": cells.of(rolling.season),
        "sarimax_change": (rolling.endog[series, column] - location) / scale,
    }
    for k in SARIMAX_ERRORS:
        known = (column >= k) & (k <= rolling.error.shape[2])
        error = rolling.error[series, np.maximum(column - k, 0), min(k, rolling.error.shape[2]) - 1]
        columns[f"sarimax_error_{k}"] = np.where(known, error / scale, np.nan)
    return columns


def _covariate_columns(regressors: Regressors, cells: Cells) -> np.ndarray:
    """EFFECT_FEATURES, and the features of the covariates in the target week: (cells, columns)."""
    known = regressors.covariates
    target = regressors.effect[cells.h + 1, cells.series, cells.column + cells.h + 1]
    origin = regressors.past[cells.series, cells.column]
    features = covariate_features(known, cells.series, cells.column, cells.h + 1)
    return np.column_stack([target, origin, features])


def _book_columns(base: Baseline, cells: Cells, size: np.ndarray) -> dict[str, np.ndarray]:
    """Units booked, their usual share of demand, and what both suggest relative to the SARIMAX forecast."""
    rolling = base.rolling
    if rolling.booked is None or rolling.booked_share is None:
        return dict.fromkeys(BOOK_FEATURES, np.full(len(cells), np.nan))
    booked, share = cells.of(rolling.booked), cells.of(rolling.booked_share)
    median = in_units(cells.of(rolling.location), rolling.scale[cells.series])
    suggested = _ratio(booked, share)
    return {
        "booked": booked / size,
        "booked_share": share,
        "booked_log_ratio": np.log(
            np.maximum(suggested / size, MIN_START) / np.maximum(median / size, MIN_START)
        ),
    }


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    ratio = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio
