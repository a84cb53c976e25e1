"""The landing zone: which order files there are and which weeks each touches.

An index (SQLite, in FORECASTING_HOME) remembers what a file holds. A file is known by its content: its size and time
of change only decide whether to look at it again. A file that cannot be read stays where it is and is listed in the
quarantine folder with its error until it is mended or withdrawn.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting_assets.lake.records import fingerprint
from forecasting_assets.orders.file_names import is_bystander, is_order_file, remedy_for, table_log_of
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.landing import FileContent, required_columns, scan_order_file
from forecasting_assets.orders.reading import FORMATS, read_order_file
from forecasting_assets.orders.rows import OrderFileError, Source
from forecasting_assets.storage import StoreError, content_id, open_filesystem, store_errors
from forecasting_assets.weeks import add_weeks, newest_closed_week
from forecasting_assets.wording import listed

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

    from forecasting_assets.settings import Settings

#: File systems take names of 255 bytes, and an ending is added.
_LONGEST_NAME = 240
#: To be raised when the readers find something else in the same file: known files are then read again.
_READERS = 1
#: `looked_at` is the time of change at the last look, `modified` the one first seen with this content.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS order_files (
    name TEXT PRIMARY KEY, size INTEGER, looked_at TEXT, read_as TEXT, modified TEXT, fingerprint TEXT,
    columns TEXT, weeks TEXT, rows INTEGER, careful INTEGER, error TEXT, fault TEXT);
CREATE TABLE IF NOT EXISTS unread_files (name TEXT PRIMARY KEY);
"""
_COLUMNS = (
    "name, size, looked_at, read_as, modified, fingerprint, columns, weeks, rows, careful, error, fault"
)


@dataclass(frozen=True)
class FileError:
    """Why an order file cannot be read, and what to do about it."""

    message: str
    reason: str
    remedy: str

    @classmethod
    def of(cls, error: OrderFileError) -> "FileError":
        """The error of a file as it is remembered."""
        return cls(str(error), error.reason, error.remedy)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class LandedFile:
    """An order file.

    Attributes
    ----------
    name
        Its path relative to the landing zone.
    modified
        Its time of change when its content was first seen: copying or restoring a file does not make it newer.
    fingerprint
        Hash of its content.
    weeks
        The weeks it has rows of; of a file that can no longer be read, those it had before.
    careful
        Whether its quotes need the slow reader.
    error
        Why it cannot be read; None if it can.
    fault
        What is wrong with a part of it, whose rows are rejected.
    """

    name: str
    size: int
    modified: datetime
    fingerprint: str
    columns: tuple[str, ...]
    weeks: tuple[date, ...]
    rows: int
    careful: bool
    error: FileError | None
    fault: FileError | None = None


@dataclass(frozen=True)
class _Entry:
    """A row of the index."""

    file: LandedFile
    looked_at: str
    read_as: str

    @classmethod
    def read(cls, row: Sequence[Any]) -> "_Entry":
        name, size, looked_at, read_as, modified, content, columns, weeks, rows, careful, error, fault = row
        file = LandedFile(
            name,
            size,
            datetime.fromisoformat(modified),
            content,
            _names_of(columns),
            _weeks_of(weeks),
            rows,
            bool(careful),
            *(FileError(**json.loads(text)) if text else None for text in (error, fault)),
        )
        return cls(file, looked_at, read_as)

    def row(self) -> tuple:
        file = self.file
        return (
            file.name,
            file.size,
            self.looked_at,
            self.read_as,
            file.modified.isoformat(),
            file.fingerprint,
            json.dumps(file.columns),
            json.dumps([str(week) for week in file.weeks]),
            file.rows,
            file.careful,
            *(json.dumps(asdict(wrong)) if wrong else None for wrong in (file.error, file.fault)),
        )


