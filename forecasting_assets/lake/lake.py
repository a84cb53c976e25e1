"""The lake: tables with one file a week, read and written as pandas data frames."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from forecasting_assets.lake.files import WeekFiles
from forecasting_assets.lake.record_store import RecordStore
from forecasting_assets.lake.week_files import with_missing_columns
from forecasting_assets.tables import Table
from forecasting_assets.tables.arrow import arrow_schema, to_pandas

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Rows of a file in memory at once, where it is read in batches.
_BATCH_ROWS = 1 << 15


@dataclass(frozen=True)
class Lake(WeekFiles):
    """The tables below `path`, a folder or URL."""

    @cached_property
    def records(self) -> RecordStore:
        """What each week was made from."""
        return RecordStore(self)

    def read_pandas(
        self, table: Table, weeks: Iterable[date], columns: list[str] | None = None, missing_ok: bool = False
    ) -> "pd.DataFrame":
        """Read the rows of `weeks` with a column `week`; dates are datetime64[ns].

        Parameters
        ----------
        table, weeks
            What to read.
        columns
            Columns to read; all if None.
        missing_ok
            Whether weeks that are not in the lake count as weeks without rows.

        Raises
        ------
        MissingWeeksError, DamagedWeekError
            If a week does not exist or cannot be read.
        """
        if missing_ok:
            weeks = self.existing(table, weeks)
        parts = list(self._parts(table, weeks, columns))
        # The first of several has no rows, and its types might differ from theirs.
        return _joined(parts[1:] or parts)

    def read_landed(self, table: Table, week: date) -> "pd.DataFrame":
        """Read a week of an `open` table, with all columns of its order files."""
        self.require(table, [week])
        with self.damage_as_error(table.name, week), self.open_parquet(table, week) as file:
            frame: pd.DataFrame = file.read().to_pandas()
            return frame

    def batches(
        self, table: Table, weeks: Iterable[date], columns: list[str] | None = None
    ) -> Iterator["pd.DataFrame"]:
        """Read what `read_pandas` reads, a few rows at a time; at least one batch, which may be empty."""
        pending: list[pa.Table] = []
        for part in self._parts(table, weeks, columns):
            if sum(map(len, pending)) + len(part) > _BATCH_ROWS:
                yield _joined(pending)
                pending = []
            pending.append(part)
        yield _joined(pending)

    def _parts(self, table: Table, weeks: Iterable[date], columns: list[str] | None) -> Iterator["pa.Table"]:
        """Read `weeks` with a date column `week`, at most _BATCH_ROWS at a time; the first part is empty."""
        import pyarrow as pa

        wanted = sorted(set(weeks))
        self.require(table, wanted)
        own = [c.name for c in table.columns if c.name != "week" and (columns is None or c.name in columns)]
        schema = arrow_schema(table)
        fields = pa.schema([schema.field(name) for name in own])
        yield fields.append(pa.field("week", pa.date32())).empty_table()
        for week in wanted:
            with self.damage_as_error(table.name, week), self.open_parquet(table, week) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=own):
                    week_column = pa.repeat(pa.scalar(week, pa.date32()), len(batch))
                    rows = with_missing_columns(pa.Table.from_batches([batch]), fields)
                    yield rows.append_column("week", week_column)

    def first_rows(self, table: Table, week: date, rows: int = 5) -> dict[str, list[Any]]:
        """Read the first rows of a week: column -> values, in the order of the table's columns."""
        with self.damage_as_error(table.name, week), self.open_parquet(table, week) as file:
            names = [name for name in table.names if name in file.schema_arrow.names]
            batch = next(file.iter_batches(rows, columns=names), None)
        return {} if batch is None else {name: batch.column(name).to_pylist() for name in names}

    def rows_id(self, table: Table, week: date) -> str:
        """Return a hash of the rows of a week; unlike the bytes of its file, they do not depend on who wrote it."""
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with self.damage_as_error(table.name, week), self.open_parquet(table, week) as file:
            rows = file.read(table.names).replace_schema_metadata(None).combine_chunks()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        return blake2b(sink.getvalue(), digest_size=16).hexdigest()

    def write_pandas(self, frame: "pd.DataFrame", table: Table, week: date) -> int:
        """Replace one week of `table` by `frame`.

        Parameters
        ----------
        frame
            The columns of the table, and more if it has more; a column `week` is not stored.

        Returns
        -------
        int
            Number of rows.

        Raises
        ------
        ValueError
            If a column is missing.
        """
        import pyarrow as pa

        missing = [name for name in table.names if name not in frame and name != "week"]
        if missing:
            raise ValueError(f"{table.name}: the columns {', '.join(missing)} are missing")
        declared = arrow_schema(table)
        columns = [name for name in frame.columns if name != "week"]
        inferred = pa.Schema.from_pandas(frame[columns], preserve_index=False)
        schema = pa.schema([declared.field(c) if c in table.names else inferred.field(c) for c in columns])
        rows = pa.Table.from_pandas(frame[columns], schema, preserve_index=False)
        self.write_table(rows, table.name, week)
        return len(frame)


def _joined(parts: Sequence["pa.Table"]) -> "pd.DataFrame":
    import pyarrow as pa

    return to_pandas(pa.concat_tables(parts, promote_options="permissive"))
