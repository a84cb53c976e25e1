"""The lake: tables as one Parquet file a week, `<table>/week=YYYY-MM-DD/data.parquet`.

Everything that knows where a table lies is here. A week is published by moving one finished file into place,
so that a reader sees the week as it was or as it is, never half of it. What the rows mean is not known here.
"""

import json
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import dagster as dg

from forecasting_assets.lake.records import Record
from forecasting_assets.lake.week_files import DAMAGED, each_week
from forecasting_assets.spark_partitions import by_week
from forecasting_assets.storage import content_id, open_filesystem
from forecasting_assets.tables import Table, texts_ddl
from forecasting_assets.tables.arrow import arrow_schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import Schema
    from pyarrow.parquet import ParquetFile
    from pyspark.sql import DataFrame, SparkSession

_FILE = "data.parquet"
#: Beside the data file; Spark and pyarrow pass over names that begin with an underscore.
_RECORD = "_record.json"
_STAGING = "_staging"
#: Content ids of files that look otherwise than when they were recorded, as in a copied lake: a cache.
_CONTENTS = "_contents"
#: How Spark writes. With dictionaries as large as its default of 1 MB, values that hardly repeat (order numbers) are
#: first gathered in one and then written all the same.
_WRITING = {"parquet.dictionary.page.size": str(128 << 10), "compression": "zstd"}
#: How Arrow writes what Spark's workers make.
_ARROW_WRITING = {"compression": "zstd", "write_page_checksum": True}
#: A file this old is told from a later one by its stamp.
_SETTLED = timedelta(seconds=3)
#: (lake, path) -> stamp and record as read: each asset of a run asks for the records of all weeks before it.
_records: dict[tuple[str, str], tuple[str, Record]] = {}
#: Rows of a file in memory at once, where it is read in batches.
_BATCH_ROWS = 1 << 15
_UNREADABLE = re.compile(rf"{DAMAGED}.*?/(\w+)/week=([0-9-]+)/{_FILE}")


class MissingWeeksError(ValueError):
    """Weeks of a table that are needed are not in the lake."""


class DamagedWeekError(ValueError):
    """The file of a week cannot be read."""


