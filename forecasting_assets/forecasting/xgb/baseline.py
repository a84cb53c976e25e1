"""What the trees know beside the feature table: the usual demand of each series, the order book and covariates."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.panel import Panel, week_numbers
from forecasting_assets.forecasting.rolling import Cells, RollingForecasts
from forecasting_assets.forecasting.sarimax import SarimaxModel
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
        Its forecasts, of which the cleaned demand, the season, the order book and the effect of covariates are used.
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
        """Level and volatility without season and the effect of known covariates, and without unusual weeks."""
        known = np.isfinite(self.rolling.endog)
        known &= np.arange(known.shape[1]) >= self.panel.first_order[:, None]
        return UsualDemand.of(np.where(known, self.panel.demand * np.exp(-self._past_effect), np.nan))

    def relative(self, units: np.ndarray, cells: Cells) -> np.ndarray:
        """Express demand of some cells, without season and covariates, as `UsualDemand.relative`."""
        return self.usual.relative(units * np.exp(-self._effect(cells)), cells.series, cells.column)

    def in_units(self, relative: np.ndarray, cells: Cells) -> np.ndarray:
        """Convert `relative` values of some cells (cells, ...) back to units."""
        units = self.usual.in_units(relative, cells.series, cells.column)
        factor: np.ndarray = np.exp(self._effect(cells)).reshape(-1, *[1] * (units.ndim - 1))
        return np.asarray(units * factor)

    @property
    def _past_effect(self) -> np.ndarray:
        """Effect of the season, as forecast a week before, and of covariates on log demand: (series, weeks)."""
        effect = np.zeros(self.rolling.endog.shape)
        effect[:, 1:] = self.rolling.season[:, :-1, 0]
        regressors = self.rolling.regressors
        return effect if regressors is None else effect + regressors.past

    def _effect(self, cells: Cells) -> np.ndarray:
        """Effect of the season and of covariates on log demand in the target weeks of some cells, (cells,)."""
        season = cells.of(self.rolling.season)
        regressors = self.rolling.regressors
        if regressors is None:
            return season
        effect: np.ndarray = season + regressors.effect[cells.h + 1, cells.series, cells.column + cells.h + 1]
        return effect
