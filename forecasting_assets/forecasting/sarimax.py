"""SARIMAX: each series an average of ARIMA models around a seasonal regressor that all series teach.

Demand is taken on a logarithmic scale. The season (`season.py`) is an exogenous regressor whose coefficients
are learnt from all series; what is left of a series is forecast by a set of ARIMA models (`candidates.py`) that
holds the classical ones, averaged by how well each did out of sample for that series (Bates and Granger 1969,
"The combination of forecasts"). The distribution is that of past out-of-sample errors of like series, scaled
to the errors of this one (Xu and Xie 2021, "Conformal prediction interval for dynamic time-series"), so nothing
is assumed to be normal, and the mean is the mean of demand, not of its logarithm (Duan 1983, "Smearing
estimate").

What is learnt from all series is learnt on a fixed calendar of weeks and from a sample of parts; what concerns
one series follows from its own history and needs no fit. So a series can be forecast anywhere, beside
the other regions of its part.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.window import ADI_LIMIT
from forecasting_assets.forecasting.candidates import CANDIDATES, forecasts
from forecasting_assets.forecasting.cube import LEVELS, VALUES, forecast_table
from forecasting_assets.forecasting.panel import LOG_GAIN, PATTERNS, Panel, logged, scale_of
from forecasting_assets.forecasting.season import GroupTotals, components, fit_season
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks

#: Weight of an out-of-sample error relative to one a week later.
MEMORY = 0.98
#: Errors that the average candidate and the average series count for, where a series has few of its own.
PRIOR_ERRORS, PRIOR_SPREAD_ERRORS = 50.0, 16.0
#: A candidate's weight is its mean squared error to the power of minus this.
SHARPNESS = 4
#: Weeks of origins whose errors make the distribution, and the errors below which a demand pattern takes that
#: of all series.
ERROR_WEEKS, FEWEST_ERRORS = 52, 200
#: Levels at which the distribution of standardised errors is kept, whose average is its mean, and the places
#: of the quantiles among them.
ERROR_LEVELS = np.arange(1, 100) / 100
AT_LEVELS = np.searchsorted(ERROR_LEVELS, LEVELS - 1e-9)
#: No value is forecast above this many times the largest demand seen.
MAX_GROWTH = 3.0
#: Weeks between the origins that `smearing` is learnt from.
SMEARING_STEP = 4
#: Series whose candidates are in memory at once.
CHUNK_SERIES = 500
_RANK = "_rank"


@dataclass(frozen=True)
class SarimaxModel:
    """What all series taught by the end of `week`.

    season (2, COMPONENTS): coefficients for frequent and for sparse series; error_by_horizon (horizon): median
    absolute error on the logarithmic scale; spread (PATTERNS): mean error relative to that; errors (PATTERNS,
    horizon, ERROR_LEVELS): quantiles of the errors relative to their scale; smearing (PATTERNS): the share of the
    way from the median to the mean of that distribution that past demand bears out.
    """

    week: date
    season: np.ndarray
    error_by_horizon: np.ndarray
    spread: np.ndarray
    errors: np.ndarray
    smearing: np.ndarray

    @property
    def horizon(self) -> int:
        return len(self.error_by_horizon)

    def to_dict(self) -> dict:
        """What JSON can hold."""
        arrays = {f.name: getattr(self, f.name).tolist() for f in fields(self) if f.name != "week"}
        return {"week": self.week.isoformat(), **arrays}

    @classmethod
    def from_dict(cls, saved: dict) -> "SarimaxModel":
        arrays = {name: np.array(values) for name, values in saved.items() if name != "week"}
        return cls(week=date.fromisoformat(saved["week"]), **arrays)


@dataclass(frozen=True)
class Rolling:
    """Out-of-sample forecasts from every week of a panel, on the logarithmic scale.

    endog (series, weeks); scale (series), in units; pattern (series, weeks): codes of PATTERNS; highest (series,
    weeks): the most that is forecast, see MAX_GROWTH; season, location and error (series, weeks, horizon): what
    is forecast, the season's share in it, and how far off it was, NaN where the week has not closed.
    """

    endog: np.ndarray
    scale: np.ndarray
    pattern: np.ndarray
    highest: np.ndarray
    season: np.ndarray
    location: np.ndarray
    error: np.ndarray


class PartSample:
    """The rows of about `n_series` series, whole parts drawn by a hash of their names, from rows that are handed
    in a few at a time. It holds no more than the sample, and which parts are drawn depends on no order."""

    def __init__(self, n_series: int) -> None:
        self._n_series = n_series
        self._kept: list[pd.DataFrame] = []
        self._series = pd.DataFrame(columns=[*SERIES, _RANK])
        # Falls as series are seen, so that what has been left out once would not be drawn later.
        self._last_rank = np.iinfo(np.uint64).max

    def add(self, history: pd.DataFrame) -> None:
        """`history`: part_id, region and whatever else is to be kept."""
        rows = history.assign(**{_RANK: pd.util.hash_array(history["part_id"].to_numpy(object))})
        seen = self._drawn(rows)[[*SERIES, _RANK]].drop_duplicates(SERIES)
        series = pd.concat([self._series, seen]) if len(self._series) else seen
        self._series = series.drop_duplicates(SERIES).sort_values(_RANK)
        if len(self._series) > self._n_series:
            self._last_rank = self._series[_RANK].iloc[self._n_series - 1]
            self._series = self._drawn(self._series)
        self._kept.append(self._drawn(rows))

    @property
    def rows(self) -> pd.DataFrame:
        return self._drawn(pd.concat(self._kept)).drop(columns=_RANK)

    def _drawn(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[(rows[_RANK] <= self._last_rank).to_numpy(bool)]


def sample_parts(history: pd.DataFrame, n_series: int) -> pd.DataFrame:
    """The rows of `history` of about `n_series` series: whole parts, drawn by a hash of their names."""
    sample = PartSample(n_series)
    sample.add(history)
    return sample.rows


def fit(
    history: pd.DataFrame, totals: GroupTotals, week: date, horizon: int, settings: ForecastingSettings
) -> SarimaxModel:
    """Learn from the series of `history` as of the end of `week`; what is after it is not looked at.

    `history`: part_id, region, part_category, week, quantity, only weeks with orders, every region of its
    parts. Raises DemandError.
    """
    return fit_and_roll(history, totals, week, horizon, settings)[0]


def fit_and_roll(
    history: pd.DataFrame, totals: GroupTotals, week: date, horizon: int, settings: ForecastingSettings
) -> tuple[SarimaxModel, Panel, Rolling]:
    """What `fit` learns, and what `roll` makes of the panel that it learns from."""
    panel = Panel.of(history, add_weeks(week, 1 - settings.history_weeks), week)
    n_weeks = panel.demand.shape[1]
    ago, deviation = components(panel, totals, n_weeks - 1, horizon)
    sparse = _sparse(panel, n_weeks - 1)
    season = np.stack(
        [fit_season(ago[:, sparse == c, :n_weeks], deviation[sparse == c]) for c in (False, True)]
    )
    rolled = _roll(panel, ago, season, n_weeks - 1, horizon)

    counted = np.where((np.arange(n_weeks) >= n_weeks - ERROR_WEEKS)[:, None], rolled.error, np.nan)
    by_horizon = np.array([_average(np.median, np.abs(counted[..., h]), 1.0) for h in range(horizon)])
    pattern = rolled.pattern
    relative = np.abs(counted) / by_horizon
    overall = _average(np.mean, relative, 1.0)
    spread = np.array([_average(np.mean, relative[pattern == p], overall) for p in range(len(PATTERNS))])
    standardised = counted / _spreads(rolled, by_horizon, spread)
    errors = np.array(
        [
            [_quantiles(standardised[pattern == p, h], standardised[..., h]) for h in range(horizon)]
            for p in range(len(PATTERNS))
        ]
    )
    model = SarimaxModel(week, season, by_horizon, spread, errors, np.ones(len(PATTERNS)))
    return replace(model, smearing=_smearing(model, panel, rolled)), panel, rolled


def _smearing(model: SarimaxModel, panel: Panel, rolled: Rolling) -> np.ndarray:
    """By demand pattern, what the medians missed over what the means add to them, each relative to the size of
    its series."""
    last = panel.demand.shape[1] - 1
    columns = np.arange(last - 1, max(last - ERROR_WEEKS, 0), -SMEARING_STEP)
    values = distribution(model, rolled, columns)
    median = values[..., VALUES.index("q50")]
    target = columns[:, None] + np.arange(1, model.horizon + 1)
    actual = np.where(target <= last, panel.demand[:, np.minimum(target, last)], np.nan)
    added = (values[..., 0] - median) / rolled.scale[:, None, None]
    missed = (actual - median) / rolled.scale[:, None, None]
    pattern, known = rolled.pattern[:, columns], np.isfinite(missed * added)
    share = np.ones(len(PATTERNS))
    for p in range(len(PATTERNS)):
        of = known & (pattern == p)[..., None]
        if of.sum() >= FEWEST_ERRORS and added[of].sum() > 0:
            share[p] = np.clip(missed[of].sum() / added[of].sum(), 0.0, 1.0)
    return share


def roll(model: SarimaxModel, panel: Panel, totals: GroupTotals) -> Rolling:
    """Forecasts from every week of `panel`, which begins where that of `fit` began and may end later."""
    ago, _ = components(panel, totals, panel.column(model.week), model.horizon)
    return _roll(panel, ago, model.season, panel.column(model.week), model.horizon)


def predict(
    model: SarimaxModel,
    history: pd.DataFrame,
    totals: GroupTotals,
    origins: Sequence[date],
    settings: ForecastingSettings,
) -> pd.DataFrame:
    """Forecasts from each of `origins` for every series alive there, as rows of a forecast table.

    `history` as for `fit`; every origin is the model's week or later.
    """
    origins = sorted(origins)
    panel = Panel.of(history, add_weeks(model.week, 1 - settings.history_weeks), origins[-1])
    columns = np.array([panel.column(o) for o in origins])
    values = distribution(model, roll(model, panel, totals), columns)
    series, origin = np.nonzero(np.stack([panel.alive(c) for c in columns], axis=1))
    weeks = np.array(origins, dtype="datetime64[ns]")
    return forecast_table(panel.series.iloc[series], weeks[origin], values[series, origin])


def distribution(model: SarimaxModel, rolled: Rolling, columns: np.ndarray) -> np.ndarray:
    """Mean and quantiles (series, columns, horizon, 8) in units, as of the end of each of `columns`."""
    spread = spreads(model, rolled)
    shape = len(rolled.endog), model.horizon
    series, h = (i.ravel() for i in np.indices(shape))
    values = np.empty((shape[0], len(columns), shape[1], len(VALUES)))
    for i, column in enumerate(columns):
        made = demand_at(model, rolled, spread, series, np.full(len(series), column), h)
        values[:, i] = made.reshape(*shape, len(VALUES))
    return values


def demand_at(
    model: SarimaxModel,
    rolled: Rolling,
    spread: np.ndarray,
    series: np.ndarray,
    column: np.ndarray,
    h: np.ndarray,
) -> np.ndarray:
    """Mean and quantiles (cells, 8) in units of the cells of a series, a week and the h-th horizon from 0."""
    pattern = rolled.pattern[series, column]
    errors = model.errors[pattern, h] * spread[series, column, h, None]
    log_demand = rolled.location[series, column, h, None] + errors
    demand = in_units(np.minimum(log_demand, rolled.highest[series, column, None]), rolled.scale[series])
    quantiles = demand[:, AT_LEVELS]
    median = quantiles[:, VALUES.index("q50") - 1]
    mean = median + model.smearing[pattern] * (demand.mean(axis=1) - median)
    return np.column_stack([mean, quantiles])


def spreads(model: SarimaxModel, rolled: Rolling) -> np.ndarray:
    """The scale of the errors (series, weeks, horizon) as known at the end of each week."""
    return _spreads(rolled, model.error_by_horizon, model.spread)


def in_units(log_demand: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Demand from the logarithmic scale; `scale` is that of the first axis."""
    return np.expm1(np.maximum(log_demand, 0.0)) * scale.reshape(-1, *[1] * (log_demand.ndim - 1)) / LOG_GAIN


