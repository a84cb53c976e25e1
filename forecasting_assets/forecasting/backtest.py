"""Rolling-origin evaluation: forecasts made at earlier origins, compared with the weeks that have closed since.

Each origin is loaded once, however many weeks are reported on: its errors are added up by model, horizon and segment,
and the report of a week sums the origins and horizons that count for it. In-sample errors are never used, and the
combination at an origin uses the weights that were known then.

References
----------
Tashman (2000), "Out-of-sample tests of forecasting accuracy: an analysis and review".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.calibration import ratio_counts, widen, width_factors
from forecasting_assets.forecasting.combine import plain_average, segment_codes, weighted_average
from forecasting_assets.forecasting.correlation import MarketSums, error_correlations, normal_scores
from forecasting_assets.forecasting.error_groups import (
    OriginErrors,
    calibration_rows,
    group_errors,
    part_errors,
    value_classes,
)
from forecasting_assets.forecasting.forecast_arrays import MEDIAN, VALUES, SeriesIndex
from forecasting_assets.forecasting.judged_demand import JudgedDemand
from forecasting_assets.forecasting.metrics import SUMS, NaiveErrors, error_sums, metrics, naive_errors
from forecasting_assets.forecasting.naive import seasonal_naive
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.reconciliation import reconcile
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.value_added import STEPS, JudgedOverrides, step_rows, value_added_rows
from forecasting_assets.forecasting.weights import combination_weights
from forecasting_assets.tables import FORECAST_OVERRIDES, SERIES, WITHOUT_COVARIATES
from forecasting_assets.weeks import add_weeks, weeks_apart, weeks_between

#: Forecasts that are judged beside those of the models.
OTHERS = ["combined", "seasonal_naive"]
#: What an origin counts for weights and interval widths, relative to one a week later: all together count as about
#: nine of the latest. How good the models are changes with the season and as they learn from a longer history.
MEMORY = 0.9
#: Origins at which a model has to be judged before it counts beside others, or half of the origins of the model that
#: has been judged most often, if these are fewer.
NEW_MODEL_ORIGINS = 8


@dataclass(frozen=True)
class PastForecasts:
    """What was forecast at earlier origins; the functions return None where there is nothing.

    Attributes
    ----------
    models
        Names of the models.
    forecasts
        Model and origin to a forecast table.
    segments
        Origin to part_id, region, segment, part_category, mean_52 and price as of then.
    book
        Origin to part_id, region, due_week, quantity that were booked then.
    markets
        Origin to its rows of MARKET_FORECAST.
    left_out
        Week to the rows of CLEANED_POINTS as of then, see `JudgedDemand`.
    overrides
        Rows of FORECAST_OVERRIDES that planners have entered, of which an origin uses those known by its end.
    """

    models: tuple[str, ...]
    forecasts: Callable[[str, date], pd.DataFrame | None]
    segments: Callable[[date], pd.DataFrame | None]
    book: Callable[[date], pd.DataFrame | None] = lambda origin: None
    markets: Callable[[date], pd.DataFrame | None] = lambda origin: None
    left_out: Callable[[date], pd.DataFrame | None] = lambda week: None
    overrides: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=FORECAST_OVERRIDES.names))


@dataclass(frozen=True)
class Backtest:
    """What earlier forecasts were worth, as known at the end of a week.

    Attributes
    ----------
    report
        Rows of BACKTEST_REPORT: origin_week, model, segment, horizon, metric, value; horizon 0 is all horizons
        together.
    correlations
        Rows of ERROR_CORRELATIONS, of the combined forecast.
    errors
        Rows of FORECAST_ERRORS.
    parts
        Rows of PART_ERRORS.
    """

    report: pd.DataFrame
    correlations: pd.DataFrame
    errors: pd.DataFrame
    parts: pd.DataFrame


def rolling_backtest(
    weeks: Sequence[date],
    past: PastForecasts,
    demand: pd.DataFrame,
    horizon: int,
    settings: ForecastingSettings,
) -> dict[date, Backtest]:
    """Judge earlier forecasts at the end of each of `weeks`.

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
        Week to what is known then.
    """
    weeks = sorted(weeks)
    begin = add_weeks(weeks[0], -2 * settings.backtest_weeks)
    panel = Panel.from_history(demand, add_weeks(begin, 1 - settings.history_weeks), weeks[-1])
    index = SeriesIndex(panel.series)
    n_origins = weeks_apart(begin, weeks[-1])
    points = {week: past.left_out(week) for week in weeks_between(begin, weeks[-1])}
    left_out = {week: rows for week, rows in points.items() if rows is not None}
    sums = _OriginSums.empty(
        past.models,
        n_origins,
        horizon,
        JudgedDemand(panel, index, left_out),
        JudgedOverrides.of(past.overrides),
        settings,
    )
    results = {}
    for o in range(n_origins + 1):
        week = add_weeks(begin, o)
        weights, widths = sums.weights_at(o), sums.widths_at(o)
        if week in weeks:
            results[week] = _backtest(week, sums, o, weights, widths)
        origin = _load_origin(week, past, index, horizon) if o < n_origins else None
        if origin is not None:
            sums.add(o, origin, weights, widths)
        sums.forget(o - settings.backtest_weeks)
    return results


def _backtest(week: date, sums: "_OriginSums", o: int, weights: np.ndarray, widths: np.ndarray) -> Backtest:
    """Return what is known at the end of `week`, the o-th, with the `weights` and `widths` that it suggests."""
    correlations, added = error_correlations(sums.correlations_at(o)), sums.value_added_at(o)
    origins = list(sums.errors.values())
    known = sums.known_at(o)
    parts = [
        _report(week, sums.models, known, weights),
        step_rows(week, sums.of_steps(known), bool(sums.covariates)),
        _width_rows(week, widths),
        _home_rows(week, correlations),
        calibration_rows(origins, week),
    ]
    parts += [value_added_rows(week, sums.overrides, added)] if added is not None else []
    report = pd.concat(parts, ignore_index=True)
    return Backtest(
        report,
        correlations,
        group_errors(origins, week),
        part_errors(origins, week, sums.demand.panel.series),
    )


@dataclass(frozen=True)
class _OriginSums:
    """Sums of each origin, which is judged by `demand` and `overrides`, with the `settings` of the forecasts.

    `total` is (forecasts, origins, horizons, SEGMENTS, SUMS), of the `models`, of OTHERS and of STEPS. The others have
    the origins of the window with forecasts: `correlation`, `errors`, `value_added` (groups of overrides, horizons,
    METRICS) if there are overrides, and `ratios`, the counts of `calibration.ratio_counts` for the plain average,
    reconciled with markets, because the weights of every origin of the window would need the window before it as well.
    `covariates` has the origins of the window with forecasts that used covariates.
    """

    models: tuple[str, ...]
    total: np.ndarray
    demand: JudgedDemand
    overrides: JudgedOverrides
    settings: ForecastingSettings
    correlation: dict[int, MarketSums] = field(default_factory=dict)
    value_added: dict[int, np.ndarray] = field(default_factory=dict)
    ratios: dict[int, np.ndarray] = field(default_factory=dict)
    errors: dict[int, OriginErrors] = field(default_factory=dict)
    covariates: set[int] = field(default_factory=set)

    @classmethod
    def empty(
        cls,
        models: tuple[str, ...],
        origins: int,
        horizon: int,
        demand: JudgedDemand,
        overrides: JudgedOverrides,
        settings: ForecastingSettings,
    ) -> "_OriginSums":
        """Return sums to which no origin has contributed yet."""
        shape = len(models) + len(OTHERS) + len(STEPS), origins, horizon, len(SEGMENTS), len(SUMS)
        return cls(models, np.zeros(shape), demand, overrides, settings)

    def add(self, o: int, origin: "_Origin", weights: np.ndarray, widths: np.ndarray) -> None:
        """Judge the forecasts from the o-th origin, combined with the `weights` and `widths` that were known then."""
        week, series, horizon = origin.week, origin.series, self.total.shape[2]
        of_series = np.moveaxis(weights, 1, 2)[:, origin.segment]
        plain, average = plain_average(origin.forecasts), weighted_average(origin.forecasts, of_series)
        reconciled = origin.reconciled(average)
        combined = widen(reconciled, widths[origin.segment], origin.booked)
        actual = self.demand.after(week, series, horizon)
        history = self.demand.until(week, series, self.settings.history_weeks)
        models, scale = _models(self.models, origin, combined, history)
        steps = [plain, _without_covariates(origin, of_series), average, reconciled]
        self.total[:, o] = _sums_at(origin, [*models.values(), *steps], scale, actual)
        self.ratios[o] = ratio_counts(actual, origin.reconciled(plain), origin.segment)
        scores, rare = normal_scores(actual, combined[..., 1:]), combined[..., VALUES.index("q10")] <= 0
        self.correlation[o] = MarketSums.of(scores, rare, origin.markets)
        self.errors[o] = OriginErrors.of(week, series, origin.markets, models, actual)
        if self.overrides.groups:
            # An override may be right about a week that is absurd to the models.
            orders = self.demand.orders_after(week, series, horizon)
            self.value_added[o] = self.overrides.sums(combined[..., 0], orders, origin.markets, week)
        if origin.planned.any():
            self.covariates.add(o)

    def forget(self, o: int) -> None:
        """Drop what is known of the o-th origin, which has left the window, but its `total`."""
        for known in (self.correlation, self.value_added, self.ratios, self.errors):
            known.pop(o, None)
        self.covariates.discard(o)

    def known_at(self, o: int) -> np.ndarray:
        """Sum over the window of what had closed by the o-th week: (forecasts, horizons, SEGMENTS, SUMS)."""
        known: np.ndarray = (self.total[:, self._first(o) : o] * self._closed(o)[None, ..., None, None]).sum(
            axis=1
        )
        return known

    def weights_at(self, o: int) -> np.ndarray:
        """Return the weights of the models that the window suggests by the o-th week, (models, horizons, SEGMENTS)."""
        total = self.total[: len(self.models), self._first(o) : o]
        # Models are compared at the same origins, and a model that has been added counts once there are enough of them.
        recent, known = self._recent(o)[..., None], total[..., SUMS.index("cells")] > 0
        origins = (known & (recent > 0)).sum(axis=1, keepdims=True)
        judged = origins >= np.minimum(NEW_MODEL_ORIGINS, np.maximum(origins.max(axis=0) / 2, 1))
        counted = judged * (known | ~judged).all(axis=0) * recent
        return combination_weights((total * counted[..., None]).sum(axis=1), self.settings.weight_prior_cells)

    def of_steps(self, known: np.ndarray) -> np.ndarray:
        """Sum what is known of the steps (`known_at`) over all horizons, (STEPS, SEGMENTS, SUMS)."""
        first = len(self.models) + len(OTHERS)
        steps: np.ndarray = known[first : first + len(STEPS)].sum(axis=1)
        return steps

    def correlations_at(self, o: int) -> list[MarketSums]:
        """Return the sums of the window's origins, zero for horizons that had not closed by the o-th week."""
        closed = zip(range(self._first(o), o), self._closed(o), strict=True)
        return [
            replace(self.correlation[n], sums=self.correlation[n].sums * horizons[:, None, None])
            for n, horizons in closed
            if n in self.correlation
        ]

    def widths_at(self, o: int) -> np.ndarray:
        """Return the factors of the interval widths that the window suggests by the o-th week, (SEGMENTS,)."""
        recent = zip(range(self._first(o), o), self._recent(o), strict=True)
        counts = [(self.ratios[n], memory) for n, memory in recent if n in self.ratios]
        if not counts:
            return np.ones(len(SEGMENTS))
        known = np.sum([np.einsum("h,h...->...", memory, of) for of, memory in counts], axis=0)
        return width_factors(known, np.sum([memory for _, memory in counts], axis=0).max())

    def value_added_at(self, o: int) -> np.ndarray | None:
        """Sum over the window of what had closed by the o-th week, (groups, METRICS); None if there is nothing."""
        closed = zip(range(self._first(o), o), self._closed(o), strict=True)
        known = [
            (self.value_added[n] * horizons[:, None]).sum(axis=1)
            for n, horizons in closed
            if n in self.value_added
        ]
        return np.sum(known, axis=0) if known else None

    def _first(self, o: int) -> int:
        return max(0, o - self.settings.backtest_weeks)

    def _age(self, o: int) -> np.ndarray:
        """Weeks from the target of each origin of the window and horizon to the o-th week; negative if it is later."""
        horizons = np.arange(1, self.total.shape[2] + 1)
        age: np.ndarray = o - np.arange(self._first(o), o)[:, None] - horizons
        return age

    def _closed(self, o: int) -> np.ndarray:
        """Whether the target of each origin of the window and horizon had closed by the o-th week."""
        return self._age(o) >= 0

    def _recent(self, o: int) -> np.ndarray:
        """Return what each origin of the window and horizon counts by the o-th week; zero if it had not closed.

        The latest that has closed counts as one, for each horizon.
        """
        age = self._age(o)
        return np.where(age >= 0, MEMORY ** np.maximum(age, 0), 0.0)


