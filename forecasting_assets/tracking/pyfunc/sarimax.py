"""sarimax_model as an MLflow model: the input is the demand history, the output forecasts of every horizon."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings


class SarimaxForecaster(PythonModel):
    """Forecasts every active series from the latest week of the input."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model and its settings from the artifact `description`."""
        description = json.loads(Path(context.artifacts["description"]).read_text())
        self.settings = ForecastingSettings(**description["settings"])
        self.model = sarimax.SarimaxModel.from_dict(description["model"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Forecast from part_id, part_category, region, week, quantity of the whole market.

        Returns
        -------
        pandas.DataFrame
            Rows of a forecast table; the origin is the latest week of the input.
        """
        totals, origin = GroupTotals.from_history(model_input), model_input["week"].max().date()
        return sarimax.predict(self.model, model_input, totals, [origin], self.settings)


set_model(SarimaxForecaster())
