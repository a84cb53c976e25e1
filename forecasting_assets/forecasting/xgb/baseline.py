"""What the trees know beside the feature table: the usual demand of each series, the order book and covariates."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.panel import LOG_GAIN, Panel, in_units, week_numbers
from forecasting_assets.forecasting.rolling import RollingForecasts
from forecasting_assets.forecasting.sarimax import Cells, SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb.usual import UsualDemand
from forecasting_assets.weeks import add_weeks


@dataclass(frozen=True)
class Baseline:
    """A panel with what features and targets are computed from.

    Attributes
    ----------
    model
        SARIMAX model that was fitted to the panel.
    panel
        Demand of the series.
    rolling
        Its forecasts, of which only the cleaned demand, the order book and the effect of covariates are used.
    index
        Row numbers of the series.
    """

    model: SarimaxModel
    panel: Panel
    rolling: RollingForecasts
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
        """Prepare the series of `history` up to the week `last`; `history` and `totals` as for `sarimax.fit`."""
        panel = Panel.from_history(history, add_weeks(model.week, 1 - settings.history_weeks), last)
        return cls.from_forecasts(model, panel, sarimax.rolling_forecasts(model, panel, totals))

    @classmethod
    def from_forecasts(cls, model: SarimaxModel, panel: Panel, rolling: RollingForecasts) -> "Baseline":
        """Build the baseline from rolling forecasts of `panel` by `model`."""
        return cls(model, panel, rolling, SeriesIndex(panel.series))

    def locate(self, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the row and the column of the panel for each row of the feature table."""
        return self.index.rows(features), week_numbers(features["week"], self.panel.first)

    def cells(self, features: pd.DataFrame, horizon: np.ndarray) -> Cells:
        """Return the cells of rows of the feature table, with the horizon of each (from 1)."""
        series, column = self.locate(features)
        return Cells(series, column, horizon - 1)

    @cached_property
    def usual(self) -> UsualDemand:
        """Level and volatility of the series, without the effect of known covariates and without unusual weeks."""
        log_demand = self.rolling.endog
        if self.rolling.regressors is not None:
            log_demand = log_demand - self.rolling.regressors.past
        units = np.where(self.panel.demand > 0, in_units(log_demand, self.rolling.scale), 0.0)
        begun = np.arange(log_demand.shape[1]) >= self.panel.first_order[:, None]
        return UsualDemand.of(np.where(begun & np.isfinite(log_demand), units, np.nan))

    def relative(self, units: np.ndarray, cells: Cells) -> np.ndarray:
        """Express demand of some cells, without the effect of known covariates, as `UsualDemand.relative`."""
        return self.usual.relative(self._shifted(units, cells, -1.0), cells.series, cells.column)

    def in_units(self, relative: np.ndarray, cells: Cells) -> np.ndarray:
        """Convert `relative` values of some cells (cells, ...) back to units."""
        return self._shifted(self.usual.in_units(relative, cells.series, cells.column), cells, 1.0)

    def _shifted(self, units: np.ndarray, cells: Cells, sign: float) -> np.ndarray:
        """Add the effect of known covariates to demand (cells, ...), or take it out if `sign` is negative."""
        if self.rolling.regressors is None:
            return units
        effect = self.rolling.regressors.effect[cells.h + 1, cells.series, cells.column + cells.h + 1]
        by_cell = effect.astype(float).reshape(-1, *[1] * (units.ndim - 1))
        scale = self.rolling.scale[cells.series]
        log_units = np.log1p(LOG_GAIN * units / scale.reshape(by_cell.shape))
        return np.where(units > 0, in_units(log_units + sign * by_cell, scale), 0.0)
