"""Out-of-sample SARIMAX forecasts from every week of a panel, and the scale of their errors.

References
----------
Bates and Granger (1969), "The combination of forecasts".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forecasting_assets.features.demand_patterns import ADI_LIMIT
from forecasting_assets.forecasting.candidates import MEMORY, PRIOR_ERRORS, average_candidates, error_weights
from forecasting_assets.forecasting.cleaning import interruptions, outliers
from forecasting_assets.forecasting.covariate_effect import Regressors
from forecasting_assets.forecasting.panel import Panel, in_units, mean_demand, to_log_scale
from forecasting_assets.forecasting.regularity import Regularity
from forecasting_assets.forecasting.season import COMPONENTS, first_peaks, shared_season

#: Number of errors that those of all series of a pattern count for where a series has few errors of its own.
PRIOR_SCALE_ERRORS = 16.0
#: Number of errors that the scale of a series over all horizons counts for in that of a horizon. The errors of a share
#: price grow with the horizon, those of a shop's sales hardly do.
PRIOR_HORIZON_ERRORS = 25.0
#: A single error counts for no more than this many typical ones in the scale of the errors.
MAX_RELATIVE_ERROR = 4.0
#: No value above this many times the largest demand so far is forecast.
MAX_GROWTH = 3.0
#: Prior weights of the shared season, the own one and no season. The shared one counts twice, as it contains holidays,
#: which past errors hardly show because they are in few weeks. No season still has `season.first_peaks`.
SEASON_PRIOR = np.array([2.0, 1.0, 1.0])
#: The prior weight of a season in a category is multiplied by its mean relative squared error there to the power of
#: minus this.
CATEGORY_SHARPNESS = 20
#: Number of series that the mean over all categories counts for in that of a category.
PRIOR_SERIES = 5.0
#: Relative squared errors below this count as this: a season without any error may not make weights infinite.
MIN_RELATIVE_ERROR = 0.1
#: Series that are forecast at once, each with every season.
CHUNK_SERIES = 500


@dataclass(frozen=True)
class SeasonWeights:
    """Prior weights of the shared season, the own one and none, by category; those of all for another category.

    Whether seasons repeat is seen far better in all series of a category than in one: share prices have none, whatever
    the last two years of one of them look like.
    """

    of_all: np.ndarray
    by_category: dict[str, np.ndarray]

    @classmethod
    def fit(cls, relative_error: np.ndarray, category: np.ndarray) -> "SeasonWeights":
        """Learn the weights from past forecasts.

        Parameters
        ----------
        relative_error
            Squared out-of-sample error with each season, relative to their mean, (3, series); NaN where there is none.
        category
            Category of each series, (series,).
        """
        known = np.isfinite(relative_error).all(axis=0)
        error = relative_error[:, known]
        overall = error.mean(axis=1) if known.any() else np.ones(len(SEASON_PRIOR))
        names, code = np.unique(category[known].astype(str), return_inverse=True)
        count = np.bincount(code, minlength=len(names))
        total = np.stack([np.bincount(code, of_season, minlength=len(names)) for of_season in error])
        mean = (total + PRIOR_SERIES * overall[:, None]) / (count + PRIOR_SERIES)
        return cls(_prior(overall), {name: _prior(mean[:, i]) for i, name in enumerate(names)})

    def to_dict(self) -> dict[str, Any]:
        """Convert the weights to values that JSON can hold."""
        by_category = {name: weights.tolist() for name, weights in self.by_category.items()}
        return {"of_all": self.of_all.tolist(), "by_category": by_category}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "SeasonWeights":
        """Restore weights from `to_dict`."""
        by_category = {name: np.array(weights) for name, weights in saved["by_category"].items()}
        return cls(np.array(saved["of_all"]), by_category)

    def of(self, category: np.ndarray) -> np.ndarray:
        """Return the weights of series of some categories, (3, series)."""
        weights = [self.by_category.get(name, self.of_all) for name in category.astype(str)]
        return np.stack(weights, axis=1) if weights else np.empty((len(SEASON_PRIOR), 0))


def _prior(relative_error: np.ndarray) -> np.ndarray:
    weights = SEASON_PRIOR * np.maximum(relative_error, MIN_RELATIVE_ERROR) ** -float(CATEGORY_SHARPNESS)
    normalised: np.ndarray = weights / weights.sum()
    return normalised


@dataclass(frozen=True)
class RollingForecasts:
    """Out-of-sample forecasts from every week of a panel, on the logarithmic scale.

    Attributes
    ----------
    endog
        Log demand, (series, weeks); NaN where it is an outlier or in an interruption (`cleaning`).
    scale
        Mean demand of each series, in units, (series,).
    pattern
        Demand pattern as of each week, (series, weeks): codes of `demand_patterns.PATTERNS`.
    highest
        Upper limit of the forecasts, (series, weeks); see MAX_GROWTH.
    season
        The season as of earlier years, with their holidays, (series, weeks, horizon). It is for XGBoost, which sees
        the number of holidays by itself; `location` has their effect in the target week instead, and also
        `season.first_peaks`.
    location
        Forecast, (series, weeks, horizon).
    error
        Demand minus forecast, (series, weeks, horizon); NaN where the target week has not closed, is an outlier, or an
        interruption was involved (`cleaning`).
    season_weights
        Prior weights of the seasons, by category.
    booked, booked_share
        Of forecasts that start from the order book: units booked and their usual share of demand
        (`book.OrderBook`), (series, weeks, horizon). None if nothing is ever booked.
    regressors
        Of forecasts that use known covariates: these and their effect. Errors are NaN where not all were known.
    young
        What forecasts from the end of each week are multiplied by, as series that have just begun borrow their level
        (`young`), (series, weeks). None if they borrow none.
    """

    endog: np.ndarray
    scale: np.ndarray
    pattern: np.ndarray
    highest: np.ndarray
    season: np.ndarray
    location: np.ndarray
    error: np.ndarray
    season_weights: SeasonWeights
    booked: np.ndarray | None = None
    booked_share: np.ndarray | None = None
    regressors: Regressors | None = None
    young: np.ndarray | None = None

    def limited(self, units: np.ndarray, cells: "Cells") -> np.ndarray:
        """Return forecasts of some cells (cells, ...), in units, none of them above the limit of its series.

        Series that have just begun are moved to the level that they borrow before. A series all of whose orders are
        excluded has no demand yet, so its forecasts are zero.
        """
        at, by_cell = (cells.series, cells.column), (-1, *[1] * (units.ndim - 1))
        highest = in_units(self.highest[at], self.scale[cells.series])
        if self.young is not None:
            units = units * self.young[at].reshape(by_cell)
        limited: np.ndarray = np.minimum(units, highest.reshape(by_cell))
        return np.where(highest.reshape(by_cell) > 0, limited, 0.0)


@dataclass(frozen=True)
class Cells:
    """Cells of a rolling forecast: row of the series, column of the origin week, and horizon counted from 0."""

    series: np.ndarray
    column: np.ndarray
    h: np.ndarray

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.series)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the value of each cell in an array (series, weeks, horizon)."""
        selected: np.ndarray = values[self.series, self.column, self.h]
        return selected


