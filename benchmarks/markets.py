"""Forecasts of markets, the categories in each region, for which capacity is planned."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import pandas as pd

from benchmarks import results
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.scenarios import QUANTILE_DRAWS, part_scenarios
from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex, forecast_table
from forecasting_assets.forecasting.market_demand import market_demand
from forecasting_assets.forecasting.market_forecast import forecast_markets
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.reconciliation import reconcile
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import MARKET, QUANTILES

_CELL = [*MARKET, "origin_week", "target_week"]
#: Quantiles of the intervals of sums, with their levels.
INTERVALS = {name: QUANTILES[name] for name in ("q05", "q10", "q90", "q95")}


def own_forecasts(
    demand: pd.DataFrame, origin: date, horizon: int, countries: tuple[str, ...]
) -> pd.DataFrame:
    """Forecast markets from their own demand, as the platform does.

    Parameters
    ----------
    demand
        part_id, part_category, region, week, quantity of all series.
    origin
        The origin, up to which SARIMAX is fitted.
    horizon
        Number of weeks ahead.
    countries
        ISO 3166 codes of the countries whose public holidays matter.

    Returns
    -------
    pandas.DataFrame
        Rows of MARKET_FORECAST.
    """
    context = ModelContext(horizon, ForecastingSettings(), countries)
    totals = GroupTotals.from_history(demand)
    panel = sarimax.panel_of_fit(demand, totals, origin, origin, context.settings)
    rows = market_demand(panel, panel.series["part_category"], panel.column(origin), horizon)
    return forecast_markets(rows, origin, [origin], context)


def with_markets(
    forecast: pd.DataFrame, markets: pd.DataFrame, category: pd.Series, planned: pd.DataFrame
) -> pd.DataFrame:
    """Reconcile a forecast of one origin with forecasts of its markets.

    Parameters
    ----------
    forecast
        Rows of a forecast table.
    markets
        Rows of MARKET_FORECAST.
    category
        Category of each part.
    planned
        part_id, region and horizon of the forecasts that use known covariates.

    Returns
    -------
    pandas.DataFrame
        Rows of a forecast table.
    """
    index = SeriesIndex.of(forecast)
    horizons = int(forecast["horizon"].max())
    is_planned = np.zeros((len(index), horizons), dtype=bool)
    is_planned[index.rows(planned), planned["horizon"].to_numpy() - 1] = True
    of_market = index.series.assign(part_category=index.series["part_id"].map(category))
    values = index.forecast_array(forecast, horizons)
    moved = reconcile(values, of_market, markets, is_planned, np.zeros(is_planned.shape))
    return forecast_table(index.series, np.repeat(forecast["origin_week"].unique(), len(index)), moved)


def sum_intervals(forecast: pd.DataFrame, correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the intervals of the sums of markets, from the draws that plans under uncertainty use.

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
    markets = pd.MultiIndex.from_frame(forecast[_CELL].drop_duplicates().sort_values(_CELL))
    return pd.DataFrame(np.quantile(sums, list(INTERVALS.values()), axis=0).T, markets, list(INTERVALS))


def market_table(
    truth: pd.DataFrame,
    forecasts: Mapping[str, pd.DataFrame],
    label: str,
    intervals: Mapping[str, pd.DataFrame] = MappingProxyType({}),
) -> str:
    """Return a table of WAPE and bias of the means of markets, in %, and of the weeks that their intervals hold.

    Parameters
    ----------
    truth
        part_category, region, origin_week, target_week, actual of each series that is scored.
    forecasts
        Name to rows of forecast tables of any origins, with part_category; those of a market are added up.
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
    """Return the shares of weeks that lie in the intervals of their market, in %."""
    ends = intervals.reindex(actual.index)
    inside = {
        name: actual.between(ends[low], ends[high]).mean()
        for name, low, high in (("in 80 %", "q10", "q90"), ("in 90 %", "q05", "q95"))
    }
    return {name: f"{100 * share:.4g}" for name, share in inside.items()}