@dataclass(frozen=True)
class _Origin:
    """Forecasts from one origin: of the rows `series` of the panel, (models, series, horizons, VALUES).

    `without_covariates` has their medians if no covariates were known, (models, series, horizons), and `planned`
    whether any were, (series, horizons).
    `booked` has the units that were ordered by then, (series, horizons).
    `markets` has the part_category, region, value_class and price of each series, missing where they are not known, and
    `market_forecast` the rows of MARKET_FORECAST, None if there are none.
    """

    week: date
    series: np.ndarray
    segment: np.ndarray
    markets: pd.DataFrame
    forecasts: np.ndarray
    without_covariates: np.ndarray
    planned: np.ndarray
    booked: np.ndarray
    market_forecast: pd.DataFrame | None

    def reconciled(self, values: np.ndarray) -> np.ndarray:
        """Reconcile forecasts (series, horizons, VALUES) with those of markets, if there are any."""
        if self.market_forecast is None:
            return values
        return reconcile(values, self.markets, self.market_forecast, self.planned, self.booked)


def _load_origin(week: date, past: PastForecasts, index: SeriesIndex, horizon: int) -> _Origin | None:
    """Forecasts from the origin `week`, None if there are none."""
    tables = [past.forecasts(model, week) for model in past.models]
    if all(table is None for table in tables):
        return None
    columns = [*VALUES, WITHOUT_COVARIATES.name]
    arrays = np.stack([index.forecast_array(table, horizon, columns) for table in tables])
    forecasts, without = arrays[..., :-1], arrays[..., -1]
    planned = np.isfinite(without).any(axis=0)
    without = np.where(np.isnan(without), forecasts[..., MEDIAN], without)
    active = np.flatnonzero(np.isfinite(forecasts[..., 0]).any(axis=(0, 2)))
    if not len(active):
        return None
    known = past.segments(week)
    segment = segment_codes(index, known)[active]
    markets = index.series.iloc[active][SERIES]
    if known is None:
        markets = markets.assign(part_category=None, value_class=None, price=np.nan)
    else:
        known = known.assign(value_class=value_classes((known["mean_52"] * known["price"]).to_numpy(float)))
        markets = markets.merge(
            known[[*SERIES, "part_category", "value_class", "price"]],
            how="left",
            on=SERIES,
            validate="one_to_one",
        )
    booked = index.booked_array(past.book(week), week, horizon)
    return _Origin(
        week,
        active,
        segment,
        markets,
        forecasts[:, active],
        without[:, active],
        planned[active],
        booked[active],
        past.markets(week),
    )


