"""SARIMAX: for each series an average of ARIMA models around a seasonal regressor that is fitted to all series.

Demand is taken on a logarithmic scale. The season (`season.py`) is an exogenous regressor: one that is shared and
whose coefficients are fitted to all series, the one that the series shows by itself, or none. The rest of a series is
forecast by a set of ARIMA models (`candidates.py`) that contains the classical ones. Models and seasons are averaged by
how well each did out of sample for that series (`rolling.py`). Outliers and closures are left out (`cleaning.py`).
Public holidays are a second regressor, as they fall into other weeks than in the years before (`holiday_effect.py`).

The distribution is that of past out-of-sample errors of similar series, scaled to the errors of this one, so no normal
distribution is assumed; series that are rarely ordered are blended with the distribution of their own last year
(`own_history.py`). The mean is the mean of demand, not of its logarithm. Where orders have due dates, forecasts start
from what is booked (`book.py`).

Where covariates such as prices are known ahead, a second model is fitted with these as regressors
(`covariate_effect.py`). It forecasts the weeks whose covariates are all known; the model without forecasts all others.

What is common to all series is fitted to a sample of parts. What concerns one series follows from its own history. So a
series can be forecast by any process that also has the other regions of its part.

References
----------
Bates and Granger (1969), "The combination of forecasts".
Duan (1983), "Smearing estimate: a nonparametric retransformation method".
Xu and Xie (2021), "Conformal prediction interval for dynamic time-series".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import PATTERNS
from forecasting_assets.forecasting.book import OrderBook, start_from_book
from forecasting_assets.forecasting.covariate_effect import CovariateEffect, Regressors
from forecasting_assets.forecasting.covariates import KnownCovariates
from forecasting_assets.forecasting.error_quantiles import (
    ERROR_LEVELS,
    MIN_ERRORS,
    average_error,
    error_quantiles,
)
from forecasting_assets.forecasting.forecast_arrays import LEVELS, MEDIAN, VALUES, table_with_covariates
from forecasting_assets.forecasting.holiday_effect import HolidayEffect
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.outlying import noted_outliers, read_outliers, saved_outliers
from forecasting_assets.forecasting.own_history import blend_own_history
from forecasting_assets.forecasting.panel import Panel, in_units
from forecasting_assets.forecasting.rolling import (
    Cells,
    Holidays,
    RollingForecasts,
    Season,
    SeasonWeights,
    error_scales,
    forecast_every_week,
    is_sparse,
)
from forecasting_assets.forecasting.season import GroupTotals, fit_season, own_season, season_components
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.young import YoungLevels
from forecasting_assets.weeks import add_weeks

#: Number of latest weeks whose errors make the distribution.
ERROR_WEEKS = 52
#: Positions of LEVELS in ERROR_LEVELS.
AT_LEVELS = np.searchsorted(ERROR_LEVELS, LEVELS - 1e-9)
#: Weeks between the origins that `smearing` is estimated from.
SMEARING_STEP = 4


@dataclass(frozen=True)
class SarimaxModel:
    """The parameters common to all series, fitted at the end of `week`.

    Attributes
    ----------
    week
        The last week that the model was fitted to.
    season
        Coefficients of the seasonal components for frequent and for sparse series, (2, COMPONENTS).
    error_by_horizon
        Median absolute error on the logarithmic scale, (horizon,).
    spread
        Mean absolute error relative to `error_by_horizon`, (PATTERNS,).
    errors
        Quantiles of the errors relative to their scale, (PATTERNS, horizon, ERROR_LEVELS).
    smearing
        How far the mean forecast lies between the median (0) and the mean (1) of the distribution, as estimated from
        past demand, (PATTERNS,).
    season_weights
        Prior weights of the seasons, by category.
    holidays
        The effect of public holidays, estimated from those that moved. None if there is none.
    effect
        The effect of known covariates, of a model that uses them.
    planned
        Of a model without covariates: the model that forecasts weeks whose covariates are known. None if too few were.
    outliers
        Outliers of the series that it was fitted to (`outlying.noted_outliers`), which are no part of the season
        of their groups. None if there are none.
    young
        What series that have just begun borrow from like series. None if that does not help.
    """

    week: date
    season: np.ndarray
    error_by_horizon: np.ndarray
    spread: np.ndarray
    errors: np.ndarray
    smearing: np.ndarray
    season_weights: SeasonWeights
    holidays: HolidayEffect | None = None
    effect: CovariateEffect | None = None
    planned: "SarimaxModel | None" = None
    outliers: pd.DataFrame | None = None
    young: YoungLevels | None = None

    @property
    def horizon(self) -> int:
        """Number of weeks that the model forecasts."""
        return len(self.error_by_horizon)

    def to_dict(self) -> dict[str, Any]:
        """Convert the model to values that JSON can hold."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        names = ("season_weights", "holidays", "effect", "planned", "young")
        parts = {name: getattr(self, name) for name in names}
        saved = {k: v.to_dict() for k, v in parts.items() if v}
        outlying = {} if self.outliers is None else {"outliers": saved_outliers(self.outliers)}
        return {"week": self.week.isoformat(), **arrays, **saved, **outlying}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "SarimaxModel":
        """Restore a model from `to_dict`."""
        return cls(
            week=date.fromisoformat(saved["week"]),
            **{name: np.array(saved[name]) for name in _ARRAYS},
            season_weights=SeasonWeights.from_dict(saved["season_weights"]),
            holidays=HolidayEffect.from_dict(saved["holidays"]) if "holidays" in saved else None,
            effect=CovariateEffect.from_dict(saved["effect"]) if "effect" in saved else None,
            planned=cls.from_dict(saved["planned"]) if "planned" in saved else None,
            outliers=read_outliers(saved["outliers"]) if "outliers" in saved else None,
            young=YoungLevels.from_dict(saved["young"]) if "young" in saved else None,
        )