@dataclass(frozen=True)
class Holidays:
    """Effects of public holidays on log demand, (series, weeks + horizon) each.

    Attributes
    ----------
    now
        Effect of the holidays of each week.
    in_groups, in_own
        Effect of the holidays of the years that the season of the week is from, as the past deviations of the category
        and the own season contain it.
    """

    now: np.ndarray
    in_groups: np.ndarray
    in_own: np.ndarray


@dataclass(frozen=True)
class Season:
    """The seasonal regressor and the effect of public holidays.

    Attributes
    ----------
    past
        Past deviations, (COMPONENTS, series, weeks + horizon), logarithmic.
    own
        Season that each series shows by itself, (series, weeks + horizon); NaN where unknown.
    coefficients
        Coefficients of COMPONENTS for frequent and for sparse series, (2, COMPONENTS).
    fitted_at
        Column that they were fitted at.
    sparse_category
        Whether the category of each series is rarely ordered, (series,).
    holidays
        Effects of public holidays; None if there is none.
    weights
        Prior weights of the seasons, by category; None to learn them.
    """

    past: np.ndarray
    own: np.ndarray
    coefficients: np.ndarray
    fitted_at: int
    sparse_category: np.ndarray
    holidays: Holidays | None = None
    weights: SeasonWeights | None = None

    def without_holidays(self) -> "Season":
        """Return the season without the holidays of the years that it is from.

        A region is taken to have the effect of the category of the series.
        """
        if self.holidays is None:
            return self
        past, of_group = self.past.copy(), [COMPONENTS.index("category"), COMPONENTS.index("region")]
        past[of_group] = np.where(past[of_group] != 0, past[of_group] - self.holidays.in_groups, 0.0)
        return replace(self, past=past, own=self.own - self.holidays.in_own)


def is_sparse(demand: np.ndarray, fitted_at: int) -> np.ndarray:
    """Return whether each row of `demand` has too few orders up to the column `fitted_at` to show a season."""
    ordered = demand > 0
    weeks = np.maximum(fitted_at + 1 - ordered.argmax(axis=1), 1)
    return np.asarray(weeks > ADI_LIMIT * ordered[:, : fitted_at + 1].sum(axis=1))


