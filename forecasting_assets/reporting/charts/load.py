"""Chart of load against capacity."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.reporting.formats import MISSING, number, shorten
from forecasting_assets.reporting.measures import full_weeks, require, within_horizon
from forecasting_assets.reporting.style import (
    COLOURS,
    EMPTY,
    INK,
    NARROW,
    figure,
    label,
    legend,
    literal,
    no_data,
    say_what_it_shows,
    tidy,
    week_axis,
)
from forecasting_assets.wording import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANUFACTURERS_SHOWN = 14
WEEKS_WITH_NUMBERS = 16
HOURS = ["capacity_hours", "load_hours", "overtime_hours"]


def _largest(load: pd.DataFrame, width: int) -> tuple[pd.DataFrame, list[str]]:
    """Return hours by (row of the picture, week) and the names of the rows: most load first, the others combined."""
    by_load = load.groupby("manufacturer_id")["load_hours"].sum().sort_values(ascending=False, kind="stable")
    names = [shorten(m, width) for m in by_load.index]
    if len(names) > MANUFACTURERS_SHOWN + 1:
        names = [*names[:MANUFACTURERS_SHOWN], f"{number(len(names) - MANUFACTURERS_SHOWN)} others"]
    row = by_load.index.get_indexer(pd.Index(load["manufacturer_id"])).clip(max=len(names) - 1)
    return load.groupby([row, "production_week"])[HOURS].sum(), names


def _totals(ax: "Axes", load: pd.DataFrame) -> None:
    from matplotlib.dates import date2num

    total = load.groupby("production_week")[HOURS].sum()
    width = 5
    regular = total["load_hours"] - total["overtime_hours"]
    ax.bar(total.index, regular, width, color=COLOURS["regular"], label=label("regular"))
    ax.bar(
        total.index,
        total["overtime_hours"],
        width,
        bottom=regular,
        color=COLOURS["overtime"],
        label=label("overtime"),
    )
    middle = date2num(total.index)
    known = ~_beyond(load, total.index)
    ax.hlines(
        total["capacity_hours"][known],
        middle[known] - 3,
        middle[known] + 3,
        color=COLOURS["capacity"],
        label=label("capacity"),
    )
    tidy(ax, "All manufacturers, hours per week")
    week_axis(ax, total.index, most=4)
    ax.margins(y=0.08)


def _beyond(load: pd.DataFrame, weeks: pd.Index) -> np.ndarray:
    """Return which of the weeks come after the last due week, (weeks,)."""
    return np.isin(weeks, load.loc[load["beyond_horizon"] == 1, "production_week"])


def _heat_map(ax: "Axes", hours: pd.DataFrame, names: list[str], beyond: np.ndarray) -> None:
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    capacity, load, overtime = (hours[c].unstack() for c in HOURS)
    share = (load / capacity.where(capacity > 0)).to_numpy()
    # Nothing planned beyond the horizon is not free capacity.
    share[(load.to_numpy() <= 0) & beyond] = np.nan
    # The combined row may include overtime and still be below its total capacity: then it is not marked.
    extra = (overtime.to_numpy() > 1e-6) & ~(share <= 1)
    shades = LinearSegmentedColormap.from_list("load", ["#FFFFFF", COLOURS["regular"]])
    pixels = shades(np.clip(np.nan_to_num(share), 0, 1))
    pixels[np.isnan(share)] = to_rgba(EMPTY)
    pixels[extra] = to_rgba(COLOURS["overtime"])
    ax.imshow(pixels, aspect="auto", interpolation="nearest")
    if share.shape[1] <= WEEKS_WITH_NUMBERS:
        for (row, column), value in np.ndenumerate(share):
            text = number(100 * value) if np.isfinite(value) else MISSING
            weight = "bold" if extra[row, column] else "normal"
            ax.text(column, row, text, ha="center", va="center", fontsize=8.5, color=INK, fontweight=weight)
    weeks = pd.DatetimeIndex(capacity.columns)
    step = 1 + (len(weeks) - 1) // 8
    ax.set_xticks(range(0, len(weeks), step), [f"{w:%m-%d}" for w in weeks[::step]])
    ax.set_yticks(range(len(capacity)), [literal(m) for m in names])
    tidy(ax, "Load as % of regular capacity", grid="", values="names")
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks(np.arange(len(weeks) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(capacity) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="minor", length=0)


def load_by_manufacturer(capacity_load: pd.DataFrame, *, narrow: bool = False) -> "Figure":
    """Show planned hours and regular capacity, by week and by manufacturer.

    Parameters
    ----------
    capacity_load
        CAPACITY_LOAD of one plan.
    narrow
        Whether to stack the panels, for a telephone.
    """
    title = "Load against capacity"
    require(capacity_load, ["manufacturer_id", "production_week", *HOURS, "beyond_horizon"], "capacity_load")
    if capacity_load.empty:
        return no_data(title, "There is no plan for this week, or the network has no manufacturers.")
    hours, names = _largest(capacity_load, 12 if narrow else 22)
    note = "Orange: overtime, above 100 % of regular capacity. Grey: no regular capacity in that week, "
    note += "or a week after the last due week without late units."
    rows = max(1.7, 0.24 * len(names))
    if narrow:
        fig = figure(title, note, height=5.2 + rows, keys=2, width=NARROW)
        left, right = fig.subplots(2, 1, height_ratios=[2.2, rows])
    else:
        fig = figure(title, note, height=1.9 + rows)
        left, right = fig.subplots(1, 2, width_ratios=[1, 2.1])
    _totals(left, capacity_load)
    _heat_map(right, hours, names, _beyond(capacity_load, hours.index.unique(1)))
    legend(fig, left)
    say_what_it_shows(fig, _in_words(capacity_load))
    return fig


def _in_words(capacity_load: pd.DataFrame) -> str:
    load = within_horizon(capacity_load)
    full = int((full_weeks(load) > 0).sum())
    return (
        f"{number(load['load_hours'].sum())} of {number(load['capacity_hours'].sum())} regular hours are planned, "
        f"{number(load['overtime_hours'].sum())} of the planned hours as overtime; {number(full)} of "
        f"{count(load['manufacturer_id'].nunique(), 'manufacturer')} are full in at least one week"
    )
