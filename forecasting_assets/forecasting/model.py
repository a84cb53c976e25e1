"""What a forecasting model is: the interface that SARIMAX, XGBoost and a user's own models share."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings

_FITTED = "fitted.json"


class NotEnoughHistory(PicklableError, ValueError):
    """Too little history to train a model on; SARIMAX forecasts in its place.

    Attributes
    ----------
    week
        The week of the fit.
    """

    def __init__(self, week: date, reason: str) -> None:
        super().__init__(f"{week}: {reason}")
        self.week = week


@dataclass(frozen=True)
class ModelData:
    """What a model is trained on or forecasts from.

    Attributes
    ----------
    features
        Rows of feature_table: for training those of past weeks, for a forecast those of its origins. No rows for a
        model that does not read features.
    history
        part_id, region, part_category, week, quantity in units, only weeks with orders, with every region of its
        parts. Rows with a `due_week` are bookings, rows with a `covariate` are known covariates, rows with a `note` say
        what planners know (`planner_notes`) by the end of all origins; `Panel.from_history` tells them apart.
    totals
        Demand of all categories and regions.
    """

    features: pd.DataFrame
    history: pd.DataFrame
    totals: GroupTotals


@dataclass(frozen=True)
class ModelContext:
    """Horizon, settings and countries of the forecasts.

    Attributes
    ----------
    horizon
        Number of weeks to forecast.
    settings
        Settings of the forecasts.
    countries
        ISO 3166 codes of the countries whose public holidays matter.
    """

    horizon: int
    settings: ForecastingSettings
    countries: tuple[str, ...] = ()


class ForecastingModel(ABC):
    """A forecasting model; `[forecasting] models` names those that are used.

    Its asset and table are called `<name>_model`. Models are trained every `refit_weeks` and kept in MLflow; Spark
    calls `predict` for some parts at a time. The docstring of a subclass describes the asset in the UI.

    Attributes
    ----------
    name
        Name: lower-case letters, digits and underscores.
    reads_features
        Whether the model reads rows of feature_table.
    kinds
        Libraries that it is made with, as the UI shows them.
    """

    name: ClassVar[str]
    reads_features: ClassVar[bool] = False
    kinds: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def fit(self, data: ModelData, week: date, context: ModelContext) -> Any:
        """Train at the end of `week` on a sample of about `fit_series` series; later weeks may not be used.

        Returns
        -------
        object
            The fitted model, which Spark sends to its tasks.

        Raises
        ------
        NotEnoughHistory
            If the model cannot be trained yet.
        """

    @abstractmethod
    def predict(
        self, fitted: Any, data: ModelData, origins: Sequence[date], context: ModelContext
    ) -> pd.DataFrame:
        """Forecast every series of `data` that is active at an origin, from each of `origins`.

        Nothing after an origin may be used for it. What is forecast of a series may depend on its own history, on the
        other regions of its part and on the totals, but on no other series, as tasks hold only some of the parts.

        Returns
        -------
        pandas.DataFrame
            Rows of a forecast table, as `forecast_arrays.forecast_table` builds them, in units. A model that uses known
            covariates may add `without_covariates`, its median without them, NaN where it uses none.
        """

    def save(self, fitted: Any, folder: Path) -> None:
        """Write a fitted model to an empty folder; by default as JSON.

        Raises
        ------
        TypeError
            If JSON cannot hold the fitted model.
        """
        try:
            text = json.dumps(fitted)
        except TypeError as error:
            remedy = "let fit return numbers, texts, lists and dictionaries, or define save and load"
            raise TypeError(f"model {self.name!r} cannot be kept as JSON: {error}; {remedy}") from error
        (folder / _FITTED).write_text(text)

    def load(self, folder: Path) -> Any:
        """Read what `save` wrote."""
        return json.loads((folder / _FITTED).read_text())

    def parameters(self, fitted: Any, context: ModelContext) -> Mapping[str, Any]:
        """Return the parameters of a fitted model as MLflow shows them."""
        return context.settings.shared_by_models()
