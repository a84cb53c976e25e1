"""Forecasts by models as MLflow has them."""

import pandas as pd

from forecasting_assets.tables import QUANTILES, SERIES


def predictions(model, week, rows: pd.DataFrame) -> pd.DataFrame:
    """Forecast with the model that is logged for a week, from rows of the lake; sorted by series and horizon."""
    import mlflow

    made = mlflow.pyfunc.load_model(f"models:/{model}@week-{week}").predict(rows)
    return made.sort_values([*SERIES, "horizon"], ignore_index=True)[[*SERIES, "horizon", "mean", *QUANTILES]]
