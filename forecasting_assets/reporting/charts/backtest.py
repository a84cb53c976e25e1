"""Charts of forecast accuracy and of what the model learned from."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecasting_assets.reporting.formats import number, percent, shorten
from forecasting_assets.reporting.measures import require, scores
from forecasting_assets.reporting.style import (
    COLOURS,
    INK,
    MUTED,
    NARROW,
    bar_labels,
    colour,
    figure,
    from_zero,
    label,
    legend,
    literal,
    no_data,
    outlier_limit,
    tidy,
)
from forecasting_assets.wording import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

NO_BACKTEST = "A backtest compares earlier forecasts with weeks that have closed since; there are none yet."
FEATURES_SHOWN = 20


def feature_importance(importance: pd.DataFrame) -> "Figure":
    """Show the 20 features with the largest gain in XGBoost.

    Parameters
    ----------
    importance
        Columns feature and gain; gain is shown as a share of the total gain.
    """
    title = "Feature importance in XGBoost"
    require(importance, ["feature", "gain"], "feature importance")
    gain = importance.dropna(subset=["gain"]).groupby("feature")["gain"].sum()
    gain = gain.sort_values(ascending=False, kind="stable")
    if gain.sum() <= 0:
        return no_data(title, "No XGBoost model has been trained for this week, or it made no split.")
    share = gain / gain.sum()
    top = share.iloc[:FEATURES_SHOWN][::-1]
    note = (
        "Gain: how much the splits on a feature reduced the training loss."
        " It shows what the model uses, not what causes demand."
    )
    if len(share) > FEATURES_SHOWN:
        rest = share.iloc[FEATURES_SHOWN:]
        note += f" Not shown: {count(len(rest), 'feature')} with {percent(rest.sum())} of the gain in total."
    fig = figure(title, note, height=max(2.5, 1.4 + 0.21 * len(top)), keys=0)
    ax = fig.subplots()
    bars = ax.barh([literal(shorten(f, 40)) for f in top.index], top, color=COLOURS["xgb"], height=0.7)
    bar_labels(ax, bars, (percent(v) for v in top))
    tidy(ax, "Share of the total gain", grid="x", values="percent")
    ax.tick_params(axis="y", labelsize=9)
    ax.margins(x=0.08, y=0.01)
    return fig


def _lines(ax: "Axes", wide: pd.DataFrame, metric: str, style: str = "-") -> None:
    if metric not in wide:
        return
    for model, rows in wide[metric].groupby(level="model", sort=False):
        line = rows.droplevel("model").dropna()
        ax.plot(
            line.index,
            line,
            style,
            color=colour(str(model)),
            marker="o",
            markersize=4,
            label=label(str(model)),
        )


def error_by_horizon(report: pd.DataFrame, *, narrow: bool = False) -> "Figure":
    """Show WAPE, pinball loss and coverage of each model by horizon.

    Parameters
    ----------
    report
        BACKTEST_REPORT of one week.
    narrow
        Whether to stack the panels, for a telephone.
    """
    title = "Forecast error by horizon"
    wide = scores(report)
    level = wide.index.get_level_values
    wide = wide[(level("segment") == "all") & (level("horizon") > 0)].droplevel("segment")
    if wide["wape"].notna().sum() == 0:
        return no_data(title, NO_BACKTEST)
    note = (
        "WAPE: absolute error as a share of units wanted. Pinball loss: error of the quantiles, in units."
        " Coverage: share of weeks inside the interval; the dotted line is the target."
    )
    if narrow:
        fig = figure(title, note, height=10, keys=2, width=NARROW)
        axes = fig.subplot_mosaic([["wape"], ["pinball"], ["coverage"]])
    else:
        fig = figure(title, note)
        axes = fig.subplot_mosaic([["wape", "pinball"], ["wape", "coverage"]], width_ratios=[1.5, 1])
    wape, pinball, coverage = axes["wape"], axes["pinball"], axes["coverage"]
    _lines(wape, wide, "wape")
    _lines(pinball, wide, "pinball")
    _lines(coverage, wide, "coverage_80")
    _lines(coverage, wide, "coverage_90", "--")
    for nominal in (0.8, 0.9):
        coverage.axhline(nominal, color=MUTED, linewidth=1, linestyle=":")
    tidy(wape, "WAPE (lower is better)", values="percent")
    tidy(pinball, "Pinball loss, units (lower is better)")
    tidy(coverage, "Coverage: 80 % interval solid, 90 % dashed", values="percent")
    horizons = sorted(wide.index.unique("horizon"))
    for ax in (wape, pinball, coverage):
        ax.set_xticks(horizons[:: 1 + len(horizons) // 14])
        ax.set_xlim(horizons[0] - 0.5, horizons[-1] + 0.5)
    coverage.margins(y=0.12)
    for ax in (wape, coverage):
        ax.set_xlabel("Weeks ahead", fontsize=9.5, color=INK)
    for ax in (wape, pinball):
        from_zero(ax)
    if (limit := outlier_limit(wide["wape"])) is not None:
        wape.set_ylim(0, limit)
        wape.set_title(f"WAPE (lower is better), cut at {percent(limit, 0)}", loc="left", fontsize=10.5)
    legend(fig, wape)
    return fig


def _label_bars(ax: "Axes", bars: "BarContainer", values: pd.Series, limit: float | None) -> None:
    """Label bars with their values in percent, with an arrow where they are cut at `limit`."""
    cut = values > (np.inf if limit is None else limit)
    texts = [number(100 * v) if pd.notna(v) else "" for v in values]
    bar_labels(ax, bars, (f"{t} ↑" if c else t for t, c in zip(texts, cut, strict=True)), size=8.5)


def error_by_segment(report: pd.DataFrame, *, narrow: bool = False) -> "Figure":
    """Show WAPE of each model by demand pattern.

    Parameters
    ----------
    report
        BACKTEST_REPORT of one week.
    narrow
        Whether the bars lie, for a telephone.
    """
    title = "Forecast error by demand pattern"
    wide = scores(report)
    wide = wide[wide.index.get_level_values("horizon") == 0].droplevel("horizon")
    error = (
        wide["wape"]
        .unstack("model")
        .reindex(index=wide.index.unique("segment"), columns=wide.index.unique("model"))
    )
    error = error.dropna(how="all")
    if error.empty:
        return no_data(title, NO_BACKTEST)
    compared = wide["n"].groupby("segment").max() if "n" in wide else pd.Series(dtype=float)
    note = (
        "Lower is better. Smooth and erratic parts are ordered in most weeks, intermittent and lumpy ones rarely"
        " (Syntetos, Boylan and Croston 2005); with few orders, WAPE is high for any model. n: forecasts compared."
    )
    limit = outlier_limit(error)
    if limit is not None:
        note += f" Bars with an arrow are cut at {percent(limit, 0)}."
    shape: dict[str, Any] = {"height": 2.2 + 1.1 * len(error), "keys": 2, "width": NARROW} if narrow else {}
    fig = figure(title, note, **shape)
    ax = fig.subplots()
    draw = ax.barh if narrow else ax.bar
    at, width = np.arange(len(error)), 0.82 / error.shape[1]
    for i, model in enumerate(map(str, error)):
        offset = (i - (error.shape[1] - 1) / 2) * width
        bars = draw(
            at + offset,
            error[model].clip(upper=limit),
            0.94 * width,
            color=COLOURS.get(model, MUTED),
            label=label(model),
        )
        _label_bars(ax, bars, error[model], limit)
    names = [
        literal(label(s)) + (f"\nn = {number(compared[s])}" if s in compared else "") for s in error.index
    ]
    tidy(ax, "WAPE", grid="x" if narrow else "y", values="percent")
    if narrow:
        ax.set_yticks(at, names)
        ax.invert_yaxis()
        ax.margins(x=0.15)
    else:
        ax.set_xticks(at, names)
        ax.margins(y=0.1)
    legend(fig, ax)
    return fig