@dataclass(frozen=True)
class Landing:
    """The order files below `path` (folder or URL), indexed in the SQLite file `index`.

    Those that cannot be read are listed in the folder `quarantine`.
    """

    path: str
    index: str
    quarantine: str
    landed_names: dict[str, str]
    order_format: OrderFormat = field(default_factory=OrderFormat)

    @classmethod
    def of(cls, settings: "Settings") -> "Landing":
        """The landing zone of `settings`."""
        orders = settings.orders
        return cls.at(settings.home, settings.landing, orders.landed_names, orders.format)

    @classmethod
    def at(
        cls, home: Path, path: str, landed_names: dict[str, str], order_format: OrderFormat | None = None
    ) -> "Landing":
        """The landing zone at `path`, with its index in `home`."""
        return cls(
            path=path,
            index=str(home / "landing.db"),
            quarantine=str(home / "landing" / "quarantine"),
            landed_names=landed_names,
            order_format=order_format or OrderFormat(),
        )

    @cached_property
    def _storage(self) -> "tuple[FileSystem, str]":
        with store_errors(self.path):
            return open_filesystem(self.path)

    # ------------------------------------------------------------------ what is there

    def refresh(self) -> list[LandedFile]:
        """Bring the index up to date, opening only files that are new or look changed.

        Returns
        -------
        list
            All order files, sorted by name.

        Raises
        ------
        StoreError
            If the store does not answer as it should. Nothing is remembered of that: the files it could not show
            keep what was known of them.
        """
        order_files, others = self._listed()
        read_as = json.dumps([_READERS, self.landed_names, self.order_format.model_dump()], sort_keys=True)
        with self._database() as database:
            known = {entry.file.name: entry for entry in self._entries(database)}
            earlier = _earlier_index(database)
            changed = {
                name: info
                for name, info in order_files.items()
                if name not in known
                or (known[name].file.size, known[name].looked_at, known[name].read_as)
                != (info.size, _time(info), read_as)
            }

            def look(name: str) -> _Entry | None:
                return self._look(name, changed[name], read_as, known.get(name), earlier.get(name))

            entries, error = _look_at(changed, look)
            places = ", ".join("?" * len(_COLUMNS.split(",")))
            database.executemany(
                f"INSERT OR REPLACE INTO order_files ({_COLUMNS}) VALUES ({places})",
                [entry.row() for entry in entries],
            )
            withdrawn = [(name,) for name in known if name not in order_files]
            database.executemany("DELETE FROM order_files WHERE name = ?", withdrawn)
            database.execute("DELETE FROM unread_files")
            database.executemany("INSERT INTO unread_files VALUES (?)", [(name,) for name in others])
        if error:
            raise StoreError.from_os_error(self.path, error) from error
        entries_now = {**known, **{entry.file.name: entry for entry in entries}}
        files = [entries_now[name].file for name in sorted(entries_now.keys() & order_files.keys())]
        if changed or withdrawn:
            self._list_quarantine([file for file in files if file.error or file.fault])
        return files

    def files(self) -> list[LandedFile]:
        """All order files of the index as it stands, sorted by name."""
        with self._database() as database:
            return [entry.file for entry in self._entries(database)]

    def unread_files(self) -> list[str]:
        """Names of files that are neither order files nor left alone, as of the last refresh."""
        with self._database() as database:
            return [name for (name,) in database.execute("SELECT name FROM unread_files ORDER BY name")]

    def readable_files(self) -> list[LandedFile]:
        """The files that can be read, after a refresh.

        Raises
        ------
        OrderFileError
            If there are none.
        """
        files = self.refresh()
        if not files:
            unread = "; ".join(describe_unread(self.unread_files()))
            raise OrderFileError(
                self.path,
                "it holds no order files" + (f" that are read, but {unread}" if unread else ""),
                f"Land some there, as one of {', '.join(FORMATS)}",
            )
        readable = [file for file in files if not file.error]
        if not readable:
            raise OrderFileError(self.path, "no file can be read", describe_errors(files))
        return readable

    def recheck(self, files: Iterable[LandedFile]) -> bool:
        """Read files to their end that a run could not read, and remember what is wrong with them.

        Returns
        -------
        bool
            Whether any of them has changed since it was listed, or cannot be read.
        """
        current = {file.name: file for file in self.refresh()}
        changed = [file for file in files if current.get(file.name) != file]
        found = [(file, self._fault_of_rows(file)) for file in files if file not in changed]
        broken = [(file, error) for file, error in found if error]
        with self._database() as database:
            database.executemany(
                "UPDATE order_files SET error = ? WHERE name = ?",
                [(json.dumps(asdict(error)), file.name) for file, error in broken],
            )
        if broken:
            self._list_quarantine([file for file in self.files() if file.error or file.fault])
        return bool(changed or broken)

    def _fault_of_rows(self, file: LandedFile) -> FileError | None:
        filesystem, root = self._storage
        required = required_columns(self.landed_names)
        source = Source(filesystem, f"{root}/{file.name}", self.order_format, None, required, file.careful)
        try:
            with store_errors(self.path):
                for _ in read_order_file(source):
                    pass
        except OrderFileError as error:
            return FileError.of(error)
        return None

    # ------------------------------------------------------------------ index

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        os.makedirs(os.path.dirname(self.index), exist_ok=True)
        with closing(sqlite3.connect(self.index, timeout=60)) as database, database:
            database.executescript(_SCHEMA)
            yield database

    @staticmethod
    def _entries(database: sqlite3.Connection) -> list[_Entry]:
        rows = database.execute(f"SELECT {_COLUMNS} FROM order_files ORDER BY name")
        return [_Entry.read(row) for row in rows]

    def _listed(self) -> tuple[dict[str, "FileInfo"], list[str]]:
        """The order files by name, and the names of those that are not read."""
        from pyarrow import fs

        filesystem, root = self._storage
        with store_errors(self.path):
            listed = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
        files = {
            info.path.removeprefix(root).lstrip("/"): info
            for info in listed
            if info.type is not fs.FileType.Directory
        }
        # A pipe or a socket is of no known type, and nothing would ever come out of it.
        orders = {
            name: info
            for name, info in files.items()
            if is_order_file(name) and info.type is fs.FileType.File
        }
        unread = {name for name in files if name not in orders and not is_bystander(name)}
        return orders, sorted(unread | {log for log in map(table_log_of, files) if log})

    def sources(self) -> list[Source]:
        """The order files as they are now, read as plain ones: nothing is known yet of how they are written."""
        order_files, _ = self._listed()
        return [
            Source(self._storage[0], order_files[name].path, OrderFormat()) for name in sorted(order_files)
        ]

    def _look(
        self,
        name: str,
        info: "FileInfo",
        read_as: str,
        known: _Entry | None,
        earlier: tuple[str, datetime] | None,
    ) -> _Entry | None:
        """What a file holds now; None if it has been withdrawn since it was listed."""
        with suppress(FileNotFoundError):
            content = content_id(self._storage[0], info.path)
            same = known is not None and known.file.fingerprint == content
            if known and same and known.read_as == read_as:
                return replace(known, looked_at=_time(info))
            modified = info.mtime.astimezone(UTC)
            if known and same:
                modified = known.file.modified
            elif earlier and earlier[0] == content:
                modified = earlier[1]
            file = LandedFile(name, info.size, modified, content, (), (), 0, False, None)
            return _Entry(self._read(file, info.path, known), _time(info), read_as)
        return None

    def _read(self, file: LandedFile, path: str, known: _Entry | None) -> LandedFile:
        required = required_columns(self.landed_names)
        source = Source(self._storage[0], path, self.order_format, required=required)
        try:
            found: FileContent = scan_order_file(source, self.landed_names)
        except OrderFileError as error:
            return replace(file, weeks=known.file.weeks if known else (), error=FileError.of(error))
        fault = FileError.of(found.fault) if found.fault else None
        return replace(
            file,
            columns=found.columns,
            weeks=found.weeks,
            rows=found.rows,
            careful=found.careful,
            fault=fault,
        )

    def _list_quarantine(self, broken: Sequence[LandedFile]) -> None:
        folder = Path(self.quarantine)
        # The folder holds these lists alone, so it can be written again.
        for old in folder.glob("*.error.txt"):
            old.unlink(missing_ok=True)
        for file in broken:
            folder.mkdir(parents=True, exist_ok=True)
            name = file.name.replace("/", "__").replace("\\", "__")
            if len(name.encode()) > _LONGEST_NAME:
                name = f"{fingerprint(name)}-{name[-50:]}"
            (folder / f"{name}.error.txt").write_text(f"{file.error or file.fault}\n", encoding="utf-8")