class Lake(dg.ConfigurableResource):
    """Reads and writes the tables below `path`, a folder or URL."""

    path: str

    @cached_property
    def _storage(self):
        return open_filesystem(self.path)

    def _file(self, table: str, week: date) -> str:
        return f"{self._storage[1]}/{table}/week={week}/{_FILE}"

    def existing_weeks(self, table: Table) -> list[date]:
        """The weeks of `table` that have been materialized, sorted; also those with zero rows."""
        return sorted(self._data_infos(table))

    def _data_infos(self, table: Table) -> dict[date, Any]:
        files = [info for info in self._infos(table, None) if info.path.endswith(f"/{_FILE}")]
        return {_week_of_path(info.path): info for info in files}

    def content_ids(self, table: Table) -> dict[date, str]:
        """What identifies the content of each week that has been materialized, whoever wrote it and when."""
        return {week: record.data for week, record in self.records(table).items() if record.data}

    def existing(self, table: Table, weeks: Iterable[date]) -> list[date]:
        """Those of `weeks` that have been materialized, sorted: as `existing_weeks`, without looking at the others."""
        from pyarrow import fs

        asked = sorted(set(weeks))
        infos = self._storage[0].get_file_info([self._file(table.name, week) for week in asked])
        there = zip(asked, infos, strict=True)
        return [week for week, info in there if info.type is not fs.FileType.NotFound]

    # ------------------------------------------------------------------ provenance

    def records(self, table: Table, weeks: Iterable[date] | None = None) -> dict[date, Record]:
        """The record of every week that was made or tried, of `weeks` if given.

        A week whose data file has another content than its record says has a record without inputs, whose version is
        the content id of the file: its run was interrupted, or somebody else has changed it.
        """
        data: dict[date, Any] = {}
        notes: dict[date, Any] = {}
        for info in self._infos(table, weeks):
            name = info.path.rpartition("/")[2]
            if name in (_FILE, _RECORD):
                (data if name == _FILE else notes)[_week_of_path(info.path)] = info
        with ThreadPoolExecutor(16) as pool:
            read = dict(zip(notes, pool.map(self._read_record, notes.values()), strict=True))
        contents = self._contents(table, data, read)
        return {
            week: self._record_of(read.get(week, Record()), contents.get(week, ""))
            for week in sorted({*data, *read})
        }

    @staticmethod
    def _record_of(record: Record, content: str) -> Record:
        return record if record.data == content else Record(content, data=content, failure=record.failure)

    def _contents(
        self, table: Table, data: Mapping[date, Any], records: Mapping[date, Record]
    ) -> dict[date, str]:
        """The content id of each data file. Only files that look otherwise than when they were recorded are read."""
        contents, unknown = dict[date, str](), []
        for week, info in data.items():
            record = records.get(week, Record())
            # Before content ids, records held size and time of change instead.
            if _seen(info) in (record.seen, record.data):
                contents[week] = record.data
            else:
                unknown.append(info)
        if unknown:
            contents |= self._read_contents(table, unknown)
        return contents

    def _read_contents(self, table: Table, infos: Sequence[Any]) -> dict[date, str]:
        """Content ids by week of files that have been copied or changed, each read once and then remembered."""
        cache = f"{self._storage[1]}/{_CONTENTS}/{table.name}.json"
        known: dict[str, str] = {}
        with suppress(OSError, ValueError), self._storage[0].open_input_stream(cache) as stream:
            known = json.loads(stream.read())
        keys = {info.path: f"{_week_of_path(info.path)} {_seen(info)}" for info in infos}
        new = [path for path, key in keys.items() if key not in known]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            known |= zip(
                map(keys.__getitem__, new), pool.map(partial(content_id, self._storage[0]), new), strict=True
            )
        if new:
            with suppress(OSError):  # a lake that can only be read is no less readable
                self._write_whole(cache, json.dumps(known).encode())
        return {_week_of_path(path): known[key] for path, key in keys.items()}

    def identity(self, table: Table, week: date) -> tuple[str, str]:
        """Content id of a week's data file, and its size and time of change, by which it is known unread."""
        (info,) = self._storage[0].get_file_info([self._file(table.name, week)])
        return content_id(self._storage[0], info.path), _seen(info)

    def describe_change(self, table: Table, week: date) -> str:
        """What has happened to a data file that differs from its record."""
        file = self._file(table.name, week)
        try:
            with self._damage_told(table, week), self._opened(table, week) as parquet:
                for _ in parquet.iter_batches():
                    pass
        except DamagedWeekError:
            return f"{file} is damaged"
        return f"{file} is not the file that was recorded: a run was interrupted, or the file was changed"

    def _infos(self, table: Table, weeks: Iterable[date] | None) -> list:
        """What the file system says of the files of `table`; of `weeks` it is asked for them alone."""
        from pyarrow import fs

        filesystem, root = self._storage
        if weeks is None:
            return filesystem.get_file_info(
                fs.FileSelector(f"{root}/{table.name}", recursive=True, allow_not_found=True)
            )
        data = [self._file(table.name, week) for week in set(weeks)]
        infos = filesystem.get_file_info([*data, *(file.replace(_FILE, _RECORD) for file in data)])
        return [info for info in infos if info.type is not fs.FileType.NotFound]

    def write_record(self, table: Table, week: date, record: Record) -> None:
        """Replace the record of a week."""
        target = self._file(table.name, week).replace(_FILE, _RECORD)
        self._write_whole(target, record.to_json().encode())

    def _write_whole(self, target: str, content: bytes) -> None:
        filesystem, root = self._storage
        staged = f"{root}/{_STAGING}/{uuid.uuid4().hex}"
        filesystem.create_dir(f"{root}/{_STAGING}", recursive=True)
        with filesystem.open_output_stream(staged) as stream:
            stream.write(content)
        filesystem.create_dir(target.rpartition("/")[0], recursive=True)
        filesystem.move(staged, target)

    def _read_record(self, info) -> Record:
        stamp, kept = _seen(info), _records.get((self.path, info.path))
        if kept and kept[0] == stamp:
            return kept[1]
        with self._storage[0].open_input_stream(info.path) as stream:
            text = stream.read()
        try:
            record = Record.from_json(text)
        except ValueError:
            record = Record()  # as if there were none: the week counts as out of date and is made again
        # Within the resolution of a file system's clock another record may follow with the same stamp.
        if datetime.now(UTC) - info.mtime > _SETTLED:
            _records[self.path, info.path] = stamp, record
        return record

    def rows(self, table: Table, week: date) -> int:
        """Number of rows, from the file's footer alone."""
        import pyarrow.parquet as pq

        with self._damage_told(table, week):
            return pq.read_metadata(self._file(table.name, week), filesystem=self._storage[0]).num_rows

    def total_rows(self, table: Table, weeks: Iterable[date]) -> int:
        """Number of rows of several weeks, from the footers of their files."""
        with ThreadPoolExecutor(16) as pool:
            return sum(pool.map(lambda week: self.rows(table, week), weeks))

    def columns(self, table: Table, week: date) -> tuple[str, ...]:
        """The columns stored for a week; an `open` table has those its files landed."""
        import pyarrow.parquet as pq

        with self._damage_told(table, week):
            return tuple(pq.read_schema(self._file(table.name, week), filesystem=self._storage[0]).names)

    @contextmanager
    def _damage_told(self, table: Table, week: date) -> Iterator[None]:
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, OSError) as error:
            raise self._damaged(table.name, week, error) from error

    def _damaged(self, table: str, week: date, error: Exception) -> DamagedWeekError:
        said = str(error).splitlines() or [type(error).__name__]
        reason = [line for line in said if line.startswith("Caused by: ")] or said[:1]
        return DamagedWeekError(
            f"{table} {week} is damaged, {self._file(table, week)} cannot be read ({reason[-1]}): make that "
            f"week again, as with forecasting-assets materialize --from {week} --to {week}"
        )

    def _require(self, table: Table, weeks: Iterable[date]) -> None:
        wanted = set(weeks)
        missing = sorted(wanted - set(self.existing(table, wanted)))
        if missing:
            raise MissingWeeksError(missing_weeks_message(table, missing))

    # ------------------------------------------------------------------ Spark

    def read(self, spark: "SparkSession", table: Table, weeks: Sequence[date]) -> "DataFrame":
        """The rows of `weeks` with a date column `week`; MissingWeeksError if one is not in the lake.

        An `open` table comes with all the columns its files hold.
        """
        self._require(table, weeks)
        # Looked at here, as Spark names a damaged file, yet neither the table nor what to do.
        with ThreadPoolExecutor(16) as pool:
            columns = set(chain.from_iterable(pool.map(lambda week: self.columns(table, week), weeks)))
        more = sorted(columns.difference(table.names)) if table.open else []
        week_column = [] if "week" in table.names else ["week DATE"]
        paths = [f"{self.path}/{table.name}/week={week}" for week in sorted(set(weeks))]
        reader = spark.read.option("basePath", f"{self.path}/{table.name}")
        return reader.schema(", ".join([*texts_ddl(more), table.ddl, *week_column])).parquet(*paths)

    def map_weeks(
        self,
        spark: "SparkSession",
        table: Table,
        weeks: Sequence[date],
        function: Callable[["ParquetFile"], "pa.Table"],
        ddl: str,
    ) -> "DataFrame":
        """The rows that `function` makes of the file of each week, with the columns of `ddl` and a date column `week`.

        A task makes the rows of whole weeks (`partitions.by_week`), in a Python worker: Arrow moves, groups and
        sorts what is in one file several times as fast as rows do that move between tasks.
        """
        root = self.path  # the lake itself, or a function of this module, would load Dagster in the workers

        def rows(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
            import pyarrow as pa

            filesystem, _ = open_filesystem(root)
            for week, found in each_week(filesystem, batches, lambda file, _: function(file)):
                yield from found.append_column("week", pa.repeat(week, len(found))).to_batches()

        return self._in_workers(spark, table, weeks, rows, f"{ddl}, week DATE")

    def _in_workers(
        self,
        spark: "SparkSession",
        table: Table,
        weeks: Sequence[date],
        rows: Callable[["Iterator[pa.RecordBatch]"], "Iterator[pa.RecordBatch]"],
        ddl: str,
    ) -> "DataFrame":
        """What `rows` makes of the weeks and paths of the files (`week_files.each_week`), in Python workers."""
        self._require(table, weeks)
        listed = [(week, self._file(table.name, week)) for week in sorted(set(weeks))]
        files = spark.createDataFrame(listed, "week DATE, path STRING")
        return by_week(files, weeks).mapInArrow(rows, ddl)

    def transform_weeks(
        self,
        spark: "SparkSession",
        table: Table,
        weeks: Sequence[date],
        function: Callable[["ParquetFile", date], Sequence["pa.Table"]],
        targets: Sequence[Table],
    ) -> dict[date, tuple[int, ...]]:
        """Write the weeks of other tables, each made from the same week of `table`.

        Spark's Python workers read and write whole weeks with Arrow, several times as fast as rows move between
        tasks.

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
        root, staging = self.path, f"{_STAGING}/{uuid.uuid4().hex}"
        names = [target.name for target in targets]

        def write_week(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
            import pyarrow as pa
            import pyarrow.parquet as pq

            filesystem, folder = open_filesystem(root)
            for week, tables in each_week(filesystem, batches, function):
                for name, rows in zip(names, tables, strict=True):
                    target = f"{folder}/{staging}/{name}/week={week}"
                    filesystem.create_dir(target, recursive=True)
                    pq.write_table(rows, f"{target}/{_FILE}", filesystem=filesystem, **_ARROW_WRITING)
                counts = pa.array([[len(rows) for rows in tables]], pa.list_(pa.int64()))
                yield pa.RecordBatch.from_arrays([pa.array([week]), counts], ["week", "rows"])

        frame = self._in_workers(spark, table, weeks, write_week, "week DATE, rows ARRAY<BIGINT>")
        try:
            with self.unreadable_told():
                written = frame.toArrow()
            for target in targets:
                for week in weeks:
                    staged = f"{self._storage[1]}/{staging}/{target.name}/week={week}/{_FILE}"
                    self._publish(staged, target, week)
        finally:
            self._discard(staging)
        return {row["week"]: tuple(row["rows"]) for row in written.to_pylist()}

    def write(self, frame: "DataFrame", table: Table, weeks: Sequence[date]) -> dict[date, int]:
        """Replace `weeks` of `table` by the rows of `frame`, which has a column `week` and all rows of a week in one
        partition (`partitions.by_week`); rows by week.

        A week without rows is written too, empty: it has been materialized.
        """
        staging = f"{_STAGING}/{uuid.uuid4().hex}"
        try:
            writer = frame.write.options(**_WRITING).partitionBy("week").mode("overwrite")
            with self.unreadable_told():
                writer.parquet(f"{self.path}/{staging}")
            staged = self._staged_files(staging)
            strangers = sorted(set(staged) - set(weeks))
            if strangers:
                raise ValueError(f"{table.name}: rows of weeks that were not asked for: {strangers}")
            for week in weeks:
                if week not in staged:
                    staged[week] = self._stage_empty(staging, _arrow_schema(frame.drop("week")))
                self._publish(staged[week], table, week)
        finally:
            self._discard(staging)
        return {week: self.rows(table, week) for week in weeks}

    @contextmanager
    def unreadable_told(self) -> Iterator[None]:
        """Around whatever makes Spark read: damage within a file shows only then, and is a DamagedWeekError."""
        try:
            yield
        except Exception as error:
            if unreadable := _UNREADABLE.search(str(error)):
                raise self._damaged(unreadable[1], date.fromisoformat(unreadable[2]), error) from None
            raise

    def _staged_files(self, staging: str) -> dict[date, str]:
        from pyarrow import fs

        filesystem, root = self._storage
        infos = filesystem.get_file_info(
            fs.FileSelector(f"{root}/{staging}", recursive=True, allow_not_found=True)
        )
        files = [info.path for info in infos if info.path.endswith(".parquet") and "/week=" in info.path]
        staged = {date.fromisoformat(file.split("/week=")[1][:10]): file for file in files}
        if len(staged) != len(files):
            raise ValueError(
                f"{self.path}/{staging} holds several files of one week: write by_week(frame, weeks)"
            )
        return staged

    # ------------------------------------------------------------------ pandas

    def read_pandas(
        self, table: Table, weeks: Iterable[date], columns: list[str] | None = None, missing_ok: bool = False
    ) -> "pd.DataFrame":
        """The rows of `weeks` with a column `week`; dates as datetime64[ns].

        Weeks that are not in the lake raise MissingWeeksError, or have no rows if `missing_ok`.
        """
        if missing_ok:
            weeks = self.existing(table, weeks)
        parts = list(self._parts(table, weeks, columns))
        # The first of several has no rows, and might have other types than theirs.
        return _to_pandas(parts[1:] or parts)

    def read_landed(self, table: Table, week: date) -> "pd.DataFrame":
        """The rows of a week of an `open` table, with all the columns its files landed."""
        self._require(table, [week])
        with self._damage_told(table, week), self._opened(table, week) as file:
            return file.read().to_pandas()

    def batches(
        self, table: Table, weeks: Iterable[date], columns: list[str] | None = None
    ) -> Iterator["pd.DataFrame"]:
        """What `read_pandas` reads, a few rows at a time; at least one batch, which may be empty."""
        pending: list[pa.Table] = []
        for part in self._parts(table, weeks, columns):
            if sum(map(len, pending)) + len(part) > _BATCH_ROWS:
                yield _to_pandas(pending)
                pending = []
            pending.append(part)
        yield _to_pandas(pending)

    def _parts(self, table: Table, weeks: Iterable[date], columns: list[str] | None) -> Iterator["pa.Table"]:
        """The rows of `weeks` with a date column `week`, at most _BATCH_ROWS at a time; the first part is empty."""
        import pyarrow as pa

        wanted = sorted(set(weeks))
        self._require(table, wanted)
        own = [c.name for c in table.columns if c.name != "week" and (columns is None or c.name in columns)]
        declared = arrow_schema(table)
        fields = [*(declared.field(name) for name in own), pa.field("week", pa.date32())]
        yield pa.schema(fields).empty_table()
        for week in wanted:
            with self._damage_told(table, week), self._opened(table, week) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=own):
                    dated = pa.repeat(pa.scalar(week, pa.date32()), len(batch))
                    yield pa.Table.from_batches([batch]).append_column("week", dated)

    def _opened(self, table: Table, week: date) -> "ParquetFile":
        import pyarrow.parquet as pq

        return pq.ParquetFile(
            self._file(table.name, week), filesystem=self._storage[0], page_checksum_verification=True
        )

    def write_pandas(self, frame: "pd.DataFrame", table: Table, week: date) -> int:
        """Replace one week of `table` by `frame` (columns of the table and more, if it has more); its rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        missing = [name for name in table.names if name not in frame and name != "week"]
        if missing:
            raise ValueError(f"{table.name}: the columns {', '.join(missing)} are missing")
        declared = arrow_schema(table)
        columns = [name for name in frame.columns if name != "week"]
        inferred = pa.Schema.from_pandas(frame[columns], preserve_index=False)
        schema = pa.schema([declared.field(c) if c in table.names else inferred.field(c) for c in columns])
        staging = f"{_STAGING}/{uuid.uuid4().hex}"
        filesystem, root = self._storage
        try:
            filesystem.create_dir(f"{root}/{staging}", recursive=True)
            file = f"{root}/{staging}/{_FILE}"
            pq.write_table(
                pa.Table.from_pandas(frame[columns], schema, preserve_index=False),
                file,
                filesystem=filesystem,
                write_page_checksum=True,  # Spark writes them as well
            )
            self._publish(file, table, week)
        finally:
            self._discard(staging)
        return len(frame)

    # ------------------------------------------------------------------ publishing

    def _stage_empty(self, staging: str, schema: "Schema") -> str:
        import pyarrow.parquet as pq

        filesystem, root = self._storage
        file = f"{root}/{staging}/{uuid.uuid4().hex}.parquet"
        pq.write_table(schema.empty_table(), file, filesystem=filesystem)
        return file

    def _publish(self, staged: str, table: Table, week: date) -> None:
        filesystem, _ = self._storage
        target = self._file(table.name, week)
        filesystem.create_dir(target.rsplit("/", 1)[0], recursive=True)
        filesystem.move(staged, target)

    def _discard(self, staging: str) -> None:
        from pyarrow import fs

        filesystem, root = self._storage
        left_over = datetime.now(UTC) - timedelta(days=1)  # by runs that were killed
        for info in filesystem.get_file_info(fs.FileSelector(f"{root}/{_STAGING}", allow_not_found=True)):
            if info.path.endswith(staging) or (info.mtime and info.mtime < left_over):
                with suppress(FileNotFoundError):  # another run sweeps as well
                    (filesystem.delete_dir if info.type is fs.FileType.Directory else filesystem.delete_file)(
                        info.path
                    )


def missing_weeks_message(table: Table, missing: Sequence[date]) -> str:
    listed = ", ".join(str(week) for week in missing[:5]) + (" …" if len(missing) > 5 else "")
    return (
        f"{table.name} has not been materialized for {listed}: do that first, as with forecasting-assets "
        f"materialize --select '+key:{table.name}' --from {missing[0]} --to {missing[-1]}"
    )


def _seen(info: Any) -> str:
    return f"{info.size}-{info.mtime_ns}"


def _week_of_path(path: str) -> date:
    return date.fromisoformat(path.rpartition("/week=")[2][:10])


def _to_pandas(parts: Sequence["pa.Table"]) -> "pd.DataFrame":
    import pyarrow as pa

    frame = pa.concat_tables(parts, promote_options="permissive").to_pandas(date_as_object=False)
    dates = [field.name for field in parts[0].schema if pa.types.is_date(field.type)]
    return frame.assign(**{name: frame[name].astype("datetime64[ns]") for name in dates})


def _arrow_schema(frame: "DataFrame") -> "Schema":
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(frame.schema, timezone="UTC")
