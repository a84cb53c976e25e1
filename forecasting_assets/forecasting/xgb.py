"""XGBoost: one global model over all series and horizons that corrects SARIMAX where the features tell it to.

The trees start from what SARIMAX forecast out of sample at every past origin (`sarimax.roll`): those of the mean
from its mean, by a logarithmic link, and those of the quantiles from the quantiles of its errors, relative to
the error expected of the series. So seasons and levels that trees cannot extrapolate are already there, large
and small series teach each other (Montero-Manso and Hyndman 2021, "Principles and algorithms for forecasting
groups of time series: locality and globality"), and few trees do. The horizon is a feature: direct
multi-horizon. The mean has a Tweedie loss, as demand is zero or positive and skewed; the quantiles have the
pinball loss.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.cube import LEVELS, VALUES, SeriesIndex, forecast_table
from forecasting_assets.forecasting.panel import Panel, week_numbers
from forecasting_assets.forecasting.sarimax import Rolling, SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks

#: Features in units of demand; they are divided by the mean order size.
IN_UNITS = [
    "quantity",
    *(f"lag_{k}" for k in (1, 2, 3, 4, 5, 6, 7, 8, 13, 26)),
    *(f"mean_{k}" for k in (4, 13, 26, 52)),
    *(f"std_{k}" for k in (13, 52)),
]
#: Demand of the target week a year ago and of its neighbours, found by horizon among the lags; in units too.
LAST_YEAR = {"last_year_before": 53, "last_year": 52, "last_year_after": 51}
AS_THEY_ARE = ["age_weeks", "weeks_since_order", "order_weeks_52", "adi", "cv2", "price_ratio"]
#: Demand of the group in the week over its mean of 13 weeks.
GROUP_RATIOS = {"category_ratio": "category", "region_ratio": "region"}
CATEGORIES = ["part_category", "region", "segment"]
#: Errors of the SARIMAX forecasts of the latest week, made this many weeks before.
ERRORS = (1, 2, 4)
FEATURES = [
    *IN_UNITS,
    *LAST_YEAR,
    "last_year_ratio",
    *AS_THEY_ARE,
    *GROUP_RATIOS,
    *CATEGORIES,
    "log_order_size",
    "horizon",
    "target_holidays",
    "sarimax_log_ratio",
    "sarimax_location",
    "sarimax_season",
    "sarimax_spread",
    "sarimax_change",
    *(f"sarimax_error_{k}" for k in ERRORS),
]

MEAN_ROUNDS, QUANTILE_ROUNDS = 80, 24
#: One thread: two gain a third on an idle machine, and lose twentyfold where they wait for each other's core.
COMMON = {"tree_method": "hist", "max_bin": 128, "nthread": 1, "verbosity": 0}
MEAN_PARAMETERS = COMMON | {
    "objective": "reg:tweedie",
    "tweedie_variance_power": 1.6,
    "max_depth": 8,
    "eta": 0.1,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
}
QUANTILE_PARAMETERS = COMMON | {
    "objective": "reg:quantileerror",
    "quantile_alpha": LEVELS.tolist(),
    "max_depth": 6,
    "eta": 0.125,
    "min_child_weight": 100,
    "colsample_bytree": 0.7,
}
#: What the boosters are trained with, by name, as MLflow shows it.
TRAINING_PARAMETERS = {
    "mean_rounds": MEAN_ROUNDS,
    "quantile_rounds": QUANTILE_ROUNDS,
    **{f"mean_{name}": value for name, value in MEAN_PARAMETERS.items()},
    **{f"quantile_{name}": value for name, value in QUANTILE_PARAMETERS.items()},
}
#: Rows of the quantile model's training sample: its leaves cost ten times those of the mean.
QUANTILE_ROWS = 50_000
#: Targets of the mean are cut at this many times the mean order size, those of the quantiles at this many times
#: the expected error.
MAX_TARGET, MAX_ERROR = 20.0, 20.0
#: Share of the mean order size that the mean starts from at least.
SMALLEST_START = 0.02
#: Cells whose distribution is in memory at once.
START_CELLS = 50_000
#: Forecast rows in memory at once.
CHUNK_ROWS = 400_000


class NotEnoughHistory(ValueError):
    """Too few pairs of an origin and a target that has closed to fit a model."""


@dataclass(frozen=True)
class XgbModel:
    """A fitted model; `categories` numbers the values of the categorical features by their place."""

    baseline: SarimaxModel
    mean: Any
    quantiles: Any
    categories: dict[str, list[str]]
    countries: tuple[str, ...]
    rows: int

    @property
    def week(self) -> date:
        return self.baseline.week


@dataclass(frozen=True)
class Baseline:
    """The SARIMAX forecasts that the trees start from, for every series and week of `panel`."""

    model: SarimaxModel
    panel: Panel
    rolled: Rolling
    spread: np.ndarray
    index: SeriesIndex

    @classmethod
    def of(
        cls,
        model: SarimaxModel,
        history: pd.DataFrame,
        totals: GroupTotals,
        last: date,
        settings: ForecastingSettings,
    ) -> "Baseline":
        """As far as the week `last`; `history` and `totals` as for `sarimax.fit`."""
        panel = Panel.of(history, add_weeks(model.week, 1 - settings.history_weeks), last)
        return cls.rolled_by(model, panel, sarimax.roll(model, panel, totals))

    @classmethod
    def rolled_by(cls, model: SarimaxModel, panel: Panel, rolled: Rolling) -> "Baseline":
        """`rolled`: what `sarimax.roll` makes of `panel` with `model`."""
        return cls(model, panel, rolled, sarimax.spreads(model, rolled), SeriesIndex(panel.series))

    def cells(self, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the panel of each row of the feature table."""
        return self.index.rows(features), week_numbers(features["week"], self.panel.first)


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs of a feature row and a horizon; `target` is the column of the week forecast, `rank` a hash of their
    keys, to sample by."""

    row: np.ndarray
    horizon: np.ndarray
    target: np.ndarray
    rank: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def sample(self, n: int) -> "TrainingPairs":
        """The `n` pairs of lowest rank, in their order."""
        if n >= len(self):
            return self
        return self.where(np.sort(np.argpartition(self.rank, n)[:n]))

    def where(self, keep: np.ndarray) -> "TrainingPairs":
        return TrainingPairs(self.row[keep], self.horizon[keep], self.target[keep], self.rank[keep])


def closed_pairs(features: pd.DataFrame, base: Baseline) -> TrainingPairs:
    """Every (row of `features`, horizon) whose target week has closed."""
    series, column = base.cells(features)
    row, h = np.nonzero(np.isfinite(base.rolled.error[series, column]))
    key = pd.util.hash_array(features["part_id"].to_numpy(object)) * np.uint64(31) + pd.util.hash_array(
        features["region"].to_numpy(object)
    )
    week = week_numbers(features["week"].iloc[row], date(1970, 1, 5))
    rank = _mixed(key[row] ^ _mixed((week * 64 + h + 1).astype("uint64")))
    return TrainingPairs(row, h + 1, column[row] + h + 1, rank)


def first_target(pairs: TrainingPairs, panel: Panel, least: int) -> int:
    """The first column whose pairs are learnt from.

    Before a year of data there is no season to start from; pairs from then would teach the trees to put on
    top what SARIMAX knows by now, and are left out where at least `least` others remain.
    """
    seasonal = panel.first_order.min(initial=panel.demand.shape[1]) + YEAR_WEEKS
    return int(seasonal) if (pairs.target >= seasonal).sum() >= least else 0


def _mixed(x: np.ndarray) -> np.ndarray:
    """A bijective hash of 64-bit integers (the finaliser of splitmix64, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class Lesson:
    """All of a model but its boosters, and the pairs that these are to learn from: those of `parts` with a target
    from the column `first_target` on, and with a rank of at most `last_rank` (`rows` of them) for the mean and
    `last_quantile_rank` for the quantiles."""

    baseline: SarimaxModel
    categories: dict[str, list[str]]
    countries: tuple[str, ...]
    rows: int
    parts: list[str]
    first_target: int
    last_rank: np.uint64
    last_quantile_rank: np.uint64

    def model(self, mean: Any, quantiles: Any) -> XgbModel:
        return XgbModel(self.baseline, mean, quantiles, self.categories, self.countries, self.rows)

    def base(self, history: pd.DataFrame, totals: GroupTotals, settings: ForecastingSettings) -> Baseline:
        """That of the series of `history`, as far as the week of the fit."""
        return Baseline.of(self.baseline, history, totals, self.baseline.week, settings)

    def mean_rows(self, features: pd.DataFrame, base: Baseline, settings: ForecastingSettings) -> "MeanRows":
        """What the mean learns from among `features` of the series of `base`."""
        pairs, rows = self._pairs(features, base, settings, self.last_rank)
        series, column = base.cells(rows)
        size = order_size(rows)
        return MeanRows(
            x=design(rows, pairs.horizon, base, self.categories, self.countries),
            target=np.minimum(base.panel.demand[series, pairs.target] / size, MAX_TARGET),
            start=_start(base, series, column, pairs.horizon - 1, size),
            # An error counts relative to how much its series varies, as it does in the scaled metrics.
            weight=size / np.maximum(rows["std_52"].to_numpy(float), 0.05 * size),
            rank=pairs.rank,
        )

    def train_quantiles(self, features: pd.DataFrame, base: Baseline, settings: ForecastingSettings) -> Any:
        """The booster of the quantiles, from `features` of the series of `base`."""
        pairs, rows = self._pairs(features, base, settings, self.last_quantile_rank)
        h = pairs.horizon - 1
        series, column = base.cells(rows)
        error = base.rolled.error[series, column, h] / base.spread[series, column, h]
        target, start = np.clip(error, -MAX_ERROR, MAX_ERROR), _error_quantiles(base, series, column, h)
        x = design(rows, pairs.horizon, base, self.categories, self.countries)
        return _train(QUANTILE_PARAMETERS, x, target, start, QUANTILE_ROUNDS, settings.seed)

    def _pairs(
        self, features: pd.DataFrame, base: Baseline, settings: ForecastingSettings, last_rank: np.uint64
    ) -> tuple[TrainingPairs, pd.DataFrame]:
        """Pairs to learn from, and the rows of `features` that they are of."""
        features = _training_rows(features, base, settings)
        pairs = closed_pairs(features, base)
        pairs = pairs.where((pairs.target >= self.first_target) & (pairs.rank <= last_rank))
        return pairs, features.iloc[pairs.row]


@dataclass(frozen=True)
class MeanRows:
    """What the mean learns from, a row a pair: `x` (rows, FEATURES), target and start in mean order sizes (the
    start is a logarithm), weight, and the rank of the pair, by which rows can be put in order."""

    x: np.ndarray
    target: np.ndarray
    start: np.ndarray
    weight: np.ndarray
    rank: np.ndarray

    def train(self, settings: ForecastingSettings) -> Any:
        """The booster of the mean; within a communicator of xgboost, of the rows of all its workers."""
        return _train(
            MEAN_PARAMETERS, self.x, self.target, self.start, MEAN_ROUNDS, settings.seed, self.weight
        )


def fit(
    features: pd.DataFrame,
    history: pd.DataFrame,
    totals: GroupTotals,
    week: date,
    horizon: int,
    settings: ForecastingSettings,
    countries: tuple[str, ...] = (),
) -> XgbModel:
    """The model as of the end of `week`; rows and demand after it are not looked at.

    `features`: rows of the feature table; `history` and `totals` as for `sarimax.fit`; `countries`: whose public
    holidays are a feature. Raises NotEnoughHistory if there are fewer than `xgb_min_rows` pairs to learn from.
    """
    lesson, base = prepare(features, history, totals, week, horizon, settings, countries)
    return teach(lesson, features, base, settings)


def teach(lesson: Lesson, features: pd.DataFrame, base: Baseline, settings: ForecastingSettings) -> XgbModel:
    """The model, its two boosters trained side by side, each by one thread: a sum that several threads make
    depends on how many they are."""
    with ThreadPoolExecutor(1) as pool:
        quantiles = pool.submit(lesson.train_quantiles, features, base, settings)
        return lesson.model(lesson.mean_rows(features, base, settings).train(settings), quantiles.result())


def prepare(
    features: pd.DataFrame,
    history: pd.DataFrame,
    totals: GroupTotals,
    week: date,
    horizon: int,
    settings: ForecastingSettings,
    countries: tuple[str, ...] = (),
) -> tuple[Lesson, Baseline]:
    """What `fit` would have boosters learn, and the baseline of the series that are learnt from."""
    sample = sarimax.sample_parts(history[history["week"] <= pd.Timestamp(week)], settings.fit_series)
    base = Baseline.rolled_by(*sarimax.fit_and_roll(sample, totals, week, horizon, settings))
    features = _training_rows(features, base, settings)
    pairs = closed_pairs(features, base)
    first = first_target(pairs, base.panel, settings.xgb_min_rows)
    pairs = pairs.where(pairs.target >= first)
    if len(pairs) < settings.xgb_min_rows:
        raise NotEnoughHistory(
            f"{week}: {len(pairs)} closed pairs of origin and target, {settings.xgb_min_rows} are needed; "
            "forecast the week with sarimax.predict instead"
        )
    of_mean = pairs.sample(settings.xgb_max_rows)
    lesson = Lesson(
        baseline=base.model,
        categories={c: sorted(features[c].dropna().unique().tolist()) for c in CATEGORIES},
        countries=countries,
        rows=len(of_mean),
        parts=base.panel.series["part_id"].unique().tolist(),
        first_target=first,
        last_rank=of_mean.rank.max(),
        last_quantile_rank=pairs.sample(QUANTILE_ROWS).rank.max(),
    )
    return lesson, base


def _training_rows(features: pd.DataFrame, base: Baseline, settings: ForecastingSettings) -> pd.DataFrame:
    """The rows of `features` to learn from: the weeks before the fit, and the series of `base`."""
    week = base.model.week
    first = max(add_weeks(week, -settings.xgb_train_weeks), base.panel.first)
    features = features[features["week"].between(pd.Timestamp(first), pd.Timestamp(add_weeks(week, -1)))]
    return features[base.index.rows(features) >= 0].sort_values(["week", *SERIES], ignore_index=True)


def _train(
    parameters: dict[str, Any],
    x: np.ndarray,
    target: np.ndarray,
    start: np.ndarray,
    rounds: int,
    seed: int,
    weight: np.ndarray | None = None,
) -> Any:
    import xgboost

    data = xgboost.QuantileDMatrix(
        x, target, weight=weight, base_margin=start, max_bin=COMMON["max_bin"], nthread=1
    )
    return xgboost.train(parameters | {"seed": seed}, data, rounds)


def predict(
    model: XgbModel,
    features: pd.DataFrame,
    history: pd.DataFrame,
    totals: GroupTotals,
    settings: ForecastingSettings,
) -> pd.DataFrame:
    """Forecasts from every row of `features`, as rows of a forecast table.

    Every origin is the model's week or later; `history` and `totals` as for `sarimax.predict`.
    """
    horizon = model.baseline.horizon
    features = features.sort_values(["week", *SERIES], ignore_index=True)
    values = np.empty((len(features), horizon, len(VALUES)))
    if len(features):
        last = features["week"].max().date()
        base = Baseline.of(model.baseline, history, totals, last, settings)
        step = max(1, CHUNK_ROWS // horizon)
        for begin in range(0, len(features), step):
            rows = features.iloc[begin : begin + step]
            values[begin : begin + step] = _values(model, rows, base).reshape(len(rows), horizon, -1)
    return forecast_table(features[SERIES], features["week"].to_numpy(), values)


def _values(model: XgbModel, features: pd.DataFrame, base: Baseline) -> np.ndarray:
    """Mean and quantiles (rows of `features` times horizons, 8) in units."""
    repeated = features.iloc[np.repeat(np.arange(len(features)), model.baseline.horizon)]
    h = np.tile(np.arange(model.baseline.horizon), len(features))
    x = design(repeated, h + 1, base, model.categories, model.countries)
    size = order_size(repeated)
    series, column = base.cells(repeated)
    start = _start(base, series, column, h, size)
    mean = model.mean.inplace_predict(x, base_margin=start) * size

    error = model.quantiles.inplace_predict(x, base_margin=_error_quantiles(base, series, column, h))
    location, spread = (of[series, column, h, None] for of in (base.rolled.location, base.spread))
    highest = base.rolled.highest[series, column, None]
    logged = np.minimum(location + spread * np.sort(error, axis=1), highest)
    return np.column_stack([mean, sarimax.in_units(logged, base.rolled.scale[series])])


def _start(
    base: Baseline, series: np.ndarray, column: np.ndarray, h: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Log of SARIMAX's mean over the mean order size, of each cell."""
    start = np.empty(len(series))
    for begin in range(0, len(series), START_CELLS):
        some = slice(begin, begin + START_CELLS)
        cells = series[some], column[some], h[some]
        start[some] = sarimax.demand_at(base.model, base.rolled, base.spread, *cells)[:, 0]
    return np.log(np.maximum(start / size, SMALLEST_START))


def _error_quantiles(base: Baseline, series: np.ndarray, column: np.ndarray, h: np.ndarray) -> np.ndarray:
    """(cells, LEVELS): what SARIMAX takes for the quantiles of its standardised errors."""
    pattern = base.rolled.pattern[series, column]
    return base.model.errors[pattern[:, None], h[:, None], sarimax.AT_LEVELS]


def order_size(features: pd.DataFrame) -> np.ndarray:
    """Mean units of the weeks with orders among the last 52, by which a series is scaled."""
    return (features["mean_52"] * features["adi"]).to_numpy(float)


def design(
    features: pd.DataFrame,
    horizon: np.ndarray,
    base: Baseline,
    categories: dict[str, list[str]],
    countries: tuple[str, ...],
) -> np.ndarray:
    """The matrix (rows, FEATURES) in float32; `horizon` holds that of each row. Unknown values are NaN."""
    size = order_size(features)
    columns = {c: features[c].to_numpy(float) / size for c in IN_UNITS}
    for name, weeks in LAST_YEAR.items():
        lag = np.full(len(features), np.nan)
        for h in np.unique(horizon):
            if f"lag_{weeks - h}" in features:
                at = horizon == h
                lag[at] = features[f"lag_{weeks - h}"].to_numpy(float)[at]
        columns[name] = lag / size
    columns["last_year_ratio"] = _ratio(columns["last_year"] * size, _year_ago(features))
    columns |= {c: features[c].to_numpy(float) for c in AS_THEY_ARE}
    for name, group in GROUP_RATIOS.items():
        columns[name] = _ratio(
            features[f"{group}_quantity"].to_numpy(float), features[f"{group}_mean_13"].to_numpy(float)
        )
    for c in CATEGORIES:
        code = pd.Categorical(features[c], categories=categories[c]).codes
        columns[c] = np.where(code >= 0, code, np.nan)
    columns["log_order_size"] = np.log(size)
    columns["horizon"] = horizon

    target = features["week"].to_numpy("datetime64[D]") + (7 * horizon).astype("timedelta64[D]")
    days, day = np.unique(target, return_inverse=True)
    calendar = calendar_features(days.astype(object).tolist(), countries)
    columns["target_holidays"] = calendar["holidays"].to_numpy(float)[day]

    series, column = base.cells(features)
    rolled, h = base.rolled, horizon - 1
    location, spread = rolled.location[series, column, h], base.spread[series, column, h]
    median = sarimax.in_units(location, rolled.scale[series])
    columns["sarimax_log_ratio"] = np.log(np.maximum(median / size, SMALLEST_START))
    columns["sarimax_location"], columns["sarimax_spread"] = location, spread
    columns["sarimax_season"] = rolled.season[series, column, h]
    columns["sarimax_change"] = (rolled.endog[series, column] - location) / spread
    for k in ERRORS:
        known = (column >= k) & (k <= rolled.error.shape[2])
        error = rolled.error[series, np.maximum(column - k, 0), min(k, rolled.error.shape[2]) - 1]
        columns[f"sarimax_error_{k}"] = np.where(known, error / spread, np.nan)
    return np.column_stack([columns[c].astype(np.float32) for c in FEATURES])


def _year_ago(features: pd.DataFrame) -> np.ndarray:
    """Mean demand of the three weeks around the origin a year ago."""
    return features[["lag_51", "lag_52", "lag_53"]].to_numpy(float).mean(axis=1)


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    return np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0)


def importance(model: XgbModel) -> pd.DataFrame:
    """feature, model (mean, quantiles) and gain as a share of that model's, largest first."""
    tables = []
    for name in ("mean", "quantiles"):
        gain = pd.Series(getattr(model, name).get_score(importance_type="total_gain"), dtype=float)
        gain.index = [FEATURES[int(f.removeprefix("f"))] for f in gain.index]
        share = (gain / gain.sum()).sort_values(ascending=False)
        tables.append(pd.DataFrame({"feature": share.index, "model": name, "gain": share.to_numpy()}))
    return pd.concat(tables, ignore_index=True)


def save(model: XgbModel, folder: Path) -> None:
    """Writes mean.ubj, quantiles.ubj and model.json to `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    model.mean.save_model(folder / "mean.ubj")
    model.quantiles.save_model(folder / "quantiles.ubj")
    description = {
        "rows": model.rows,
        "countries": list(model.countries),
        "categories": model.categories,
        "features": FEATURES,
        "baseline": model.baseline.to_dict(),
    }
    (folder / "model.json").write_text(json.dumps(description, indent=1))


def booster(saved: Path | bytearray) -> Any:
    """The booster that was saved, which predicts as it did: how many threads it takes is not part of what is saved."""
    import xgboost

    return xgboost.Booster(COMMON, model_file=saved)


def load(folder: Path) -> XgbModel:
    """The model `save` wrote; ValueError if it was made for other features than these."""
    description = json.loads((folder / "model.json").read_text())
    if description["features"] != FEATURES:
        changed = sorted(set(description["features"]) ^ set(FEATURES)) or "their order"
        raise ValueError(f"{folder / 'model.json'}: features differ ({changed}); fit the model again")
    return XgbModel(
        SarimaxModel.from_dict(description["baseline"]),
        booster(folder / "mean.ubj"),
        booster(folder / "quantiles.ubj"),
        description["categories"],
        tuple(description["countries"]),
        description["rows"],
    )
