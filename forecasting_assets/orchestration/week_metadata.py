"""Results of weeks as metadata of their materializations."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from forecasting_assets.lake.reports import Reports, write_report
from forecasting_assets.reporting.preview import first_rows, rounded
from forecasting_assets.workflows.week_result import Link, WeekResult


def add_week_metadata(context: dg.AssetExecutionContext, week: date, metadata: Mapping[str, Any]) -> None:
    """Add metadata to the materialization of one week: that of a range of weeks is shown for none of them."""
    context.add_asset_metadata(metadata, partition_key=str(week))


def week_metadata(result: WeekResult, week: date, reports: Reports) -> dict[str, Any]:
    """Return the result of a week as metadata of Dagster.

    Where reports are served, pages are links, and pictures are files that the UI shows in place: what it keeps itself
    it shows on a click only if it is long. Otherwise pages are paths, and pictures are kept.

    Parameters
    ----------
    result
        The result.
    week
        The week.
    reports
        Where pages are, and where pictures are written.
    """
    metadata: dict[str, Any] = {"dagster/partition_row_count": result.rows}
    if result.report:
        metadata["report"] = (
            dg.MetadataValue.url(reports.address(result.report))
            if reports.url
            else dg.MetadataValue.path(result.report)
        )
    metadata |= {name: _shown(value) for name, value in result.metadata.items()}
    return metadata | {name: _picture(png, name, week, reports) for name, png in result.pictures.items()}


def preview(rows: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the first rows of a table, column by column, as metadata that the UI shows in place."""
    return {"first_rows": dg.MetadataValue.md(first_rows(rows))} if any(rows.values()) else {}


def _shown(value: Any) -> Any:
    if isinstance(value, Link):
        return dg.MetadataValue.url(value.url)
    if isinstance(value, float):
        return rounded(value)
    return dg.MetadataValue.json(value) if isinstance(value, list | Mapping) else value


def _picture(png: bytes, name: str, week: date, reports: Reports) -> dg.MetadataValue[Any]:
    words = name.replace("_", " ")
    if reports.url:
        address = reports.address(write_report(reports.folder, week, f"pictures/{name}.png", png))
    else:
        address = f"data:image/png;base64,{b64encode(png).decode()}"
    return dg.MetadataValue.md(f"![{words}]({address})")
