"""Models as of a refit: trained from the lake, or loaded from MLflow where the same model was trained before."""

import ast
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.metadata import packages_distributions, version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting.model import ForecastingModel, ModelContext, ModelData
from forecasting_assets.forecasting.part_sample import PartSample
from forecasting_assets.forecasting.registry import fit_or_fall_back
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.pipeline import MODEL_FIELDS, NOTES
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    KNOWN_COVARIATES,
    ORDER_BOOK,
    SERIES,
    WEEKLY_DEMAND,
    model_table,
)
from forecasting_assets.tracking.client import Tracking
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.order_book import books_with_rows, weeks_with_rows
from forecasting_assets.workflows.parallel import each_week
from forecasting_assets.workflows.planner_notes import read_notes

#: Folder among the artifacts of a logged model with what `ForecastingModel.save` writes.
MODEL_FOLDER = "model"
_SOURCES = Path(__file__).parent.parent
#: Modules whose code changes what models forecast.
_CODE = [
    *("forecasting/**/*.py", "features/*.py", "planning/covariates.py", "planning/rows.py", "tables/*.py"),
    *("weeks.py", "workflows/model_cache.py", "workflows/order_book.py", "workflows/planner_notes.py"),
]
#: Modules of `forecasting` whose code changes no model that MLflow keeps.
_NO_MODEL_CODE = {
    *("backtest", "bias", "calibration", "checks", "cleaned_points", "combine", "comparison", "correlation"),
    *("covariate_change", "drivers", "error_groups", "judged_demand", "market_demand", "market_forecast"),
    *("metrics", "naive", "reconciliation", "value_added", "weights"),
}
_LIBRARIES = ["holidays", "numpy", "pandas", "scipy", "statsmodels", "xgboost"]


@dataclass(frozen=True)
class Fit:
    """A trained model.

    Attributes
    ----------
    name
        Name of the asset.
    week
        The week as of which it was trained.
    model
        The model.
    loaded_from
        Its URI in MLflow if it was trained by an earlier run.
    id
        What MLflow finds it by, if it was trained by this run.
    warning
        What to tell the user about how it was obtained.
    """

    name: str
    week: date
    model: Any
    loaded_from: str | None = None
    id: str | None = None
    warning: str | None = None


def model_context(settings: Settings) -> ModelContext:
    """Return the horizon, the settings of the forecasts and the countries of a home."""
    calendar = settings.calendar
    return ModelContext(calendar.horizon_weeks, settings.forecasting, calendar.holiday_countries)


def fit_model(model: ForecastingModel, settings: Settings, lake: Lake, fitted_at: date) -> Any:
    """Train a model on all demand up to the week `fitted_at`, or SARIMAX in its place if there is too little."""
    history, totals = _sample(settings, lake, fitted_at)
    features = pd.DataFrame()
    if model.reads_features:
        features = _training_features(history["part_id"].unique(), settings, lake, fitted_at)
    data = ModelData(features, history, totals)
    return fit_or_fall_back(model, data, fitted_at, model_context(settings))


def _sample(settings: Settings, lake: Lake, fitted_at: date) -> tuple[pd.DataFrame, GroupTotals]:
    """Read what a model is trained on.

    Returns
    -------
    tuple
        Demand, bookings and known covariates of a sample of the parts, and the totals of all; no more is in memory.
    """
    weeks = history_weeks(settings, fitted_at, fitted_at)
    notes = read_notes(settings, lake, weeks)
    sample, totals = PartSample(settings.forecasting.fit_series), []
    for rows, of_rows in demand_with_totals(lake, weeks, notes):
        sample.add(rows)
        totals.append(of_rows)
    covariates = [sample.about(rows) for rows in known_covariates(settings, lake, fitted_at, fitted_at)]
    others = [*covariates, sample.about(notes)] if len(notes) else covariates
    return pd.concat([sample.rows, *others], ignore_index=True), GroupTotals.joined(totals)


def demand_with_totals(
    lake: Lake, weeks: Sequence[date], notes: pd.DataFrame
) -> Iterator[tuple[pd.DataFrame, GroupTotals]]:
    """Read the demand and the bookings of `weeks`, some rows at a time, each with their totals.

    `notes` are those of `planner_notes.read_notes`, which count in the totals.
    """
    columns = [*SERIES, "part_category", "quantity"]
    batches = [lake.batches(WEEKLY_DEMAND, weeks, columns)]
    if booked := list(books_with_rows(lake, weeks)):
        batches.append(lake.batches(ORDER_BOOK, booked, [*columns, "due_week"]))
    for rows in chain(*batches):
        yield rows, GroupTotals.from_history(pd.concat([rows, notes]) if len(notes) else rows)


def known_covariates(settings: Settings, lake: Lake, fitted_at: date, last: date) -> Iterator[pd.DataFrame]:
    """Read the covariates that forecasts up to the week `last` may use, as rows of the history, if there are any."""
    weeks = weeks_with_rows(lake, KNOWN_COVARIATES, covariate_weeks(settings, fitted_at, last))
    if weeks:
        for rows in lake.batches(KNOWN_COVARIATES, weeks, [*SERIES, "target_week", "covariate", "value"]):
            yield rows.rename(columns={"week": "known", "target_week": "week"})