#: Fields of a model that are arrays.
_ARRAYS = ("season", "error_by_horizon", "spread", "errors", "smearing")


def fit(history: pd.DataFrame, totals: GroupTotals, week: date, context: ModelContext) -> SarimaxModel:
    """Fit the model to the series of `history` at the end of `week`; later weeks are not used.

    Parameters
    ----------
    history
        part_id, region, part_category, week, quantity, only weeks with orders, with every region of its parts.
    totals
        Demand of all categories and regions.
    week
        The last week to use.
    context
        Horizon, settings and countries.

    Raises
    ------
    ForecastDataError
        If `history` cannot be used.
    """
    model = fit_with_forecasts(history, totals, week, context)[0]
    planned = fit_planned_with_forecasts(history, totals, week, context)
    return replace(model, planned=planned[0]) if planned else model


def panel_of_fit(
    history: pd.DataFrame, totals: GroupTotals, fitted_at: date, last: date, settings: ForecastingSettings
) -> Panel:
    """Return the panel of `history` up to the week `last`, from the week in which the panel of the fit begins."""
    first = add_weeks(fitted_at, 1 - settings.history_weeks)
    return Panel.from_history(history, first, last, totals.limits(first, fitted_at))


def fit_with_forecasts(
    history: pd.DataFrame, totals: GroupTotals, week: date, context: ModelContext
) -> tuple[SarimaxModel, Panel, RollingForecasts]:
    """Fit the model without covariates; also return its panel and the rolling forecasts of the panel."""
    panel = panel_of_fit(history, totals, week, week, context.settings)
    return _fit_panel(panel, totals, week, context, None)


def fit_planned_with_forecasts(
    history: pd.DataFrame, totals: GroupTotals, week: date, context: ModelContext
) -> tuple[SarimaxModel, Panel, RollingForecasts] | None:
    """Fit the model with covariates, as `fit_with_forecasts`; None if they were known of too few past weeks."""
    panel = panel_of_fit(history, totals, week, week, context.settings)
    known = KnownCovariates.of(panel, context.horizon)
    if known is None or known.complete[:, -ERROR_WEEKS - 1 : -1, 0].sum() < MIN_ERRORS:
        return None
    return _fit_panel(panel, totals, week, context, known)


def _fit_panel(
    panel: Panel, totals: GroupTotals, week: date, context: ModelContext, known: KnownCovariates | None
) -> tuple[SarimaxModel, Panel, RollingForecasts]:
    n_weeks, horizon = panel.demand.shape[1], context.horizon
    effect = CovariateEffect.fit(panel, known, n_weeks - 1) if known else None
    regressors = effect.on(panel, known, n_weeks - 1) if effect and known else None
    usual = regressors.removed_from(panel, n_weeks - 1) if regressors else panel
    outlying = noted_outliers(panel, n_weeks - 1)
    noted = totals.with_notes(outlying)
    holidays = HolidayEffect.fit(usual, context.countries)
    season = _season(panel, usual, noted, n_weeks - 1, horizon, holidays)
    rolling = _forecast_every_week(panel, totals, season, horizon, regressors)

    counted = np.where((np.arange(n_weeks) >= n_weeks - ERROR_WEEKS)[:, None], rolling.error, np.nan)
    by_horizon = np.array([average_error(np.median, np.abs(counted[..., h]), 1.0) for h in range(horizon)])
    pattern = rolling.pattern
    relative = np.abs(counted) / by_horizon
    overall = average_error(np.mean, relative, 1.0)
    spread = np.array([average_error(np.mean, relative[pattern == p], overall) for p in range(len(PATTERNS))])
    standardised = counted / error_scales(rolling, by_horizon, spread)
    errors = np.array(
        [
            [error_quantiles(standardised[pattern == p, h], standardised[..., h]) for h in range(horizon)]
            for p in range(len(PATTERNS))
        ]
    )
    smearing, young = np.ones(len(PATTERNS)), YoungLevels.fit(panel)
    model = SarimaxModel(
        week,
        season.coefficients,
        by_horizon,
        spread,
        errors,
        smearing,
        rolling.season_weights,
        holidays=holidays,
        effect=effect,
        outliers=outlying,
        young=young,
    )
    return replace(model, smearing=_smearing(model, panel, rolling)), panel, rolling


