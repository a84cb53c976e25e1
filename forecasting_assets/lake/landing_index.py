"""The index of the landing zone: an SQLite file that remembers what each order file holds."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from forecasting_assets.lake.landed_files import FileError, LandedFile
from forecasting_assets.storage import is_url, read_file, replace_file

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
class Entry:
    """A row of the index.

    Attributes
    ----------
    file
        What is known of the file.
    looked_at
        Its time of change when it was last looked at; `file.modified` is the one first seen with this content.
    read_as
        The settings and version of the readers it was read with.
    """

    file: LandedFile
    looked_at: str
    read_as: str

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "Entry":
        """Read a row of the table."""
        name, size, looked_at, read_as, modified, content, columns, weeks, rows, careful, error, fault = row
        file = LandedFile(
            name,
            size,
            datetime.fromisoformat(modified),
            content,
            _names(columns),
            _weeks(weeks),
            rows,
            bool(careful),
            *(FileError(**json.loads(text)) if text else None for text in (error, fault)),
        )
        return cls(file, looked_at, read_as)

    def to_row(self) -> tuple[Any, ...]:
        """Return the entry as a row of the table."""
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


class LandingIndex:
    """One open transaction on the index."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def entries(self) -> list[Entry]:
        """Return all order files, sorted by name."""
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM order_files ORDER BY name")
        return [Entry.from_row(row) for row in rows]

    def unread_files(self) -> list[str]:
        """Return the names of files that are neither order files nor ignored on purpose, sorted."""
        return [name for (name,) in self._database.execute("SELECT name FROM unread_files ORDER BY name")]

    def earlier_version(self) -> dict[str, tuple[str, datetime]]:
        """Return name -> content and time of change, from the table that version 0.1.0 kept in the same file."""
        if not self._database.execute("SELECT 1 FROM sqlite_master WHERE name = 'files'").fetchone():
            return {}
        rows = self._database.execute("SELECT name, fingerprint, modified FROM files").fetchall()
        return {name: (content, datetime.fromisoformat(modified)) for name, content, modified in rows}

    def update(self, changed: Iterable[Entry], withdrawn: Iterable[str], unread: Iterable[str]) -> None:
        """Write changed entries, delete withdrawn ones and replace the list of unread files."""
        places = ", ".join("?" * len(_COLUMNS.split(",")))
        self._database.executemany(
            f"INSERT OR REPLACE INTO order_files ({_COLUMNS}) VALUES ({places})",
            [entry.to_row() for entry in changed],
        )
        self._database.executemany("DELETE FROM order_files WHERE name = ?", [(name,) for name in withdrawn])
        self._database.execute("DELETE FROM unread_files")
        self._database.executemany("INSERT INTO unread_files VALUES (?)", [(name,) for name in unread])

    def set_errors(self, errors: Iterable[tuple[LandedFile, FileError]]) -> None:
        """Remember that files cannot be read."""
        self._database.executemany(
            "UPDATE order_files SET error = ? WHERE name = ?",
            [(json.dumps(asdict(error)), file.name) for file, error in errors],
        )


@contextmanager
def open_index(path: str) -> Iterator[LandingIndex]:
    """Open the index at `path`, creating it if need be; changes are committed at the end of the block.

    An index in a store is worked on in a copy. Of two processes that change it at the same time one wins; what the
    other has found out about order files is found out again.
    """
    if not is_url(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with _database(path) as database:
            yield LandingIndex(database)
        return
    folder, _, name = path.rpartition("/")
    with TemporaryDirectory() as scratch:
        copy, before = Path(scratch, name), b""
        with suppress(FileNotFoundError):
            before = read_file(folder, name)
            copy.write_bytes(before)
        with _database(str(copy)) as database:
            yield LandingIndex(database)
        if (now := copy.read_bytes()) != before:
            replace_file(folder, name, now)


@contextmanager
def _database(path: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=60)) as database, database:
        database.executescript(_SCHEMA)
        yield database


# Thousands of files have the same columns, and the same weeks.
@lru_cache(maxsize=10_000)
def _names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=10_000)
def _weeks(text: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(week) for week in json.loads(text))
