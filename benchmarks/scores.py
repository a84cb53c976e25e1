"""Scores of forecasts on the data sets of the yardstick, as tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import results
from benchmarks.yardstick import Yardstick

#: Where each metric is in the result of score.py; q50 is the mean for a table without quantiles.
METRICS = {
    "WAPE": ("q50", "WAPE"),
    "MASE": ("q50", "MASE"),
    "RMSE": ("mean", "RMSE"),
    "RMSSE": ("mean", "RMSSE"),
    "bias %": ("mean", "bias"),
    "pinball": ("quantiles", "scaled_pinball"),
    "in 80 %": ("quantiles", "coverage80"),
    "in 90 %": ("quantiles", "coverage90"),
}
#: Columns of `peer_scores.csv`.
_PEER_COLUMNS = {
    "WAPE": "WAPE_q50",
    "MASE": "MASE_q50",
    "RMSE": "RMSE",
    "RMSSE": "RMSSE",
    "pinball": "scaled_pinball",
}


def value(scores: Mapping[str, Any], metric: str) -> float | None:
    """Return a metric of a table, or None if it has no quantiles."""
    place, name = METRICS[metric]
    group = scores.get(place) if place != "q50" else scores.get("q50", scores["mean"])
    return float(group[name]) if group else None


def figures(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return all metrics of a table as they are printed."""
    found = {metric: value(scores, metric) for metric in METRICS}
    return {metric: None if number is None else f"{number:,.4g}" for metric, number in found.items()}


def best_peers(yardstick: Yardstick, with_plan: bool) -> dict[str, str]:
    """Return the best figure of any listed peer in each metric; empty if none is listed for all series."""
    peers_of_all = pd.read_csv(yardstick.folder / "peer_scores.csv")
    of_set = peers_of_all[(peers_of_all["dataset"] == yardstick.name) & (peers_of_all["peer"] != "Zero")]
    of_set = of_set[of_set["peer"].str.endswith("_plan") == with_plan].set_index("peer")
    if of_set.empty or yardstick.every > 1:
        return {}
    best = {metric: of_set[column].astype(float) for metric, column in _PEER_COLUMNS.items()}
    return {metric: f"{of.min():,.4g} ({of.idxmin()})" for metric, of in best.items() if of.notna().any()}


def by_horizon(yardstick: Yardstick, lakes: Mapping[str, Path], label: str) -> str:
    """Return a table of the scaled pinball loss of some tables in their lakes, and of the coverage of the first.

    Parameters
    ----------
    yardstick
        The data set.
    lakes
        Name of a table to the lake that holds it.
    label
        Heading of the first column.
    """
    first, rows = next(iter(lakes)), []
    for horizon in range(1, yardstick.horizon + 1):
        scores = {name: yardstick.scores(lake, name, horizon=horizon) for name, lake in lakes.items()}
        losses = {f"pinball of {name}": figures(of)["pinball"] for name, of in scores.items()}
        of_first = {metric: figures(scores[first])[metric] for metric in ("bias %", "in 80 %", "in 90 %")}
        rows.append({label: horizon} | losses | of_first)
    return results.table(rows)