def _smearing(model: SarimaxModel, panel: Panel, rolling: RollingForecasts) -> np.ndarray:
    """Estimate `SarimaxModel.smearing`.

    The estimate is what the medians missed, divided by what the means add to them, each relative to the size of its
    series.
    """
    last = panel.demand.shape[1] - 1
    columns = np.arange(last - 1, max(last - ERROR_WEEKS, 0), -SMEARING_STEP)
    values = _at_columns(_arima_distributions, model, rolling, columns)
    median = values[..., MEDIAN]
    target = columns[:, None] + np.arange(1, model.horizon + 1)
    # A large order counts, but an absurd quantity for no more than could be forecast.
    limited = np.minimum(panel.demand, in_units(rolling.highest[:, -1], rolling.scale)[:, None])
    actual = np.where(target <= last, limited[:, np.minimum(target, last)], np.nan)
    added = (values[..., 0] - median) / rolling.scale[:, None, None]
    missed = (actual - median) / rolling.scale[:, None, None]
    pattern, known = rolling.pattern[:, columns], np.isfinite(missed * added)
    share = np.ones(len(PATTERNS))
    for p in range(len(PATTERNS)):
        of_pattern = known & (pattern == p)[..., None]
        if of_pattern.sum() >= MIN_ERRORS and added[of_pattern].sum() > 0:
            share[p] = np.clip(missed[of_pattern].sum() / added[of_pattern].sum(), 0.0, 1.0)
    return share


def rolling_forecasts(model: SarimaxModel, panel: Panel, totals: GroupTotals) -> RollingForecasts:
    """Forecast from every week of `panel`.

    The panel must begin in the same week as the panel that the model was fitted to, and may end later.
    """
    fitted_at = panel.column(model.week)
    effect = model.effect
    known = KnownCovariates.of(panel, model.horizon, effect.names) if effect else None
    regressors = effect.on(panel, known, fitted_at) if effect and known else None
    usual = regressors.removed_from(panel, fitted_at) if regressors else panel
    noted = totals.with_notes(model.outliers)
    season = _season(
        panel, usual, noted, fitted_at, model.horizon, model.holidays, model.season, model.season_weights
    )
    rolling = _forecast_every_week(panel, totals, season, model.horizon, regressors)
    return replace(rolling, young=model.young.factors(panel, fitted_at)) if model.young else rolling


def _season(
    panel: Panel,
    usual: Panel,
    totals: GroupTotals,
    fitted_at: int,
    horizon: int,
    holidays: HolidayEffect | None,
    coefficients: np.ndarray | None = None,
    weights: SeasonWeights | None = None,
) -> Season:
    """Prepare the season of the series of `panel`.

    `usual` is the panel without the effect of known covariates. Coefficients and weights are learned if they are None.
    """
    categories, regions = (totals.groups(level, panel, fitted_at) for level in ("part_category", "region"))
    past, deviation = season_components(usual, categories, regions, fitted_at, horizon)
    if coefficients is None:
        n_weeks, sparse = panel.demand.shape[1], is_sparse(panel.demand, fitted_at)
        coefficients = np.stack(
            [fit_season(past[:, sparse == c, :n_weeks], deviation[sparse == c]) for c in (False, True)]
        )
    effects = None
    if holidays:
        now, earlier = holidays.on(panel.first, categories, horizon)
        known = np.where(np.isfinite(deviation), now[:, : deviation.shape[1]], np.nan)
        effects = Holidays(now, earlier, np.nan_to_num(own_season(known, horizon)))
    return Season(
        past=past,
        own=own_season(deviation, horizon),
        coefficients=coefficients,
        fitted_at=fitted_at,
        sparse_category=is_sparse(categories.demand, fitted_at)[categories.code],
        holidays=effects,
        weights=weights,
    )


def _forecast_every_week(
    panel: Panel, totals: GroupTotals, season: Season, horizon: int, regressors: Regressors | None
) -> RollingForecasts:
    """Forecast from every week of `panel`, starting from what is booked."""
    rolling = forecast_every_week(panel, season, horizon, regressors)
    return start_from_book(rolling, OrderBook.of(panel, totals, rolling.scale, horizon))


