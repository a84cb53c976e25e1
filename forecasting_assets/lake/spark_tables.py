"""Weeks of the lake read and written by Spark.

Spark's Python workers read and write whole weeks with Arrow where they can: that is several times as fast as moving
rows between tasks.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING

from forecasting_assets.lake.files import DATA_FILE
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.week_files import read_each_week
from forecasting_assets.spark_partitions import by_week
from forecasting_assets.storage import open_filesystem
from forecasting_assets.tables import Table, texts_ddl

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile
    from pyspark.sql import DataFrame, SparkSession

#: Options of Spark's writer. With dictionaries as large as its default of 1 MB, values that hardly repeat (order
#: numbers) are first gathered in one and then written all the same.
_SPARK_OPTIONS = {"parquet.dictionary.page.size": str(128 << 10), "compression": "zstd"}
#: Options of Arrow's writer for what Spark's workers make.
_ARROW_OPTIONS = {"compression": "zstd", "write_page_checksum": True}


def read_weeks(spark: "SparkSession", lake: Lake, table: Table, weeks: Sequence[date]) -> "DataFrame":
    """Read the rows of `weeks` with a date column `week`.

    An `open` table comes with all columns that its files hold.

    Parameters
    ----------
    spark
        Session to read with.
    lake, table, weeks
        What to read.

    Raises
    ------
    MissingWeeksError, DamagedWeekError
        If a week does not exist or its footer cannot be read.
    """
    lake.require(table, weeks)
    # Footers are read here, as Spark names a damaged file but neither its table nor a remedy.
    with ThreadPoolExecutor(16) as pool:
        columns = set(chain.from_iterable(pool.map(lambda week: lake.columns(table, week), weeks)))
    more = sorted(columns.difference(table.names)) if table.open else []
    week_column = [] if "week" in table.names else ["week DATE"]
    paths = [f"{lake.path}/{table.name}/week={week}" for week in sorted(set(weeks))]
    reader = spark.read.option("basePath", f"{lake.path}/{table.name}")
    return reader.schema(", ".join([*texts_ddl(more), table.ddl, *week_column])).parquet(*paths)


def write_weeks(frame: "DataFrame", lake: Lake, table: Table, weeks: Sequence[date]) -> dict[date, int]:
    """Replace `weeks` of `table` by the rows of `frame`.

    A week without rows is written as an empty file: it counts as materialized.

    Parameters
    ----------
    frame
        With a column `week`, and all rows of a week in one Spark partition (`spark_partitions.by_week`).

    Returns
    -------
    dict
        Week -> number of rows.

    Raises
    ------
    ValueError
        If `frame` holds rows of other weeks, or rows of one week in several partitions.
    """
    with lake.staging() as folder:
        writer = frame.write.options(**_SPARK_OPTIONS).partitionBy("week").mode("overwrite")
        with lake.spark_damage_as_error():
            writer.parquet(f"{lake.path}/{folder}")
        staged = _staged_files(lake, folder)
        if unexpected := sorted(set(staged) - set(weeks)):
            raise ValueError(f"{table.name}: rows of weeks that were not to be written: {unexpected}")
        for week in weeks:
            if week not in staged:
                staged[week] = _stage_empty(lake, folder, frame.drop("week"))
            lake.publish(staged[week], table, week)
    return {week: lake.rows(table, week) for week in weeks}


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
    root = lake.path

    def rows(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        filesystem, _ = open_filesystem(root)
        for week, result in read_each_week(filesystem, batches, function):
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
    MissingWeeksError, DamagedWeekError
        If a week of `table` does not exist or cannot be read.
    """
    root, names = lake.path, [target.name for target in targets]
    with lake.staging() as staging:

        def write_week(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
            import pyarrow as pa
            import pyarrow.parquet as pq

            filesystem, folder = open_filesystem(root)
            for week, tables in read_each_week(filesystem, batches, function):
                for name, rows in zip(names, tables, strict=True):
                    target = f"{folder}/{staging}/{name}/week={week}"
                    filesystem.create_dir(target, recursive=True)
                    pq.write_table(rows, f"{target}/{DATA_FILE}", filesystem=filesystem, **_ARROW_OPTIONS)
                counts = pa.array([[len(rows) for rows in tables]], pa.list_(pa.int64()))
                yield pa.RecordBatch.from_arrays([pa.array([week]), counts], ["week", "rows"])

        frame = _in_workers(spark, lake, table, weeks, write_week, "week DATE, rows ARRAY<BIGINT>")
        with lake.spark_damage_as_error():
            written = frame.toArrow()
        for target in targets:
            for week in weeks:
                staged = f"{lake.storage[1]}/{staging}/{target.name}/week={week}/{DATA_FILE}"
                lake.publish(staged, target, week)
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


def _staged_files(lake: Lake, staging: str) -> dict[date, str]:
    from pyarrow import fs

    filesystem, root = lake.storage
    selector = fs.FileSelector(f"{root}/{staging}", recursive=True, allow_not_found=True)
    paths = [info.path for info in filesystem.get_file_info(selector)]
    files = [path for path in paths if path.endswith(".parquet") and "/week=" in path]
    staged = {date.fromisoformat(file.split("/week=")[1][:10]): file for file in files}
    if len(staged) != len(files):
        raise ValueError(
            f"{lake.path}/{staging} holds several files of one week: partition by_week(frame, weeks) first"
        )
    return staged


def _stage_empty(lake: Lake, staging: str, frame: "DataFrame") -> str:
    import pyarrow.parquet as pq
    from pyspark.sql.pandas.types import to_arrow_schema

    filesystem, root = lake.storage
    file = f"{root}/{staging}/{uuid.uuid4().hex}.parquet"
    schema = to_arrow_schema(frame.schema, timezone="UTC")
    pq.write_table(schema.empty_table(), file, filesystem=filesystem)
    return file
