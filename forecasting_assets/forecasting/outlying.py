"""Outliers of single series as notes, so that the season of their groups is learnt without them."""

from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.cleaning import outliers
from forecasting_assets.forecasting.panel import Panel, mean_demand
from forecasting_assets.forecasting.planner_notes import EXCLUDE


def noted_outliers(panel: Panel, fitted_at: int) -> pd.DataFrame | None:
    """Return the outliers of a panel up to the column `fitted_at`, as `GroupTotals.noted`; None if there are none.

    The quantity is what an outlier is above the mean demand of its series. What planners say about is left out.
    """
    found, units, corrections = outliers(panel.demand, fitted_at), panel.demand, panel.corrections
    if corrections is not None:
        found &= ~(corrections.kept | corrections.not_counted)
        if corrections.absurd is not None:
            found |= corrections.absurd & (panel.ordered > 0)
            units = np.where(corrections.absurd, panel.ordered, units)
    series, column = np.nonzero(found[:, : fitted_at + 1])
    if not len(series):
        return None
    scale = mean_demand(np.where(found, 0.0, panel.demand), fitted_at)
    first = np.datetime64(panel.first, "ns")
    return panel.series.iloc[series].assign(
        week=first + column * np.timedelta64(7, "D"),
        quantity=units[series, column] - scale[series],
        note=EXCLUDE,
        known=first + fitted_at * np.timedelta64(7, "D"),
    )


def saved_outliers(outlying: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert outliers to values that JSON can hold."""
    weeks = {name: outlying[name].dt.strftime("%Y-%m-%d") for name in ("week", "known")}
    records = outlying.assign(**weeks).to_dict("records")
    return [{str(name): value for name, value in record.items()} for record in records]


def read_outliers(saved: list[dict[str, Any]]) -> pd.DataFrame:
    """Restore outliers from `saved_outliers`."""
    outlying = pd.DataFrame(saved)
    for name in ("week", "known"):
        outlying[name] = pd.to_datetime(outlying[name]).astype("datetime64[ns]")
    return outlying
