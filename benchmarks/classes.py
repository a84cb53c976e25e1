"""Forecasts of each category and region, the level at which capacity is planned."""

from collections.abc import Mapping
from datetime import date

import pandas as pd

from benchmarks import results
from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings

#: What the demand and the forecasts of a class are added up over.
CLASS = ["part_category", "region"]
_CELL = [*CLASS, "origin_week", "target_week"]


def direct(demand: pd.DataFrame, origin: date, horizon: int) -> pd.DataFrame:
    """Forecast classes from their own demand by SARIMAX, each class as a part of its own.

    Parameters
    ----------
    demand
        part_id, part_category, region, week, quantity of the series that are scored.
    origin
        The origin.
    horizon
        Number of weeks ahead.

    Returns
    -------
    pandas.DataFrame
        Rows of a forecast table with the category of each as `part_category`.
    """
    summed = demand.groupby([*CLASS, "week"], as_index=False)["quantity"].sum()
    classes, settings = summed.assign(part_id=summed["part_category"]), ForecastingSettings()
    totals = GroupTotals.from_history(classes)
    model = sarimax.fit(classes, totals, origin, horizon, settings)
    table = sarimax.predict(model, classes, totals, [origin], settings)
    return table.assign(part_category=table["part_id"])


def class_table(truth: pd.DataFrame, forecasts: Mapping[str, pd.DataFrame], label: str) -> str:
    """Return a table of WAPE and bias of the means of classes, in %.

    Parameters
    ----------
    truth
        part_category, region, origin_week, target_week, actual of each series that is scored.
    forecasts
        Name to rows of forecast tables of any origins, with part_category; those of a class are added up.
    label
        Heading of the first column.
    """
    actual = truth.groupby(_CELL)["actual"].sum()
    rows = []
    for name, table in forecasts.items():
        mean = table.groupby(_CELL)["mean"].sum().reindex(actual.index, fill_value=0.0)
        error, units = mean - actual, actual.sum()
        wape, bias = 100 * error.abs().sum() / units, 100 * error.sum() / units
        rows.append({label: name, "WAPE": f"{wape:.4g}", "bias %": f"{bias:.4g}"})
    return results.table(rows)
