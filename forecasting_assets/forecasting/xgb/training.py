"""Training of the boosters of the mean and of the quantiles."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import PATTERNS
from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.forecast_arrays import LEVELS
from forecasting_assets.forecasting.model import ModelContext, ModelData, NotEnoughHistory
from forecasting_assets.forecasting.panel import Panel, known_at
from forecasting_assets.forecasting.part_sample import sample_parts
from forecasting_assets.forecasting.rolling import Cells, RollingForecasts
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb.baseline import Baseline
from forecasting_assets.forecasting.xgb.design import CATEGORIES, design
from forecasting_assets.forecasting.xgb.model import COMMON_PARAMETERS, XgbModel
from forecasting_assets.forecasting.xgb.pairs import TrainingPairs, closed_pairs
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks

MEAN_ROUNDS, QUANTILE_ROUNDS = 40, 40
_TREES = COMMON_PARAMETERS | {"max_depth": 6, "eta": 0.15, "colsample_bytree": 0.6}
MEAN_PARAMETERS = _TREES | {
    "objective": "reg:squarederror",
    "min_child_weight": 50,
    "reg_lambda": 20,
    "subsample": 0.8,
}
QUANTILE_PARAMETERS = _TREES | {
    "objective": "reg:quantileerror",
    "quantile_alpha": LEVELS.tolist(),
    "min_child_weight": 50,
}
#: All training parameters by name, as MLflow shows them.
TRAINING_PARAMETERS = {
    "mean_rounds": MEAN_ROUNDS,
    "quantile_rounds": QUANTILE_ROUNDS,
    **{f"mean_{name}": value for name, value in MEAN_PARAMETERS.items()},
    **{f"quantile_{name}": value for name, value in QUANTILE_PARAMETERS.items()},
}
#: Series below which SARIMAX is used instead: trees would memorise the past of one or two series.
MIN_SERIES = 3
#: Rows of the training sample of the quantiles, whose leaves cost ten times those of the mean.
QUANTILE_ROWS = 60_000
#: Pairs with a season in their target week from which on no others are trained on; fewer would be too small a sample.
MIN_SEASON_PAIRS = 60_000
#: Limit of the targets of the mean and of the quantiles, in volatilities.
MAX_MEAN_TARGET, MAX_QUANTILE_TARGET = 15.0, 20.0


@dataclass(frozen=True)
class TrainingPlan:
    """What to train the boosters on, and all of the model except the boosters.

    It is small, so that it can be sent to the tasks that train together.

    Attributes
    ----------
    sarimax, categories, countries, rows, with_earlier_years, with_book
        As in XgbModel.
    parts
        Parts to train on.
    last_rank, last_quantile_rank
        Highest rank of the pairs that the mean and the quantiles are trained on.
    with_season
        Whether these are only pairs whose target week has a season; see MIN_SEASON_PAIRS. In the first year of a
        history none is known, so it is still in demand: trees would learn it from the holidays, and forecasts of later
        weeks would contain it twice.
    """

    sarimax: SarimaxModel
    categories: dict[str, list[str]]
    countries: tuple[str, ...]
    rows: int
    parts: list[str]
    last_rank: np.uint64
    last_quantile_rank: np.uint64
    with_earlier_years: bool
    with_book: bool
    with_season: bool

    def model(self, mean: Any, quantiles: Any) -> XgbModel:
        """Return the model with its boosters."""
        return XgbModel(
            self.sarimax,
            mean,
            quantiles,
            self.categories,
            self.countries,
            self.rows,
            self.with_earlier_years,
            self.with_book,
        )

    def baseline(self, history: pd.DataFrame, totals: GroupTotals, settings: ForecastingSettings) -> Baseline:
        """Return the panel of the series of `history` up to the week of the fit."""
        return Baseline.from_history(
            self.sarimax, history, totals, self.sarimax.week, settings, self.with_earlier_years
        )

    def mean_rows(self, features: pd.DataFrame, base: Baseline, settings: ForecastingSettings) -> "MeanRows":
        """Return the training rows of the mean, from `features` of the series of `base`."""
        pairs, cells, x = self._rows(features, base, settings, self.last_rank)
        return MeanRows(
            x=x,
            target=_targets(base, pairs, cells, MAX_MEAN_TARGET),
            weight=base.usual.mean_weight(cells.series, cells.column),
            rank=pairs.rank,
        )

    def train_quantiles(self, features: pd.DataFrame, base: Baseline, settings: ForecastingSettings) -> Any:
        """Train the booster of the quantiles on `features` of the series of `base`."""
        pairs, cells, x = self._rows(features, base, settings, self.last_quantile_rank)
        data = _matrix(x, _targets(base, pairs, cells, MAX_QUANTILE_TARGET))
        return _train(QUANTILE_PARAMETERS, data, QUANTILE_ROUNDS, settings.seed)

    def _rows(
        self, features: pd.DataFrame, base: Baseline, settings: ForecastingSettings, last_rank: np.uint64
    ) -> tuple[TrainingPairs, Cells, np.ndarray]:
        """Pairs to train on, their cells and their features."""
        features = _training_rows(features, base, settings)
        pairs = closed_pairs(features, base, self.with_season)
        pairs = pairs.where(pairs.rank <= last_rank)
        rows = features.iloc[pairs.row]
        cells = base.cells(rows, pairs.horizon)
        return pairs, cells, design(rows, cells, base, self.categories, self.countries, self.with_book)


@dataclass(frozen=True)
class UntrainedMean:
    """A model whose mean has too many training rows for one process, so that Spark has to train it.

    Attributes
    ----------
    plan
        What it is to be trained on.
    quantiles
        Its trained quantiles.
    planned
        Its trained model with covariates, if there is one; one process trains it on a sample of these rows.
    """

    plan: TrainingPlan
    quantiles: Any
    planned: XgbModel | None = None

    def with_mean(self, mean: Any) -> XgbModel:
        """Return the model with its trained mean."""
        return replace(self.plan.model(mean, self.quantiles), planned=self.planned)


@dataclass(frozen=True)
class MeanRows:
    """Training rows of the mean, one for each pair.

    Attributes
    ----------
    x
        (rows, features), float32.
    target
        Demand, as `Baseline.relative`.
    weight
        Weight of the row.
    rank
        Rank of the pair, by which rows can be put in order.
    """

    x: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    rank: np.ndarray

    def train(self, settings: ForecastingSettings) -> Any:
        """Train the booster of the mean; within a communicator of xgboost, on the rows of all its workers."""
        data = _matrix(self.x, self.target, self.weight)
        return _train(MEAN_PARAMETERS, data, MEAN_ROUNDS, settings.seed)


def fit(data: ModelData, week: date, context: ModelContext) -> XgbModel:
    """Fit the model at the end of `week`; later rows and demand are not used.

    Parameters
    ----------
    data
        Data to train on.
    week
        The last week to use.
    context
        Horizon, settings and countries.

    Raises
    ------
    NotEnoughHistory
        If there are fewer than MIN_SERIES series, or fewer than `xgb_min_rows` pairs to train on.
    """
    plan, base = plan_training(data, week, context)
    model = train(plan, data.features, base, context.settings)
    return replace(model, planned=fit_planned(data, week, context))


def fit_planned(data: ModelData, week: date, context: ModelContext) -> XgbModel | None:
    """Fit the model with covariates, as `fit` fits the one without; None if they were known of too few past weeks."""
    sample = sample_parts(known_at(data.history, week), context.settings.fit_series)
    fitted = sarimax.fit_planned_with_forecasts(sample, data.totals, week, context)
    if fitted is None:
        return None
    try:
        plan, base = _plan_training(fitted, data.features, context)
    except NotEnoughHistory:
        return None
    return train(plan, data.features, base, context.settings)


def plan_training(data: ModelData, week: date, context: ModelContext) -> tuple[TrainingPlan, Baseline]:
    """Return the plan of `fit`, and the panel of the series to train on.

    Parameters
    ----------
    data, week, context
        As for `fit`.

    Returns
    -------
    tuple
        The plan, and the panel of a sample of about `fit_series` series.

    Raises
    ------
    NotEnoughHistory
        If there are fewer than MIN_SERIES series, or fewer than `xgb_min_rows` pairs to train on.
    """
    sample = sample_parts(known_at(data.history, week), context.settings.fit_series)
    fitted = sarimax.fit_with_forecasts(sample, data.totals, week, context)
    return _plan_training(fitted, data.features, context)


def _plan_training(
    fitted: tuple[SarimaxModel, Panel, RollingForecasts], features: pd.DataFrame, context: ModelContext
) -> tuple[TrainingPlan, Baseline]:
    """Plan the training on a sample of series."""
    base, settings = Baseline.of_fit(*fitted), context.settings
    if (series := len(base.panel.series)) < MIN_SERIES:
        raise NotEnoughHistory(base.model.week, f"{series} series, but {MIN_SERIES} are needed")
    features = _training_rows(features, base, settings)
    pairs = closed_pairs(features, base, with_season=True)
    with_season = len(pairs) >= MIN_SEASON_PAIRS
    if not with_season:
        pairs = closed_pairs(features, base)
    if len(pairs) < settings.xgb_min_rows:
        raise NotEnoughHistory(
            base.model.week,
            f"{len(pairs)} pairs of an origin and a closed target week, but [forecasting] xgb_min_rows needs "
            f"{settings.xgb_min_rows}",
        )
    of_mean = pairs.sample(settings.xgb_max_rows)
    plan = TrainingPlan(
        sarimax=base.model,
        categories=_categories(features),
        countries=context.countries,
        rows=len(of_mean),
        parts=base.panel.series["part_id"].unique().tolist(),
        last_rank=of_mean.rank.max(),
        last_quantile_rank=pairs.sample(QUANTILE_ROWS).rank.max(),
        with_earlier_years=base.with_earlier_years,
        with_book=base.rolling.booked is not None,
        with_season=with_season,
    )
    return plan, base


def train(
    plan: TrainingPlan, features: pd.DataFrame, base: Baseline, settings: ForecastingSettings
) -> XgbModel:
    """Train both boosters at the same time, each by one thread.

    A sum that several threads compute depends on their number, so one booster is not shared between threads.
    """
    with ThreadPoolExecutor(1) as pool:
        quantiles = pool.submit(plan.train_quantiles, features, base, settings)
        return plan.model(plan.mean_rows(features, base, settings).train(settings), quantiles.result())


def _training_rows(features: pd.DataFrame, base: Baseline, settings: ForecastingSettings) -> pd.DataFrame:
    """Select the rows of `features` in the weeks before the fit, of the series of `base`."""
    week = base.model.week
    first = max(add_weeks(week, -settings.xgb_train_weeks), base.panel.first)
    features = features[features["week"].between(pd.Timestamp(first), pd.Timestamp(add_weeks(week, -1)))]
    return features[base.index.rows(features) >= 0].sort_values(["week", *SERIES], ignore_index=True)


def _categories(features: pd.DataFrame) -> dict[str, list[str]]:
    """Return the values of each categorical feature."""
    found = {c: sorted(features[c].dropna().unique().tolist()) for c in CATEGORIES if c != "segment"}
    return {**found, "segment": sorted(PATTERNS)}


def _targets(base: Baseline, pairs: TrainingPairs, cells: Cells, limit: float) -> np.ndarray:
    """Demand of the target weeks as `Baseline.relative`."""
    demand = base.panel.demand[cells.series, pairs.target]
    targets: np.ndarray = np.clip(base.relative(demand, cells), -limit, limit)
    return targets


def _matrix(x: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> Any:
    import xgboost

    bins = COMMON_PARAMETERS["max_bin"]
    return xgboost.QuantileDMatrix(x, target, weight=weight, max_bin=bins, nthread=1)


def _train(parameters: dict[str, Any], data: Any, rounds: int, seed: int) -> Any:
    import xgboost

    return xgboost.train(parameters | {"seed": seed}, data, rounds)
