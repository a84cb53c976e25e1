"""Published tables as other engines read them, without the platform's own code."""

import os
from functools import cache
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from pyiceberg.catalog import load_catalog

from forecasting_assets.settings import Settings
from forecasting_assets.tables import Table

FORMATS = ["delta", "iceberg"]


def delta_table(settings: Settings, table: Table, version: int | None = None) -> DeltaTable:
    """Return the published Delta table."""
    url = settings.lake_path.replace("s3a://", "s3://")
    return DeltaTable(f"{url}/delta/{table.name}", version, {"allow_http": "true"})


def iceberg_table(settings: Settings, table: Table) -> Any:
    """Return the published Iceberg table of the home's catalog."""
    opened = catalog(f"sqlite:///{settings.home}/iceberg.db", os.environ.get("AWS_ENDPOINT_URL", ""))
    return opened.load_table(f"forecasting_assets.{table.name}")


@cache
def catalog(uri: str, endpoint: str) -> Any:
    """Open a catalog once."""
    return load_catalog("home", type="sql", uri=uri, **{"s3.endpoint": endpoint, "s3.region": "us-east-1"})


def versions(settings: Settings, table: Table) -> list[int]:
    """Return the versions of a published table, the oldest first, without that in which it was made."""
    if settings.lake.format == "delta":
        return list(range(1, delta_table(settings, table).version() + 1))
    return [snapshot.snapshot_id for snapshot in iceberg_table(settings, table).snapshots()]


def files(settings: Settings, table: Table) -> list[str]:
    """Return the files of the newest version of a published table."""
    if settings.lake.format == "delta":
        return delta_table(settings, table).file_uris()
    return [task.file.file_path for task in iceberg_table(settings, table).scan().plan_files()]


def read(settings: Settings, table: Table, version: int | None = None) -> pa.Table:
    """Return all rows of a published table, by week."""
    if settings.lake.format == "delta":
        rows = delta_table(settings, table, version).to_pyarrow_table()
    else:
        rows = iceberg_table(settings, table).scan(snapshot_id=version).to_arrow()
    return rows.sort_by("week")
