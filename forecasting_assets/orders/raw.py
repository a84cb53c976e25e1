"""raw_orders: the rows of landed files, as text, each in the week of its order date."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.landing import required_columns, rows_of_weeks
from forecasting_assets.orders.rows import Source
from forecasting_assets.spark_partitions import shuffle_tasks
from forecasting_assets.tables import RAW_ORDERS, REJECTED_ORDERS, texts_ddl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_OWN_COLUMNS = {*RAW_ORDERS.names, *REJECTED_ORDERS.names, "week"}


class File(Protocol):
    """What is known of a landed file."""

    @property
    def name(self) -> str: ...
    @property
    def modified(self) -> datetime: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def weeks(self) -> tuple[date, ...]: ...
    @property
    def careful(self) -> bool: ...


def raw_name(landed: str) -> str:
    """The name of a landed column in raw_orders: its own, unless the platform adds one of that name."""
    return f"landed_{landed}" if landed in _OWN_COLUMNS else landed


def weeks_by_columns(files: Iterable[File], weeks: Sequence[date]) -> dict[tuple[str, ...], list[date]]:
    """Weeks grouped by the columns their files landed, so that a week has the same columns however a run is cut."""
    columns: dict[date, set[str]] = {week: set() for week in weeks}
    for file in files:
        for week in columns.keys() & set(file.weeks):
            columns[week].update(file.columns)
    groups: dict[tuple[str, ...], list[date]] = {}
    for week, names in columns.items():
        groups.setdefault(tuple(sorted(names)), []).append(week)
    return groups


def read_raw_orders(
    spark: "SparkSession",
    root: str,
    files: Sequence[File],
    columns: Sequence[str],
    landed_names: "Mapping[str, str]",
    order_format: OrderFormat,
    weeks: Sequence[date],
) -> "DataFrame":
    """The rows of `files` (below `root`) that belong to `weeks`: `columns` as text, RAW_ORDERS' columns and week.

    Files are read side by side by Spark's Python workers, whole rows as Arrow batches.
    """
    names = [raw_name(column) for column in columns]
    header = [*names, *RAW_ORDERS.names, "week"]
    schema = ", ".join([*texts_ddl(names), RAW_ORDERS.ddl, "week DATE"])
    date_column, required, weeks = landed_names["order_date"], required_columns(landed_names), tuple(weeks)

    def read(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        from forecasting_assets.storage import open_filesystem, store_errors

        with store_errors(root):
            filesystem, folder = open_filesystem(root)
            for file in (file for batch in batches for file in batch.to_pylist()):
                path = f"{folder}/{file['name']}"
                source = Source(filesystem, path, order_format, required=required, careful=file["careful"])
                for found, row_weeks in rows_of_weeks(source, file["weeks"], date_column, weeks):
                    count = len(found.numbers)
                    landed = dict(
                        zip(map(raw_name, found.rows.schema.names), found.rows.columns, strict=True)
                    )
                    filled = [landed.get(name, pa.nulls(count, pa.string())) for name in names]
                    origin = pa.repeat(pa.scalar(file["name"]), count)
                    modified = pa.repeat(pa.scalar(file["modified"], pa.timestamp("us", "UTC")), count)
                    own = [origin, pa.array(found.numbers), modified, found.problems, found.surplus]
                    yield pa.RecordBatch.from_arrays([*filled, *own, row_weeks], header)

    listed = spark.createDataFrame(
        [(file.name, file.modified, list(file.weeks), file.careful) for file in files],
        "name STRING, modified TIMESTAMP, weeks ARRAY<DATE>, careful BOOLEAN",
    )
    # As many readers as shuffles have partitions: each one costs the start of a Python worker.
    return listed.repartition(min(len(files), shuffle_tasks(spark)) or 1, "name").mapInArrow(read, schema)
