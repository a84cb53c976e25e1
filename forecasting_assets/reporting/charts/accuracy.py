"""Charts of how accurate and how biased earlier forecasts were, over time and by level."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.bias import tracking_limit, tracking_signal
from forecasting_assets.reporting.charts.backtest import NO_BACKTEST
from forecasting_assets.reporting.formats import percent
from forecasting_assets.reporting.measures import ordered_models
from forecasting_assets.reporting.style import (
    COLOURS,
    EMPTY,
    INK,
    MUTED,
    NARROW,
    WIDE,
    colour,
    figure,
    label,
    legend,
    no_data,
    outlier_limit,
    tidy,
    week_axis,
)
from forecasting_assets.tables import QUANTILES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def accuracy_over_time(errors: pd.DataFrame, *, narrow: bool = False) -> "Figure":
    """Show the error of each model, and bias and tracking signal of the total one week ahead, by origin.

    Parameters
    ----------
    errors
        FORECAST_ERRORS of one week.
    narrow
        Whether to draw it for a telephone.
    """
    title = "Accuracy and bias over time"
    total = errors[errors["grouping"] == "total"]
    if total.empty:
        return no_data(title, NO_BACKTEST)
    note = (
        "Each point is the week at whose end a forecast was made. WAPE: absolute error of all horizons that have"
        " closed, as a share of the units ordered. Bias: forecast of the total, one week ahead, above or below actual"
        " orders. Tracking signal: sum of these errors over their mean size; an unbiased forecast stays in the grey"
        " range in 19 of 20 weeks."
    )
    fig = figure(
        title, note, height=7.4 if narrow else 6.0, keys=not narrow, width=NARROW if narrow else WIDE
    )
    accuracy, bias, signal = fig.subplots(3, 1, sharex=True, height_ratios=[1.5, 1, 1])
    _wape(accuracy, total)
    one_week = total[(total["model"] == "combined") & (total["horizon"] == 1)].sort_values("origin_week")
    if len(one_week):
        _bias(bias, one_week)
        _signal(signal, one_week)
    week_axis(signal, total["origin_week"], most=4 if narrow else 9)
    if narrow:
        accuracy.legend(loc="best", ncols=2, frameon=False, fontsize=8, labelcolor=INK)
    else:
        legend(fig, accuracy)
    return fig


def _wape(ax: "Axes", total: pd.DataFrame) -> None:
    sums = total.groupby(["model", "origin_week"])[["absolute_error", "actual"]].sum()
    wape = (sums["absolute_error"] / sums["actual"].where(sums["actual"] > 0)).unstack("model")
    shown = ordered_models(wape.columns)
    for model in shown:
        ax.plot(wape.index, wape[model], color=colour(model), marker="o", markersize=3.5, label=label(model))
    limit = outlier_limit(wape[shown].to_numpy())
    top = wape[shown].max().max() if limit is None else limit
    ax.set_ylim(0, 1.1 * top if top > 0 else 1.0)
    cut = "" if limit is None else f"; values above {percent(limit, 0)} are cut off"
    tidy(ax, f"WAPE of all series{cut}", values="percent")


def _bias(ax: "Axes", one_week: pd.DataFrame) -> None:
    share = (one_week["forecast"] - one_week["actual"]) / one_week["actual"].where(one_week["actual"] > 0)
    ax.bar(one_week["origin_week"], share, 4.5, color=COLOURS["combined"])
    ax.axhline(0, color=INK, linewidth=0.8)
    tidy(ax, "Bias of the total, one week ahead", values="percent")


def _signal(ax: "Axes", one_week: pd.DataFrame) -> None:
    error = (one_week["forecast"] - one_week["actual"]).to_numpy(float)
    known = np.tril(np.ones((error.size, error.size), dtype=bool))
    signal = tracking_signal(np.where(known, error, np.nan))
    limit = tracking_limit(np.arange(1, error.size + 1))
    ax.fill_between(one_week["origin_week"], -limit, limit, color=EMPTY, linewidth=0)
    ax.plot(one_week["origin_week"], signal, color=COLOURS["combined"], marker="o", markersize=3.5)
    ax.axhline(0, color=INK, linewidth=0.8)
    tidy(ax, "Tracking signal since the first of these weeks")


def calibration(report: pd.DataFrame) -> "Figure":
    """Show how often demand was at or below each quantile of the combined forecast.

    Parameters
    ----------
    report
        BACKTEST_REPORT of one week.
    """
    title = "Calibration of the intervals"
    value = report.drop_duplicates("metric", keep="last").set_index("metric")["value"]
    if "below_q05" not in value:
        return no_data(title, NO_BACKTEST)
    note = (
        "A quantile of 90 % should be above demand in 90 % of weeks. Bars run from the share of weeks with demand below"
        " the quantile to the share at or below it: they are long where demand is often exactly zero. Calibrated: the"
        " bars touch the dotted line. Below the line, demand was more often high than forecast."
    )
    fig = figure(title, note, height=5.6, width=NARROW, keys=False)
    ax = fig.subplots()
    levels = np.array(list(QUANTILES.values()))
    below, at_most = (
        value[[f"{kind}_{q}" for q in QUANTILES]].to_numpy(float) for kind in ("below", "at_most")
    )
    ax.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1.2)
    ax.bar(levels, np.maximum(at_most - below, 0.006), 0.02, bottom=below, color=COLOURS["combined"])
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    # The labels of 5 % and 10 %, and those of 90 % and 95 %, would overlap.
    labels = ["" if name in ("q10", "q90") else percent(level, 0) for name, level in QUANTILES.items()]
    ax.set_xticks(levels, labels, fontsize=8)
    ax.set_xlabel("Quantile of the forecast", fontsize=9.5, color=INK)
    tidy(ax, "Share of weeks with demand below it", values="percent")
    return fig
