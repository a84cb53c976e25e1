"""The SARIMAX forecasts that the trees start from."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.panel import Panel, week_numbers
from forecasting_assets.forecasting.rolling import RollingForecasts
from forecasting_assets.forecasting.sarimax import Cells, SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks

#: Lower limit of the start of the mean, as a share of the order size.
MIN_START = 0.02
#: Cells whose distribution is in memory at once.
START_CELLS = 50_000


@dataclass(frozen=True)
class Baseline:
    """SARIMAX forecasts for every series and week of a panel.

    Attributes
    ----------
    model
        The model that made them.
    panel
        Demand of the series.
    rolling
        Forecasts from every week.
    scales
        Scales of the errors, (series, weeks, horizon).
    index
        Row numbers of the series.
    """

    model: SarimaxModel
    panel: Panel
    rolling: RollingForecasts
    scales: np.ndarray
    index: SeriesIndex

    @classmethod
    def from_history(
        cls,
        model: SarimaxModel,
        history: pd.DataFrame,
        totals: GroupTotals,
        last: date,
        settings: ForecastingSettings,
    ) -> "Baseline":
        """Forecast the series of `history` up to the week `last`; `history` and `totals` as for `sarimax.fit`."""
        panel = Panel.from_history(history, add_weeks(model.week, 1 - settings.history_weeks), last)
        return cls.from_forecasts(model, panel, sarimax.rolling_forecasts(model, panel, totals))

    @classmethod
    def from_forecasts(cls, model: SarimaxModel, panel: Panel, rolling: RollingForecasts) -> "Baseline":
        """Build the baseline from rolling forecasts of `panel` by `model`."""
        scales = sarimax.model_error_scales(model, rolling)
        return cls(model, panel, rolling, scales, SeriesIndex(panel.series))

    def locate(self, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the row and the column of the panel for each row of the feature table."""
        return self.index.rows(features), week_numbers(features["week"], self.panel.first)

    def cells(self, features: pd.DataFrame, horizon: np.ndarray) -> Cells:
        """Return the cells of rows of the feature table, with the horizon of each (from 1)."""
        series, column = self.locate(features)
        return Cells(series, column, horizon - 1)

    def mean_start(self, cells: Cells, size: np.ndarray) -> np.ndarray:
        """Return the log of the SARIMAX mean over the order size `size`, for each cell."""
        start = np.empty(len(cells))
        for begin in range(0, len(cells), START_CELLS):
            some = slice(begin, begin + START_CELLS)
            start[some] = sarimax.cell_distributions(self.model, self.rolling, self.scales, cells[some])[:, 0]
        logs: np.ndarray = np.log(np.maximum(start / size, MIN_START))
        return logs

    def error_quantiles(self, cells: Cells) -> np.ndarray:
        """Return the quantiles of the standardised errors of SARIMAX, (cells, LEVELS)."""
        pattern = self.rolling.pattern[cells.series, cells.column]
        quantiles: np.ndarray = self.model.errors[pattern[:, None], cells.h[:, None], sarimax.AT_LEVELS]
        return quantiles
