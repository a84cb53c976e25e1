"""Results of weeks as metadata of their materializations."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from forecasting_assets.workflows.week_result import Link, WeekResult


def add_week_metadata(context: dg.AssetExecutionContext, week: date, metadata: Mapping[str, Any]) -> None:
    """Add metadata to the materialization of one week: that of a range of weeks is shown for none of them."""
    context.add_asset_metadata(metadata, partition_key=str(week))


def week_metadata(result: WeekResult) -> dict[str, Any]:
    """Return the result of a week as metadata of Dagster."""
    metadata: dict[str, Any] = {"dagster/partition_row_count": result.rows}
    metadata |= {name: _shown(value) for name, value in result.metadata.items()}
    metadata |= {name: _picture(png, name) for name, png in result.pictures.items()}
    if result.report:
        metadata["report"] = dg.MetadataValue.path(result.report)
    return metadata


def _shown(value: Any) -> Any:
    if isinstance(value, Link):
        return dg.MetadataValue.url(value.url)
    return dg.MetadataValue.json(value) if isinstance(value, list | Mapping) else value


def _picture(png: bytes, name: str) -> dg.MetadataValue[Any]:
    """Return a PNG that the UI shows in place."""
    return dg.MetadataValue.md(
        f"![{name.replace('_', ' ')}](data:image/png;base64,{b64encode(png).decode()})"
    )
