"""Weeks of the lake read and written by Spark.

Spark's Python workers read and write whole weeks with Arrow. So a store needs no connector among the JVM's jars, and
rows that are made in a worker need not move to another task.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from forecasting_assets.lake.files import WeekFiles
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.week_files import read_columns, read_each_week
from forecasting_assets.spark_partitions import by_week
from forecasting_assets.spark_versions import arrow_schema_of, to_arrow
from forecasting_assets.tables import Table
from forecasting_assets.tables.arrow import arrow_schema
from forecasting_assets.wording import count

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile
    from pyspark.sql import DataFrame, SparkSession


def read_weeks(spark: "SparkSession", lake: Lake, table: Table, weeks: Sequence[date]) -> "DataFrame":
    """Read the declared columns of `weeks`, with a date column `week` as the last.

    Raises
    ------
    MissingWeeksError
        If a week does not exist. A file that cannot be read fails the job (`Lake.errors_of_workers`).
    """
    columns = [column for column in table.columns if column.name != "week"]
    schema = arrow_schema(table)
    schema = schema.remove(schema.get_field_index("week")) if "week" in table.names else schema

    def rows(file: "ParquetFile", week: date) -> "pa.Table":
        return read_columns(file, schema)

    ddl = ", ".join(f"`{column.name}` {column.spark_type}" for column in columns)
    return map_weeks(spark, lake, table, weeks, rows, ddl)


def write_weeks(frame: "DataFrame", lake: Lake, table: Table, weeks: Sequence[date]) -> dict[date, int]:
    """Replace `weeks` of `table` by the rows of `frame`.

    A week without rows is written as an empty file: it counts as materialized.

    Parameters
    ----------
    frame
        With a date column `week`.

    Returns
    -------
    dict
        Week -> number of rows.

    Raises
    ------
    PythonException
        Spark's, which quotes a ValueError of its worker, if `frame` holds rows of other weeks or without a week.
    DamagedWeekError, StoreError
        If a file that `frame` is made from cannot be read, or the store fails.
    """
    files, name, expected = WeekFiles(lake.path), table.name, frozenset(weeks)
    schema = arrow_schema_of(frame)
    schema = schema.remove(schema.get_field_index("week"))

    def write(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for week, rows in _split_by_week(batches):
            if week is None:
                raise ValueError(f"{name}: {count(len(rows), 'row')} without a week")
            if week not in expected:
                raise ValueError(f"{name}: rows of a week that was not to be written: {week}")
            files.write_table(rows.rename_columns(schema.names), name, week)
            yield pa.RecordBatch.from_pydict({"week": [week], "rows": [len(rows)]})

    with lake.errors_of_workers():
        # Landed columns may have names that Spark takes for expressions.
        plain = [column if column == "week" else f"column_{i}" for i, column in enumerate(frame.columns)]
        # All rows of a week are in one partition, one after the other.
        sorted_rows = by_week(frame.toDF(*plain), weeks).sortWithinPartitions("week")
        written = to_arrow(sorted_rows.mapInArrow(write, "week DATE, rows BIGINT"))
    counts = dict.fromkeys(weeks, 0) | {row["week"]: row["rows"] for row in written.to_pylist()}
    for week in weeks:
        if not counts[week]:
            lake.write_table(schema.empty_table(), name, week)
    return counts


def map_weeks(
    spark: "SparkSession",
    lake: Lake,
    table: Table,
    weeks: Sequence[date],
    function: Callable[["ParquetFile", date], "pa.Table"],
    ddl: str,
) -> "DataFrame":
    """Apply `function` to the file of each week in Spark's Python workers.

    Parameters
    ----------
    spark
        Session to work with.
    lake, table, weeks
        What to read.
    function
        Makes rows from the file of a week and the week.
    ddl
        Columns of these rows as a Spark schema string.

    Returns
    -------
    DataFrame
        The rows of all weeks: the columns of `ddl` and a date column `week`.
    """
    files = WeekFiles(lake.path)

    def rows(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for week, result in read_each_week(files.storage[0], batches, function):
            yield from result.append_column("week", pa.repeat(week, len(result))).to_batches()

    return _in_workers(spark, lake, table, weeks, rows, f"{ddl}, week DATE")


def transform_weeks(
    spark: "SparkSession",
    lake: Lake,
    table: Table,
    weeks: Sequence[date],
    function: Callable[["ParquetFile", date], Sequence["pa.Table"]],
    targets: Sequence[Table],
) -> dict[date, tuple[int, ...]]:
    """Write weeks of other tables, each made from the same week of `table`.

    Parameters
    ----------
    table, weeks
        What is read.
    function
        Makes the rows of each of `targets`, in their order, from the file of a week.
    targets
        The tables written. The last one is published last: where it shows a week, the others do too.

    Returns
    -------
    dict
        Week -> number of rows of each target.

    Raises
    ------
    MissingWeeksError, DamagedWeekError, StoreError
        If a week of `table` does not exist or cannot be read, or the store fails.
    """
    files, names = WeekFiles(lake.path), [target.name for target in targets]

    def write_week(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for week, tables in read_each_week(files.storage[0], batches, function):
            for name, rows in zip(names, tables, strict=True):
                files.write_table(rows, name, week)
            counts = pa.array([[len(rows) for rows in tables]], pa.list_(pa.int64()))
            yield pa.RecordBatch.from_arrays([pa.array([week]), counts], ["week", "rows"])

    frame = _in_workers(spark, lake, table, weeks, write_week, "week DATE, rows ARRAY<BIGINT>")
    with lake.errors_of_workers():
        written = to_arrow(frame)
    return {row["week"]: tuple(row["rows"]) for row in written.to_pylist()}


def _in_workers(
    spark: "SparkSession",
    lake: Lake,
    table: Table,
    weeks: Sequence[date],
    rows: Callable[["Iterator[pa.RecordBatch]"], "Iterator[pa.RecordBatch]"],
    ddl: str,
) -> "DataFrame":
    """Apply `rows` to the weeks and paths of files (`week_files.read_each_week`) in Python workers."""
    lake.require(table, weeks)
    listed = [(week, lake.file(table.name, week)) for week in sorted(set(weeks))]
    files = spark.createDataFrame(listed, "week DATE, path STRING")
    return by_week(files, weeks).mapInArrow(rows, ddl)


def _split_by_week(batches: "Iterable[pa.RecordBatch]") -> "Iterator[tuple[date | None, pa.Table]]":
    """Yield each week and its rows, from batches that are sorted by the column `week`; None for rows without one.

    Raises
    ------
    ValueError
        If the batches are not sorted: the rows of a week would replace others of the same week.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    current: date | None = None
    ended: set[date | None] = set()
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        weeks, rows = batch.column("week"), batch.drop_columns(["week"])
        runs = pc.run_end_encode(weeks)
        begin = 0
        for week, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            if pending and week != current:
                yield current, pa.Table.from_batches(pending)
                pending = []
                ended.add(current)
            if week in ended:
                raise ValueError(
                    f"rows of {week} come after those of other weeks: the engine does not sort partitions"
                )
            current = week
            pending.append(rows.slice(begin, end - begin))
            begin = end
    if pending:
        yield current, pa.Table.from_batches(pending)
