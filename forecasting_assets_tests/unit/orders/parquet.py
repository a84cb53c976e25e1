"""Rows as the file of a week that the tables of the lake are."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from forecasting_assets.lake.lake import arrow_schema
from forecasting_assets.tables import Table


def week_file(table: Table, rows: list[dict], *texts: str) -> pq.ParquetFile:
    """`rows` with the columns of `table` and those of `texts`; what a row does not tell is null."""
    schema = pa.schema([*arrow_schema(table), *(pa.field(name, pa.string()) for name in texts)])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), buffer, row_group_size=3)
    return pq.ParquetFile(buffer)
