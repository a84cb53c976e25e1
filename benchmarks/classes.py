"""Forecasts of each category and region, the level at which capacity is planned."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import pandas as pd

from benchmarks import results
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.scenarios import QUANTILE_DRAWS, part_scenarios
from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.settings import CalendarSettings
from forecasting_assets.tables import QUANTILES

#: What the demand and the forecasts of a class are added up over.
CLASS = ["part_category", "region"]
_CELL = [*CLASS, "origin_week", "target_week"]
#: Quantiles of the intervals of sums, with their levels.
INTERVALS = {name: QUANTILES[name] for name in ("q05", "q10", "q90", "q95")}


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
    model = sarimax.fit(classes, totals, origin, horizon, settings, CalendarSettings().holiday_countries)
    table = sarimax.predict(model, classes, totals, [origin], settings)
    return table.assign(part_category=table["part_id"])


def sum_intervals(forecast: pd.DataFrame, correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the intervals of the sums of classes, from the draws that plans under uncertainty use.

    Parameters
    ----------
    forecast
        Rows of demand_forecast of one origin, with part_category.
    correlations
        ERROR_CORRELATIONS of the origin.

    Returns
    -------
    pandas.DataFrame
        INTERVALS, by part_category, region, origin_week, target_week.
    """
    demand = forecast.rename(columns={"target_week": "due_week", "mean": "quantity"})
    demand = demand.astype({"due_week": "datetime64[ns]"})
    without_category = demand.drop(columns="part_category")
    draws = part_scenarios(demand, without_category, AllocationPolicy(), QUANTILE_DRAWS, correlations)
    number = forecast.groupby(_CELL).ngroup().to_numpy()
    sums = np.array([np.bincount(number, units) for units in draws])
    classes = pd.MultiIndex.from_frame(forecast[_CELL].drop_duplicates().sort_values(_CELL))
    return pd.DataFrame(np.quantile(sums, list(INTERVALS.values()), axis=0).T, classes, list(INTERVALS))


def class_table(
    truth: pd.DataFrame,
    forecasts: Mapping[str, pd.DataFrame],
    label: str,
    intervals: Mapping[str, pd.DataFrame] = MappingProxyType({}),
) -> str:
    """Return a table of WAPE and bias of the means of classes, in %, and of the weeks that their intervals hold.

    Parameters
    ----------
    truth
        part_category, region, origin_week, target_week, actual of each series that is scored.
    forecasts
        Name to rows of forecast tables of any origins, with part_category; those of a class are added up.
    label
        Heading of the first column.
    intervals
        Name to `sum_intervals` of all origins, of the forecasts that have any.
    """
    actual = truth.groupby(_CELL)["actual"].sum()
    rows = []
    for name, table in forecasts.items():
        mean = table.groupby(_CELL)["mean"].sum().reindex(actual.index, fill_value=0.0)
        error, units = mean - actual, actual.sum()
        wape, bias = 100 * error.abs().sum() / units, 100 * error.sum() / units
        row = {label: name, "WAPE": f"{wape:.4g}", "bias %": f"{bias:.4g}"}
        rows.append(row | (_held(actual, intervals[name]) if name in intervals else {}))
    return results.table(rows)


def _held(actual: pd.Series, intervals: pd.DataFrame) -> dict[str, str]:
    """Return the shares of weeks that lie in the intervals of their class, in %."""
    ends = intervals.reindex(actual.index)
    inside = {
        name: actual.between(ends[low], ends[high]).mean()
        for name, low, high in (("in 80 %", "q10", "q90"), ("in 90 %", "q05", "q95"))
    }
    return {name: f"{100 * share:.4g}" for name, share in inside.items()}
