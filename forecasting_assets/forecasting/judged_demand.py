"""Demand that forecasts are judged by, without the weeks that the models leave out.

One absurd quantity would be most of the error of half a year, whatever the forecasts are worth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.panel import Panel, week_numbers

#: Reasons of CLEANED_POINTS for which weeks are not judged. An interruption is judged: nobody knew when it would end.
NOT_JUDGED = ("outlier", "excluded")


@dataclass(frozen=True)
class JudgedDemand:
    """The demand of a panel as forecasts are judged by it.

    Attributes
    ----------
    panel
        Demand of all series.
    left_out
        Week to the rows of CLEANED_POINTS as of then; weeks without them are judged by all orders.
    """

    panel: Panel
    left_out: Mapping[date, pd.DataFrame]
    _demand: np.ndarray = field(init=False, repr=False)
    _index: SeriesIndex = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Leave out what was found in the week itself, so that nothing that was known later counts."""
        object.__setattr__(self, "_index", SeriesIndex(self.panel.series))
        object.__setattr__(self, "_demand", self.panel.demand.copy())
        for week in self.left_out:
            row, column, _ = self._found(week)
            now = column == self.panel.column(week)
            self._demand[row[now], column[now]] = np.nan

    def after(self, week: date, series: np.ndarray, horizon: int) -> np.ndarray:
        """Return the demand of some rows of the panel after `week`, (series, horizon).

        It is NaN where a week has not closed by the end of the panel or is left out.
        """
        now = self.panel.column(week) + 1
        actual = np.full((len(series), horizon), np.nan)
        closed = self._demand[series, now : now + horizon]
        actual[:, : closed.shape[1]] = closed
        return actual

    def until(self, week: date, series: np.ndarray, weeks: int) -> np.ndarray:
        """Return the demand of some rows of the panel in the `weeks` that end with `week`, (series, weeks).

        Weeks that are left out have the usual demand of their series.
        """
        now = self.panel.column(week) + 1
        first = max(now - weeks, 0)
        demand = self.panel.demand[series, first:now]
        row, column, usual = self._found(week)
        position = np.full(len(self.panel.series), -1)
        position[series] = np.arange(len(series))
        inside = (position[row] >= 0) & (column >= first) & (column < now)
        demand[position[row[inside]], column[inside] - first] = usual[inside]
        return demand

    def _found(self, week: date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows and columns of the panel that are left out as of a week, and the usual demand of the series."""
        if week not in self.left_out:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        points = self.left_out[week]
        points = points[points["reason"].isin(NOT_JUDGED)]
        row, column = self._index.rows(points), week_numbers(points["demand_week"], self.panel.first)
        known = (row >= 0) & (column >= 0)
        return row[known], column[known], points["usual"].to_numpy(float)[known]
