"""Declared tables as Arrow schemas, and Arrow tables as data frames."""

from typing import TYPE_CHECKING

from forecasting_assets.tables import Table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def arrow_schema(table: Table) -> "pa.Schema":
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


def partitioned_schema(table: Table) -> "pa.Schema":
    """Return the declared columns of `table` with a date column `week`, the week of the partition, as the last."""
    import pyarrow as pa

    columns = [field for field in arrow_schema(table) if field.name != "week"]
    return pa.schema([*columns, pa.field("week", pa.date32())])


def to_pandas(rows: "pa.Table", categorical: bool = False) -> "pd.DataFrame":
    """Return an Arrow table as a data frame whose dates are datetime64[ns].

    Parameters
    ----------
    rows
        The table.
    categorical
        Whether texts become categorical columns.
    """
    import pyarrow as pa

    frame: pd.DataFrame = rows.to_pandas(date_as_object=False, strings_to_categorical=categorical)
    dates = [field.name for field in rows.schema if pa.types.is_date(field.type)]
    return frame.assign(**{name: frame[name].astype("datetime64[ns]") for name in dates})