# Thousands of files have the same columns, and the same weeks.
@lru_cache(maxsize=10_000)
def _names_of(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=10_000)
def _weeks_of(text: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(week) for week in json.loads(text))


def _look_at(
    names: Iterable[str], look: Callable[[str], _Entry | None]
) -> tuple[list[_Entry], OSError | None]:
    """What `look` finds in files, and the first error of their store, after which no more are looked at."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = [pool.submit(look, name) for name in names]
        for waiting in wait(looks, return_when=FIRST_EXCEPTION).not_done:
            waiting.cancel()
    entries, error = [], None
    for done in looks:
        if done.cancelled():
            continue
        try:
            entry = done.result()
        except OSError as found:
            error = error or found
        else:
            entries += [entry] if entry else []
    return entries, error


def _time(info: "FileInfo") -> str:
    return info.mtime.astimezone(UTC).isoformat()


def _earlier_index(database: sqlite3.Connection) -> Mapping[str, tuple[str, datetime]]:
    """Name -> content and time of change, from the index that versions before 0.2 kept in the same file."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'files'").fetchone():
        return {}
    rows = database.execute("SELECT name, fingerprint, modified FROM files").fetchall()
    return {name: (content, datetime.fromisoformat(modified)) for name, content, modified in rows}


def describe_errors(files: Iterable[LandedFile]) -> str:
    """What is wrong with files: the same fault once, with the number of files that have it."""
    faults: dict[tuple[str, str], list[FileError]] = {}
    for file in files:
        if wrong := file.error or file.fault:
            faults.setdefault((wrong.reason, wrong.remedy), []).append(wrong)
    return "\n".join(
        str(errors[0]) + (f" ({len(errors) - 1:,} more files have the same fault)" if len(errors) > 1 else "")
        for errors in faults.values()
    )


def describe_unread(names: Iterable[str]) -> list[str]:
    """Files that are not read, and what to do about them, by kind."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(remedy_for(name), []).append(name)
    return [f"{listed(of_kind, 10)}: {remedy}" for remedy, of_kind in kinds.items()]


def touching(files: Iterable[LandedFile], weeks: Sequence[date]) -> list[LandedFile]:
    """The files with rows in any of `weeks`."""
    wanted = set(weeks)
    return [file for file in files if wanted.intersection(file.weeks)]


def outside_calendar(files: Iterable[LandedFile], first_week: date) -> dict[date, list[str]]:
    """Week -> names of the files with orders of it, for weeks before `first_week` and weeks yet to come."""
    current = add_weeks(newest_closed_week(), 1)
    found: dict[date, list[str]] = {}
    for file in files:
        for week in file.weeks:
            if not first_week <= week <= current:
                found.setdefault(week, []).append(file.name)
    return dict(sorted(found.items()))
