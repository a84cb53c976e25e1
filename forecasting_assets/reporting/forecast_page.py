"""The page about forecasts: any series by search, any group by drill-down, drawn by a script from the page's data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.forecast_words import about_group, about_series
from forecasting_assets.reporting.formats import number
from forecasting_assets.reporting.headlines import Headline
from forecasting_assets.reporting.html import Page, Section, Widget, closed_week, render
from forecasting_assets.reporting.outlook import HISTORY_WEEKS, ForecastTables, Outlook, outlook
from forecasting_assets.reporting.texttable import day, table, text
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks
from forecasting_assets.wording import count

#: Series with data on the page: those of the largest demand, and those with the costliest errors.
LARGEST, WORST = 400, 200
#: Name of the page about the forecasts of a week.
FORECAST_PAGE = "forecast.html"
#: Weeks left out that are listed.
MOST_LEFT_OUT = 20
#: Reason for which a week is left out -> its description.
_LEFT_OUT = {
    "outlier": "far beyond the usual size",
    "interruption": "in an interruption of orders",
    "excluded": "excluded by planners",
}
_LEAD = "Search a part, a category or a region, or go down from all series."


@dataclass(frozen=True)
class ForecastPage:
    """A page about forecasts.

    Attributes
    ----------
    tables
        What it is made from.
    chosen
        part_id and region of the series with data on the page.
    commands
        The command line that shows the other series.
    part
        The part that the page is about, if it is about one alone.
    """

    tables: ForecastTables
    chosen: pd.DataFrame
    commands: Commands
    part: str = ""


def series_on_page(plan: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Choose the series that a page has data of: those of the largest value, and those with the costliest errors.

    Parameters
    ----------
    plan
        DEMAND_PLAN of the week.
    parts
        PART_ERRORS of the week.

    Returns
    -------
    pandas.DataFrame
        part_id and region, at most LARGEST + WORST rows.
    """
    value = (plan["quantity"] * plan["unit_price"].fillna(0.0)).groupby([plan[c] for c in SERIES]).sum()
    largest = value.sort_values(ascending=False, kind="stable").index[:LARGEST].to_frame(index=False)
    # Only series that are forecast have something to show.
    known = parts.merge(value.index.to_frame(index=False), on=SERIES)
    worst = known.sort_values("error_value", ascending=False, kind="stable")[SERIES].iloc[:WORST]
    return pd.concat([largest, worst]).drop_duplicates(ignore_index=True)


def forecast_html(page: ForecastPage, file: str = FORECAST_PAGE) -> str:
    """Render the page about the forecasts of a week.

    Parameters
    ----------
    page
        What it shows.
    file
        Name of its file.
    """
    tables = page.tables
    everything = outlook(tables)
    forecast = np.isfinite(everything.mean).any(axis=1)
    units = float(np.nansum(everything.mean))
    first, last = add_weeks(tables.week, 1), add_weeks(tables.week, tables.horizon)
    return render(
        Page(
            f"Forecast of {page.part}" if page.part else "Forecast",
            f"after {closed_week(tables.week)}",
            f"Units of weeks {first} to {last}. {_LEAD if not page.part else ''}".strip(),
            file,
            [
                Headline(number(units), f"units forecast for {count(tables.horizon, 'week')}"),
                Headline(number(np.nansum(everything.booked)), "units of these are booked already"),
                Headline(
                    number(np.nansum(everything.planned)), "units planned for, with overrides and promises"
                ),
                Headline(number(forecast.sum()), "series of a part and a region"),
            ],
            [
                Section(
                    "Demand and forecast",
                    "demand",
                    "Black: units ordered. Blue: forecast; four out of five weeks should fall into the dark band, nine"
                    " out of ten into the light one. Thin blue: forecasts of earlier weeks. Dotted: the same weeks a"
                    " year before. Orange: units booked already. Green: units planned for, where they differ.",
                    widget=Widget(
                        "forecast",
                        _data(page, everything, forecast),
                        "The pictures of this page are drawn by a script; forecasting-assets show PART prints the same"
                        " numbers.",
                    ),
                ),
                *([left_out_section(tables.left_out)] if len(tables.left_out) else []),
            ],
        )
    )


