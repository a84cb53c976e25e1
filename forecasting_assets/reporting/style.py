"""Style of all pictures: one palette, one way to create a figure, label an axis of weeks and render a PNG.

Figures use matplotlib's object-oriented API only, so that no picture depends on another or on global state.
"""

import io
import textwrap
import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from forecasting_assets.reporting.formats import MINUS, unbroken

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_drawn: "WeakKeyDictionary[Figure, bytes]" = WeakKeyDictionary()

INK, MUTED, GRID, EMPTY = "#222222", "#5F6368", "#E3E5E8", "#F1F2F4"

#: Colour of each thing in all pictures: the colour-blind safe palette of Okabe and Ito, "Color Universal Design"
#: (2008). What the platform produces (combined forecast, plan) is blue, its baselines are grey.
COLOURS = {
    "actual": INK,
    "sarimax": "#E69F00",
    "xgb": "#009E73",
    "combined": "#0072B2",
    "seasonal_naive": "#8A8D91",
    "plan": "#0072B2",
    "status_quo": "#8A8D91",
    "perfect_foresight": "#CC79A7",
    "regular": "#56B4E9",
    "overtime": "#E69F00",
    "capacity": INK,
    "shortage": "#D55E00",
    "lane": "#009E73",
    "holding": "#F0E442",
    "lateness": "#CC79A7",
    "activation": "#0072B2",
    "other": "#B9BCC0",
}

#: Readable names of the codes in the tables.
LABELS = {
    "actual": "Actual",
    "sarimax": "SARIMAX",
    "xgb": "XGBoost",
    "combined": "Combined",
    "seasonal_naive": "Seasonal naive",
    "without_covariates": "Weighted average without known covariates",
    "plan": "Plan",
    "status_quo": "Status quo",
    "perfect_foresight": "Perfect foresight",
    "regular": "Regular hours",
    "overtime": "Overtime",
    "capacity": "Regular capacity",
    "production_cost": "Production",
    "overtime_cost": "Overtime premium",
    "lane_cost": "Transport",
    "holding_cost": "Holding",
    "lateness_cost": "Lateness",
    "shortage_cost": "Shortage",
    "activation_cost": "Activation",
    "change_cost": "Changes to the plan",
    "other_cost": "Other",
    "total": "Total",
    "published_total": "Total in whole units",
}

#: Parts of cost in the order in which they are stacked and listed, with the palette entry of each.
COST_PARTS = {
    "production_cost": "regular",
    "overtime_cost": "overtime",
    "lane_cost": "lane",
    "holding_cost": "holding",
    "lateness_cost": "lateness",
    "activation_cost": "activation",
    "change_cost": "other",
    "shortage_cost": "shortage",
}


#: Colours of models that have none of their own.
_OTHER_COLOURS = ("#D55E00", "#56B4E9", "#CC79A7", "#F0E442")


def colour(code: str) -> str:
    """Return the colour of a code; a code without one always gets the same."""
    return COLOURS.get(code, _OTHER_COLOURS[sum(code.encode()) % len(_OTHER_COLOURS)])


def label(code: str) -> str:
    """Return the readable name of a code."""
    return LABELS.get(code, code.replace("_", " ").capitalize())


def literal(text: str) -> str:
    """Escape text for matplotlib, so that a dollar sign in a name does not start a formula."""
    return text.replace("$", r"\$")


#: Width of a figure in units of 100 pixels: on a screen, and on a telephone.
WIDE, NARROW = 10.0, 4.6


