"""The feature matrix that the trees see."""

import numpy as np
import pandas as pd

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.features.demand_patterns import PATTERNS
from forecasting_assets.forecasting.covariate_effect import Regressors
from forecasting_assets.forecasting.covariates import covariate_feature_names, covariate_features
from forecasting_assets.forecasting.rolling import Cells
from forecasting_assets.forecasting.xgb.baseline import Baseline
from forecasting_assets.forecasting.xgb.usual import CYCLES, MEAN_WEEKS, YEARS, mean_of_known
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks_to_all

#: Weeks before the origin whose demand is a feature.
LAGS = (*range(9), 13, 26)
#: Demand without the shares of season and covariates that `Baseline` takes out, relative to the level (`usual`).
DEMAND = [*(f"lag_{k}" for k in LAGS), *(f"mean_{k}" for k in MEAN_WEEKS)]
#: Demand at the same point of earlier cycles, relative to the level: for customers who order every few weeks.
CYCLE_FEATURES = [f"cycle_{weeks}" for weeks in CYCLES]
#: Standard deviations of demand, in volatilities.
DEVIATIONS = ["std_13", "std_52"]
#: How regularly a series is ordered. These and DEVIATIONS are features of feature_table, computed again without the
#: weeks that do not count.
REGULARITY = ["weeks_since_order", "order_weeks_52", "adi", "cv2"]
#: The target week in earlier years: the week itself, and the three weeks around it for each year and for all years.
EARLIER_YEARS = ["last_year", *(f"season_{year}" for year in YEARS), "season"]
CATEGORIES = ["part_category", "region", "segment"]
#: Public holidays in the target week and in the weeks beside it. The week of the year is no feature: all series of a
#: market share the shocks of a week, such as a fall of all prices, and trees would take them for a season.
HOLIDAYS = ["holidays_before", "holidays_target", "holidays_after"]
FEATURES = [
    *DEMAND,
    *CYCLE_FEATURES,
    *DEVIATIONS,
    "log_volatility",
    "age_weeks",
    *REGULARITY,
    "price_ratio",
    *CATEGORIES,
    "horizon",
    *HOLIDAYS,
]
#: Features of the order book, of models that are trained where orders have due dates.
BOOK_FEATURES = ["booked", "booked_share", "booked_suggests"]
#: Effect of known covariates on log demand in the target week and in the origin week, of models that use covariates.
EFFECT_FEATURES = ["covariate_effect", "covariate_effect_origin"]


def feature_names(with_earlier_years: bool, with_book: bool, covariates: tuple[str, ...] = ()) -> list[str]:
    """Return the columns of the feature matrix: FEATURES, and those of earlier years, order book and covariates."""
    names = [
        *FEATURES,
        *(EARLIER_YEARS if with_earlier_years else []),
        *(BOOK_FEATURES if with_book else []),
    ]
    return [*names, *EFFECT_FEATURES, *covariate_feature_names(covariates)] if covariates else names


