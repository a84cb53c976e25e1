"""The records of weeks, each in a file beside the data that it describes."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from forecasting_assets.lake.files import DATA_FILE, RECORD_FILE, DamagedWeekError, WeekFiles, week_of_path
from forecasting_assets.lake.records import Record
from forecasting_assets.storage import StoreError, content_id, open_unmixed, store_errors
from forecasting_assets.tables import Table

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

#: Folder of the content ids of files that no longer have the size and time of their records, as in a copied lake.
_CONTENTS = "_contents"
#: Age from which the size and time of a file are certain to identify one version of it.
_SETTLED = timedelta(seconds=3)
#: (lake, path) -> size and time of the file, and the record in it: every asset of a run reads the records of all
#: weeks before it.
_cache: dict[tuple[str, str], tuple[str, Record]] = {}


@dataclass(frozen=True)
class RecordStore:
    """Reads and writes the records of the weeks of a lake."""

    files: WeekFiles

    def read(self, table: Table, weeks: Iterable[date] | None = None) -> dict[date, Record]:
        """Read the record of every week that was made or tried, or of those of `weeks`.

        A week whose data file has another content than its record says gets a record without inputs whose version is
        the content id of the file: its run was interrupted, or the file was changed by something else.
        """
        data: dict[date, FileInfo] = {}
        notes: dict[date, FileInfo] = {}
        for info in self.files.infos(table, weeks):
            name = info.path.rpartition("/")[2]
            if name in (DATA_FILE, RECORD_FILE):
                (data if name == DATA_FILE else notes)[week_of_path(info.path)] = info
        with ThreadPoolExecutor(16) as pool:
            records = dict(zip(notes, pool.map(self._read_record, notes.values()), strict=True))
        contents = self._content_ids(table, data, records)
        return {
            week: _matching(records.get(week, Record()), contents.get(week, ""))
            for week in sorted({*data, *records})
        }

    def content_ids(self, table: Table) -> dict[date, str]:
        """Return what identifies the content of each materialized week, whoever wrote it and when."""
        return {week: record.data for week, record in self.read(table).items() if record.data}

    def write(self, table: Table, week: date, record: Record) -> None:
        """Replace the record of a week."""
        target = self.files.file(table.name, week).replace(DATA_FILE, RECORD_FILE)
        self.files.write_whole(target, record.to_json().encode())

    def identity(self, table: Table, week: date) -> tuple[str, str]:
        """Return the content id of a week's data file, and the size and time by which it is known unread."""
        (info,) = self.files.infos(table, [week], (DATA_FILE,))
        return self._content_id(info.path), self._size_and_time(info)

    def describe_change(self, table: Table, week: date) -> str:
        """Say what has happened to a data file that differs from its record."""
        file = self.files.file(table.name, week)
        try:
            with (
                self.files.damage_as_error(table.name, week),
                self.files.open_parquet(table, week) as parquet,
            ):
                for _ in parquet.iter_batches():
                    pass
        except DamagedWeekError:
            return f"{file} is damaged"
        return f"{file} is not the file that was recorded: a run was interrupted, or the file was changed"

    def _content_ids(
        self, table: Table, data: Mapping[date, "FileInfo"], records: Mapping[date, Record]
    ) -> dict[date, str]:
        """Return the content id of each data file; only files that changed in size or time are read."""
        contents, unknown = dict[date, str](), []
        for week, info in data.items():
            record = records.get(week, Record())
            # Records of version 0.1.0 hold size and time in place of a content id.
            if self._size_and_time(info) in (record.seen, record.data):
                contents[week] = record.data
            else:
                unknown.append(info)
        if unknown:
            contents |= self._read_content_ids(table, unknown)
        return contents

    def _read_content_ids(self, table: Table, infos: Sequence["FileInfo"]) -> dict[date, str]:
        """Return content ids of files that were copied or changed; each file is read once and remembered."""
        filesystem, root = self.files.storage
        cache = f"{root}/{_CONTENTS}/{table.name}.json"
        known: dict[str, str] = {}
        with suppress(OSError, ValueError):
            known = open_unmixed(filesystem, cache, lambda file: json.loads(file.read()))
        keys = {info.path: f"{week_of_path(info.path)} {self._size_and_time(info)}" for info in infos}
        new = [info for info in infos if keys[info.path] not in known]
        settled = {keys[info.path] for info in new if _is_settled(info)}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ids = pool.map(self._content_id, [info.path for info in new])
            found = {keys[info.path]: content for info, content in zip(new, ids, strict=True)}
        if settled:
            lasting = known | {key: found[key] for key in settled}
            with suppress(StoreError):  # a lake that is read-only can still be read
                self.files.write_whole(cache, json.dumps(lasting).encode())
        found |= known
        return {week_of_path(path): found[key] for path, key in keys.items()}

    def _read_record(self, info: "FileInfo") -> Record:
        stamp, cached = self._size_and_time(info), _cache.get((self.files.path, info.path))
        if cached and cached[0] == stamp:
            return cached[1]
        try:
            with store_errors(self.files.path):
                record = open_unmixed(
                    self.files.storage[0], info.path, lambda file: Record.from_json(file.read()), whole=False
                )
        except StoreError:
            raise
        except ValueError:
            record = Record()  # the week counts as out of date and is made again
        if _is_settled(info):
            _cache[self.files.path, info.path] = stamp, record
        return record

    def _content_id(self, path: str) -> str:
        with store_errors(self.files.path):
            return content_id(self.files.storage[0], path)

    def _size_and_time(self, info: "FileInfo") -> str:
        # Some stores list objects with fractions of a second and leave them out when asked for one.
        return f"{info.size}-{info.mtime_ns if self.files.is_local else int(info.mtime.timestamp())}"


def _is_settled(info: "FileInfo") -> bool:
    """Return whether no other version of a file can have its size and time.

    Within the resolution of a file system's clock another version may follow.
    """
    return bool(datetime.now(UTC) - info.mtime > _SETTLED)


def _matching(record: Record, content: str) -> Record:
    return record if record.data == content else Record(content, data=content, failure=record.failure)
