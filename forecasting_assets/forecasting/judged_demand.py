"""Demand that forecasts are judged by, without the weeks that the models leave out.

One absurd quantity would be most of the error of half a year, whatever the forecasts are worth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.panel import Panel, week_numbers

#: Reasons of CLEANED_POINTS for which weeks are not judged. An interruption is judged: nobody knew when it would end.
NOT_JUDGED = ("outlier", "excluded")


@dataclass(frozen=True)
class _LeftOut:
    """Cells of a panel that are left out, and the usual demand of their series: (cells,) each."""

    row: np.ndarray
    column: np.ndarray
    usual: np.ndarray

    def where(self, chosen: np.ndarray) -> "_LeftOut":
        """Return some of the cells, by a mask."""
        return _LeftOut(self.row[chosen], self.column[chosen], self.usual[chosen])


class JudgedDemand:
    """The demand of a panel as forecasts are judged by it.

    Parameters
    ----------
    panel
        Demand of all series.
    index
        Row numbers of the series of `panel`.
    left_out
        Week to the rows of CLEANED_POINTS as of then; weeks without them are judged by all orders.
    """

    def __init__(self, panel: Panel, index: SeriesIndex, left_out: Mapping[date, pd.DataFrame]) -> None:
        self.panel = panel
        self._left_out = {week: _located(rows, index, panel.first) for week, rows in left_out.items()}
        # Only what was found in the week itself: nothing that was known later counts.
        self._found_at_once: dict[int, np.ndarray] = {}
        for week, cells in self._left_out.items():
            column = panel.column(week)
            self._found_at_once[column] = cells.row[cells.column == column]

    def orders_after(self, week: date, series: np.ndarray, horizon: int) -> np.ndarray:
        """Return the demand of some rows of the panel after `week`, (series, horizon).

        It is NaN where a week has not closed by the end of the panel.
        """
        now = self.panel.column(week) + 1
        actual = np.full((len(series), horizon), np.nan)
        closed = self.panel.demand[series, now : now + horizon]
        actual[:, : closed.shape[1]] = closed
        return actual

    def after(self, week: date, series: np.ndarray, horizon: int) -> np.ndarray:
        """Return `orders_after`, with NaN also in weeks that are left out."""
        actual, position = self.orders_after(week, series, horizon), self._positions(series)
        now = self.panel.column(week) + 1
        for h in range(horizon):
            rows = position[self._found_at_once.get(now + h, np.empty(0, np.int64))]
            actual[rows[rows >= 0], h] = np.nan
        return actual

    def until(self, week: date, series: np.ndarray, weeks: int) -> np.ndarray:
        """Return the demand of some rows of the panel in the `weeks` that end with `week`, (series, weeks).

        Weeks that are left out have the usual demand of their series.
        """
        now = self.panel.column(week) + 1
        first = max(now - weeks, 0)
        demand = self.panel.demand[series, first:now]
        if week in self._left_out:
            cells, position = self._left_out[week], self._positions(series)
            cells = cells.where((position[cells.row] >= 0) & (cells.column >= first) & (cells.column < now))
            demand[position[cells.row], cells.column - first] = cells.usual
        return demand

    def _positions(self, series: np.ndarray) -> np.ndarray:
        """Position of each row of the panel in `series`, -1 if it is not there."""
        position = np.full(len(self.panel.series), -1)
        position[series] = np.arange(len(series))
        return position


def _located(points: pd.DataFrame, index: SeriesIndex, first: date) -> _LeftOut:
    """Return the cells of rows of CLEANED_POINTS that are not judged."""
    points = points[points["reason"].isin(NOT_JUDGED)]
    row, column = index.rows(points), week_numbers(points["demand_week"], first)
    cells = _LeftOut(row, column, points["usual"].to_numpy(float))
    return cells.where((row >= 0) & (column >= 0))
