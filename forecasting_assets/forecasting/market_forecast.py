"""Forecasts of each market (a category in a region) as a whole, by SARIMAX of its own demand."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.cleaned_points import usual_demand
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.part_sample import sample_parts
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.tables import MARKET, MARKET_FORECAST
from forecasting_assets.weeks import add_weeks_to_all

#: Categories that are forecast at once, so that memory does not grow with their number.
CATEGORIES_AT_ONCE = 500


def market_demand(panel: Panel, category: pd.Series, fitted_at: int) -> pd.DataFrame:
    """Add up the demand of the series of a panel by market.

    Parameters
    ----------
    panel
        Demand of some series.
    category
        Category of each series, in the order of the panel.
    fitted_at
        As for `cleaned_points.usual_demand`, which stands in for the weeks that models leave out.

    Returns
    -------
    DataFrame
        part_category, region, week, quantity, and due_week, which is missing but in rows of what was booked at the
        end of `week`.
    """
    names = panel.series[["region"]].assign(part_category=category.to_numpy())[MARKET]
    demand = usual_demand(panel, fitted_at)
    series, column = np.nonzero(demand)
    rows = names.iloc[series].assign(
        week=_weeks(panel, column), due_week=np.datetime64("NaT", "ns"), quantity=demand[series, column]
    )
    if panel.bookings is not None:
        week, ahead = (panel.bookings[name].to_numpy() for name in ("week", "ahead"))
        booked = names.iloc[panel.bookings["series"]].assign(
            week=_weeks(panel, week),
            due_week=_weeks(panel, week + ahead),
            quantity=panel.bookings["quantity"].to_numpy(),
        )
        rows = pd.concat([rows, booked])
    return added_up([rows])


def added_up(demand: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Add up tables of `market_demand` of different series."""
    keys = [*MARKET, "week", "due_week"]
    total = pd.concat(demand).groupby(keys, dropna=False)["quantity"].sum()
    # Whatever the order in which series are added up, the sum is the same.
    return total.round(6).reset_index()


def forecast_markets(
    demand: pd.DataFrame, fitted_at: date, origins: Sequence[date], context: ModelContext
) -> pd.DataFrame:
    """Forecast markets from their own demand.

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
    history = demand.assign(part_id=demand["part_category"])
    if history["due_week"].isna().all():
        history = history.drop(columns="due_week")
    totals, settings = GroupTotals.from_history(history), context.settings
    sample = sample_parts(history, settings.fit_series)
    model = sarimax.fit(sample, totals, fitted_at, context.horizon, settings, context.countries)
    names = np.sort(demand["part_category"].unique())
    tables = [
        sarimax.predict(model, history[history["part_id"].isin(some)], totals, origins, settings)
        for some in np.array_split(names, 1 + len(names) // CATEGORIES_AT_ONCE)
    ]
    forecast = pd.concat(tables, ignore_index=True).rename(columns={"part_id": "part_category"})
    return forecast[MARKET_FORECAST.names]


def _weeks(panel: Panel, columns: np.ndarray) -> np.ndarray:
    return add_weeks_to_all(np.full(len(columns), panel.first, dtype="datetime64[ns]"), columns)