def forecast_every_week(
    panel: Panel, season: Season, horizon: int, regressors: Regressors | None = None
) -> RollingForecasts:
    """Forecast every series of `panel` from the end of every week, using only the weeks up to it.

    The effect of known covariates (`regressors`) is taken out of past demand, and added to the forecast as it is known
    at the origin.
    """
    n_weeks = panel.demand.shape[1]
    begun = panel.begun
    outlier = outliers(panel.demand, season.fitted_at, panel.corrections) & begun
    scale = mean_demand(np.where(outlier, 0.0, panel.demand), season.fitted_at)
    # A closure that has ended says nothing of later demand.
    paused = interruptions(panel.demand, season.fitted_at, panel.corrections) & begun
    endog = np.where(outlier | paused, np.nan, to_log_scale(panel.demand, scale))
    cleaned = endog.copy()
    if season.holidays is not None:
        cleaned -= season.holidays.now[:, :n_weeks]
    if regressors is not None:
        cleaned -= regressors.past
    location, ahead, weights = _average_seasons(panel, season, cleaned, horizon)
    if season.holidays is not None:
        location += _ahead(season.holidays.now, n_weeks, horizon)
    if regressors is not None:
        location += regressors.ahead
    location = np.maximum(location, 0.0)
    error = _errors(endog, location, paused)
    if regressors is not None:
        error[~regressors.covariates.complete] = np.nan
    highest = to_log_scale(
        MAX_GROWTH * np.maximum.accumulate(np.where(outlier, 0.0, panel.demand), axis=1), scale
    )
    pattern = Regularity.of(panel, np.isfinite(endog)).pattern
    return RollingForecasts(
        endog, scale, pattern, highest, ahead, location, error, weights, regressors=regressors
    )


def _average_seasons(
    panel: Panel, season: Season, endog: np.ndarray, horizon: int
) -> tuple[np.ndarray, np.ndarray, SeasonWeights]:
    """Average the forecasts with each season, some series at a time.

    Parameters
    ----------
    panel
        The series.
    season
        Their season.
    endog
        Log demand without the effects of holidays and known covariates, (series, weeks); NaN where unknown.
    horizon
        Number of weeks to forecast.

    Returns
    -------
    tuple
        The forecasts and the season in them with the holidays of earlier years, (series, weeks, horizon) each; and the
        prior weights of the seasons.
    """
    (n, n_weeks), category = endog.shape, panel.series["part_category"].to_numpy()
    chunks = [slice(begin, begin + CHUNK_SERIES) for begin in range(0, n, CHUNK_SERIES)]
    seasons, with_holidays = _seasons(panel, season)
    forecasts: Iterable[np.ndarray] = (
        _with_each_season(endog[c], [offset[c] for offset in seasons], panel.first_order[c], horizon)
        for c in chunks
    )
    weights = season.weights
    if weights is None:
        forecasts = list(forecasts)
        errors = [_relative_error(f, endog[c]) for c, f in zip(chunks, forecasts, strict=True)]
        weights = SeasonWeights.fit(np.concatenate([*errors, np.empty((3, 0))], axis=1), category)
    location, ahead = (np.empty((n, n_weeks, horizon)) for _ in range(2))
    for c, by_season in zip(chunks, forecasts, strict=True):
        share = error_weights(*_past_errors(by_season, endog[c])) * weights.of(category[c])[..., None]
        share /= share.sum(axis=0)
        location[c] = np.einsum("cnt,cnth->nth", share, by_season)
        ahead[c] = np.einsum(
            "cnt,cnth->nth", share[:2], [_ahead(offset[c], n_weeks, horizon) for offset in with_holidays]
        )
    return location, ahead, weights


def _errors(endog: np.ndarray, location: np.ndarray, paused: np.ndarray) -> np.ndarray:
    """Demand minus forecast, (series, weeks, horizon).

    It is NaN where the target week has not closed or does not count, and where the series was `paused` at the origin:
    then it was not known yet that it would be ordered again.
    """
    error = np.full_like(location, np.nan)
    for h in range(1, location.shape[-1] + 1):
        error[:, :-h, h - 1] = np.where(paused[:, :-h], np.nan, endog[:, h:] - location[:, :-h, h - 1])
    return error


