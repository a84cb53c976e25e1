"""What drives the XGBoost forecast of a series: the contribution of each group of features, in units.

On its way from the root of a tree to a leaf, a forecast changes with every split; the change counts for the feature
that the split asks for. These contributions add up to the distance of the mean from the level of the series, so that
the units at this level and the units of all drivers add up to the XGBoost forecast.

References
----------
Saabas (2014), "Interpreting random forests" (contributions along the path of a tree).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb import Baseline, XgbModel, design
from forecasting_assets.forecasting.xgb.design import (
    BOOK_FEATURES,
    CYCLE_FEATURES,
    EARLIER_YEARS,
    EFFECT_FEATURES,
    HOLIDAYS,
)
from forecasting_assets.tables import SERIES

OTHER = "other features"
#: The bias term of the trees, which is part of every forecast, is assigned to this driver.
LEVEL = "level of the past months"
SEASON_DRIVER = "season"
#: The features of known covariates, also those named plan:….
COVARIATES = "plan of prices and promotions"
#: Features of each driver; those that no driver names are OTHER.
DRIVERS: Mapping[str, tuple[str, ...]] = {
    "recent orders": (*(f"lag_{k}" for k in range(9)), "mean_4", "weeks_since_order"),
    LEVEL: ("lag_13", "lag_26", "mean_13", "mean_52", "std_13", "std_52", "log_volatility"),
    "order cycle": tuple(CYCLE_FEATURES),
    SEASON_DRIVER: (*EARLIER_YEARS, *HOLIDAYS),
    "order book": tuple(BOOK_FEATURES),
    "price": ("price_ratio",),
    "category and region": ("part_category", "region"),
    "how regularly it is ordered": ("age_weeks", "order_weeks_52", "adi", "cv2", "segment"),
    "weeks ahead": ("horizon",),
    COVARIATES: tuple(EFFECT_FEATURES),
}


def forecast_drivers(
    model: XgbModel,
    features: pd.DataFrame,
    history: pd.DataFrame,
    totals: GroupTotals,
    settings: ForecastingSettings,
) -> pd.DataFrame:
    """Explain the mean forecast of each row of `features`, all horizons together.

    Parameters
    ----------
    model
        The model that made the forecasts.
    features
        Rows of the feature table of one week, the origin.
    history, totals
        As for `sarimax.predict`.
    settings
        Settings of the forecasts.

    Returns
    -------
    pandas.DataFrame
        A row for each row of `features`, sorted by series: part_id, region, `level` (units at the level of the
        last half year), a column for each driver (units added) and `xgb` (their sum), before units booked already are
        a lower limit.
    """
    features = features.sort_values(SERIES, ignore_index=True)
    names = [*DRIVERS, OTHER]
    if features.empty:
        return pd.DataFrame(columns=[*SERIES, "level", *names, "xgb"])
    last = features["week"].max().date()
    base = model.baseline(history, totals, last, settings)
    units = _units(model, features, base)
    if with_plan := model.planned_baseline(history, totals, last, settings):
        planned, base, complete = with_plan
        known = complete[base.locate(features)]
        units = np.where(known[..., None], _units(planned, features, base), units)
    columns = ["level", *names, "xgb"]
    return features[SERIES].assign(**dict(zip(columns, units.sum(axis=1).T, strict=True)))


def _units(model: XgbModel, features: pd.DataFrame, base: Baseline) -> np.ndarray:
    """Units at the level, of each driver and by XGBoost: (rows of `features`, horizon, columns of the result)."""
    import xgboost

    horizon, names = model.sarimax.horizon, [*DRIVERS, OTHER]
    rows = features.iloc[np.repeat(np.arange(len(features)), horizon)]
    ahead = np.tile(np.arange(horizon), len(features)) + 1
    cells = base.cells(rows, ahead)
    x = design(rows, cells, base, model.categories, model.countries, model.with_book)
    # Shapley values would take a hundred times as long, for the same sum.
    steps = model.mean.predict(xgboost.DMatrix(x, nthread=1), pred_contribs=True, approx_contribs=True)
    by_driver = _by_driver(steps[:, :-1].astype(float), model.features)
    by_driver[:, names.index(LEVEL)] += steps[:, -1]
    change = by_driver.sum(axis=1)
    start, after = (base.in_units(relative, cells) for relative in (np.zeros(len(cells)), change))
    per_step = np.zeros(len(cells))
    np.divide(after - start, change, out=per_step, where=np.abs(change) > 1e-9)
    units = by_driver * per_step[:, None]
    # The trees start from the level with the shares of season and plan that were taken out of demand.
    level = base.usual.level[cells.series, cells.column]
    with_season = level * np.exp(base.season_share * cells.of(base.rolling.season))
    units[:, names.index(SEASON_DRIVER)] += with_season - level
    units[:, names.index(COVARIATES)] += start - with_season
    forecast = base.rolling.limited(after, cells)
    units[:, names.index(OTHER)] += forecast - after
    columns = np.column_stack([level, units, forecast])
    return columns.reshape(len(features), horizon, -1)


def _by_driver(steps: np.ndarray, features: list[str]) -> np.ndarray:
    """Add up the contributions of features (rows, features) by driver: (rows, drivers), OTHER last."""
    driver_of = {feature: i for i, of_driver in enumerate(DRIVERS.values()) for feature in of_driver}
    of_plan = list(DRIVERS).index(COVARIATES)
    drivers = [
        of_plan if name.startswith("plan:") else driver_of.get(name, len(DRIVERS)) for name in features
    ]
    member = np.zeros((len(features), len(DRIVERS) + 1))
    member[np.arange(len(features)), drivers] = 1.0
    summed: np.ndarray = steps @ member
    return summed
