"""Declared tables as Arrow schemas."""

from typing import TYPE_CHECKING

from forecasting_assets.tables import Table

if TYPE_CHECKING:
    from pyarrow import Schema


def arrow_schema(table: Table) -> "Schema":
    """Return the declared columns of `table` as an Arrow schema."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "double": pa.float64(),
        "long": pa.int64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "doubles": pa.list_(pa.float64()),
    }
    return pa.schema([pa.field(column.name, types[column.type]) for column in table.columns])
