"""What the models are as of a refit: learnt from the lake, or found in MLflow where the same was learnt before."""

import ast
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.part_sample import PartSample
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.settings import Settings
from forecasting_assets.tables import SERIES, WEEKLY_DEMAND
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.parallel import each_week

#: Settings that change what the models say.
SETTINGS = ["calendar", "forecasting"]
#: File of a logged model with what it needs to predict besides its trees.
DESCRIPTION = "description.json"
_SOURCES = Path(__file__).parent.parent
#: Modules whose code changes what models say.
_CODE = ["forecasting/**/*.py", "features/*.py", "workflows/model_cache.py", "tables/*.py", "weeks.py"]
_LIBRARIES = ["holidays", "numpy", "pandas", "scipy", "statsmodels", "xgboost"]


@dataclass(frozen=True)
class Fit:
    """The model `name` as of `week`: `found` in MLflow by this URI, or a new one, to be found again by `id`."""

    name: str
    week: date
    model: Any
    found: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class StandIn:
    """SARIMAX instead of an XGBoost that there is none of, and why there is none."""

    model: sarimax.SarimaxModel
    reason: str


@dataclass(frozen=True)
class WithoutMean:
    """An XGBoost whose mean has so much to learn that Spark is to train it."""

    plan: xgb.TrainingPlan
    quantiles: Any


def fit_sarimax(settings: Settings, fitted_at: date) -> sarimax.SarimaxModel:
    """What all series teach as of `fitted_at`."""
    sample, totals = _sample(settings, fitted_at)
    return sarimax.fit(sample, totals, fitted_at, settings.calendar.horizon_weeks, settings.forecasting)


def fit_xgb(settings: Settings, fitted_at: date) -> xgb.XgbModel | WithoutMean | StandIn:
    """XGBoost as of `fitted_at`, as far as its rows are neither too many nor too few."""
    calendar, forecasting = settings.calendar, settings.forecasting
    history, totals = _sample(settings, fitted_at)
    features = _features_of(history["part_id"].unique(), settings, fitted_at)
    try:
        plan, base = xgb.plan_training(
            xgb.TrainingData(features, history, totals),
            fitted_at,
            calendar.horizon_weeks,
            forecasting,
            calendar.holiday_countries,
        )
    except xgb.NotEnoughHistory as reason:
        model = sarimax.fit(history, totals, fitted_at, calendar.horizon_weeks, forecasting)
        return StandIn(model, str(reason))
    if plan.rows > forecasting.xgb_distributed_rows:
        return WithoutMean(plan, plan.train_quantiles(features, base, forecasting))
    return xgb.train(plan, features, base, forecasting)


def load_sarimax(folder: Path) -> sarimax.SarimaxModel:
    """The model whose files MLflow keeps in `folder`."""
    return sarimax.SarimaxModel.from_dict(json.loads((folder / DESCRIPTION).read_text())["model"])


def load_xgb(folder: Path) -> xgb.XgbModel:
    """The model whose files MLflow keeps in `folder`."""
    return xgb.load(folder / "model")


def _sample(settings: Settings, fitted_at: date) -> tuple[pd.DataFrame, GroupTotals]:
    """Demand of the parts that a fit as of `fitted_at` learns from, and the totals of all; in memory is no more."""
    columns, lake = [*SERIES, "part_category", "quantity"], Lake(path=settings.lake_path)
    sample, totals = PartSample(settings.forecasting.fit_series), []
    for rows in lake.batches(WEEKLY_DEMAND, history_weeks(settings, fitted_at, fitted_at), columns):
        sample.add(rows)
        totals.append(GroupTotals.from_history(rows).table)
    return sample.rows, GroupTotals(pd.concat(totals, ignore_index=True))


def _features_of(parts: np.ndarray, settings: Settings, fitted_at: date) -> pd.DataFrame:
    """The rows of the feature table that a fit as of `fitted_at` learns from, of `parts`."""
    table = feature_columns(settings.calendar.horizon_weeks)
    weeks = training_weeks(settings, fitted_at)
    batches = Lake(path=settings.lake_path).batches(table, weeks)
    return pd.concat([rows[rows["part_id"].isin(parts)] for rows in batches], ignore_index=True)


def history_weeks(settings: Settings, fitted_at: date, last: date) -> list[date]:
    """The weeks of demand that forecasts up to the week `last` may use with a model of `fitted_at`."""
    first = add_weeks(fitted_at, 1 - settings.forecasting.history_weeks)
    return weeks_between(max(first, settings.calendar.first_week), last)


def training_weeks(settings: Settings, fitted_at: date) -> list[date]:
    first = add_weeks(fitted_at, -settings.forecasting.xgb_train_weeks)
    return weeks_between(max(first, settings.calendar.first_week), add_weeks(fitted_at, -1))


#: How each model is fitted, and read from the files that MLflow keeps of it.
_MODELS: dict[str, tuple[Callable[[Settings, date], Any], Callable[[Path], Any]]] = {
    "sarimax_model": (fit_sarimax, load_sarimax),
    "xgb_model": (fit_xgb, load_xgb),
}


def fits(
    name: str, weeks: Sequence[date], settings: Settings, tracking: Tracking, warn: Callable[[str], None]
) -> Iterator[Fit]:
    """The model of this name as of each of `weeks`: as MLflow keeps it, if it learnt from the same before, else
    fitted."""
    fit, load = _MODELS[name]
    ids = fit_ids(settings, weeks)
    known = {week: tracking.find(name, ids[week]) for week in weeks}
    unknown = [week for week in weeks if known[week] is None]
    new = each_week(fit, unknown, ((settings, week) for week in unknown))
    for week in weeks:
        if uri := known[week]:
            try:
                with tracking.files(uri) as folder:
                    model = load(folder)
            except Exception as error:
                warn(f"{uri} cannot be read, so {name} as of {week} is fitted anew: {error}")
            else:
                yield Fit(name, week, model, uri)
                continue
        yield Fit(name, week, fit(settings, week) if uri else next(new)[1], id=ids[week])


def traceable(fit: Fit, settings: Settings) -> Fit:
    """`fit`, without its id if another process has made weeks anew meanwhile: who knows what it has learnt then."""
    unchanged = fit.id is None or fit_ids(settings, [fit.week])[fit.week] == fit.id
    return fit if unchanged else replace(fit, id=None)


def fit_ids(settings: Settings, weeks: Sequence[date]) -> dict[date, str]:
    """By week, equal for fits that learn the same: from the same files of demand and features, which are made from
    it, by the same settings and code."""
    features = feature_columns(settings.calendar.horizon_weeks)
    lake = Lake(path=settings.lake_path)
    # Not the versions of weeks, which do not tell by which code or in which order of files they were made.
    demanded, known = lake.content_ids(WEEKLY_DEMAND), lake.content_ids(features)
    said = {name: getattr(settings, name).model_dump(mode="json") for name in SETTINGS}
    ids = {}
    for week in weeks:
        learnt = [demanded.get(w) for w in history_weeks(settings, week, week)]
        learnt += [known.get(w) for w in training_weeks(settings, week)]
        ids[week] = fingerprint([str(week), learnt, said, code()])
    return ids


@cache
def code() -> list[str]:
    """The code that changes what models say, and the versions of the libraries they are made with.

    Comments, docstrings and layout do not count, nor does any other module.
    """
    files = [file for place in _CODE for file in sorted(_SOURCES.glob(place))]
    return [
        fingerprint([code_of(file.read_text(encoding="utf-8")) for file in files]),
        *map(version, _LIBRARIES),
    ]


def code_of(source: str) -> str:
    """The syntax tree of a module without its docstrings, as text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
