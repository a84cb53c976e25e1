"""Data files of one week of a table, as the lake keeps them."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from forecasting_assets.tables import Table
from forecasting_assets.tables.arrow import arrow_schema


def week_file(table: Table, rows: list[dict], *texts: str) -> pq.ParquetFile:
    """Write `rows` with the columns of `table` and the text columns `texts`; missing values are null."""
    schema = pa.schema([*arrow_schema(table), *(pa.field(name, pa.string()) for name in texts)])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), buffer, row_group_size=3)
    return pq.ParquetFile(buffer)
