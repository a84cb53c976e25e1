"""Exports of a plan: tables of the lake as files for planners and manufacturers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.reports import remove_other_files, write_report
from forecasting_assets.reporting.exports import (
    forecast_export,
    manufacturer_export,
    plan_export,
    shortages_export,
)
from forecasting_assets.reporting.sheets import sheet_files
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    DEMAND_PLAN,
    MANUFACTURER_NETWORK,
    PLAN_REASONS,
    PLAN_SHORTAGES,
)
from forecasting_assets.tables.table_files import file_content

ExportKind = Literal["plan", "forecast", "shortages", "manufacturer"]
EXPORT_KINDS: tuple[ExportKind, ...] = get_args(ExportKind)
#: Folder of the exports of a week, beside its reports.
_FOLDER = "export"


class UnknownManufacturerError(PicklableError, ValueError):
    """A manufacturer that is not in the network of the week.

    Attributes
    ----------
    manufacturer
        Its name.
    known
        The manufacturers of the network.
    """

    def __init__(self, manufacturer: str, known: list[str]) -> None:
        super().__init__(f"{manufacturer!r} is not a manufacturer: there are {', '.join(known)}")
        self.manufacturer, self.known = manufacturer, known


@dataclass(frozen=True)
class Export:
    """One table to export.

    Attributes
    ----------
    kind
        What to export.
    week
        The week of the plan.
    manufacturer
        Whose sheet, where kind is `manufacturer`.
    """

    kind: ExportKind
    week: date
    manufacturer: str = ""

    @property
    def name(self) -> str:
        """Name of its file without ending; a manufacturer's file can be put into the planning folder as it is."""
        if self.kind == "manufacturer":
            (file,) = sheet_files([self.manufacturer]).values()
            return f"locked_allocations-{file}-{self.week}"
        return f"{self.kind}-{self.week}"


def newest_plan(lake: Lake) -> date:
    """Return the newest week that has a plan.

    Raises
    ------
    ValueError
        If there is none.
    """
    weeks = lake.existing_weeks(ALLOCATION_PLAN)
    if not weeks:
        raise ValueError("There is no plan yet: make one with `forecasting-assets materialize`.")
    return weeks[-1]


def read_export(lake: Lake, export: Export) -> pd.DataFrame:
    """Read the rows of an export.

    Raises
    ------
    UnknownManufacturerError
        If the manufacturer is not in the network of the week.
    MissingWeeksError
        If the week has no plan.
    """
    week = [export.week]
    if export.kind == "forecast":
        return forecast_export(lake.read_pandas(DEMAND_PLAN, week))
    plan = lake.read_pandas(ALLOCATION_PLAN, week)
    if export.kind == "plan":
        return plan_export(plan)
    if export.kind == "shortages":
        tables = (lake.read_pandas(table, week) for table in (PLAN_SHORTAGES, DEMAND_PLAN, PLAN_REASONS))
        return shortages_export(*tables)
    known = _manufacturers(lake, export.week)
    if export.manufacturer not in known:
        raise UnknownManufacturerError(export.manufacturer, known)
    return manufacturer_export(plan, export.manufacturer, export.week)


def write_exports(settings: Settings, lake: Lake, week: date) -> list[str]:
    """Write all exports of a plan in the formats of `[reports] export`; return their paths.

    Files of an earlier plan of the week that this one does not have, as of a manufacturer that makes nothing any more,
    are removed.
    """
    formats, folder = settings.reports.export, settings.reports_path
    written = []
    for export in _all_exports(lake, week) if formats else ():
        rows = read_export(lake, export)
        for file_format in formats:
            name = f"{_FOLDER}/{export.name}.{file_format}"
            written.append(write_report(folder, week, name, file_content(rows, file_format)))
    remove_other_files(folder, week, _FOLDER, written)
    return written


def _all_exports(lake: Lake, week: date) -> Iterator[Export]:
    yield from (Export(kind, week) for kind in EXPORT_KINDS if kind != "manufacturer")
    busy = set(lake.read_pandas(ALLOCATION_PLAN, [week], ["manufacturer_id"])["manufacturer_id"])
    yield from (Export("manufacturer", week, name) for name in sorted(busy))


def _manufacturers(lake: Lake, week: date) -> list[str]:
    return sorted(lake.read_pandas(MANUFACTURER_NETWORK, [week], ["manufacturer_id"])["manufacturer_id"])
