"""What was ordered, and what is expected."""

from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.reporting.formats import number, shorten
from forecasting_assets.reporting.measures import require
from forecasting_assets.reporting.style import (
    COLOURS,
    CYCLE,
    figure,
    from_zero,
    label,
    legend,
    no_data,
    tidy,
    week_axis,
)
from forecasting_assets.tables import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WEEKS_SHOWN = 52
SERIES_SHOWN = 4
DAYS_A_WEEK = 7
#: Tints of the colour of the combined forecast, opaque so that the keys show the colour of the bands.
BAND_80, BAND_90 = "#8FC1E0", "#CFE4F1"


def _by_week(history: pd.DataFrame, weeks: pd.DatetimeIndex) -> pd.Series:
    """Units in each of `weeks`: 0 where the series had no order."""
    return history.groupby("week")["quantity"].sum().reindex(weeks, fill_value=0.0)


def _actual(ax: "Axes", units: pd.Series) -> None:
    every = pd.date_range(units.index[0], units.index[-1], freq="7D") if len(units) else units.index
    # A single week is no line: dots where there is room for them.
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


def demand_and_forecast(history: pd.DataFrame, forecast: pd.DataFrame) -> "Figure":
    """Units a week of the last 52 weeks and the forecast: all series together, and the largest ones.

    `history` is WEEKLY_DEMAND of many weeks with its `week`, `forecast` is DEMAND_FORECAST of one origin.
    The total shows the mean alone: means add up over series, quantiles do not.
    """
    title = "Demand and forecast"
    require(history, [*SERIES, "week", "quantity"], "weekly_demand")
    require(forecast, [*SERIES, "target_week", "mean", "q05", "q10", "q90", "q95"], "demand_forecast")
    if history.empty and forecast.empty:
        return no_data(title, "There are no orders up to this week, so there is nothing to forecast from.")
    if len(history):
        history = history[history["week"] > history["week"].max() - pd.Timedelta(weeks=WEEKS_SHOWN)]
    weeks = pd.DatetimeIndex(sorted(history["week"].unique()))
    all_weeks = weeks.union(pd.DatetimeIndex(forecast["target_week"].unique()))
    size = (
        forecast.groupby(SERIES)["mean"].sum() if history.empty else history.groupby(SERIES)["quantity"].sum()
    )
    largest = list(size.sort_values(ascending=False, kind="stable").index[:SERIES_SHOWN])
    several = len(size) > 1

    note = "Black: units ordered. Blue: units expected; four of five weeks should fall in the dark band."
    if forecast.empty:
        note = "Units ordered. No forecast has been made for this week yet."
    elif several:
        note += (
            f" The total of all {number(len(size))} series shows the mean only: means add up, intervals"
            " do not, because series do not reach their extremes in the same week."
            f" Below it the {len(largest)} largest series."
        )
    fig = figure(title, note, height=5.8 if several else 4.6)
    if several:
        grid = fig.add_gridspec(2, len(largest), height_ratios=[1.15, 1])
        total = fig.add_subplot(grid[0, :])
        _actual(total, _by_week(history, weeks))
        _mean(total, forecast)
        tidy(total, f"All {number(len(size))} series, units a week")
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
        tidy(ax, name if several else f"{name}, units a week")
        week_axis(ax, all_weeks, most=4 if several else 14)
        from_zero(ax)
    legend(fig, panels[0])
    return fig


def weekly_orders(demand: pd.DataFrame, rejected: pd.DataFrame) -> "Figure":
    """Units ordered each week, and the rows rejected by reason.

    `demand` is WEEKLY_DEMAND of many weeks with its `week`, `rejected` is REJECTED_ORDERS with its `week`.
    """
    title = "Orders by week"
    require(demand, ["week", "quantity"], "weekly_demand")
    require(rejected, ["week", "reason"], "rejected_orders")
    if demand.empty and rejected.empty:
        return no_data(title, "No order file in the landing zone touches these weeks.")
    fig = figure(title, "Rejected rows are kept with their reason in the table rejected_orders.")
    above, below = fig.subplots(2, 1, height_ratios=[1.4, 1])
    all_weeks = [*demand["week"].unique(), *rejected["week"].unique()]
    units = demand.groupby("week")["quantity"].sum()
    above.bar(units.index, units, width=0.8 * DAYS_A_WEEK, color=COLOURS["regular"])
    tidy(above, "Units ordered, after cleaning")
    counts = pd.crosstab(rejected["week"], rejected["reason"])
    counts = counts[counts.sum().sort_values(ascending=False, kind="stable").index]
    bottom = pd.Series(0.0, counts.index)
    for reason, colour in zip(counts, CYCLE, strict=False):
        below.bar(
            counts.index,
            counts[reason],
            0.8 * DAYS_A_WEEK,
            bottom=bottom,
            color=colour,
            label=label(str(reason)),
        )
        bottom += counts[reason]
    tidy(below, f"Rows rejected, by reason ({number(len(rejected))} in all)")
    for ax in (above, below):
        week_axis(ax, all_weeks, most=14)
    if len(counts):
        legend(fig, below, columns=8)
    return fig
