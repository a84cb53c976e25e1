"""Chart of a changed case: its cost and hours compared with the plan."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.reporting.charts.impact import cost_parts
from forecasting_assets.reporting.formats import number, percent, shorten, signed
from forecasting_assets.reporting.style import (
    COLOURS,
    COST_PARTS,
    MUTED,
    NARROW,
    bar_labels,
    figure,
    label,
    literal,
    no_data,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANUFACTURERS_SHOWN = 12


def what_if(
    costs: pd.DataFrame,
    hours: pd.DataFrame,
    on_time: dict[str, float],
    description: str,
    *,
    narrow: bool = False,
) -> "Figure":
    """Show the change of cost by part, and the hours of each manufacturer.

    Parameters
    ----------
    costs
        A row for each case, columns `cost` and its parts.
    hours
        A row for each manufacturer, a column for each case and their `change`; most changed first.
    on_time
        Expected share of units on time in each case.
    description
        What is changed, as a phrase for titles.
    narrow
        Whether to stack the panels, for a telephone.
    """
    title = f"What if {description}"
    if costs.empty:
        return no_data(title, "There is no plan for this week.")
    cases = list(costs.index)
    rates = ", ".join(f"{case.lower()} {percent(on_time[case])}" for case in cases)
    note = (
        f"Units expected on time: {rates}. Second panel: hours by manufacturer over the horizon and their change, "
        "most changed first. The plan itself is unchanged."
    )
    shown = hours.iloc[:MANUFACTURERS_SHOWN].iloc[::-1]
    rows_height = max(1.8, 0.3 * len(shown))
    if narrow:
        fig = figure(shorten(title, 44), note, height=6.0 + rows_height, keys=0, width=NARROW)
        cost, load = fig.subplots(2, 1)
    else:
        fig = figure(title, note, height=2.2 + rows_height, keys=0)
        cost, load = fig.subplots(1, 2, width_ratios=[1.15, 1])
    parts = cost_parts(costs).assign(total=costs["cost"])
    change = (parts.iloc[-1] - parts.iloc[0]).iloc[::-1]
    at = np.arange(len(change))
    colours = [COLOURS[COST_PARTS.get(str(part), "capacity")] for part in change.index]
    bars = cost.barh(at, change, 0.6, color=colours)
    bar_labels(cost, bars, (signed(v) for v in change.tolist()))
    tidy(cost, f"Change in cost, {number(costs['cost'].iloc[0])} in the plan", grid="x")
    cost.axvline(0, color=MUTED, linewidth=0.8)
    cost.set_yticks(at, [label(str(part)) for part in change.index])
    cost.locator_params(axis="x", nbins=4)
    cost.margins(x=0.25)
    rows = np.arange(len(shown))
    for offset, name, colour in zip((0.2, -0.2), cases, (COLOURS["capacity"], COLOURS["plan"]), strict=False):
        bars = load.barh(rows + offset, shown[name], 0.36, color=colour, alpha=0.45 if offset > 0 else 1.0)
    bar_labels(load, bars, (signed(v, 1) for v in shown["change"].tolist()))
    tidy(load, f"Hours: {cases[0].lower()} (grey), {cases[-1].lower()} (blue)", grid="x")
    load.set_yticks(rows, [literal(shorten(m, 18)) for m in shown.index])
    load.margins(x=0.16)
    return fig
