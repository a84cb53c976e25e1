"""xgb_model as an MLflow model: rows of feature_table in, forecasts of every horizon out."""

import json
from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from forecasting_assets.forecasting import xgb


class XgbForecaster(PythonModel):
    """`predict` takes feature_table rows of any weeks; each row's week is the origin."""

    def load_context(self, context):
        self.model = xgb.load(Path(context.artifacts["model"]))
        self.description = json.loads(Path(context.artifacts["description"]).read_text())

    def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        return xgb.predict(self.model, model_input, self.description["horizon"])


set_model(XgbForecaster())
