"""What Spark 4.1 and newer offer, for every version from 3.5 on.

The rest of the package calls these functions instead of PySpark's own, which older versions lack or name otherwise.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame


def spark_version() -> tuple[int, int]:
    """Return the major and minor version of PySpark."""
    import pyspark

    major, minor = pyspark.__version__.split(".")[:2]
    return int(major), int(minor)


def arrow_schema_of(frame: "DataFrame") -> "pa.Schema":
    """Return the schema of `frame` as Arrow has it, with timestamps in UTC."""
    from pyspark.sql.pandas.types import to_arrow_schema

    # Versions without this parameter know no other time zone.
    utc: dict[str, Any] = {}
    if "timezone" in inspect.signature(to_arrow_schema).parameters:
        utc["timezone"] = "UTC"
    return to_arrow_schema(frame.schema, **utc)


def to_arrow(frame: "DataFrame") -> "pa.Table":
    """Collect the rows of `frame` as Arrow; Spark 4.0 has `DataFrame.toArrow` for it."""
    if hasattr(type(frame), "toArrow"):
        return frame.toArrow()
    import pyarrow as pa

    def serialised(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for batch in batches:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            yield pa.RecordBatch.from_pydict({"stream": [sink.getvalue().to_pybytes()]})

    streams = frame.mapInArrow(serialised, "stream BINARY").collect()
    schema = arrow_schema_of(frame)
    tables = [pa.ipc.open_stream(pa.py_buffer(row["stream"])).read_all().cast(schema) for row in streams]
    return pa.concat_tables([schema.empty_table(), *tables])


def cogroup_by_id(
    frames: tuple["DataFrame", "DataFrame"],
    column: str,
    tasks: int,
    function: "Callable[[pa.Table, pa.Table], pa.Table]",
    ddl: str,
) -> "DataFrame":
    """Apply `function` to the rows of both `frames` that have the same id, each id in a task of its own.

    Before Spark 4.1 ids are distributed by their hash, so that one task may get several of them and another none.

    Parameters
    ----------
    frames
        Two frames with a column of ids from 0 to `tasks` - 1.
    column
        Name of the column of ids.
    tasks
        Number of tasks.
    function
        Makes rows from those of an id in the first and in the second frame.
    ddl
        Columns of the rows it makes, as a Spark schema string.
    """
    by_id = hasattr(type(frames[0]), "repartitionById")
    first, second = (
        (frame.repartitionById(tasks, column) if by_id else frame.repartition(tasks, column)).groupBy(column)
        for frame in frames
    )
    cogroups = first.cogroup(second)
    if hasattr(cogroups, "applyInArrow"):
        return cogroups.applyInArrow(function, ddl)
    schemas = [arrow_schema_of(frame) for frame in frames]

    def through_pandas(*groups: "pd.DataFrame") -> "pd.DataFrame":
        import pyarrow as pa

        tables = (
            pa.Table.from_pandas(group, schema, preserve_index=False)
            for group, schema in zip(groups, schemas, strict=True)
        )
        rows: pd.DataFrame = function(*tables).to_pandas()
        return rows

    # Spark counts the parameters of the function to know whether it takes the key as well.
    return cogroups.applyInPandas(lambda first, second: through_pandas(first, second), ddl)
