"""raw_orders: the rows of landed files as text, each in the week of its order date."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.landing import required_columns, rows_of_weeks
from forecasting_assets.orders.rows import RowBatch, Source
from forecasting_assets.spark_partitions import shuffle_tasks
from forecasting_assets.tables import RAW_ORDERS, REJECTED_ORDERS, texts_ddl

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_OWN_COLUMNS = {*RAW_ORDERS.names, *REJECTED_ORDERS.names, "week"}


class File(Protocol):
    """What is known about a landed file, such as one of the landing index."""

    @property
    def name(self) -> str:
        """Path relative to the landing zone."""

    @property
    def modified(self) -> datetime:
        """Time of change when its content was first seen."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns as landed."""

    @property
    def weeks(self) -> tuple[date, ...]:
        """Weeks of the order dates."""

    @property
    def careful(self) -> bool:
        """Whether the quotes need the slow reader."""


@dataclass(frozen=True)
class LandingZone:
    """Location and format of order files.

    Attributes
    ----------
    root
        Folder or URL of the files.
    landed_names
        Platform name -> landed name of the columns of an order line.
    order_format
        Format of dates, numbers and text.
    """

    root: str
    landed_names: Mapping[str, str]
    order_format: OrderFormat


def raw_name(landed: str) -> str:
    """Return the name of a landed column in raw_orders: unchanged, unless a column of the platform has that name."""
    return f"landed_{landed}" if landed in _OWN_COLUMNS else landed


def weeks_by_columns(files: Iterable[File], weeks: Sequence[date]) -> dict[tuple[str, ...], list[date]]:
    """Group weeks by the landed columns of their files, so that the columns of a week do not depend on the run."""
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
    zone: LandingZone,
    files: Sequence[File],
    columns: Sequence[str],
    weeks: Sequence[date],
) -> "DataFrame":
    """Read the rows of files that belong to given weeks.

    Spark's Python workers read the files in parallel as Arrow batches.

    Parameters
    ----------
    spark
        Spark session.
    zone
        Landing zone of the files.
    files
        Files to read.
    columns
        Landed columns to read.
    weeks
        Weeks to keep.

    Returns
    -------
    DataFrame
        `columns` as text, the columns of RAW_ORDERS, and week.
    """
    names = [raw_name(column) for column in columns]
    header = [*names, *RAW_ORDERS.names, "week"]
    schema = ", ".join([*texts_ddl(names), RAW_ORDERS.ddl, "week DATE"])
    root, order_format = zone.root, zone.order_format
    date_column, required = zone.landed_names["order_date"], required_columns(zone.landed_names)
    weeks = tuple(weeks)

    def read(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        from forecasting_assets.storage import open_filesystem, store_errors

        with store_errors(root):
            filesystem, folder = open_filesystem(root)
            for file in (file for batch in batches for file in batch.to_pylist()):
                path = f"{folder}/{file['name']}"
                source = Source(filesystem, path, order_format, required=required, careful=file["careful"])
                for rows, row_weeks in rows_of_weeks(source, file["weeks"], date_column, weeks):
                    columns = [*_raw_columns(rows, names, file["name"], file["modified"]), row_weeks]
                    yield pa.RecordBatch.from_arrays(columns, header)

    to_read = spark.createDataFrame(
        [(file.name, file.modified, list(file.weeks), file.careful) for file in files],
        "name STRING, modified TIMESTAMP, weeks ARRAY<DATE>, careful BOOLEAN",
    )
    # No more readers than shuffle partitions, as each one needs to start a Python worker.
    return to_read.repartition(min(len(files), shuffle_tasks(spark)) or 1, "name").mapInArrow(read, schema)


def _raw_columns(batch: RowBatch, names: Sequence[str], file: str, modified: datetime) -> "list[pa.Array]":
    """Return the columns of raw_orders: `names`, null where the file lacks them, and those of RAW_ORDERS."""
    import pyarrow as pa

    length = len(batch.numbers)
    landed = dict(zip(map(raw_name, batch.rows.schema.names), batch.rows.columns, strict=True))
    return [
        *(landed.get(name, pa.nulls(length, pa.string())) for name in names),
        pa.repeat(pa.scalar(file), length),
        pa.array(batch.numbers),
        pa.repeat(pa.scalar(modified, pa.timestamp("us", "UTC")), length),
        batch.problems,
        batch.surplus,
    ]