def predict(
    model: SarimaxModel,
    history: pd.DataFrame,
    totals: GroupTotals,
    origins: Sequence[date],
    settings: ForecastingSettings,
) -> pd.DataFrame:
    """Forecast every series that is active at an origin, from each of `origins`.

    Parameters
    ----------
    model
        The fitted model.
    history, totals
        As for `fit`.
    origins
        Weeks to forecast from, not before the week of the model.
    settings
        Settings of the forecasts, as for `fit`.

    Returns
    -------
    pandas.DataFrame
        Rows of a forecast table.
    """
    origins = sorted(origins)
    panel = panel_of_fit(history, totals, model.week, origins[-1], settings)
    columns = np.array([panel.column(o) for o in origins])
    values = distributions(model, rolling_forecasts(model, panel, totals), columns)
    known, with_covariates = np.zeros(values.shape[:-1], dtype=bool), values
    if model.planned and panel.covariates is not None:
        planned = rolling_forecasts(model.planned, panel, totals)
        if planned.regressors:
            known = planned.regressors.covariates.complete[:, columns]
            with_covariates = distributions(model.planned, planned, columns)
    series, origin = np.nonzero(np.stack([panel.active(c) for c in columns], axis=1))
    weeks = np.array(origins, dtype="datetime64[ns]")
    at = series, origin
    return table_with_covariates(
        panel.series.iloc[series], weeks[origin], values[at], with_covariates[at], known[at]
    )


def distributions(model: SarimaxModel, rolling: RollingForecasts, columns: np.ndarray) -> np.ndarray:
    """Return mean and quantiles as of the end of each of `columns`: (series, columns, horizon, VALUES) in units."""
    return _at_columns(cell_distributions, model, rolling, columns)


def _at_columns(
    of_cells: Callable[[SarimaxModel, RollingForecasts, np.ndarray, Cells], np.ndarray],
    model: SarimaxModel,
    rolling: RollingForecasts,
    columns: np.ndarray,
) -> np.ndarray:
    """Distributions by `of_cells` for every series, some columns and every horizon."""
    scales = model_error_scales(model, rolling)
    shape = len(rolling.endog), model.horizon
    series, h = (i.ravel() for i in np.indices(shape))
    values = np.empty((shape[0], len(columns), shape[1], len(VALUES)))
    for i, column in enumerate(columns):
        cells = Cells(series, np.full(len(series), column), h)
        values[:, i] = of_cells(model, rolling, scales, cells).reshape(*shape, len(VALUES))
    return values


def cell_distributions(
    model: SarimaxModel, rolling: RollingForecasts, scales: np.ndarray, cells: Cells
) -> np.ndarray:
    """Return mean and quantiles of some cells; rarely ordered series are blended with their own history.

    Parameters
    ----------
    model
        The fitted model.
    rolling
        Forecasts of every week.
    scales
        Scales of the errors, from `model_error_scales`.
    cells
        The cells.

    Returns
    -------
    numpy.ndarray
        (cells, VALUES), in units.
    """
    values = _arima_distributions(model, rolling, scales, cells)
    blended = blend_own_history(values, rolling, cells.series, cells.column)
    return at_least_booked(rolling.limited(blended, cells), rolling, cells)


def _arima_distributions(
    model: SarimaxModel, rolling: RollingForecasts, scales: np.ndarray, cells: Cells
) -> np.ndarray:
    """Mean and quantiles of some cells by the ARIMA models alone: (cells, VALUES) in units."""
    pattern = rolling.pattern[cells.series, cells.column]
    errors = model.errors[pattern, cells.h] * cells.of(scales)[:, None]
    log_demand = cells.of(rolling.location)[:, None] + errors
    highest = rolling.highest[cells.series, cells.column, None]
    demand = in_units(np.minimum(log_demand, highest), rolling.scale[cells.series])
    quantiles = demand[:, AT_LEVELS]
    median = quantiles[:, MEDIAN - 1]
    mean = median + model.smearing[pattern] * (demand.mean(axis=1) - median)
    return np.column_stack([mean, quantiles])


def at_least_booked(values: np.ndarray, rolling: RollingForecasts, cells: Cells) -> np.ndarray:
    """Raise forecasts of some cells (cells, VALUES) to the units that are booked."""
    if rolling.booked is None:
        return values
    raised: np.ndarray = np.maximum(values, cells.of(rolling.booked)[:, None])
    return raised


def model_error_scales(model: SarimaxModel, rolling: RollingForecasts) -> np.ndarray:
    """Return the scale of the errors as known at the end of each week, (series, weeks, horizon)."""
    return error_scales(rolling, model.error_by_horizon, model.spread)
