"""Files of the lake: one Parquet file for each table and week, `<table>/week=YYYY-MM-DD/data.parquet`.

A week is published by one finished file that appears at once, so that a reader sees the week as it was or as it is,
never half of it. On disks the file is finished elsewhere and moved into place; an object is put to its final key.
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
from forecasting_assets.lake.week_files import DAMAGED, open_parquet, store_failed
from forecasting_assets.storage import (
    StoreError,
    is_local,
    open_filesystem,
    open_unmixed,
    put_object,
    store_errors,
)
from forecasting_assets.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileInfo, FileSystem
    from pyarrow.parquet import ParquetFile

DATA_FILE = "data.parquet"
#: Beside the data file. Spark and pyarrow ignore names that begin with an underscore.
RECORD_FILE = "_record.json"
_STAGING = "_staging"
#: Weeks of a store beyond which listing all of a table takes less time than asking for each.
_FEW_WEEKS = 4
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
        with store_errors(self.path):
            return open_filesystem(self.path)

    @property
    def is_local(self) -> bool:
        """Whether the lake is on a disk of this machine."""
        return is_local(self.storage[0])

    def file(self, table: str, week: date) -> str:
        """Return the path of the data file of a week within the file system."""
        return f"{self.storage[1]}/{table}/week={week}/{DATA_FILE}"

    # ------------------------------------------------------------------ which weeks exist

    def existing_weeks(self, table: Table) -> list[date]:
        """Return the materialized weeks of `table`, sorted; weeks with zero rows are among them."""
        return self._weeks(self.infos(table))

    def existing(self, table: Table, weeks: Iterable[date]) -> list[date]:
        """Return those of `weeks` that have been materialized, sorted; no other week is looked up."""
        return self._weeks(self.infos(table, weeks, (DATA_FILE,)))

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

    def infos(
        self,
        table: Table,
        weeks: Iterable[date] | None = None,
        names: Sequence[str] = (DATA_FILE, RECORD_FILE),
    ) -> "list[FileInfo]":
        """List the files of `table` that have one of `names`, or those of the given `weeks` alone."""
        from pyarrow import fs

        filesystem, root = self.storage
        paths = None
        if weeks is not None:
            folders = [self.file(table.name, week).removesuffix(DATA_FILE) for week in set(weeks)]
            paths = {folder + name for folder in folders for name in names}
        with store_errors(self.path):
            if paths is not None and (self.is_local or len(paths) <= _FEW_WEEKS * len(names)):
                infos = filesystem.get_file_info(list(paths))
            else:
                selector = fs.FileSelector(f"{root}/{table.name}", recursive=True, allow_not_found=True)
                infos = filesystem.get_file_info(selector)
        # Copies that people keep, such as week=2025-03-03.bak, are no weeks.
        of_week = re.compile(rf"{re.escape(f'{root}/{table.name}')}/week=\d{{4}}-\d\d-\d\d/[^/]+")
        return [
            info
            for info in infos
            if info.type is fs.FileType.File
            and info.base_name in names
            and (info.path in paths if paths is not None else of_week.fullmatch(info.path))
        ]

    @staticmethod
    def _weeks(infos: "Iterable[FileInfo]") -> list[date]:
        return sorted(week_of_path(info.path) for info in infos if info.base_name == DATA_FILE)

    # ------------------------------------------------------------------ footers and damage

    def rows(self, table: Table, week: date) -> int:
        """Count the rows of a week, from the footer of its file alone."""
        import pyarrow.parquet as pq

        with self.damage_as_error(table.name, week):
            metadata = open_unmixed(
                self.storage[0], self.file(table.name, week), pq.read_metadata, whole=False
            )
            return int(metadata.num_rows)

    def total_rows(self, table: Table, weeks: Iterable[date]) -> int:
        """Count the rows of several weeks, from the footers of their files."""
        with ThreadPoolExecutor(16) as pool:
            return sum(pool.map(lambda week: self.rows(table, week), weeks))

    def columns(self, table: Table, week: date) -> tuple[str, ...]:
        """Return the columns stored for a week; an `open` table has all columns of its order files."""
        import pyarrow.parquet as pq

        with self.damage_as_error(table.name, week):
            schema = open_unmixed(self.storage[0], self.file(table.name, week), pq.read_schema, whole=False)
            return tuple(schema.names)

    def open_parquet(self, table: Table, week: date) -> "ParquetFile":
        """Open the file of a week; checksums are verified as its pages are read."""
        return open_parquet(self.storage[0], self.file(table.name, week))

    @contextmanager
    def damage_as_error(self, table: str, week: date) -> Iterator[None]:
        """Translate what pyarrow raises within the block because of a damaged file.

        Raises
        ------
        DamagedWeekError
            Instead of an error of Arrow or of the operating system.
        StoreError
            Instead of an error of the store, which says nothing about the file.
        """
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, OSError) as error:
            if store_failed(error):
                raise StoreError.from_os_error(self.path, error) from None
            raise self._damaged(table, week, error) from error

    @contextmanager
    def errors_of_workers(self) -> Iterator[None]:
        """Translate what Spark raises within the block because of a damaged file or a store that fails.

        Either shows only when a worker uses a file, and Spark quotes the error of the worker in one of its own.

        Raises
        ------
        DamagedWeekError, StoreError
            Instead of Spark's error.
        """
        try:
            yield
        except Exception as error:
            if unreadable := _UNREADABLE.search(str(error)):
                raise self._damaged(unreadable[1], date.fromisoformat(unreadable[2]), error) from None
            if store_error := StoreError.from_text(str(error)):
                raise store_error from None
            raise

    def _damaged(self, table: str, week: date, error: Exception) -> DamagedWeekError:
        lines = str(error).splitlines() or [type(error).__name__]
        causes = [line for line in lines if line.startswith("Caused by: ")] or lines[:1]
        return DamagedWeekError(table, week, self.file(table, week), causes[-1])

    # ------------------------------------------------------------------ publishing

    def write_table(self, rows: "pa.Table", table: str, week: date) -> None:
        """Replace a week of a table; a reader sees it as it was or as it is.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        target = self.file(table, week)
        options = {"compression": "zstd", "write_page_checksum": True}
        with store_errors(self.path, "written"):
            if self.is_local:
                with self._moved_to(target) as staged:
                    pq.write_table(rows, staged, **options)
            else:
                content = pa.BufferOutputStream()
                pq.write_table(rows, content, **options)
                put_object(self.storage[0], target, content.getvalue())

    def write_whole(self, target: str, content: bytes) -> None:
        """Replace a small file as a whole.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        with store_errors(self.path, "written"):
            if self.is_local:
                with self._moved_to(target) as staged:
                    staged.write(content)
            else:
                put_object(self.storage[0], target, content)

    @contextmanager
    def _moved_to(self, target: str) -> "Iterator[pa.NativeFile]":
        """Provide a new file that is moved to `target` at the end of the block, or deleted if the block fails."""
        filesystem, root = self.storage
        staged = f"{root}/{_STAGING}/{uuid.uuid4().hex}"
        filesystem.create_dir(f"{root}/{_STAGING}", recursive=True)
        try:
            with filesystem.open_output_stream(staged) as stream:
                yield stream
            filesystem.create_dir(target.rpartition("/")[0], recursive=True)
            filesystem.move(staged, target)
        except BaseException:
            with suppress(FileNotFoundError):
                filesystem.delete_file(staged)
            raise
        self._sweep()

    def _sweep(self) -> None:
        """Delete what killed runs have left unfinished."""
        from pyarrow import fs

        filesystem, root = self.storage
        left_over = datetime.now(UTC) - timedelta(days=1)
        for info in filesystem.get_file_info(fs.FileSelector(f"{root}/{_STAGING}", allow_not_found=True)):
            if info.mtime and info.mtime < left_over:
                is_folder = info.type is fs.FileType.Directory  # of versions before 0.2
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
