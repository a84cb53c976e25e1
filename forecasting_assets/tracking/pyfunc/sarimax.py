"""sarimax_model as an MLflow model: history of demand in, forecasts of every horizon out."""

import json
from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings


class SarimaxForecaster(PythonModel):
    """`predict` takes part_id, part_category, region, week, quantity of the whole market; the origin is the
    latest week in it."""

    def load_context(self, context):
        described = json.loads(Path(context.artifacts["description"]).read_text())
        self.settings = ForecastingSettings(**described["settings"])
        self.model = sarimax.SarimaxModel.from_dict(described["model"])

    def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        totals, origin = GroupTotals.of(model_input), model_input["week"].max().date()
        return sarimax.predict(self.model, model_input, totals, [origin], self.settings)


set_model(SarimaxForecaster())
