"""What the trees know beside the feature table: the usual demand of each series, the order book and covariates."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.panel import ForecastDataError, Panel, week_numbers
from forecasting_assets.forecasting.regularity import Regularity
from forecasting_assets.forecasting.rolling import Cells, RollingForecasts
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb.usual import UsualDemand
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import YEAR_WEEKS

#: Weeks with a season from which on the trees see earlier years. With fewer, most weeks of the year are known once, and
#: trees would take the shocks of a week, which all series of a market share, for a season.
KNOWN_SEASON_WEEKS = 2 * YEAR_WEEKS


#: Share of SARIMAX's season that is taken out of demand where the trees see earlier years. They then learn the rest of
#: the season by themselves, so that their errors differ from those of SARIMAX and the average of both gains more.
SEASON_SHARE = 0.5
#: Share of the effect of known covariates, as SARIMAX estimates it, that is taken out of demand, for the same reason.
COVARIATE_SHARE = 0.5


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
    with_earlier_years
        Whether the trees see earlier years.
    """

    model: SarimaxModel
    panel: Panel
    rolling: RollingForecasts
    index: SeriesIndex
    with_earlier_years: bool

    @classmethod
    def from_history(
        cls,
        model: SarimaxModel,
        history: pd.DataFrame,
        totals: GroupTotals,
        last: date,
        settings: ForecastingSettings,
        with_earlier_years: bool,
    ) -> "Baseline":
        """Prepare the series of `history` up to the week `last`; `history` and `totals` as for `sarimax.fit`."""
        panel = sarimax.panel_of_fit(history, totals, model.week, last, settings)
        rolling = sarimax.rolling_forecasts(model, panel, totals)
        return cls(model, panel, rolling, SeriesIndex(panel.series), with_earlier_years)

    @classmethod
    def of_fit(cls, model: SarimaxModel, panel: Panel, rolling: RollingForecasts) -> "Baseline":
        """Prepare the panel that `model` was fitted to, from its rolling forecasts."""
        season_weeks = int((rolling.season[..., 0] != 0).any(axis=0).sum())
        return cls(model, panel, rolling, SeriesIndex(panel.series), season_weeks >= KNOWN_SEASON_WEEKS)

    @property
    def season_share(self) -> float:
        """Share of SARIMAX's season that is taken out of demand."""
        return SEASON_SHARE if self.with_earlier_years else 1.0

    def locate(self, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the row and the column of the panel for each row of the feature table.

        Raises
        ------
        ForecastDataError
            If the panel has no demand of a series.
        """
        row = self.index.rows(features)
        if (row < 0).any():
            part, region = features.iloc[int((row < 0).argmax())][SERIES]
            raise ForecastDataError(
                f"{part} in {region} has features but no orders since {self.panel.first}: pass the demand, or to a "
                "model loaded from MLflow the features, of all weeks from then on",
                "part_id",
            )
        return row, week_numbers(features["week"], self.panel.first)

    def cells(self, features: pd.DataFrame, horizon: np.ndarray) -> Cells:
        """Return the cells of rows of the feature table, with the horizon of each (from 1)."""
        series, column = self.locate(features)
        return Cells(series, column, horizon - 1)

    @cached_property
    def usual(self) -> UsualDemand:
        """Level and volatility without the shares of season and covariates, and without unusual weeks."""
        known = self.regularity.counted
        return UsualDemand.of(np.where(known, self.panel.demand * np.exp(-self._past_effect), np.nan))

    @cached_property
    def regularity(self) -> Regularity:
        """How regularly the series were ordered, without unusual weeks."""
        return Regularity.of(self.panel, np.isfinite(self.rolling.endog))

    def relative(self, units: np.ndarray, cells: Cells) -> np.ndarray:
        """Express demand of some cells, without the shares of season and covariates, as `UsualDemand.relative`."""
        return self.usual.relative(units * np.exp(-self._effect(cells)), cells.series, cells.column)

    def in_units(self, relative: np.ndarray, cells: Cells) -> np.ndarray:
        """Convert `relative` values of some cells (cells, ...) back to units."""
        units = self.usual.in_units(relative, cells.series, cells.column)
        factor: np.ndarray = np.exp(self._effect(cells)).reshape(-1, *[1] * (units.ndim - 1))
        return np.asarray(units * factor)

    @property
    def _past_effect(self) -> np.ndarray:
        """Shares of the season, as forecast a week before, and of covariates in log demand: (series, weeks)."""
        effect = np.zeros(self.rolling.endog.shape)
        effect[:, 1:] = self.season_share * self.rolling.season[:, :-1, 0]
        regressors = self.rolling.regressors
        return effect if regressors is None else effect + COVARIATE_SHARE * regressors.past

    def _effect(self, cells: Cells) -> np.ndarray:
        """Shares of the season and of covariates in log demand in target weeks of cells, (cells,)."""
        season: np.ndarray = self.season_share * cells.of(self.rolling.season)
        regressors = self.rolling.regressors
        if regressors is None:
            return season
        target = cells.column + cells.h + 1
        effect: np.ndarray = season + COVARIATE_SHARE * regressors.effect[cells.h + 1, cells.series, target]
        return effect
