"""Weeks of demand that the models leave out, as a table for people to confirm or correct."""

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.cleaning import interruptions, outliers
from forecasting_assets.forecasting.panel import Panel, mean_demand
from forecasting_assets.tables import CLEANED_POINTS


def cleaned_points(panel: Panel, fitted_at: int) -> pd.DataFrame:
    """Return the weeks of a panel that count neither for levels nor for seasons.

    Parameters
    ----------
    panel
        Demand of some series.
    fitted_at
        Last column that sets what is usual: that of the fit of the models.

    Returns
    -------
    DataFrame
        Rows of CLEANED_POINTS, sorted by series and week.
    """
    outlier = outliers(panel.demand, fitted_at, panel.corrections)
    paused = interruptions(panel.demand, fitted_at, panel.corrections) & ~outlier
    excluded = np.zeros_like(outlier) if panel.corrections is None else panel.corrections.excluded
    series, column = np.nonzero(outlier | paused)
    usual = mean_demand(np.where(outlier | paused, 0.0, panel.demand), fitted_at)
    reason = np.where(paused, "interruption", np.where(excluded, "excluded", "outlier"))
    orders = panel.demand if panel.orders is None else panel.orders
    points = panel.series.iloc[series].assign(
        demand_week=np.datetime64(panel.first, "ns") + column * np.timedelta64(7, "D"),
        quantity=orders[series, column],
        usual=usual[series],
        reason=reason[series, column],
    )
    return points[CLEANED_POINTS.names].reset_index(drop=True)