def design(
    features: pd.DataFrame,
    cells: Cells,
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
    cells
        The cell of `base` of each row, as `Baseline.cells` finds it.
    base
        Panel of the series of `features`, which says whether earlier years are a feature.
    categories
        Values of each categorical feature; a value is encoded by its position.
    countries
        ISO 3166 codes of the countries whose public holidays are a feature.
    with_book
        Whether the order book is a feature.

    Returns
    -------
    numpy.ndarray
        (rows, `feature_names`), float32; unknown values are NaN. It has the columns of known covariates if `base` has
        them.
    """
    horizon = cells.h + 1
    columns = {
        **_demand_columns(features, base, cells),
        **(_earlier_years(base, cells) if base.with_earlier_years else {}),
        **_series_columns(features, base, cells, categories),
        "horizon": horizon,
        **_holiday_columns(features, horizon, countries),
        **(_book_columns(base, cells) if with_book else {}),
    }
    names = feature_names(base.with_earlier_years, with_book)
    x = np.column_stack([columns[c].astype(np.float32) for c in names])
    regressors = base.rolling.regressors
    return x if regressors is None else np.column_stack([x, _covariate_columns(regressors, cells)])


def _demand_columns(features: pd.DataFrame, base: Baseline, cells: Cells) -> dict[str, np.ndarray]:
    usual, at = base.usual, (cells.series, cells.column)
    volatility = usual.volatility[at]
    units = [*(usual.lag(k, *at) for k in LAGS), *(usual.mean(k, *at) for k in MEAN_WEEKS)]
    units += [usual.cycle(weeks, *at, cells.h + 1) for weeks in CYCLES]
    names = [*DEMAND, *CYCLE_FEATURES]
    columns = {name: usual.relative(of, *at) for name, of in zip(names, units, strict=True)}
    for name in DEVIATIONS:
        columns[name] = getattr(base.regularity, name)[at] / (usual.level[at] * volatility)
    return {**columns, "log_volatility": np.log(volatility)}


def _earlier_years(base: Baseline, cells: Cells) -> dict[str, np.ndarray]:
    last_year, by_year = base.usual.earlier_years(cells.series, cells.column, cells.h + 1)
    return dict(zip(EARLIER_YEARS, [last_year, *by_year, mean_of_known(by_year)], strict=True))


def _series_columns(
    features: pd.DataFrame, base: Baseline, cells: Cells, categories: dict[str, list[str]]
) -> dict[str, np.ndarray]:
    at = cells.series, cells.column
    columns = {name: getattr(base.regularity, name)[at] for name in REGULARITY}
    # All series of a market that began together would show the trees by their age which week it is.
    columns["age_weeks"] = np.minimum(features["age_weeks"].to_numpy(float), YEAR_WEEKS)
    columns["price_ratio"] = features["price_ratio"].to_numpy(float)
    segment = np.array(PATTERNS, dtype=object)[base.rolling.pattern[at]]
    for name in CATEGORIES:
        values = segment if name == "segment" else features[name]
        code = pd.Categorical(values, categories=categories[name]).codes
        columns[name] = np.where(code >= 0, code, np.nan)
    return columns


def _holiday_columns(
    features: pd.DataFrame, horizon: np.ndarray, countries: tuple[str, ...]
) -> dict[str, np.ndarray]:
    target = add_weeks_to_all(features["week"].to_numpy("datetime64[D]"), horizon)

    def holidays(weeks: np.ndarray) -> np.ndarray:
        distinct, week = np.unique(weeks, return_inverse=True)
        calendar = calendar_features(distinct.astype(object).tolist(), countries)
        return calendar["holidays"].to_numpy(float)[week]

    columns = [holidays(add_weeks_to_all(target, np.array(shift))) for shift in (-1, 0, 1)]
    return dict(zip(HOLIDAYS, columns, strict=True))


def _covariate_columns(regressors: Regressors, cells: Cells) -> np.ndarray:
    """EFFECT_FEATURES, and the features of the covariates in the target week: (cells, columns)."""
    known = regressors.covariates
    target = regressors.effect[cells.h + 1, cells.series, cells.column + cells.h + 1]
    origin = regressors.past[cells.series, cells.column]
    features = covariate_features(known, cells.series, cells.column, cells.h + 1)
    return np.column_stack([target, origin, features])


def _book_columns(base: Baseline, cells: Cells) -> dict[str, np.ndarray]:
    """Units booked, their usual share of demand, and the demand that both suggest."""
    rolling = base.rolling
    if rolling.booked is None or rolling.booked_share is None:
        return dict.fromkeys(BOOK_FEATURES, np.full(len(cells), np.nan))
    booked, share = cells.of(rolling.booked), cells.of(rolling.booked_share)
    columns = [base.relative(booked, cells), share, base.relative(_ratio(booked, share), cells)]
    return dict(zip(BOOK_FEATURES, columns, strict=True))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    ratio = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio
