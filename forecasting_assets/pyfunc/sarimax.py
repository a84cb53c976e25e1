"""sarimax_model as an MLflow model: history of demand in, forecasts of every horizon out."""

import json
from datetime import date
from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.settings import ForecastingSettings


class SarimaxForecaster(PythonModel):
    """`predict` takes part_id, region, week, quantity; the origin is the latest week in it."""

    def load_context(self, context):
        self.params = pd.read_parquet(context.artifacts["params"])
        described = json.loads(Path(context.artifacts["description"]).read_text())
        self.settings = ForecastingSettings(**described["settings"])
        self.horizon = described["horizon"]
        self.refit_week = date.fromisoformat(described["refit_week"])

    def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        origin = model_input["week"].max().date()
        return sarimax.predict(
            self.params, model_input, self.refit_week, [origin], self.horizon, self.settings
        )


set_model(SarimaxForecaster())