def _sparse(panel: Panel, fitted_at: int) -> np.ndarray:
    """Whether each series was ordered too seldom for its own season to show."""
    weeks = np.maximum(fitted_at + 1 - panel.first_order, 1)
    return np.asarray(weeks > ADI_LIMIT * (panel.demand[:, : fitted_at + 1] > 0).sum(axis=1))


def _roll(panel: Panel, ago: np.ndarray, season: np.ndarray, fitted_at: int, horizon: int) -> Rolling:
    n, n_weeks = panel.demand.shape
    first = panel.first_order
    scale = scale_of(panel.demand, fitted_at)
    offset = np.einsum("cnt,nc->nt", ago, season[_sparse(panel, fitted_at).astype(int)])
    endog = logged(panel.demand, scale)
    ahead = np.stack([offset[:, 1 + h : n_weeks + 1 + h] for h in range(horizon)], axis=-1)
    location = np.empty((n, n_weeks, horizon))
    for begin in range(0, n, CHUNK_SERIES):
        some = slice(begin, begin + CHUNK_SERIES)
        location[some] = _averaged(endog[some] - offset[some, :n_weeks], first[some], horizon)
    location = np.maximum(location + ahead, 0.0)
    error = np.full_like(location, np.nan)
    for h in range(1, horizon + 1):
        error[:, :-h, h - 1] = endog[:, h:] - location[:, :-h, h - 1]
    highest = logged(MAX_GROWTH * np.maximum.accumulate(panel.demand, axis=1), scale)
    return Rolling(endog, scale, panel.patterns(np.arange(n_weeks)), highest, ahead, location, error)


