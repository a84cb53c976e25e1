"""xgb_model as an MLflow model: rows of feature_table in, forecasts of every horizon out."""

import json
from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from forecasting_assets.forecasting import xgb
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings


class XgbForecaster(PythonModel):
    """`predict` takes feature_table rows of the whole market: the latest week is the origin, the weeks before
    it are the history."""

    def load_context(self, context):
        self.model = xgb.load(Path(context.artifacts["model"]))
        described = json.loads(Path(context.artifacts["description"]).read_text())
        self.settings = ForecastingSettings(**described["settings"])

    def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        history = model_input[model_input["quantity"] > 0]
        newest = model_input[model_input["week"] == model_input["week"].max()]
        return xgb.predict(self.model, newest, history, GroupTotals.of(history), self.settings)


set_model(XgbForecaster())
