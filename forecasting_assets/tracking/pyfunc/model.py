"""A forecasting model as an MLflow model: the output is forecasts of every horizon from the latest week of the input.

The input is the demand history, or rows of feature_table for a model that reads these. Where orders have due dates, the
latter has rows of order_book as well: `week` is that of the book, and features are empty.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.panel import split_history
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
            Rows of a forecast table; the origin is the latest week of the input.
        """
        features, history, origin = pd.DataFrame(), model_input, model_input["week"].max()
        if self.model.reads_features:
            rows, booked = split_history(model_input)
            history, origin = pd.concat([rows[rows["quantity"] > 0], booked]), rows["week"].max()
            features = rows[rows["week"] == origin]
        data = ModelData(features, history, GroupTotals.from_history(history))
        return self.model.predict(self.fitted, data, [origin.date()], self.context)


set_model(Forecaster())