def _without_covariates(origin: _Origin, weights: np.ndarray) -> np.ndarray:
    """Return the weighted average of the medians without covariates: (series, horizons, VALUES)."""
    return _mean_and_median(weighted_average(origin.without_covariates[..., None], weights)[..., 0])


def _models(
    names: Sequence[str], origin: _Origin, combined: np.ndarray, history: np.ndarray
) -> tuple[dict[str, np.ndarray], NaiveErrors]:
    """Return the forecasts of the models and of OTHERS, and their error scales, from demand (series, weeks)."""
    first = np.where(history.any(axis=1), (history > 0).argmax(axis=1), history.shape[1])
    naive = _mean_and_median(seasonal_naive(history, first, combined.shape[1]))
    models = dict(zip(names, origin.forecasts, strict=True)) | {"combined": combined, "seasonal_naive": naive}
    return models, naive_errors(history, first)


def _sums_at(
    origin: _Origin, forecasts: Sequence[np.ndarray], scale: NaiveErrors, actual: np.ndarray
) -> np.ndarray:
    """Compute the sums (forecasts, horizons, SEGMENTS, SUMS) of one origin.

    `forecasts` are those of `_OriginSums.total`, `scale` has their scales, and `actual` the demand (series, weeks)
    after the origin, NaN where it is not known.
    """
    n = len(actual)
    in_segment = (origin.segment == np.arange(len(SEGMENTS))[:, None]).astype(float)
    in_segment[SEGMENTS.index("all")] = 1.0
    by_segment = [in_segment @ error_sums(actual, values, scale).reshape(n, -1) for values in forecasts]
    return np.stack(by_segment).reshape(len(forecasts), len(SEGMENTS), actual.shape[1], -1).swapaxes(1, 2)