def _seasons(panel: Panel, season: Season) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the shared season, the own one and none, and the first two with the holidays of earlier years.

    Each is (series, weeks + horizon). The first three are without these holidays; none still has `first_peaks`.
    """
    coefficients = season.coefficients[is_sparse(panel.demand, season.fitted_at).astype(int)]
    of_parts, part = panel.part_totals()
    sparse = season.sparse_category, is_sparse(of_parts, season.fitted_at)[part]

    def shared_and_own(of: Season) -> list[np.ndarray]:
        shared = shared_season(of.past, coefficients, of.fitted_at, *sparse)
        return [shared, np.where(np.isnan(of.own), shared, of.own)]

    without = season.without_holidays()
    seasons = shared_and_own(without)
    peaks = first_peaks(without.past, season.fitted_at, season.sparse_category)
    return [*seasons, peaks], seasons if without is season else shared_and_own(season)


def _with_each_season(
    endog: np.ndarray, seasons: Sequence[np.ndarray], first: np.ndarray, horizon: int
) -> np.ndarray:
    """Forecast with each of the seasons (series, weeks + horizon): (seasons, series, weeks, horizon)."""
    n_weeks = endog.shape[1]
    deseasonalised = np.concatenate([endog - season[:, :n_weeks] for season in seasons])
    average = average_candidates(deseasonalised, np.tile(first, len(seasons)), horizon)
    by_season: np.ndarray = average.reshape(len(seasons), *endog.shape, horizon)
    by_season += np.stack([_ahead(season, n_weeks, horizon) for season in seasons])
    return by_season


def _ahead(season: np.ndarray, n_weeks: int, horizon: int) -> np.ndarray:
    """Return the season (series, weeks + horizon) of each horizon from each week, (series, weeks, horizon)."""
    return np.stack([season[:, 1 + h : n_weeks + 1 + h] for h in range(horizon)], axis=-1)


def _relative_error(forecasts: np.ndarray, endog: np.ndarray) -> np.ndarray:
    """Squared error with each season up to the last week, relative to their mean: (seasons, series).

    It is NaN where there are too few errors.
    """
    squared, count = _past_errors(forecasts, endog)
    squared, enough = squared[..., -1], count[:, -1] >= PRIOR_ERRORS
    return np.where(enough, squared / (squared.mean(axis=0) + 1e-9), np.nan)


def _past_errors(forecasts: np.ndarray, endog: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the squared errors over horizons, with a fading memory of past weeks, and their number.

    Returns
    -------
    tuple
        (forecasts, series, weeks) and (series, weeks).
    """
    squared, count = np.zeros(forecasts.shape[:3]), np.zeros(endog.shape)
    for h in range(1, min(forecasts.shape[-1], endog.shape[1] - 1) + 1):
        error = forecasts[:, :, :-h, h - 1] - endog[:, h:]
        known = np.isfinite(error)
        squared[:, :, h:] += np.where(known, error, 0.0) ** 2
        count[:, h:] += known[0]
    for t in range(1, endog.shape[1]):
        squared[:, :, t] += MEMORY * squared[:, :, t - 1]
        count[:, t] += MEMORY * count[:, t - 1]
    return squared, count


def error_scales(rolling: RollingForecasts, by_horizon: np.ndarray, by_pattern: np.ndarray) -> np.ndarray:
    """Return the mean absolute error of each series and horizon as known at the end of each week.

    The mean of a horizon is shrunk towards that of all horizons, which in turn is shrunk towards that of the demand
    pattern.

    Parameters
    ----------
    rolling
        Forecasts and their errors.
    by_horizon
        Typical absolute error, (horizon,).
    by_pattern
        Mean absolute error relative to `by_horizon`, (PATTERNS,).

    Returns
    -------
    numpy.ndarray
        (series, weeks, horizon), logarithmic.
    """
    n, n_weeks, horizon = rolling.error.shape
    relative = np.minimum(np.abs(rolling.error) / by_horizon, MAX_RELATIVE_ERROR)
    total, count = np.zeros((n, horizon)), np.zeros((n, horizon))
    scale = np.empty((n, n_weeks, horizon))
    for t in range(n_weeks):
        total, count = MEMORY * total, MEMORY * count
        for h in range(1, min(horizon, t) + 1):
            total[:, h - 1] += np.nan_to_num(relative[:, t - h, h - 1])
            count[:, h - 1] += np.isfinite(relative[:, t - h, h - 1])
        of_pattern = by_pattern[rolling.pattern[:, t]]
        of_all = (total.sum(axis=1) + PRIOR_SCALE_ERRORS * of_pattern) / (
            count.sum(axis=1) + PRIOR_SCALE_ERRORS
        )
        scale[:, t] = (total + PRIOR_HORIZON_ERRORS * of_all[:, None]) / (count + PRIOR_HORIZON_ERRORS)
    scale *= by_horizon
    return scale