def figure(title: str, note: str = "", height: float = 5, *, keys: int = 1, width: float = WIDE) -> "Figure":
    """Create an empty figure.

    Parameters
    ----------
    title
        Title above the picture.
    note
        How to read the picture, shown below it.
    height
        Height in units of 100 pixels.
    keys
        Rows of keys that `legend` needs room for.
    width
        Width in units of 100 pixels: WIDE or NARROW.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    top = 0.36 + 0.24 * keys
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - top / height), h_pad=0.06, w_pad=0.06)
    fig = Figure(figsize=(width, height), dpi=100, layout=layout, facecolor="white", label=title)
    fig.text(0.008, 1 - 0.07 / height, literal(title), va="top", fontsize=14, fontweight="bold", color=INK)
    if note:
        wrapped = textwrap.fill(unbroken(note), int(13.8 * width))
        fig.supxlabel(literal(wrapped), x=0.008, ha="left", fontsize=9, color=MUTED)
    return fig


def say_what_it_shows(fig: "Figure", text: str) -> None:
    """Add to the alternative text of a figure what it shows, for readers who do not see it."""
    fig.set_label(f"{fig.get_label()}. {text}")


def no_data(title: str, why: str) -> "Figure":
    """Create the picture for an empty table: it says that there are no data yet, and why."""
    fig = figure(title, height=2.5, keys=0)
    fig.text(0.5, 0.52, "No data for this week yet", ha="center", fontsize=14, color=INK)
    fig.text(0.5, 0.36, literal(textwrap.fill(why, 110)), ha="center", va="top", fontsize=10.5, color=MUTED)
    return fig


def tidy(ax: "Axes", title: str = "", *, grid: str = "y", values: str = "number") -> None:
    """Remove the box and draw a light grid across the values.

    Parameters
    ----------
    ax
        The axes.
    title
        Title of the panel.
    grid
        Axis of the values: x, y, or empty for no grid.
    values
        How values are formatted: number, percent, or names (not at all).
    """
    from matplotlib.ticker import FuncFormatter

    ax.set_title(literal(title), loc="left", fontsize=10.5, color=INK)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(MUTED)
    ax.tick_params(length=0, labelsize=9.5, labelcolor=INK)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axis = ax.xaxis if grid == "x" else ax.yaxis
    if values == "number":
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}".replace("-", MINUS)))
    elif values == "percent":
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:,.10g} %".replace("-", MINUS)))


def week_axis(ax: "Axes", weeks: Iterable[Any], most: int = 9) -> None:
    """Put at most `most` ticks on Mondays, counted back from the last week, with the year where it changes."""
    from matplotlib.dates import date2num

    days = pd.DatetimeIndex(sorted(set(weeks)))
    every = pd.date_range(days[0], days[-1], freq="7D")
    step = next(s for s in (1, 2, 4, 8, 13, 26, 52, len(every)) if len(every) <= s * most or s == len(every))
    ticks = every[::-1][::step][::-1]
    years = [None, *ticks.year]
    ax.set_xticks(
        ticks,
        [f"{d:%m-%d}" + (f"\n{d.year}" if d.year != y else "") for d, y in zip(ticks, years, strict=False)],
    )
    ax.set_xlim(date2num(days[0]) - 5, date2num(days[-1]) + 5)


def legend(fig: "Figure", ax: "Axes", columns: int = 6) -> None:
    """Add keys above the panels for what `ax` shows: in at most `columns` columns, on a telephone in two."""
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(0.004, 1 - 0.35 / fig.get_figheight()),
        borderpad=0,
        ncols=columns if fig.get_figwidth() > NARROW else 2,
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
        handlelength=1.4,
        columnspacing=1.6,
    )


def from_zero(ax: "Axes") -> None:
    """Let the values range from 0 to a little above the largest."""
    ax.set_ylim(0, 1.06 * max(ax.dataLim.y1, 0.0) or 1.0)


#: A value this many times the next smaller one is an outlier.
_OUTLIER = 2.5


def outlier_limit(values: "ArrayLike") -> float | None:
    """Return where to cut an axis, so that a few outliers do not squash all other values.

    Parameters
    ----------
    values
        The values shown; NaN does not count.

    Returns
    -------
    float or None
        A little above the largest value below a gap among the upper half of the values; None if there is no such gap.
    """
    ordered = np.sort(np.asarray(values, dtype=float), axis=None)
    ordered = ordered[np.isfinite(ordered)]
    upper = ordered[ordered.size // 2 :]
    gaps = np.flatnonzero((upper[:-1] > 0) & (upper[1:] > _OUTLIER * upper[:-1]))
    return 1.15 * float(upper[gaps[0]]) if gaps.size else None


def bar_labels(ax: "Axes", bars: Any, texts: Iterable[str], size: float = 9) -> None:
    """Label each bar at its end."""
    ax.bar_label(bars, labels=list(texts), padding=3, fontsize=size, color=INK)


#: Lightness of white in dark pictures, and how fast colours darken towards it: light text stays legible on them.
_DARK_GROUND, _DARKENING = 0.145, 1.3


@lru_cache(maxsize=64)
def dark(image: bytes) -> bytes:
    """Return a picture of `png` for dark mode: lightness is reversed, hues stay.

    Its ground is #252525, the `--card` of the style sheet's dark mode.
    """
    from colorsys import hls_to_rgb, rgb_to_hls

    from PIL import Image

    with Image.open(io.BytesIO(image)) as light:
        palette = light.getpalette() or []
        colours = zip(palette[::3], palette[1::3], palette[2::3], strict=True)
        reversed_palette: list[int] = []
        for red, green, blue in colours:
            hue, lightness, saturation = rgb_to_hls(red / 255, green / 255, blue / 255)
            lightness = _DARK_GROUND + (1 - _DARK_GROUND) * (1 - lightness) ** _DARKENING
            reversed_palette += (round(255 * v) for v in hls_to_rgb(hue, lightness, saturation))
        light.putpalette(reversed_palette)
        small = io.BytesIO()
        light.save(small, "PNG")
    return small.getvalue()


@lru_cache(maxsize=16)
def png(fig: "Figure") -> bytes:
    """Render a figure as a PNG image.

    It has 256 colours to be small, and the same bytes for the same figure. Each figure is drawn only once.
    """
    if fig not in _drawn:
        _drawn[fig] = _draw(fig)
    return _drawn[fig]


def _draw(fig: "Figure") -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    # savefig would draw twice and encode a PNG only for it to be decoded again.
    canvas = FigureCanvasAgg(fig)
    with warnings.catch_warnings():
        # Characters that the font lacks show as boxes here; tables show them properly.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        canvas.draw()
    drawn = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    small = io.BytesIO()
    drawn.quantize(256, dither=Image.Dither.NONE).save(small, "PNG")
    return small.getvalue()


def described(fig: "Figure") -> str:
    """Return the alternative text of a figure: its title, what it shows, and its note."""
    texts = [str(fig.get_label()), *(t.get_text() for t in fig.texts[1:])]
    return ". ".join(" ".join(t.replace(r"\$", "$").split()).rstrip(".") for t in texts if t)
