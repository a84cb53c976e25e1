"""Sheets for manufacturers: what each makes, when, for where, by part. They show no costs, so they can be handed on."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import pandas as pd

from forecasting_assets.reporting.exports import manufacturer_export
from forecasting_assets.reporting.formats import number
from forecasting_assets.reporting.headlines import Headline
from forecasting_assets.reporting.html import Page, Section, closed_week, render
from forecasting_assets.reporting.measures import require
from forecasting_assets.reporting.plan_tables import hours, units
from forecasting_assets.reporting.texttable import Link, TextTable, day, table, text
from forecasting_assets.tables import ALLOCATION_PLAN, LOCKED_ALLOCATIONS
from forecasting_assets.tables.table_files import file_content

#: Longest file name without its ending, as file systems limit names.
_LONGEST_NAME = 60
_KEY = ["manufacturer_id", "part_id", "part_category", "region", "production_week", "due_week"]


@dataclass(frozen=True)
class Sheet:
    """The sheet of a manufacturer.

    Attributes
    ----------
    file
        Name of its page, without ending.
    html
        The page.
    csv_name, csv
        The units to confirm as a CSV file, which the planning folder takes (`manufacturer_export`).
    """

    file: str
    html: str
    csv_name: str
    csv: bytes


def sheet_files(manufacturers: Iterable[str]) -> dict[str, str]:
    """Return manufacturer -> name of its files, which any file system can hold and keeps apart."""
    names = sorted(set(manufacturers))
    safe = [re.sub(r"[^A-Za-z0-9._-]", "_", name)[:_LONGEST_NAME].lstrip(".") for name in names]
    # Windows and macOS do not distinguish upper and lower case.
    folded = [name.casefold() for name in safe]
    return {
        name: file if file == name and folded.count(file.casefold()) == 1 else f"{file}-{_digest(name)}"
        for name, file in zip(names, safe, strict=True)
    }


def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:8]


def sheets(week: date, plan: pd.DataFrame, capabilities: pd.DataFrame) -> Iterator[Sheet]:
    """Render the sheet of each manufacturer that makes anything.

    Parameters
    ----------
    week
        Week after which the plan was made.
    plan
        ALLOCATION_PLAN.
    capabilities
        CAPABILITIES: the hours of one unit.
    """
    require(plan, ALLOCATION_PLAN.names, "allocation_plan")
    rate = ["manufacturer_id", "part_category"]
    rows = plan.merge(capabilities[[*rate, "hours_per_unit"]], on=rate, how="left")
    rows["hours"] = (rows["quantity"] * rows["hours_per_unit"]).round(3)
    rows = rows.sort_values(_KEY, ignore_index=True)
    files = sheet_files(plan["manufacturer_id"])
    for manufacturer, own in rows.groupby("manufacturer_id"):
        own = own.reset_index(drop=True)
        name, file = str(manufacturer), files[str(manufacturer)]
        csv_name = f"{LOCKED_ALLOCATIONS.name}-{file}-{week}.csv"
        to_confirm = file_content(manufacturer_export(own, name, week), "csv")
        yield Sheet(file, _html(week, name, file, csv_name, own), csv_name, to_confirm)


def _html(week: date, manufacturer: str, file: str, csv_name: str, rows: pd.DataFrame) -> str:
    first = rows["production_week"].min()
    now = rows["production_week"] == first
    weeks = rows.groupby("production_week")[["quantity", "hours"]].sum()
    return render(
        Page(
            f"Production of {manufacturer}",
            f"weeks {day(first)} to {day(rows['production_week'].max())}",
            f"Planned after {closed_week(week)} had closed; weeks are named by their Monday.",
            f"manufacturers/{file}.html",
            [
                Headline(f"{number(rows.loc[now, 'quantity'].sum())} units", f"to make in week {day(first)}"),
                Headline(f"{number(rows.loc[now, 'hours'].sum(), 1)} h", f"of work in week {day(first)}"),
                Headline(f"{number(rows.loc[~now, 'quantity'].sum())} units", "planned for later weeks"),
                Headline(number(rows["part_id"].nunique()), "different parts"),
            ],
            [
                Section("Week by week", "weeks", tables=[_by_week(weeks.reset_index())]),
                Section(f"Week {day(first)}", "this-week", tables=[_lines(f"Week {day(first)}", rows[now])]),
                Section("Later weeks", "later", tables=[_lines("Later weeks", rows[~now])]),
            ],
            downloads=[
                Link("This sheet as a CSV file, to confirm or change quantities and send back", csv_name)
            ],
        )
    )


def _by_week(weeks: pd.DataFrame) -> TextTable:
    return table(
        "Week by week",
        weeks,
        {
            "production_week": ("Production week", day),
            "quantity": ("Units", number),
            "hours": ("Hours", hours),
        },
    )


def _lines(title: str, rows: pd.DataFrame) -> TextTable:
    return table(
        title,
        rows,
        {
            "part_id": ("Part", text),
            "part_category": ("Category", text),
            "region": ("Deliver to", text),
            "production_week": ("Make in week", day),
            "due_week": ("Needed in week", day),
            "quantity": ("Units", units),
            "hours": ("Hours", hours),
            "overtime_quantity": ("Units in overtime", units),
            "locked_quantity": ("Units agreed already", units),
        },
    )
