"""SQL over the tables of the lake: each is a view in DuckDB that cannot be changed, read from its Parquet files."""

from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.graph import Pipeline
from forecasting_assets.lake.files import DATA_FILE
from forecasting_assets.lake.lake import Lake
from forecasting_assets.tables import Table
from forecasting_assets.tables.arrow import partitioned_schema

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow.dataset import Dataset

#: DuckDB then reads no file and no variable of this process, loads no extension, and keeps these settings.
_CLOSED = {
    "python_enable_replacements": False,
    "enable_external_access": False,
    "lock_configuration": True,
}


class SqlError(PicklableError, ValueError):
    """A query that cannot be answered.

    Attributes
    ----------
    query
        The query.
    reason
        DuckDB's message.
    """

    def __init__(self, query: str, reason: str) -> None:
        super().__init__(reason)
        self.query, self.reason = query, reason


def lake_tables(pipeline: Pipeline) -> dict[str, Table]:
    """Return all tables of the lake by name, in the order of the graph."""
    return {table.name: table for node in pipeline.values() for table in (node.table, *node.also_writes)}


def run_query(lake: Lake, tables: dict[str, Table], query: str) -> pd.DataFrame:
    """Answer a query over the tables of the lake.

    Parameters
    ----------
    lake
        The lake.
    tables
        Its tables, each a view of this name. Its column `week` is the week of the
        partition.
    query
        One statement of DuckDB's SQL that reads. It reaches nothing but the views: no file, no network.

    Returns
    -------
    DataFrame
        The rows of the answer.

    Raises
    ------
    SqlError
        If it is not one statement that reads, or DuckDB cannot answer.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for name, table in tables.items():
            connection.register(name, _dataset(lake, table))
        for setting, value in _CLOSED.items():
            connection.execute(f"SET {setting} = {str(value).lower()}")
        try:
            return _answer(connection, query)
        except duckdb.Error as error:
            raise SqlError(query, " ".join(str(error).split())) from None


def _answer(connection: "DuckDBPyConnection", query: str) -> pd.DataFrame:
    from duckdb import ExpectedResultType

    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise SqlError(query, f"write one statement, not {len(statements)}")
    if statements[0].expected_result_type != [ExpectedResultType.QUERY_RESULT]:
        raise SqlError(query, "the lake can be read but not changed: write a SELECT")
    frame: pd.DataFrame = connection.execute(query).df()
    return frame


def _dataset(lake: Lake, table: Table) -> "Dataset":
    """Return the files of a table as a dataset; weeks in which the table lacks a column have it empty."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    schema = partitioned_schema(table)
    return ds.dataset(
        [info.path for info in lake.infos(table) if info.path.endswith(f"/{DATA_FILE}")],
        schema=schema,
        # A file that is damaged, or replaced in a store while it is read, is an error and not a wrong number.
        format=ds.ParquetFileFormat(page_checksum_verification=True),
        filesystem=lake.storage[0],
        partitioning=ds.partitioning(pa.schema([schema.field("week")]), flavor="hive"),
    )