def _mean_and_median(points: np.ndarray) -> np.ndarray:
    """Forecast array with `points` (series, horizons) as mean and median and no other quantiles."""
    values = np.full((*points.shape, len(VALUES)), np.nan)
    values[..., [0, MEDIAN]] = points[..., None]
    return values


def _report(week: date, models: Sequence[str], known: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    """Rows of one week from the sums (forecasts, horizons, SEGMENTS, SUMS) of some origins, and from the weights.

    Horizon 0 is all horizons together.
    """
    judged = [*models, *OTHERS]
    of_judged = known[: len(judged)]
    values = metrics(np.concatenate([of_judged.sum(axis=1, keepdims=True), of_judged], axis=1))
    values["weight"] = np.full(values["n"].shape, np.nan)
    values["weight"][: len(models), 1:] = weights
    names = list(values)
    model, horizon, segment = np.indices(values["n"].shape).reshape(3, -1)
    table = pd.DataFrame(
        {
            "origin_week": pd.Timestamp(week),
            "model": np.repeat(np.array(judged, dtype=object)[model], len(names)),
            "segment": np.repeat(np.array(SEGMENTS, dtype=object)[segment], len(names)),
            "horizon": np.repeat(horizon, len(names)),
            "metric": np.tile(np.array(names, dtype=object), len(model)),
            "value": np.stack([values[n].ravel() for n in names], axis=1).ravel(),
        }
    )
    return table[table["value"].notna()].reset_index(drop=True)


def _width_rows(week: date, widths: np.ndarray) -> pd.DataFrame:
    """Return the factors of the interval widths (SEGMENTS,) as rows of the report."""
    return pd.DataFrame(
        {
            "origin_week": pd.Timestamp(week),
            "model": "combined",
            "segment": SEGMENTS,
            "horizon": 0,
            "metric": "width",
            "value": widths,
        }
    )


def _home_rows(week: date, correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the correlations of the whole home as rows of the report; none while no error is known."""
    home = correlations.iloc[0]
    metrics_of_home = ["part_correlation", "week_correlation"] if home["origins"] else []
    return pd.DataFrame(
        {
            "origin_week": pd.Timestamp(week),
            "model": "combined",
            "segment": "all",
            "horizon": 0,
            "metric": metrics_of_home,
            "value": [float(home[name]) for name in metrics_of_home],
        }
    )
