"""Forecasts of each market, a category in a region, by SARIMAX of its own demand.

Part of the demand of coming weeks is that of series that are not active yet, so that no model forecasts them. The
forecast of a market is of its active series: that of all its demand, times the share that series active as many weeks
earlier have had in it.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.forecast_arrays import VALUES
from forecasting_assets.forecasting.market_demand import active_shares
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.part_sample import sample_parts
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.tables import MARKET, MARKET_FORECAST

#: Categories that are forecast at once, so that little is in memory where there are very many.
CATEGORIES_AT_ONCE = 500


def forecast_markets(
    demand: pd.DataFrame, fitted_at: date, origins: Sequence[date], context: ModelContext
) -> pd.DataFrame:
    """Forecast the active series of markets together, from the demand of the markets.

    Parameters
    ----------
    demand
        Rows of `market_demand` of all series, of any weeks; those after an origin are not used for it.
    fitted_at
        The week at whose end SARIMAX is fitted to the markets.
    origins
        Weeks to forecast from, not before `fitted_at`.
    context
        Horizon, settings and countries.

    Returns
    -------
    DataFrame
        Rows of MARKET_FORECAST.
    """
    columns = [*MARKET, "week", "due_week", "quantity"]
    history = demand.loc[demand["quantity"] > 0, columns].assign(part_id=lambda rows: rows["part_category"])
    of_fit, settings = history[history["week"] <= pd.Timestamp(fitted_at)], context.settings
    sample = sample_parts(of_fit, settings.fit_series)
    model = sarimax.fit(sample, GroupTotals.from_history(of_fit), fitted_at, context)
    names, totals = np.sort(history["part_id"].unique()), GroupTotals.from_history(history)
    tables = [
        sarimax.predict(model, history[history["part_id"].isin(some)], totals, origins, settings)
        for some in np.array_split(names, 1 + len(names) // CATEGORIES_AT_ONCE)
    ]
    forecast = pd.concat(tables, ignore_index=True).rename(columns={"part_id": "part_category"})
    return _of_active_series(forecast, demand, origins, context.horizon)


def _of_active_series(
    forecast: pd.DataFrame, demand: pd.DataFrame, origins: Sequence[date], horizon: int
) -> pd.DataFrame:
    """Reduce forecasts of markets to the share of active series, and add the number of these.

    What is booked is of active series already, see `market_demand`. Forecasts whose share is not known are left out.
    """
    booked = demand["due_week"].notna()
    count = demand.loc[~booked, [*MARKET, "week", "series"]].rename(columns={"week": "origin_week"})
    ahead = demand.loc[booked, [*MARKET, "week", "due_week", "quantity"]]
    ahead = ahead.rename(columns={"week": "origin_week", "due_week": "target_week"})
    shares = pd.concat([active_shares(demand, origin, horizon) for origin in origins])
    rows = forecast.merge(count, on=[*MARKET, "origin_week"])
    rows = rows.merge(shares, on=[*MARKET, "origin_week", "horizon"])
    rows = rows.merge(ahead, how="left", on=[*MARKET, "origin_week", "target_week"])
    least = rows[["quantity"]].fillna(0.0).to_numpy()
    rows[VALUES] = least + rows[["share"]].to_numpy() * (rows[VALUES].to_numpy() - least)
    made: pd.DataFrame = rows.astype({"series": np.int64})[MARKET_FORECAST.names]
    return made
