"""Rolling-origin evaluation: forecasts made at earlier origins, compared with the weeks that have closed since.

Each origin is loaded once, however many weeks are reported on: its errors are added up by model, horizon and segment,
and the report of a week sums the origins and horizons that count for it. In-sample errors are never used, and the
combination at an origin uses the weights that were known then.

References
----------
Tashman (2000), "Out-of-sample tests of forecasting accuracy: an analysis and review".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.combine import combination_weights, segment_codes, weighted_average
from forecasting_assets.forecasting.forecast_arrays import VALUES, SeriesIndex
from forecasting_assets.forecasting.metrics import SUMS, error_sums, metrics, naive_errors
from forecasting_assets.forecasting.naive import seasonal_naive
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.value_added import METRICS, JudgedOverrides, value_added_rows
from forecasting_assets.tables import FORECAST_OVERRIDES
from forecasting_assets.weeks import add_weeks, weeks_apart

MODELS = ["sarimax", "xgb", "combined", "seasonal_naive"]
#: The forecasts whose errors are summed: MODELS, and the plain average of the first two, which the weights need.
_SUMMED = [*MODELS, "equal"]


@dataclass(frozen=True)
class PastForecasts:
    """What was forecast at earlier origins; both functions return None where there is nothing.

    Attributes
    ----------
    forecasts
        Model ("sarimax" or "xgb") and origin to a forecast table.
    segments
        Origin to part_id, region, segment, and part_category where there are overrides, as of then.
    overrides
        Rows of FORECAST_OVERRIDES that planners have entered, of which an origin uses those known by its end.
    """

    forecasts: Callable[[str, date], pd.DataFrame | None]
    segments: Callable[[date], pd.DataFrame | None]
    overrides: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=FORECAST_OVERRIDES.names))


def rolling_backtest(
    weeks: Sequence[date],
    past: PastForecasts,
    demand: pd.DataFrame,
    horizon: int,
    settings: ForecastingSettings,
) -> dict[date, pd.DataFrame]:
    """Compute the backtest_report of each of `weeks`.

    Parameters
    ----------
    weeks
        Weeks to report on.
    past
        Earlier forecasts. Each origin is loaded once, from twice `backtest_weeks` before the first week (the
        earliest combination needs the weights known then) to the last week.
    demand
        part_id, region, week, quantity, only weeks with orders, from `history_weeks` before the first of these
        origins.
    horizon
        Number of weeks that are forecast.
    settings
        Settings of the forecasts.

    Returns
    -------
    dict
        Week to origin_week, model, segment, horizon, metric, value; horizon 0 is all horizons together.
    """
    weeks = sorted(weeks)
    begin = add_weeks(weeks[0], -2 * settings.backtest_weeks)
    panel = Panel.from_history(demand, add_weeks(begin, 1 - settings.history_weeks), weeks[-1])
    index = SeriesIndex(panel.series)
    n_origins = weeks_apart(begin, weeks[-1])
    shape = len(_SUMMED), n_origins, horizon, len(SEGMENTS), len(SUMS)
    sums = _OriginSums(np.zeros(shape), settings.backtest_weeks)
    judged = JudgedOverrides.of(past.overrides)
    value_added = _OriginSums(
        np.zeros((len(judged.groups), n_origins, horizon, len(METRICS))), settings.backtest_weeks
    )
    for o in range(n_origins):
        origin = _load_origin(add_weeks(begin, o), past, index, horizon)
        if origin is not None:
            weight = _weights(sums.known_at(o), settings).T[origin.segment]
            now = panel.column(origin.week) + 1
            history = panel.demand[origin.series, now - settings.history_weeks : now]
            actual = np.full((len(origin.series), horizon), np.nan)
            closed = panel.demand[origin.series, now : now + horizon]
            actual[:, : closed.shape[1]] = closed
            sums.total[:, o] = _sums_at(origin, weight, history, actual)
            if judged.groups:
                combined = weighted_average(origin.sarimax, origin.xgb, weight)[..., 0]
                value_added.total[:, o] = judged.sums(combined, actual, origin.keys, origin.week)
    reports = {}
    for week in weeks:
        o = weeks_apart(begin, week)
        accuracy = _report(week, sums.known_at(o), settings)
        added = value_added_rows(week, judged, value_added.known_at(o).sum(axis=1))
        reports[week] = pd.concat([accuracy, added], ignore_index=True) if len(added) else accuracy
    return reports


@dataclass(frozen=True)
class _OriginSums:
    """`total` (models or groups, origins, horizons, …) of each origin, and the number of origins that count."""

    total: np.ndarray
    window: int

    def known_at(self, o: int) -> np.ndarray:
        """Sum over the window of what had closed by the o-th week: (models or groups, horizons, …)."""
        first = max(0, o - self.window)
        horizons = np.arange(1, self.total.shape[2] + 1)
        closed = np.arange(first, o)[:, None] + horizons <= o
        axes = tuple(range(2, self.total.ndim - 1))
        counted = np.expand_dims(closed[None], tuple(axis + 1 for axis in axes))
        known: np.ndarray = (self.total[:, first:o] * counted).sum(axis=1)
        return known


@dataclass(frozen=True)
class _Origin:
    """Forecasts from one origin: of the rows `series` of the panel, as arrays (series, horizons, VALUES).

    `keys` are their part_id, part_category and region.
    """

    week: date
    series: np.ndarray
    keys: pd.DataFrame
    segment: np.ndarray
    sarimax: np.ndarray
    xgb: np.ndarray


def _load_origin(week: date, past: PastForecasts, index: SeriesIndex, horizon: int) -> _Origin | None:
    """Forecasts from the origin `week`, None if there are none."""
    tables = [past.forecasts(model, week) for model in ("sarimax", "xgb")]
    if all(table is None for table in tables):
        return None
    sarimax, xgb = (index.forecast_array(table, horizon) for table in tables)
    active = np.flatnonzero(np.isfinite([sarimax[..., 0], xgb[..., 0]]).any(axis=(0, 2)))
    if not len(active):
        return None
    segments = past.segments(week)
    segment = segment_codes(index, segments)[active]
    keys = _with_category(index, segments).iloc[active]
    return _Origin(week, active, keys, segment, sarimax[active], xgb[active])


def _with_category(index: SeriesIndex, segments: pd.DataFrame | None) -> pd.DataFrame:
    """Return part_id, region and part_category of the series of `index`, the category as of the origin."""
    category = index.series["part_category"].to_numpy(object).copy()
    if segments is not None and "part_category" in segments:
        row = index.rows(segments)
        category[row[row >= 0]] = segments["part_category"].to_numpy(object)[row >= 0]
    return index.series.assign(part_category=category)


def _sums_at(origin: _Origin, weight: np.ndarray, past: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Compute the sums (_SUMMED, horizons, SEGMENTS, SUMS) of one origin.

    `weight` (series, horizons) is that of SARIMAX; `past` and `actual` are the demand (series, weeks) up to the origin
    and after it, NaN where a week has not closed.
    """
    n, horizon = weight.shape
    first = np.where(past.any(axis=1), (past > 0).argmax(axis=1), past.shape[1])
    scale = naive_errors(past, first)
    models = (
        origin.sarimax,
        origin.xgb,
        weighted_average(origin.sarimax, origin.xgb, weight),
        _mean_and_median(seasonal_naive(past, first, horizon)),
        weighted_average(origin.sarimax, origin.xgb, np.full_like(weight, 0.5)),
    )
    in_segment = (origin.segment == np.arange(len(SEGMENTS))[:, None]).astype(float)
    in_segment[SEGMENTS.index("all")] = 1.0
    by_segment = [in_segment @ error_sums(actual, values, scale).reshape(n, -1) for values in models]
    return np.stack(by_segment).reshape(len(_SUMMED), len(SEGMENTS), horizon, -1).swapaxes(1, 2)


