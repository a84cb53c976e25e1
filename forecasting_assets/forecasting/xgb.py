"""XGBoost: one global model over all series and horizons, a mean and the quantiles of each (series, horizon).

Direct multi-horizon: the horizon is a feature and so is the calendar of the target week. Demand, and all that
is measured in it, is divided by the mean order size of its series, so that large and small series
teach each other (Montero-Manso and Hyndman 2021, "Principles and algorithms for forecasting groups of time
series: locality and globality"). The mean has a Tweedie loss, as demand is zero or positive and skewed; the
quantiles have the pinball loss and start from the mean.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.features.calendar import CALENDAR_COLUMNS, calendar_features
from forecasting_assets.forecasting.cube import LEVELS, VALUES, SeriesIndex, forecast_table
from forecasting_assets.forecasting.panel import Panel, week_numbers
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks

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
FEATURES = [
    *IN_UNITS,
    *LAST_YEAR,
    "last_year_ratio",
    *AS_THEY_ARE,
    *GROUP_RATIOS,
    *CATEGORIES,
    "log_order_size",
    "horizon",
    *(f"target_{c}" for c in CALENDAR_COLUMNS),
]

MEAN_ROUNDS, QUANTILE_ROUNDS = 80, 15
#: One thread: two gain a third on an idle machine, and lose twentyfold where they wait for each other's core.
COMMON = {"tree_method": "hist", "max_bin": 128, "nthread": 1, "verbosity": 0}
MEAN_PARAMETERS = COMMON | {
    "objective": "reg:tweedie",
    "tweedie_variance_power": 1.3,
    "max_depth": 6,
    "eta": 0.15,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
}
QUANTILE_PARAMETERS = COMMON | {
    "objective": "reg:quantileerror",
    "quantile_alpha": LEVELS.tolist(),
    "max_depth": 5,
    "eta": 0.3,
    "min_child_weight": 20,
    "colsample_bytree": 0.7,
}
#: Rows of the quantile model's training sample: its leaves cost ten times those of the mean.
QUANTILE_ROWS = 60_000
#: Targets are cut at this many times the mean order size.
MAX_TARGET = 20.0
#: A quantile below this many times the mean order size is zero: no order is that small, so what the trees
#: leave there is residue of the mean that they start from.
SMALLEST_ORDER = 0.2
#: Forecast rows in memory at once.
CHUNK_ROWS = 400_000


class NotEnoughHistory(ValueError):
    """Too few pairs of an origin and a target that has closed to fit a model."""


@dataclass(frozen=True)
class XgbModel:
    """A fitted model; `categories` numbers the values of the categorical features by their place."""

    week: date
    mean: Any
    quantiles: Any
    categories: dict[str, list[str]]
    countries: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class TrainingFrame:
    """Pairs of a feature row and a horizon, with the demand that came: `target` is in units."""

    row: np.ndarray
    horizon: np.ndarray
    target: np.ndarray
    rank: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def sample(self, n: int) -> "TrainingFrame":
        """The `n` pairs of lowest rank, in their order."""
        if n >= len(self):
            return self
        keep = np.sort(np.argpartition(self.rank, n)[:n])
        return TrainingFrame(self.row[keep], self.horizon[keep], self.target[keep], self.rank[keep])


def training_frame(
    features: pd.DataFrame, demand: pd.DataFrame, horizon: int, as_of: date, train_weeks: int
) -> TrainingFrame:
    """Every (row of `features`, horizon) whose target week has closed by `as_of`, from `train_weeks` origins.

    `features`: rows of the feature table; `demand`: part_id, region, week, quantity, only weeks with orders;
    a series without a row there had a demand of zero. `rank` is a hash of the pair's keys.
    """
    first = add_weeks(as_of, -train_weeks)
    panel = Panel.of(demand, first, as_of)
    origin = week_numbers(features["week"], first)
    series = SeriesIndex(panel.series).rows(features)
    key = pd.util.hash_array(features["part_id"].to_numpy(object)) * np.uint64(31) + pd.util.hash_array(
        features["region"].to_numpy(object)
    )
    pairs = []
    for h in range(1, horizon + 1):
        row = np.flatnonzero((origin >= 0) & (origin + h <= train_weeks))
        target = np.zeros(len(row))
        known = series[row] >= 0
        target[known] = panel.demand[series[row][known], origin[row][known] + h]
        week_and_horizon = (week_numbers(features["week"].iloc[row], date(1970, 1, 5)) * 64 + h).astype(
            "uint64"
        )
        pairs.append((row, np.full(len(row), h), target, _mixed(key[row] ^ _mixed(week_and_horizon))))
    return TrainingFrame(*(np.concatenate(x) for x in zip(*pairs, strict=True)))


def _mixed(x: np.ndarray) -> np.ndarray:
    """A bijective hash of 64-bit integers (the finaliser of splitmix64, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def fit(
    features: pd.DataFrame,
    demand: pd.DataFrame,
    week: date,
    horizon: int,
    settings: ForecastingSettings,
    countries: tuple[str, ...] = (),
) -> XgbModel:
    """The model as of the end of `week`; rows and demand after it are not looked at.

    `features`, `demand`: see `training_frame`; `countries`: whose public holidays are a feature. Raises
    NotEnoughHistory if there are fewer than `xgb_min_rows` pairs to learn from.
    """
    import xgboost

    first, last = (pd.Timestamp(add_weeks(week, n)) for n in (-settings.xgb_train_weeks, -1))
    features = features[features["week"].between(first, last)].sort_values(
        ["week", *SERIES], ignore_index=True
    )
    pairs = training_frame(features, demand, horizon, week, settings.xgb_train_weeks)
    if len(pairs) < settings.xgb_min_rows:
        raise NotEnoughHistory(
            f"{week}: {len(pairs)} closed pairs of origin and target, {settings.xgb_min_rows} are needed; "
            "forecast the week with smoothing.forecast instead"
        )
    pairs = pairs.sample(settings.xgb_max_rows)
    used = features.iloc[pairs.row]
    categories = {c: sorted(used[c].dropna().unique().tolist()) for c in CATEGORIES}
    size = order_size(used)
    x = design(used, pairs.horizon, categories, countries)
    y = np.minimum(pairs.target / size, MAX_TARGET)
    # An error counts relative to how much its series varies, as it does in the scaled metrics.
    weight = size / np.maximum(used["std_52"].to_numpy(float), 0.05 * size)

    def train(parameters: dict[str, Any], rounds: int, few: np.ndarray, margin: np.ndarray | None) -> Any:
        matrix = xgboost.QuantileDMatrix(
            x[few], y[few], weight=weight[few], base_margin=margin, max_bin=parameters["max_bin"], nthread=1
        )
        return xgboost.train(parameters | {"seed": settings.seed}, matrix, rounds)

    every = np.arange(len(pairs))
    mean = train(MEAN_PARAMETERS, MEAN_ROUNDS, every, None)
    few = np.sort(np.argsort(pairs.rank)[:QUANTILE_ROWS])
    quantiles = train(QUANTILE_PARAMETERS, QUANTILE_ROUNDS, few, _margin(mean.inplace_predict(x[few])))
    return XgbModel(week, mean, quantiles, categories, countries, len(pairs))


def predict(model: XgbModel, features: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Forecasts from every row of `features` (any number of origins), as rows of a forecast table."""
    features = features.sort_values(["week", *SERIES], ignore_index=True)
    values = np.empty((len(features), horizon, len(VALUES)))
    step = max(1, CHUNK_ROWS // horizon)
    for begin in range(0, len(features), step):
        rows = features.iloc[begin : begin + step]
        repeated = rows.iloc[np.repeat(np.arange(len(rows)), horizon)]
        x = design(repeated, np.tile(np.arange(1, horizon + 1), len(rows)), model.categories, model.countries)
        mean = model.mean.inplace_predict(x)
        quantiles = model.quantiles.inplace_predict(x, base_margin=_margin(mean))
        scaled = np.column_stack([mean, np.where(quantiles < SMALLEST_ORDER, 0.0, quantiles)])
        values[begin : begin + step] = (scaled * order_size(repeated)[:, None]).reshape(
            len(rows), horizon, -1
        )
    return forecast_table(features[SERIES], features["week"].to_numpy(), values)


def order_size(features: pd.DataFrame) -> np.ndarray:
    """Mean units of the weeks with orders among the last 52, by which a series is scaled."""
    return (features["mean_52"] * features["adi"]).to_numpy(float)


def design(
    features: pd.DataFrame, horizon: np.ndarray, categories: dict[str, list[str]], countries: tuple[str, ...]
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
    columns |= {f"target_{c}": calendar[c].to_numpy(float)[day] for c in CALENDAR_COLUMNS}
    return np.column_stack([columns[c].astype(np.float32) for c in FEATURES])


def _year_ago(features: pd.DataFrame) -> np.ndarray:
    """Mean demand of the three weeks around the origin a year ago."""
    return features[["lag_51", "lag_52", "lag_53"]].to_numpy(float).mean(axis=1)


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    return np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0)


def _margin(mean: np.ndarray) -> np.ndarray:
    """Where the trees of every quantile start from: the mean."""
    return np.repeat(mean[:, None], len(LEVELS), axis=1)


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
        "week": model.week.isoformat(),
        "rows": model.rows,
        "countries": list(model.countries),
        "categories": model.categories,
        "features": FEATURES,
    }
    (folder / "model.json").write_text(json.dumps(description, indent=1))


def load(folder: Path) -> XgbModel:
    """The model `save` wrote; ValueError if it was made for other features than these."""
    import xgboost

    description = json.loads((folder / "model.json").read_text())
    if description["features"] != FEATURES:
        changed = sorted(set(description["features"]) ^ set(FEATURES)) or "their order"
        raise ValueError(f"{folder / 'model.json'}: features differ ({changed}); fit the model again")
    return XgbModel(
        date.fromisoformat(description["week"]),
        xgboost.Booster(model_file=folder / "mean.ubj"),
        xgboost.Booster(model_file=folder / "quantiles.ubj"),
        description["categories"],
        tuple(description["countries"]),
        description["rows"],
    )
