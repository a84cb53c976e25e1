"""What the Dagster definitions share: partitions, owner, pools, and tables as the UI shows them."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import dagster as dg

from forecasting_assets.graph import NETWORK_FILES, ORDER_FILES, PLANNING_FILES
from forecasting_assets.settings import Settings
from forecasting_assets.tables import Table

OWNER = "team:planning"
#: The assets that stand for landed files.
FILE_ASSETS = {ORDER_FILES: "order_files", NETWORK_FILES: "network_files", PLANNING_FILES: "planning_files"}
#: Runs with a step in this pool are started one at a time, see dagster.yaml.
SPARK_POOL = "spark"


def resource_names(function: Callable[..., Any]) -> set[str]:
    """Return the resources that a function of weeks takes: its parameters but for `weeks`."""
    return set(signature(function).parameters) - {"weeks"}


def weekly_partitions(settings: Settings) -> dg.WeeklyPartitionsDefinition:
    """Return the partitions of all assets: one a week, named by its Monday."""
    return dg.WeeklyPartitionsDefinition(
        start_date=str(settings.calendar.first_week), day_offset=1, timezone="UTC"
    )


def table_metadata(table: Table) -> dict[str, Any]:
    """Return name and columns of a table as the UI shows them."""
    columns = [
        dg.TableColumn(
            column.name, column.type, column.description, dg.TableColumnConstraints(nullable=column.nullable)
        )
        for column in table.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns), "dagster/table_name": table.name}