def _weights(known: np.ndarray, settings: ForecastingSettings) -> np.ndarray:
    """Weight of SARIMAX (horizons, SEGMENTS) from the sums (_SUMMED, horizons, SEGMENTS, SUMS)."""
    sarimax, xgb, equal = (known[_SUMMED.index(name)] for name in ("sarimax", "xgb", "equal"))
    return combination_weights(sarimax, xgb, equal, settings.weight_prior_cells)


def _mean_and_median(points: np.ndarray) -> np.ndarray:
    """Forecast array with `points` (series, horizons) as mean and median and no other quantiles."""
    values = np.full((*points.shape, len(VALUES)), np.nan)
    values[..., [0, VALUES.index("q50")]] = points[..., None]
    return values


def _report(week: date, known: np.ndarray, settings: ForecastingSettings) -> pd.DataFrame:
    """Rows of one week from the sums (_SUMMED, horizons, SEGMENTS, SUMS); horizon 0 is all horizons together."""
    known = np.concatenate([known.sum(axis=1, keepdims=True), known], axis=1)
    sarimax = _weights(known, settings)
    known = known[: len(MODELS)]
    values = metrics(known)
    values["weight"] = np.full(known.shape[:-1], np.nan)
    values["weight"][0], values["weight"][1] = sarimax, 1 - sarimax
    names = list(values)
    model, horizon, segment = np.indices(known.shape[:-1]).reshape(3, -1)
    table = pd.DataFrame(
        {
            "origin_week": pd.Timestamp(week),
            "model": np.repeat(np.array(MODELS, dtype=object)[model], len(names)),
            "segment": np.repeat(np.array(SEGMENTS, dtype=object)[segment], len(names)),
            "horizon": np.repeat(horizon, len(names)),
            "metric": np.tile(np.array(names, dtype=object), len(model)),
            "value": np.stack([values[n].ravel() for n in names], axis=1).ravel(),
        }
    )
    return table[table["value"].notna()].reset_index(drop=True)
