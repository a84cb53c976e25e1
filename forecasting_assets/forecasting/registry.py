"""The models of the package, and those of other packages that settings name."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.model import ForecastingModel, ModelContext, ModelData, NotEnoughHistory
from forecasting_assets.forecasting.planner_notes import by_knowledge
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.value_added import OVERRIDE, STEPS
from forecasting_assets.tables import WITHOUT_COVARIATES

#: Group of entry points by which a package offers models: name -> subclass of ForecastingModel.
ENTRY_POINTS = "forecasting_assets.models"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
#: Names of other forecasts in reports.
_RESERVED = ("combined", "seasonal_naive", OVERRIDE, *STEPS)
_SARIMAX_FILE = "model.json"


class ModelNotFoundError(PicklableError, ValueError):
    """A model that settings name and that cannot be used.

    Attributes
    ----------
    reference
        The model as settings name it.
    """

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(f"[forecasting] models: {reference!r} {reason}")
        self.reference = reference


@dataclass(frozen=True)
class SarimaxFallback:
    """SARIMAX in the place of a model that cannot be trained, with the reason."""

    model: SarimaxModel
    reason: str


class Sarimax(ForecastingModel):
    """Forecast of each active part and region by itself.

    An average of ARIMA models around a season that it shares with its part, category and region.
    """

    name = "sarimax"
    kinds = frozenset({"statsmodels"})

    def fit(self, data: ModelData, week: date, context: ModelContext) -> SarimaxModel:
        """Fit what is common to all series."""
        return sarimax.fit(data.history, data.totals, week, context)

    def predict(
        self, fitted: SarimaxModel, data: ModelData, origins: Sequence[date], context: ModelContext
    ) -> pd.DataFrame:
        """Forecast each series from its own history and that of the other regions of its part."""
        return sarimax.predict(fitted, data.history, data.totals, origins, context.settings)

    def save(self, fitted: SarimaxModel, folder: Path) -> None:
        """Write model.json."""
        (folder / _SARIMAX_FILE).write_text(json.dumps(fitted.to_dict()))

    def load(self, folder: Path) -> SarimaxModel:
        """Read model.json."""
        return SarimaxModel.from_dict(json.loads((folder / _SARIMAX_FILE).read_text()))


class Xgb(ForecastingModel):
    """Forecast of each active part and region by one XGBoost model across all series.

    The model learns from all series at once how demand departs from its usual level and season.
    """

    name = "xgb"
    reads_features = True
    kinds = frozenset({"xgboost"})

    def fit(self, data: ModelData, week: date, context: ModelContext) -> xgb.XgbModel | xgb.UntrainedMean:
        """Train both boosters; the mean is left to Spark if it has too many training rows for one process."""
        plan, base = xgb.plan_training(data, week, context)
        planned = xgb.fit_planned(data, week, context)
        if plan.rows > context.settings.xgb_distributed_rows:
            quantiles = plan.train_quantiles(data.features, base, context.settings)
            return xgb.UntrainedMean(plan, quantiles, planned)
        return replace(xgb.train(plan, data.features, base, context.settings), planned=planned)

    def predict(
        self, fitted: xgb.XgbModel, data: ModelData, origins: Sequence[date], context: ModelContext
    ) -> pd.DataFrame:
        """Forecast the series of the features of `origins`."""
        now = data.features[data.features["week"].isin([pd.Timestamp(week) for week in origins])]
        return xgb.predict(fitted, now, data.history, data.totals, context.settings)

    def save(self, fitted: xgb.XgbModel, folder: Path) -> None:
        """Write the boosters and model.json."""
        xgb.save(fitted, folder)

    def load(self, folder: Path) -> xgb.XgbModel:
        """Read the boosters and model.json."""
        return xgb.load(folder)

    def parameters(self, fitted: xgb.XgbModel, context: ModelContext) -> Mapping[str, Any]:
        """Return the settings of XGBoost and how the boosters were trained."""
        of_fit = {"training_rows": fitted.rows, "with_earlier_years": fitted.with_earlier_years}
        return context.settings.of_xgboost() | xgb.TRAINING_PARAMETERS | of_fit


_BUILT_IN: dict[str, type[ForecastingModel]] = {model.name: model for model in (Sarimax, Xgb)}


def find_model(reference: str) -> ForecastingModel:
    """Return a model by its name, that of an entry point, or as `module:Class`.

    Raises
    ------
    ModelNotFoundError
        If there is no such model, it cannot be imported, or it is no complete subclass of ForecastingModel.
    """
    if reference in _BUILT_IN:
        return _BUILT_IN[reference]()
    model = _load(reference)
    if not (isinstance(model, type) and issubclass(model, ForecastingModel)):
        raise ModelNotFoundError(reference, "is not a subclass of ForecastingModel")
    if missing := sorted(model.__abstractmethods__):
        raise ModelNotFoundError(reference, f"does not define {', '.join(missing)}")
    if not _NAME.fullmatch(getattr(model, "name", "")):
        raise ModelNotFoundError(reference, "needs a `name` of lower-case letters, digits and underscores")
    return model()


def reference_of(model: ForecastingModel) -> str:
    """Return a reference by which `find_model` finds this model in any process, whatever name settings use for it."""
    kind = type(model)
    return model.name if _BUILT_IN.get(model.name) is kind else f"{kind.__module__}:{kind.__qualname__}"


def _load(reference: str) -> Any:
    offered = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    module, _, name = reference.partition(":")
    if reference not in offered and not (module and name):
        known = ", ".join([*_BUILT_IN, *sorted(offered)])
        raise ModelNotFoundError(
            reference, f"is not known: use {known}, or 'module:Class' for a class of your own"
        )
    try:
        return offered[reference].load() if reference in offered else getattr(import_module(module), name)
    except Exception as error:  # a module of a user's own may raise anything
        raise ModelNotFoundError(reference, f"cannot be imported: {type(error).__name__}: {error}") from error


def find_models(references: Sequence[str]) -> list[ForecastingModel]:
    """Return the models that settings name, in their order.

    Raises
    ------
    ModelNotFoundError
        If one cannot be found, or two have the same name.
    """
    models = [find_model(reference) for reference in references]
    names = [model.name for model in models]
    for reference, name in zip(references, names, strict=True):
        if names.count(name) > 1:
            raise ModelNotFoundError(reference, f"has the name {name!r} of another model")
        if name in _RESERVED:
            raise ModelNotFoundError(reference, f"may not have the name {name!r}, which reports use")
    return models


def fit_or_fall_back(model: ForecastingModel, data: ModelData, week: date, context: ModelContext) -> Any:
    """Train a model, or SARIMAX in its place if it has not enough history."""
    try:
        return model.fit(data, week, context)
    except NotEnoughHistory as reason:
        fitted = Sarimax().fit(data, week, context)
        return SarimaxFallback(fitted, str(reason))


def predict(
    model: ForecastingModel, fitted: Any, data: ModelData, origins: Sequence[date], context: ModelContext
) -> pd.DataFrame:
    """Forecast with a model, or with its fallback.

    Origins that know other notes of planners are forecast by themselves, so that none uses what became known later.

    Returns
    -------
    pandas.DataFrame
        Rows of a forecast table, with the name of the model that made them as `method`, and `without_covariates`,
        which is empty for a model that does not return it.
    """
    used, of = (Sarimax(), fitted.model) if isinstance(fitted, SarimaxFallback) else (model, fitted)
    tables = [
        used.predict(of, replace(data, history=known), group, context)
        for group, known in by_knowledge(data.history, origins, data.totals.noted)
    ]
    rows = pd.concat(tables, ignore_index=True).assign(method=used.name)
    return rows if WITHOUT_COVARIATES.name in rows else rows.assign(**{WITHOUT_COVARIATES.name: np.nan})
