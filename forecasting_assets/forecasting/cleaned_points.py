"""Weeks of demand that the models leave out, as a table for people to confirm or correct."""

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.cleaning import interruptions, outliers
from forecasting_assets.forecasting.panel import Panel
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
    outlier, paused, usual = _found(panel, fitted_at)
    series, column = np.nonzero(outlier | paused)
    reason = np.where(paused, "interruption", "outlier")
    if panel.corrections is not None:
        reason[panel.corrections.excluded] = "excluded"
    points = panel.series.iloc[series].assign(
        demand_week=np.datetime64(panel.first, "ns") + column * np.timedelta64(7, "D"),
        quantity=panel.ordered[series, column],
        usual=usual[series],
        reason=reason[series, column],
    )
    return points[CLEANED_POINTS.names].reset_index(drop=True)


def left_out(panel: Panel, fitted_at: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the weeks of a panel that count neither for levels nor for seasons, whatever the reason.

    The parameters are those of `cleaned_points`.

    Returns
    -------
    tuple
        Whether a week is left out, (series, weeks); and the usual demand of each series, which is the mean of all other
        weeks up to `fitted_at`, (series,) in units.
    """
    outlier, paused, usual = _found(panel, fitted_at)
    return outlier | paused, usual


def _found(panel: Panel, fitted_at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find outliers and interruptions, (series, weeks) each, and the usual demand of the series, (series,).

    A series begins with its first order. What it inherits from a predecessor is listed under that one.
    """
    begun = np.logical_or.accumulate(panel.ordered > 0, axis=1)
    outlier = outliers(panel.demand, fitted_at, panel.corrections) & begun
    paused = interruptions(panel.demand, fitted_at, panel.corrections) & begun & panel.begun & ~outlier
    counted = (begun & ~outlier & ~paused)[:, : fitted_at + 1]
    total = np.where(counted, panel.ordered[:, : fitted_at + 1], 0.0).sum(axis=1)
    return outlier, paused, total / np.maximum(counted.sum(axis=1), 1)
