"""A forecasting model as an MLflow model: the output is forecasts of every horizon from the latest week of the input.

The input is the demand history, or rows of feature_table for a model that reads these. It has rows of order_book as
well where orders have due dates: `week` is that of the book, and features are empty. Where covariates are known, it has
a row for each `covariate` with its `value`: `week` is the week that it is about, and `known` the week in which it
became known.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.panel import split_covariates, split_history
from forecasting_assets.forecasting.registry import find_model
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings


class Forecaster(PythonModel):
    """Forecasts every active series from the latest week of the input; the weeks before it are the history."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the fitted model from the artifact `model`, and what it is asked for from `description`."""
        description = json.loads(Path(context.artifacts["description"]).read_text())
        settings = ForecastingSettings(**description["settings"])
        self.context = ModelContext(description["horizon"], settings, tuple(description["countries"]))
        self.model = find_model(description["model"])
        self.fitted = self.model.load(Path(context.artifacts["model"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Forecast from rows of the whole market.

        Returns
        -------
        pandas.DataFrame
            Rows of a forecast table; the origin is the latest week of demand.
        """
        rows, covariates = split_covariates(model_input)
        demand, booked = split_history(rows)
        features, history, origin = pd.DataFrame(), model_input, demand["week"].max()
        if self.model.reads_features:
            history = pd.concat([demand[demand["quantity"] > 0], booked, covariates])
            features = demand[demand["week"] == origin]
        data = ModelData(features, history, GroupTotals.from_history(history))
        return self.model.predict(self.fitted, data, [origin.date()], self.context)


set_model(Forecaster())
