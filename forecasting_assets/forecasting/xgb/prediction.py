"""Forecasts by a fitted model."""

import numpy as np
import pandas as pd

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.forecast_arrays import VALUES, table_with_covariates
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb.baseline import Baseline
from forecasting_assets.forecasting.xgb.design import design
from forecasting_assets.forecasting.xgb.model import XgbModel
from forecasting_assets.tables import SERIES

#: Forecast rows in memory at once.
CHUNK_ROWS = 400_000


def predict(
    model: XgbModel,
    features: pd.DataFrame,
    history: pd.DataFrame,
    totals: GroupTotals,
    settings: ForecastingSettings,
) -> pd.DataFrame:
    """Forecast every horizon from every row of `features`.

    Parameters
    ----------
    model
        The fitted model.
    features
        Rows of the feature table; their weeks are the origins, not before the week of the model.
    history, totals
        As for `sarimax.predict`.
    settings
        Settings of the forecasts, as for `fit`.

    Returns
    -------
    pandas.DataFrame
        Rows of a forecast table, sorted by origin and series.
    """
    horizon = model.sarimax.horizon
    features = features.sort_values(["week", *SERIES], ignore_index=True)
    shape = len(features), horizon, len(VALUES)
    without_covariates, with_covariates = np.empty(shape), np.zeros(shape)
    known = np.zeros(shape[:-1], dtype=bool)
    if len(features):
        last = features["week"].max().date()
        base = model.baseline(history, totals, last, settings)
        _fill(without_covariates, model, features, base)
        if with_plan := model.planned_baseline(history, totals, last, settings):
            planned, planned_base, complete = with_plan
            known = complete[planned_base.locate(features)]
            some = np.flatnonzero(known.any(axis=1))
            of_some = np.empty((len(some), *shape[1:]))
            _fill(of_some, planned, features.iloc[some], planned_base)
            with_covariates[some] = of_some
    weeks = features["week"].to_numpy()
    return table_with_covariates(features[SERIES], weeks, without_covariates, with_covariates, known)


def _fill(values: np.ndarray, model: XgbModel, features: pd.DataFrame, base: Baseline) -> None:
    """Write the forecasts of the rows of `features` to `values` (rows, horizon, VALUES), some rows at a time."""
    step = max(1, CHUNK_ROWS // model.sarimax.horizon)
    for begin in range(0, len(features), step):
        rows = features.iloc[begin : begin + step]
        chunk = _distributions(model, rows, base)
        values[begin : begin + step] = chunk.reshape(len(rows), model.sarimax.horizon, -1)


def _distributions(model: XgbModel, features: pd.DataFrame, base: Baseline) -> np.ndarray:
    """Mean and quantiles, (rows of `features` times horizons, VALUES) in units."""
    repeated = features.iloc[np.repeat(np.arange(len(features)), model.sarimax.horizon)]
    horizon = np.tile(np.arange(model.sarimax.horizon), len(features)) + 1
    cells = base.cells(repeated, horizon)
    x = design(repeated, cells, base, model.categories, model.countries, model.with_book)
    relative = np.column_stack([booster.inplace_predict(x) for booster in (model.mean, model.quantiles)])
    values = base.rolling.limited(base.in_units(relative, cells), cells)
    return sarimax.at_least_booked(values, base.rolling, cells)
