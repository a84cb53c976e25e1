"""Rolling origin: forecasts made at earlier origins against the weeks that have closed since.

Each origin is looked at once, whatever the number of weeks reported on: its errors are added up by model,
horizon and segment, and the report of a week sums the origins and horizons that count for it. Never an
in-sample error, and the combination of an origin uses the weights that were known then.
"""

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.combine import SEGMENTS, combination_weights, segment_codes, weighted
from forecasting_assets.forecasting.cube import VALUES, SeriesIndex
from forecasting_assets.forecasting.metrics import SUMS, metrics, naive_errors, sums
from forecasting_assets.forecasting.naive import seasonal_naive
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks

MODELS = ["sarimax", "xgb", "combined", "seasonal_naive"]
#: What is summed: MODELS, and the plain average of the two, from which the weights follow.
_SUMMED = [*MODELS, "equal"]


def rolling_backtest(
    weeks: Sequence[date],
    load_forecasts: Callable[[str, date], pd.DataFrame | None],
    load_segments: Callable[[date], pd.DataFrame | None],
    demand: pd.DataFrame,
    horizon: int,
    settings: ForecastingSettings,
) -> dict[date, pd.DataFrame]:
    """The backtest_report (origin_week, model, segment, horizon, metric, value) of each of `weeks`.

    `load_forecasts(model, origin)` gives what "sarimax" or "xgb" forecast at an origin, and
    `load_segments(origin)` part_id, region, segment as of then; None if there is none. Each origin is asked
    for once, from twice backtest_weeks before the first week (the earliest combination reported on needs the
    weights known then) to the last week. `demand` (part_id, region, week, quantity, only weeks with orders)
    goes back to history_weeks before the first of these origins.
    """
    weeks = sorted(weeks)
    window = settings.backtest_weeks
    begin = add_weeks(weeks[0], -2 * window)
    panel = Panel.of(demand, add_weeks(begin, 1 - settings.history_weeks), weeks[-1])
    index = SeriesIndex(panel.series)
    n_origins = (weeks[-1] - begin).days // 7
    total = np.zeros((len(_SUMMED), n_origins, horizon, len(SEGMENTS), len(SUMS)))

    def known_at(o: int) -> np.ndarray:
        """Sums (_SUMMED, horizons, SEGMENTS, SUMS) over the window of what had closed by the o-th week."""
        seen = total[:, max(0, o - window) : o]
        closed = np.arange(max(0, o - window), o)[:, None] + np.arange(1, horizon + 1) <= o
        return (seen * closed[None, :, :, None, None]).sum(axis=1)

    for o in range(n_origins):
        origin = add_weeks(begin, o)
        made = [load_forecasts(model, origin) for model in ("sarimax", "xgb")]
        if all(table is None for table in made):
            continue
        sarimax, xgb = (index.cube(table, horizon) for table in made)
        alive = np.flatnonzero(np.isfinite([sarimax[..., 0], xgb[..., 0]]).any(axis=(0, 2)))
        if not len(alive):
            continue
        segment = segment_codes(index, load_segments(origin))[alive]
        known = known_at(o)
        weight = _weights(known, settings).T[segment]
        now = panel.column(origin) + 1
        total[:, o] = _sums_at(
            sarimax[alive],
            xgb[alive],
            weight,
            segment,
            panel.demand[alive, now - settings.history_weeks : now],
            panel.demand[alive, now : now + horizon],
        )
    return {week: _report(week, known_at((week - begin).days // 7), settings) for week in weeks}


def _sums_at(
    sarimax: np.ndarray,
    xgb: np.ndarray,
    weight: np.ndarray,
    segment: np.ndarray,
    past: np.ndarray,
    closed: np.ndarray,
) -> np.ndarray:
    """Sums (_SUMMED, horizons, SEGMENTS, SUMS) of one origin.

    `sarimax` and `xgb` are cubes (series, horizons, 8), `weight` (series, horizons) that of SARIMAX, `segment`
    (series) codes of SEGMENTS, `past` and `closed` the demand (series, weeks) up to the origin and after it, as
    far as it is known.
    """
    n, horizon = weight.shape
    actual = np.full((n, horizon), np.nan)
    actual[:, : closed.shape[1]] = closed
    first = np.where(past.any(axis=1), (past > 0).argmax(axis=1), past.shape[1])
    scales = naive_errors(past, first)
    models = (
        sarimax,
        xgb,
        weighted(sarimax, xgb, weight),
        _point(seasonal_naive(past, first, horizon)),
        weighted(sarimax, xgb, np.full_like(weight, 0.5)),
    )
    in_segment = (segment == np.arange(len(SEGMENTS))[:, None]).astype(float)
    in_segment[SEGMENTS.index("all")] = 1.0
    by_segment = [in_segment @ sums(actual, values, *scales).reshape(n, -1) for values in models]
    return np.stack(by_segment).reshape(len(_SUMMED), len(SEGMENTS), horizon, -1).swapaxes(1, 2)


def _weights(known: np.ndarray, settings: ForecastingSettings) -> np.ndarray:
    """Weight of SARIMAX (horizons, SEGMENTS) from the sums (_SUMMED, horizons, SEGMENTS, SUMS)."""
    sarimax, xgb, equal = (known[_SUMMED.index(name)] for name in ("sarimax", "xgb", "equal"))
    return combination_weights(sarimax, xgb, equal, settings.weight_prior_cells)


def _point(points: np.ndarray) -> np.ndarray:
    """A cube of `points` (series, horizons) as mean and median, without other quantiles."""
    values = np.full((*points.shape, len(VALUES)), np.nan)
    values[..., [0, VALUES.index("q50")]] = points[..., None]
    return values


def _report(week: date, known: np.ndarray, settings: ForecastingSettings) -> pd.DataFrame:
    """The rows of one week from the sums (_SUMMED, horizons, SEGMENTS, SUMS); horizon 0 is all together."""
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