def _averaged(endog: np.ndarray, first: np.ndarray, horizon: int) -> np.ndarray:
    """The average of the candidates (series, weeks, horizon), weighted by their errors up to each week."""
    made = np.stack([forecasts(endog, first, candidate, horizon) for candidate in CANDIDATES])
    squared, count = np.zeros(made.shape[:2]), np.zeros(len(endog))
    out = np.empty(made.shape[1:])
    for t in range(endog.shape[1]):
        squared, count = MEMORY * squared, MEMORY * count
        for h in range(1, min(horizon, t) + 1):
            error = made[:, :, t - h, h - 1] - endog[:, t]
            squared += np.nan_to_num(error**2)
            count += t - h >= first
        mean = squared.mean(axis=0) + 1e-9
        shrunk = squared / mean + PRIOR_ERRORS / np.maximum(count, 1.0)
        weight = shrunk ** -float(SHARPNESS)
        out[:, t] = np.einsum("cn,cnh->nh", weight / weight.sum(axis=0), made[:, :, t])
    return out


def _spreads(rolled: Rolling, by_horizon: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Mean absolute error of each series at the end of each week, shrunk to that of its pattern, by horizon."""
    n, n_weeks, horizon = rolled.error.shape
    relative = np.abs(rolled.error) / by_horizon
    total, count = np.zeros(n), np.zeros(n)
    out = np.empty((n, n_weeks))
    for t in range(n_weeks):
        total, count = MEMORY * total, MEMORY * count
        for h in range(1, min(horizon, t) + 1):
            total += np.nan_to_num(relative[:, t - h, h - 1])
            count += np.isfinite(relative[:, t - h, h - 1])
        out[:, t] = (total + PRIOR_SPREAD_ERRORS * spread[rolled.pattern[:, t]]) / (
            count + PRIOR_SPREAD_ERRORS
        )
    return out[:, :, None] * by_horizon


def _average(of: Callable[[np.ndarray], float], values: np.ndarray, otherwise: float) -> float:
    known = values[np.isfinite(values)]
    return max(float(of(known)), 1e-6) if len(known) else otherwise


def _quantiles(errors: np.ndarray, of_all: np.ndarray) -> np.ndarray:
    """Quantiles of `errors` at ERROR_LEVELS, of those of all patterns where they are too few."""
    for some in (errors, of_all):
        known = some[np.isfinite(some)]
        if len(known) >= FEWEST_ERRORS:
            return np.quantile(known, ERROR_LEVELS)
    from scipy.special import ndtri

    return ndtri(ERROR_LEVELS) * np.sqrt(np.pi / 2)  # a normal whose mean absolute value is one
