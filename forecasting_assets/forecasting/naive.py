"""Seasonal naive forecast: last year's demand, the benchmark that models are compared with."""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.forecast_arrays import VALUES, forecast_table
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks


def seasonal_naive(past: np.ndarray, first: np.ndarray, horizon: int) -> np.ndarray:
    """Forecast the demand 52 weeks before the target week, or the latest demand if the series is younger.

    Parameters
    ----------
    past
        Demand up to the origin, (series, weeks), in units.
    first
        Column in which the history of each series begins.
    horizon
        Number of weeks to forecast.

    Returns
    -------
    numpy.ndarray
        (series, horizon), in units.
    """
    points = np.empty((len(past), horizon))
    for h in range(1, horizon + 1):
        # The target week of a horizon of more than a year is taken from the latest year that is known.
        at = past.shape[1] - 1 + h - YEAR_WEEKS * -(-h // YEAR_WEEKS)
        points[:, h - 1] = np.where(at >= first, past[:, max(at, 0)], past[:, -1])
    return points


def forecast(history: pd.DataFrame, origin: date, horizon: int, history_weeks: int) -> pd.DataFrame:
    """Forecast every series that is active at the end of `origin`.

    Parameters
    ----------
    history
        part_id, region, week, quantity, only weeks with orders.
    origin
        The latest week that is known.
    horizon
        Number of weeks to forecast.
    history_weeks
        Number of weeks up to `origin` that are used.

    Returns
    -------
    pandas.DataFrame
        Rows of a forecast table. The method has no measure of uncertainty: every quantile is the point forecast.

    Raises
    ------
    ForecastDataError
        If `history` cannot be used.
    """
    panel = Panel.from_history(history, add_weeks(origin, 1 - history_weeks), origin)
    active = np.flatnonzero(panel.active(panel.column(origin)))
    points = seasonal_naive(panel.demand[active], panel.first_order[active], horizon)
    values = np.repeat(points[..., None], len(VALUES), axis=2)
    return forecast_table(panel.series.iloc[active], np.full(len(active), np.datetime64(origin)), values)
