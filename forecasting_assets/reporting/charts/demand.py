"""Chart of demand and its forecast."""

from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.reporting.formats import number, shorten
from forecasting_assets.reporting.measures import require
from forecasting_assets.reporting.style import (
    COLOURS,
    figure,
    from_zero,
    legend,
    no_data,
    tidy,
    week_axis,
)
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WEEKS_SHOWN = 52
SERIES_SHOWN = 4
DAYS_A_WEEK = 7
#: Tints of the colour of the combined forecast, opaque so that the keys show the colour of the bands.
BAND_80, BAND_90 = "#8FC1E0", "#CFE4F1"


def _by_week(history: pd.DataFrame, weeks: pd.DatetimeIndex) -> pd.Series:
    """Return the units in each of `weeks`, 0 where the series has no order."""
    return history.groupby("week")["quantity"].sum().reindex(weeks, fill_value=0.0)


def _actual(ax: "Axes", units: pd.Series) -> None:
    every = pd.date_range(units.index[0], units.index[-1], freq="7D") if len(units) else units.index
    # Markers, as a line through a single week is invisible; only where there is room for them.
    marker = "o" if len(every) <= 16 else ""
    colour = COLOURS["actual"]
    ax.plot(
        every, units.reindex(every), color=colour, linewidth=1.4, marker=marker, markersize=3, label="Actual"
    )


def _mean(ax: "Axes", forecast: pd.DataFrame) -> None:
    mean = forecast.groupby("target_week")["mean"].sum(min_count=1)
    colour = COLOURS["combined"]
    ax.plot(mean.index, mean, color=colour, linewidth=1.8, marker="o", markersize=2.5, label="Forecast, mean")


def _fan(ax: "Axes", forecast: pd.DataFrame) -> None:
    for low, high, colour, name in (("q05", "q95", BAND_90, "90 %"), ("q10", "q90", BAND_80, "80 %")):
        rows = forecast.dropna(subset=[low, high]).sort_values("target_week")
        height = rows[high] - rows[low]
        ax.bar(
            rows["target_week"],
            height,
            DAYS_A_WEEK,
            bottom=rows[low],
            color=colour,
            linewidth=0,
            label=f"{name} interval",
        )


def _note(forecast: pd.DataFrame, n_series: int, n_shown: int) -> str:
    if forecast.empty:
        return "Units wanted. There is no forecast for this week yet."
    note = "Black: units wanted. Blue: units forecast; four out of five weeks should fall into the dark band."
    if n_series > 1:
        note += (
            f" The total of all {number(n_series)} series shows the mean only: means add up, intervals"
            " do not, because series do not reach their extremes in the same week."
            f" Below it are the {n_shown} largest series."
        )
    return note


def demand_and_forecast(history: pd.DataFrame, forecast: pd.DataFrame) -> "Figure":
    """Show the units of the last 52 weeks and the forecast, for all series together and for the largest.

    The total shows the mean only: means add up over series, quantiles do not.

    Parameters
    ----------
    history
        WEEKLY_DEMAND of many weeks, with its `week`.
    forecast
        DEMAND_FORECAST of one origin.
    """
    title = "Demand and forecast"
    require(history, [*SERIES, "week", "quantity"], "weekly_demand")
    require(forecast, [*SERIES, "target_week", "mean", "q05", "q10", "q90", "q95"], "demand_forecast")
    if history.empty and forecast.empty:
        return no_data(
            title, "There are no orders up to this week, so there is nothing to base a forecast on."
        )
    if len(history):
        history = history[history["week"] > pd.Timestamp(add_weeks(history["week"].max(), -WEEKS_SHOWN))]
    weeks = pd.DatetimeIndex(sorted(history["week"].unique()))
    all_weeks = weeks.union(pd.DatetimeIndex(forecast["target_week"].unique()))
    size = (
        forecast.groupby(SERIES)["mean"].sum() if history.empty else history.groupby(SERIES)["quantity"].sum()
    )
    largest = list(size.sort_values(ascending=False, kind="stable").index[:SERIES_SHOWN])
    several = len(size) > 1

    fig = figure(title, _note(forecast, len(size), len(largest)), height=5.8 if several else 4.6)
    if several:
        grid = fig.add_gridspec(2, len(largest), height_ratios=[1.15, 1])
        total = fig.add_subplot(grid[0, :])
        _actual(total, _by_week(history, weeks))
        _mean(total, forecast)
        tidy(total, f"All {number(len(size))} series, units per week")
        week_axis(total, all_weeks, most=14)
        from_zero(total)
        panels = [fig.add_subplot(grid[1, i]) for i in range(len(largest))]
    else:
        panels = [fig.subplots()]
    for (part, region), ax in zip(largest, panels, strict=True):
        rows = forecast[(forecast["part_id"] == part) & (forecast["region"] == region)]
        ordered = history[(history["part_id"] == part) & (history["region"] == region)]
        _fan(ax, rows)
        _actual(ax, _by_week(ordered, weeks))
        _mean(ax, rows)
        name = f"{shorten(part, 16 if several else 70)} · {shorten(region, 10)}"
        tidy(ax, name if several else f"{name}, units per week")
        week_axis(ax, all_weeks, most=4 if several else 14)
        from_zero(ax)
    legend(fig, panels[0])
    return fig
