"""Demand, forecasts, bookings and plans of all series and groups as arrays, for the page about forecasts."""

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.panel import week_numbers
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks

#: Weeks of demand before the forecast, and earlier forecasts over it.
HISTORY_WEEKS, EARLIER_ORIGINS = 104, 8
#: Quantiles that are shown: the ends of the 90 % and the 80 % interval.
SHOWN_QUANTILES = ["q05", "q10", "q90", "q95"]


@dataclass(frozen=True)
class ForecastTables:
    """What the page about forecasts is made from.

    Attributes
    ----------
    week, horizon
        The origin, and the number of weeks forecast.
    history
        part_id, region, part_category, week, quantity of the last HISTORY_WEEKS weeks.
    forecast
        DEMAND_FORECAST of the week.
    plan
        DEMAND_PLAN of the week.
    earlier
        part_id, region, origin_week, horizon, mean of forecasts from earlier origins.
    parts, errors
        PART_ERRORS and FORECAST_ERRORS of the week.
    drivers
        `forecasting.drivers.forecast_drivers` of the series that are explained.
    no_drivers
        Why no forecast is explained; empty if some are.
    left_out
        CLEANED_POINTS of the week.
    """

    week: date
    horizon: int
    history: pd.DataFrame
    forecast: pd.DataFrame
    plan: pd.DataFrame
    earlier: pd.DataFrame
    parts: pd.DataFrame
    errors: pd.DataFrame
    drivers: pd.DataFrame = field(default_factory=pd.DataFrame)
    no_drivers: str = ""
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Outlook:
    """What is shown of some series, or of some groups of series: a row each.

    Attributes
    ----------
    keys
        part_id, region and part_category of each series; part_category and region of each group, empty for all.
    demand
        Units ordered, (rows, HISTORY_WEEKS).
    mean, booked, planned
        Units forecast, booked already and planned for, (rows, horizon).
    quantiles
        SHOWN_QUANTILES of the forecast, (rows, horizon, 4); NaN for groups, as quantiles do not add up.
    override
        Units that planners have put in place of the forecast, (rows, horizon); NaN where they have not.
    earlier
        Means of the forecasts from the EARLIER_ORIGINS weeks before the origin, the latest last,
        (rows, EARLIER_ORIGINS, horizon); NaN where there is none.
    """

    keys: pd.DataFrame
    demand: np.ndarray
    mean: np.ndarray
    booked: np.ndarray
    planned: np.ndarray
    quantiles: np.ndarray
    override: np.ndarray
    earlier: np.ndarray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.keys)

    def rows(self, chosen: np.ndarray) -> "Outlook":
        """Return some of the rows, by position."""
        arrays = {name: getattr(self, name)[chosen] for name in _ARRAYS}
        return Outlook(self.keys.iloc[chosen].reset_index(drop=True), **arrays)

    def groups(self) -> "Outlook":
        """Add up all series, those of each category, of each region, and of each category in each region."""
        keys = self.keys
        everything = pd.DataFrame({"part_category": "", "region": ""}, index=keys.index)
        levels = [
            everything,
            everything.assign(part_category=keys["part_category"]),
            everything.assign(region=keys["region"]),
            keys[["part_category", "region"]],
        ]
        named = pd.concat(levels, ignore_index=True)
        code = named.groupby(["part_category", "region"], sort=False).ngroup().to_numpy(np.int64)
        table = named.drop_duplicates(ignore_index=True)
        by_level = code.reshape(len(levels), len(keys))
        sums = {name: self._summed(getattr(self, name), by_level, len(table)) for name in _ARRAYS}
        unknown = {name: np.full_like(sums[name], np.nan) for name in ("quantiles", "override")}
        return Outlook(table, **(sums | unknown))

    @staticmethod
    def _summed(values: np.ndarray, code: np.ndarray, groups: int) -> np.ndarray:
        """Add up the rows of each group, NaN where all of them are."""
        total, known = (
            np.zeros((groups, *values.shape[1:])),
            np.zeros((groups, *values.shape[1:]), dtype=bool),
        )
        finite = np.isfinite(values)
        for of_level in code:
            np.add.at(total, of_level, np.where(finite, values, 0.0))
            np.logical_or.at(known, of_level, finite)
        return np.where(known, total, np.nan)


_ARRAYS = ("demand", "mean", "booked", "planned", "quantiles", "override", "earlier")


def outlook(tables: ForecastTables) -> Outlook:
    """Arrange the tables as arrays, a row for each series with demand or a forecast."""
    columns = [*SERIES, "part_category"]
    series = pd.concat([tables.history[columns], tables.plan[columns]])
    series = series.drop_duplicates(SERIES, keep="last").sort_values(SERIES, ignore_index=True)
    index, horizon = SeriesIndex(series), tables.horizon
    first = add_weeks(tables.week, 1 - HISTORY_WEEKS)

    def arranged(
        frame: pd.DataFrame, at: np.ndarray, width: int, values: list[str], empty: float
    ) -> np.ndarray:
        array = np.full((len(series), width, len(values)), empty)
        row = index.rows(frame)
        inside = (row >= 0) & (at >= 0) & (at < width)
        array[row[inside], at[inside]] = frame[values].to_numpy(float)[inside]
        return array

    due = week_numbers(tables.plan["due_week"], tables.week) - 1
    planned = arranged(tables.plan, due, horizon, ["booked", "quantity"], 0.0)
    forecast = arranged(
        tables.forecast,
        tables.forecast["horizon"].to_numpy() - 1,
        horizon,
        ["mean", *SHOWN_QUANTILES],
        np.nan,
    )
    ago = -week_numbers(tables.earlier["origin_week"], tables.week)
    flat = (EARLIER_ORIGINS - ago) * horizon + tables.earlier["horizon"].to_numpy() - 1
    flat = np.where((ago >= 1) & (ago <= EARLIER_ORIGINS), flat, -1)
    earlier = arranged(tables.earlier, flat, EARLIER_ORIGINS * horizon, ["mean"], np.nan)
    return Outlook(
        series,
        arranged(
            tables.history, week_numbers(tables.history["week"], first), HISTORY_WEEKS, ["quantity"], 0.0
        )[..., 0],
        forecast[..., 0],
        planned[..., 0],
        planned[..., 1],
        forecast[..., 1:],
        arranged(tables.plan, due, horizon, ["override"], np.nan)[..., 0],
        earlier.reshape(len(series), EARLIER_ORIGINS, horizon),
    )
