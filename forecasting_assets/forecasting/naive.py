"""Seasonal naive: last year's demand again. What a marketplace without a forecast plans with."""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.cube import VALUES, forecast_table
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks


def seasonal_naive(past: np.ndarray, first: np.ndarray, horizon: int) -> np.ndarray:
    """(series, horizons): the demand 52 weeks before the target if the series had begun by then, else the
    latest demand.

    `past` is (series, weeks) up to the origin; the history of series i begins at the column `first[i]`.
    """
    points = np.empty((len(past), horizon))
    for h in range(1, horizon + 1):
        at = past.shape[1] - 1 + h - YEAR_WEEKS * -(-h // YEAR_WEEKS)
        points[:, h - 1] = np.where(at >= first, past[:, max(at, 0)], past[:, -1])
    return points


def forecast(history: pd.DataFrame, origin: date, horizon: int, history_weeks: int) -> pd.DataFrame:
    """Rows of a forecast table from the end of `origin`, for every series alive there.

    `history`: part_id, region, week, quantity, only weeks with orders. It knows no uncertainty: every
    quantile is the point. Raises DemandError.
    """
    panel = Panel.of(history, add_weeks(origin, 1 - history_weeks), origin)
    alive = np.flatnonzero(panel.alive(panel.column(origin)))
    points = seasonal_naive(panel.demand[alive], panel.first_order[alive], horizon)
    values = np.repeat(points[..., None], len(VALUES), axis=2)
    return forecast_table(panel.series.iloc[alive], np.full(len(alive), np.datetime64(origin)), values)
