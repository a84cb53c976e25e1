"""The landing zone: which order files there are and which weeks each touches.

The index (SQLite, in FORECASTING_HOME) remembers what a file holds, so that a file is opened once and not
again until its size or time of change differs. A file that cannot be read stays where it is and is listed in
the quarantine folder with its error until it is mended or withdrawn. What the rows mean is not known here.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from forecasting_assets.orders.landing import scan_order_file
from forecasting_assets.orders.reading import FORMATS, OrderFileError, is_order_file
from forecasting_assets.provenance import fingerprint
from forecasting_assets.storage import open_filesystem
from forecasting_assets.tables import OPTIONAL_ORDER_COLUMNS
from forecasting_assets.weeks import add_weeks, newest_closed_week

if TYPE_CHECKING:
    from forecasting_assets.settings import Settings

#: File systems take names of 255 bytes, and an ending is added.
_LONGEST_NAME = 240
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    name TEXT PRIMARY KEY, size INTEGER, modified TEXT, mapping TEXT,
    fingerprint TEXT, columns TEXT, weeks TEXT, rows INTEGER, error TEXT)
"""


@dataclass(frozen=True)
class LandedFile:
    """An order file: `name` is relative to the landing zone, `error` says why it cannot be read.

    One that could be read before has the weeks it touched then.
    """

    name: str
    size: int
    modified: datetime
    fingerprint: str
    columns: tuple[str, ...]
    weeks: tuple[date, ...]
    rows: int
    error: str | None


class Landing(dg.ConfigurableResource):
    """The order files below `path` (folder or URL), indexed in the SQLite file `index`; those that cannot be
    read are listed in the folder `quarantine`."""

    path: str
    index: str
    quarantine: str
    landed_names: dict[str, str]

    @classmethod
    def of(cls, settings: "Settings") -> "Landing":
        return cls.at(settings.home, settings.landing, settings.orders.landed_names)

    @classmethod
    def at(cls, home: Path, path: str, landed_names: dict[str, str]) -> "Landing":
        return cls(
            path=path,
            index=str(home / "landing.db"),
            quarantine=str(home / "landing" / "quarantine"),
            landed_names=landed_names,
        )

    @cached_property
    def _storage(self):
        return open_filesystem(self.path)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        os.makedirs(os.path.dirname(self.index), exist_ok=True)
        with closing(sqlite3.connect(self.index, timeout=60)) as database, database:
            database.execute(_SCHEMA)
            yield database

    def refresh(self) -> list[LandedFile]:
        """Bring the index up to date, opening only files that are new or changed; all files, sorted by name."""
        from pyarrow import fs

        filesystem, root = self._storage
        listed = filesystem.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
        names = {info.path.removeprefix(root).lstrip("/"): info for info in listed}
        found = {
            name: info
            for name, info in names.items()
            if info.type == fs.FileType.File and is_order_file(name)
        }
        mapping = json.dumps(self.landed_names, sort_keys=True)
        with self._database() as database:
            query = "SELECT name, weeks, size, modified, mapping FROM files"
            known = {name: (weeks, *state) for name, weeks, *state in database.execute(query)}
            changed = [
                name
                for name, info in found.items()
                if name not in known
                or known[name][1:] != (info.size, info.mtime.astimezone(UTC).isoformat(), mapping)
            ]

            def scan(name: str) -> tuple:
                weeks_before = known[name][0] if name in known else "[]"
                return self._scan(name, found[name], mapping, weeks_before)

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                rows = list(pool.map(scan, changed))
            database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            database.executemany(
                "DELETE FROM files WHERE name = ?", [(name,) for name in known if name not in found]
            )
        files = self.files()
        if changed or known.keys() - found.keys():
            self._list_quarantine([file for file in files if file.error])
        return files

    def files(self) -> list[LandedFile]:
        """All files of the index as it stands."""
        query = (
            "SELECT name, size, modified, fingerprint, columns, weeks, rows, error FROM files ORDER BY name"
        )
        with self._database() as database:
            return [
                LandedFile(
                    name,
                    size,
                    datetime.fromisoformat(modified),
                    fingerprint,
                    tuple(json.loads(columns)),
                    tuple(date.fromisoformat(week) for week in json.loads(weeks)),
                    rows,
                    error,
                )
                for name, size, modified, fingerprint, columns, weeks, rows, error in database.execute(query)
            ]

    def readable_files(self, weeks: Sequence[date] = ()) -> list[LandedFile]:
        """The files that can be read, after a refresh.

        OrderFileError if there are none, or if one that held orders of `weeks` can no longer be read: they
        would be lost.
        """
        files = self.refresh()
        if not files:
            raise OrderFileError(f"{self.path} holds no order files: land some ({', '.join(FORMATS)}) there")
        if broken := touching([file for file in files if file.error], weeks):
            listed = "\n".join(file.error or "" for file in broken)
            raise OrderFileError(f"{listed}\nIt held orders of this week: mend the file, or remove it")
        readable = [file for file in files if not file.error]
        if not readable:
            raise OrderFileError("\n".join(file.error or "" for file in files))
        return readable

    def _list_quarantine(self, broken: Sequence[LandedFile]) -> None:
        folder = Path(self.quarantine)
        # The folder is made of these lists alone, so it can be made anew.
        for old in folder.glob("*.error.txt"):
            old.unlink(missing_ok=True)
        for file in broken:
            folder.mkdir(parents=True, exist_ok=True)
            name = file.name.replace("/", "__").replace("\\", "__")
            if len(name.encode()) > _LONGEST_NAME:
                name = f"{fingerprint(name)}-{name[-50:]}"
            (folder / f"{name}.error.txt").write_text(f"{file.error}\n", encoding="utf-8")

    def _scan(self, name: str, info, mapping: str, weeks_before: str) -> tuple:
        filesystem, _ = self._storage
        state = (name, info.size, info.mtime.astimezone(UTC).isoformat(), mapping)
        try:
            content = scan_order_file(filesystem, info.path, self.landed_names, OPTIONAL_ORDER_COLUMNS)
        except OrderFileError as error:
            return (*state, "", "[]", weeks_before, 0, str(error))
        weeks = json.dumps([str(week) for week in content.weeks])
        return (*state, self._fingerprint(info.path), json.dumps(content.columns), weeks, content.rows, None)

    def _fingerprint(self, path: str) -> str:
        digest = blake2b(digest_size=16)
        with self._storage[0].open_input_stream(path, compression=None) as stream:
            while chunk := stream.read(8 << 20):
                digest.update(chunk)
        return digest.hexdigest()


def touching(files: Iterable[LandedFile], weeks: Sequence[date]) -> list[LandedFile]:
    """The files with rows in any of `weeks`."""
    wanted = set(weeks)
    return [file for file in files if wanted.intersection(file.weeks)]


def outside_calendar(files: Iterable[LandedFile], first_week: date) -> dict[date, list[str]]:
    """week -> names of the files with orders of it, for weeks before `first_week` and weeks yet to come."""
    current = add_weeks(newest_closed_week(), 1)
    found: dict[date, list[str]] = {}
    for file in files:
        for week in file.weeks:
            if not first_week <= week <= current:
                found.setdefault(week, []).append(file.name)
    return dict(sorted(found.items()))