def left_out_section(points: pd.DataFrame) -> Section:
    """Show the weeks that the models leave out, the largest quantities first.

    Parameters
    ----------
    points
        CLEANED_POINTS of the week.
    """
    series = points.groupby("reason")[SERIES].apply(lambda rows: len(rows.drop_duplicates()))
    weeks = points["reason"].value_counts()
    found = [
        f"{count(weeks[reason], 'week')} of {number(series[reason])} series {why}"
        for reason, why in _LEFT_OUT.items()
        if reason in weeks
    ]
    largest = points.sort_values(["quantity", *SERIES, "demand_week"], ascending=[False, True, True, True])
    return Section(
        "Demand that the models leave out",
        "left-out",
        f"{'; '.join(found)}. They count neither for levels nor for seasons.",
        tables=[
            table(
                "Weeks left out",
                largest.head(MOST_LEFT_OUT),
                {
                    "part_id": ("Part", text),
                    "region": ("Region", text),
                    "demand_week": ("Week", day),
                    "quantity": ("Units ordered", number),
                    "usual": ("Usual units a week", number),
                    "reason": ("Reason", text),
                },
                "Confirm or correct them with the template demand_corrections: keep for real demand, exclude for"
                " further weeks that should not count, such as weeks without stock.",
            )
        ],
    )


def _data(page: ForecastPage, everything: Outlook, forecast: np.ndarray) -> dict[str, Any]:
    """Return the data of the script: weeks, groups, series with their numbers, and names of all other series."""
    tables = page.tables
    keys = pd.MultiIndex.from_frame(everything.keys[SERIES])
    chosen = keys.get_indexer(pd.MultiIndex.from_frame(page.chosen[SERIES]))
    others = np.setdiff1d(np.flatnonzero(forecast), chosen)
    groups = everything.groups()
    shown = np.isfinite(groups.mean).any(axis=1)
    if page.part:
        shown &= (np.arange(len(groups)) == 0) & (len(everything) > 1)  # all regions of the part together
    groups = groups.rows(np.flatnonzero(shown))
    return {
        "part": page.part,
        "origin": str(tables.week),
        "first": str(add_weeks(tables.week, 1 - HISTORY_WEEKS)),
        "horizon": tables.horizon,
        "command": page.commands.line("show"),
        "week": str(tables.week),
        "groups": _entries(groups, about_group(groups, tables)),
        "series": _entries(everything.rows(chosen), about_series(everything.rows(chosen), tables)),
        "others": everything.keys.iloc[others][[*SERIES, "part_category"]].to_numpy(object).tolist(),
    }


def _entries(rows: Outlook, about: list[list[str]]) -> list[dict[str, Any]]:
    """Return each row of an outlook as the script reads it."""
    entries = rows.keys.rename(columns={"part_id": "part", "part_category": "category"}).to_dict("records")
    arrays = {
        "demand": _compact(rows.demand),
        "mean": _compact(rows.mean),
        "booked": _compact(rows.booked),
        "planned": _compact(rows.planned),
        "override": _compact(rows.override),
        "earlier": _compact(rows.earlier),
        **{name: _compact(rows.quantiles[..., i]) for i, name in enumerate(("q05", "q10", "q90", "q95"))},
    }
    no_override = ~np.isfinite(rows.override).any(axis=1)
    no_interval = ~np.isfinite(rows.quantiles).any(axis=(1, 2))
    shown: list[dict[str, Any]] = []
    for i, (entry, sentences) in enumerate(zip(entries, about, strict=True)):
        left_out = {"override"} if no_override[i] else set()
        left_out |= {"q05", "q10", "q90", "q95"} if no_interval[i] else set()
        numbers = {name: values[i] for name, values in arrays.items() if name not in left_out}
        shown.append({str(k): v for k, v in entry.items()} | numbers | {"about": sentences})
    return shown


def _compact(values: np.ndarray) -> list[Any]:
    """Round to whole units, small ones to a tenth, as nested lists with None for NaN."""
    rounded = np.where(np.abs(values) < 20, np.round(values, 1), np.round(values))
    # Whole numbers as integers: `12` is shorter than `12.0`.
    cells = np.where(
        rounded == np.round(rounded), np.nan_to_num(rounded).astype(np.int64), rounded.astype(object)
    )
    cells[~np.isfinite(values)] = None
    listed: list[Any] = cells.tolist()
    return listed
