"""xgb_model as an MLflow model: the input is rows of feature_table, the output forecasts of every horizon.

Where orders have due dates, the input has rows of order_book as well: `week` is that of the book, and features are
empty.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from forecasting_assets.forecasting import xgb
from forecasting_assets.forecasting.panel import split_history
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings


class XgbForecaster(PythonModel):
    """Forecasts every active series from the latest week of the input; the weeks before it are the history."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model from the artifact `model` and its settings from the artifact `description`."""
        self.model = xgb.load(Path(context.artifacts["model"]))
        description = json.loads(Path(context.artifacts["description"]).read_text())
        self.settings = ForecastingSettings(**description["settings"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Forecast from the rows of feature_table, and of order_book, of the whole market.

        Returns
        -------
        pandas.DataFrame
            Rows of a forecast table; the origin is the latest week of the input.
        """
        features, booked = split_history(model_input)
        newest = features[features["week"] == features["week"].max()]
        history = pd.concat([features[features["quantity"] > 0], booked])
        return xgb.predict(self.model, newest, history, GroupTotals.from_history(history), self.settings)


set_model(XgbForecaster())
