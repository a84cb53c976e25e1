"""Files of the lake: one Parquet file for each table and week, `<table>/week=YYYY-MM-DD/data.parquet`.

A week is published by moving one finished file into place, so that a reader sees the week as it was or as it is, never
half of it.
"""

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from forecasting_assets.errors import PicklableError
from forecasting_assets.lake.week_files import DAMAGED
from forecasting_assets.storage import open_filesystem
from forecasting_assets.tables import Table

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem
    from pyarrow.parquet import ParquetFile

DATA_FILE = "data.parquet"
#: Beside the data file. Spark and pyarrow ignore names that begin with an underscore.
RECORD_FILE = "_record.json"
_STAGING = "_staging"
_UNREADABLE = re.compile(rf"{DAMAGED}.*?/(\w+)/week=([0-9-]+)/{DATA_FILE}")


class MissingWeeksError(PicklableError, ValueError):
    """Weeks of a table that are needed are not in the lake.

    Attributes
    ----------
    table
        Name of the table.
    weeks
        The missing weeks, sorted.
    """

    def __init__(self, table: Table, weeks: Sequence[date]) -> None:
        super().__init__(missing_weeks_message(table, weeks))
        self.table, self.weeks = table.name, tuple(weeks)


class DamagedWeekError(PicklableError, ValueError):
    """The file of a week cannot be read.

    Attributes
    ----------
    table, week
        Name of the table, and its week.
    file
        The file.
    reason
        What is wrong with it.
    """

    def __init__(self, table: str, week: date, file: str, reason: str) -> None:
        super().__init__(
            f"{table} {week} is damaged, {file} cannot be read ({reason}): make that week again, as with "
            f"forecasting-assets materialize --from {week} --to {week}"
        )
        self.table, self.week, self.file, self.reason = table, week, file, reason