def _training_features(parts: np.ndarray, settings: Settings, lake: Lake, fitted_at: date) -> pd.DataFrame:
    """Read the rows of feature_table of `parts` that a model is trained on."""
    table = feature_columns(settings.calendar.horizon_weeks)
    batches = lake.batches(table, training_weeks(settings, fitted_at))
    return pd.concat([rows[rows["part_id"].isin(parts)] for rows in batches], ignore_index=True)


def history_weeks(settings: Settings, fitted_at: date, last: date) -> list[date]:
    """Return the weeks of demand that forecasts up to the week `last` may use with a model of `fitted_at`."""
    first = add_weeks(fitted_at, 1 - settings.forecasting.history_weeks)
    return weeks_between(max(first, settings.calendar.first_week), last)


def covariate_weeks(settings: Settings, fitted_at: date, last: date) -> list[date]:
    """Return the weeks in which covariates of the history of `history_weeks`, and of weeks ahead, became known."""
    calendar = settings.calendar
    first = add_weeks(fitted_at, 1 - settings.forecasting.history_weeks - calendar.horizon_weeks)
    return weeks_between(max(first, calendar.first_week), last)


def training_weeks(settings: Settings, fitted_at: date) -> list[date]:
    """Return the weeks of feature_table that XGBoost is trained on as of `fitted_at`."""
    first = add_weeks(fitted_at, -settings.forecasting.xgb_train_weeks)
    return weeks_between(max(first, settings.calendar.first_week), add_weeks(fitted_at, -1))


def fits(
    model: ForecastingModel, weeks: Sequence[date], settings: Settings, lake: Lake, tracking: Tracking
) -> Iterator[Fit]:
    """Obtain a model as of each of `weeks`: from MLflow if it has one that was trained on the same, else by training.

    Parameters
    ----------
    model
        The model.
    weeks
        Refit weeks, sorted.

    Yields
    ------
    Fit
        The model of each week, in their order.
    """
    name = model_table(model.name).name
    ids = fit_ids(model, settings, lake, weeks)
    known = {week: tracking.find(name, ids[week]) for week in weeks}
    unknown = [week for week in weeks if known[week] is None]
    new = each_week(fit_model, unknown, ((model, settings, lake, week) for week in unknown))
    for week in weeks:
        uri = known[week]
        if uri is None:
            yield Fit(name, week, next(new)[1], id=ids[week])
            continue
        try:
            with tracking.files(uri) as folder:
                fitted = model.load(folder / MODEL_FOLDER)
        except Exception as error:
            warning = f"{uri} cannot be read, so {name} as of {week} was trained again: {error}"
            yield Fit(name, week, fit_model(model, settings, lake, week), id=ids[week], warning=warning)
        else:
            yield Fit(name, week, fitted, loaded_from=uri)


def traceable(model: ForecastingModel, fit: Fit, settings: Settings, lake: Lake) -> Fit:
    """Return `fit`, without its id if another process has rewritten weeks that it may have been trained on."""
    unchanged = fit.id is None or fit_ids(model, settings, lake, [fit.week])[fit.week] == fit.id
    return fit if unchanged else replace(fit, id=None)


def fit_ids(
    model: ForecastingModel, settings: Settings, lake: Lake, weeks: Sequence[date]
) -> dict[date, str]:
    """Return the id of the fit of each week: fits with the same data, settings and code have the same id."""
    features = feature_columns(settings.calendar.horizon_weeks)
    # Not the versions of weeks: these do not tell by which code or in which order of files the weeks were made.
    demand_files, book_files, covariate_files, feature_files = map(
        lake.records.content_ids, (WEEKLY_DEMAND, ORDER_BOOK, KNOWN_COVARIATES, features)
    )
    used = settings.model_dump(mode="json", include={"calendar": True, "forecasting": MODEL_FIELDS})
    ids, folder = {}, PlanningFolder.of(settings)
    for week in weeks:
        history = history_weeks(settings, week, week)
        files = [known.get(w) for known in (demand_files, book_files) for w in history]
        files += [covariate_files.get(w) for w in covariate_weeks(settings, week, week)]
        if model.reads_features:
            files += [feature_files.get(w) for w in training_weeks(settings, week)]
        notes = folder.versions(week, NOTES)
        ids[week] = fingerprint([str(week), files, notes, used, code(), *_own_code(type(model))])
    return ids


@cache
def _own_code(kind: type[ForecastingModel]) -> list[str]:
    """Return what identifies the code of a model of another package."""
    module = inspect.getmodule(kind)
    if module is None or module.__name__.startswith("forecasting_assets."):
        return []
    try:
        source = code_of(inspect.getsource(module))
    except OSError:  # a package without its source
        source = module.__name__
    packages = packages_distributions().get(module.__name__.partition(".")[0], [])
    return [fingerprint([source, *(f"{name} {version(name)}" for name in sorted(set(packages)))])]


@cache
def code() -> list[str]:
    """Return what identifies the code that changes what models forecast, and the versions of their libraries.

    Comments, docstrings and layout do not count, nor does any other module.
    """
    sources = [code_of(file.read_text(encoding="utf-8")) for file in code_files()]
    return [fingerprint(sources), *map(version, _LIBRARIES)]


def code_files() -> list[Path]:
    """Return the modules whose code changes what models forecast."""
    left_out = {_SOURCES / "forecasting" / f"{name}.py" for name in _NO_MODEL_CODE}
    return [file for place in _CODE for file in sorted(_SOURCES.glob(place)) if file not in left_out]


def code_of(source: str) -> str:
    """Return the syntax tree of a module without its docstrings, as text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