@dataclass(frozen=True)
class WeekFiles:
    """The files of all tables below `path`, a folder or URL."""

    path: str

    def __reduce__(self) -> tuple[type, tuple[str]]:
        """Copy the path alone to other processes: each opens the file system itself."""
        return type(self), (self.path,)

    @cached_property
    def storage(self) -> "tuple[FileSystem, str]":
        """The file system of the lake and the path within it."""
        return open_filesystem(self.path)

    def file(self, table: str, week: date) -> str:
        """Return the path of the data file of a week within the file system."""
        return f"{self.storage[1]}/{table}/week={week}/{DATA_FILE}"

    # ------------------------------------------------------------------ which weeks exist

    def existing_weeks(self, table: Table) -> list[date]:
        """Return the materialized weeks of `table`, sorted; weeks with zero rows are among them."""
        return sorted(
            week_of_path(info.path) for info in self.infos(table) if info.path.endswith(f"/{DATA_FILE}")
        )

    def existing(self, table: Table, weeks: Iterable[date]) -> list[date]:
        """Return those of `weeks` that have been materialized, sorted; no other week is looked up."""
        from pyarrow import fs

        wanted = sorted(set(weeks))
        infos = self.storage[0].get_file_info([self.file(table.name, week) for week in wanted])
        return [
            week for week, info in zip(wanted, infos, strict=True) if info.type is not fs.FileType.NotFound
        ]

    def require(self, table: Table, weeks: Iterable[date]) -> None:
        """Require that all `weeks` of `table` have been materialized.

        Raises
        ------
        MissingWeeksError
            If some have not.
        """
        wanted = set(weeks)
        if missing := sorted(wanted - set(self.existing(table, wanted))):
            raise MissingWeeksError(table, missing)

    def infos(self, table: Table, weeks: Iterable[date] | None = None) -> "list[FileInfo]":
        """List the data and record files of `table`, or of the given `weeks` alone."""
        from pyarrow import fs

        filesystem, root = self.storage
        if weeks is None:
            selector = fs.FileSelector(f"{root}/{table.name}", recursive=True, allow_not_found=True)
            return list(filesystem.get_file_info(selector))
        data = [self.file(table.name, week) for week in set(weeks)]
        infos = filesystem.get_file_info([*data, *(file.replace(DATA_FILE, RECORD_FILE) for file in data)])
        return [info for info in infos if info.type is not fs.FileType.NotFound]

    # ------------------------------------------------------------------ footers and damage

    def rows(self, table: Table, week: date) -> int:
        """Count the rows of a week, from the footer of its file alone."""
        import pyarrow.parquet as pq

        with self.damage_as_error(table.name, week):
            metadata = pq.read_metadata(self.file(table.name, week), filesystem=self.storage[0])
            return int(metadata.num_rows)

    def total_rows(self, table: Table, weeks: Iterable[date]) -> int:
        """Count the rows of several weeks, from the footers of their files."""
        with ThreadPoolExecutor(16) as pool:
            return sum(pool.map(lambda week: self.rows(table, week), weeks))

    def columns(self, table: Table, week: date) -> tuple[str, ...]:
        """Return the columns stored for a week; an `open` table has all columns of its order files."""
        import pyarrow.parquet as pq

        with self.damage_as_error(table.name, week):
            return tuple(pq.read_schema(self.file(table.name, week), filesystem=self.storage[0]).names)

    def open_parquet(self, table: Table, week: date) -> "ParquetFile":
        """Open the file of a week; checksums are verified as its pages are read."""
        import pyarrow.parquet as pq

        return pq.ParquetFile(
            self.file(table.name, week), filesystem=self.storage[0], page_checksum_verification=True
        )

    @contextmanager
    def damage_as_error(self, table: str, week: date) -> Iterator[None]:
        """Translate what pyarrow raises within the block because of a damaged file.

        Raises
        ------
        DamagedWeekError
            Instead of an error of Arrow or of the operating system.
        """
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, OSError) as error:
            raise self._damaged(table, week, error) from error

    @contextmanager
    def spark_damage_as_error(self) -> Iterator[None]:
        """Translate what Spark raises within the block because of a damaged file.

        Damage within a file shows only when Spark reads it, and Spark names neither table nor week.

        Raises
        ------
        DamagedWeekError
            Instead of Spark's error, with table and week.
        """
        try:
            yield
        except Exception as error:
            if unreadable := _UNREADABLE.search(str(error)):
                raise self._damaged(unreadable[1], date.fromisoformat(unreadable[2]), error) from None
            raise

    def _damaged(self, table: str, week: date, error: Exception) -> DamagedWeekError:
        lines = str(error).splitlines() or [type(error).__name__]
        causes = [line for line in lines if line.startswith("Caused by: ")] or lines[:1]
        return DamagedWeekError(table, week, self.file(table, week), causes[-1])

    # ------------------------------------------------------------------ publishing

    @contextmanager
    def staging(self) -> Iterator[str]:
        """Provide a folder of its own, relative to the lake, that is deleted after the block."""
        filesystem, root = self.storage
        folder = f"{_STAGING}/{uuid.uuid4().hex}"
        filesystem.create_dir(f"{root}/{folder}", recursive=True)
        try:
            yield folder
        finally:
            self._discard(folder)

    def publish(self, staged: str, table: Table, week: date) -> None:
        """Move a finished file into place as the data of a week."""
        self.move(staged, self.file(table.name, week))

    def move(self, staged: str, target: str) -> None:
        """Move a file to `target`, replacing what is there."""
        filesystem, _ = self.storage
        filesystem.create_dir(target.rpartition("/")[0], recursive=True)
        filesystem.move(staged, target)

    def write_whole(self, target: str, content: bytes) -> None:
        """Replace a small file as a whole."""
        filesystem, root = self.storage
        staged = f"{root}/{_STAGING}/{uuid.uuid4().hex}"
        filesystem.create_dir(f"{root}/{_STAGING}", recursive=True)
        with filesystem.open_output_stream(staged) as stream:
            stream.write(content)
        self.move(staged, target)

    def _discard(self, staging: str) -> None:
        """Delete a staging folder, and what killed runs have left in others."""
        from pyarrow import fs

        filesystem, root = self.storage
        left_over = datetime.now(UTC) - timedelta(days=1)
        for info in filesystem.get_file_info(fs.FileSelector(f"{root}/{_STAGING}", allow_not_found=True)):
            if info.path.endswith(staging) or (info.mtime and info.mtime < left_over):
                is_folder = info.type is fs.FileType.Directory
                with suppress(FileNotFoundError):  # another run may delete it at the same time
                    (filesystem.delete_dir if is_folder else filesystem.delete_file)(info.path)


def missing_weeks_message(table: Table, missing: Sequence[date]) -> str:
    """Say which weeks of a table are missing, and how to make them."""
    shown = ", ".join(str(week) for week in missing[:5]) + (" …" if len(missing) > 5 else "")
    return (
        f"{table.name} has not been materialized for {shown}: do that first, as with forecasting-assets "
        f"materialize --select '+key:{table.name}' --from {missing[0]} --to {missing[-1]}"
    )


def week_of_path(path: str) -> date:
    """Return the week of a file of the lake."""
    return date.fromisoformat(path.rpartition("/week=")[2][:10])
