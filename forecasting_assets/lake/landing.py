"""The landing zone: which order files there are and which weeks each touches.

A file is known by its content: its size and time of change only decide whether to look at it again. A file that cannot
be read stays where it is and is listed in the quarantine folder with its error until it is corrected or withdrawn.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from forecasting_assets.lake.landed_files import FileError, LandedFile, describe_errors, describe_unread
from forecasting_assets.lake.landing_index import Entry, open_index
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.orders.file_names import is_ignored, is_order_file, table_log_of
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.landing import FileContent, required_columns, scan_order_file
from forecasting_assets.orders.reading import FORMATS, read_order_file
from forecasting_assets.orders.rows import OrderFileError, Source
from forecasting_assets.storage import (
    StoreError,
    content_id,
    list_files,
    open_filesystem,
    remove_file,
    replace_file,
    store_errors,
)

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

    from forecasting_assets.settings import Settings

#: Longest name of a file in quarantine, in bytes: file systems take 255, and an ending is added.
_LONGEST_NAME = 240
#: How the names of files in quarantine end.
_LISTED = ".error.txt"
#: Version of the readers. Raise it when they find something else in the same file: known files are then read again.
_READERS = 1


@dataclass(frozen=True)
class Landing:
    """The order files below a folder or URL.

    Attributes
    ----------
    path
        Folder or URL.
    index
        Path or URL of the SQLite file that remembers what each file holds.
    quarantine
        Folder or URL in which files that cannot be read are listed.
    landed_names
        Platform name -> landed name, for every order column.
    order_format
        How dates, numbers and text are written.
    """

    path: str
    index: str
    quarantine: str
    landed_names: dict[str, str]
    order_format: OrderFormat = field(default_factory=OrderFormat)

    @classmethod
    def of(cls, settings: "Settings") -> "Landing":
        """Return the landing zone that `settings` name."""
        orders = settings.orders
        return cls(
            path=settings.landing,
            index=settings.resolve(orders.index),
            quarantine=settings.resolve(orders.quarantine),
            landed_names=orders.landed_names,
            order_format=orders.format,
        )

    @classmethod
    def at(
        cls, home: Path, path: str, landed_names: dict[str, str], order_format: OrderFormat | None = None
    ) -> "Landing":
        """Return the landing zone at `path`, with its index in `home`."""
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
        with open_index(self.index) as index:
            known = {entry.file.name: entry for entry in index.entries()}
            earlier = index.earlier_version()
            changed = {
                name: info
                for name, info in order_files.items()
                if name not in known
                or (known[name].file.size, known[name].looked_at, known[name].read_as)
                != (info.size, _time(info), read_as)
            }

            def look(name: str) -> Entry | None:
                return self._look(changed[name], read_as, name, known.get(name), earlier.get(name))

            entries, error = _look_at(changed, look)
            withdrawn = known.keys() - order_files.keys()
            index.update(entries, withdrawn, others)
        if error:
            raise StoreError.from_os_error(self.path, error) from None
        entries_now = {**known, **{entry.file.name: entry for entry in entries}}
        files = [entries_now[name].file for name in sorted(entries_now.keys() & order_files.keys())]
        if changed or withdrawn:
            self._list_quarantine(files)
        return files

    def files(self) -> list[LandedFile]:
        """Return all order files of the index as it is, sorted by name."""
        with open_index(self.index) as index:
            return [entry.file for entry in index.entries()]

    def unread_files(self) -> list[str]:
        """Return the names of files that are not read and not ignored on purpose, as of the last refresh."""
        with open_index(self.index) as index:
            return index.unread_files()

    def readable_files(self) -> list[LandedFile]:
        """Return the files that can be read, after a refresh.

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
        checked = [(file, self._error_in_rows(file)) for file in files if file not in changed]
        broken = [(file, error) for file, error in checked if error]
        with open_index(self.index) as index:
            index.set_errors(broken)
        if broken:
            self._list_quarantine(self.files())
        return bool(changed or broken)

    def sources(self) -> list[Source]:
        """Return the order files as they are now, with nothing known of how they are written."""
        order_files, _ = self._listed()
        return [
            Source(self._storage[0], order_files[name].path, OrderFormat()) for name in sorted(order_files)
        ]

    def _listed(self) -> tuple[dict[str, "FileInfo"], list[str]]:
        """Return the order files by name, and the names of files that are not read."""
        from pyarrow import fs

        filesystem, root = self._storage
        with store_errors(self.path):
            listed = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
        files = {
            info.path.removeprefix(root).lstrip("/"): info
            for info in listed
            if info.type is not fs.FileType.Directory
        }
        # A pipe or a socket is of no known type, and reading it would never end.
        orders = {
            name: info
            for name, info in files.items()
            if is_order_file(name) and info.type is fs.FileType.File
        }
        unread = {name for name in files if name not in orders and not is_ignored(name)}
        return orders, sorted(unread | {log for log in map(table_log_of, files) if log})

    def _look(
        self,
        info: "FileInfo",
        read_as: str,
        name: str,
        known: Entry | None,
        earlier: tuple[str, datetime] | None,
    ) -> Entry | None:
        """Read what a file holds now; None if it has been withdrawn since it was listed."""
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
            return Entry(self._scan(file, info.path, known), _time(info), read_as)
        return None

    def _source(self, path: str, careful: bool = False) -> Source:
        required = required_columns(self.landed_names)
        return Source(self._storage[0], path, self.order_format, required=required, careful=careful)

    def _scan(self, file: LandedFile, path: str, known: Entry | None) -> LandedFile:
        try:
            content: FileContent = scan_order_file(self._source(path), self.landed_names)
        except OrderFileError as error:
            return replace(file, weeks=known.file.weeks if known else (), error=FileError.of(error))
        return replace(
            file,
            columns=content.columns,
            weeks=content.weeks,
            rows=content.rows,
            careful=content.careful,
            fault=FileError.of(content.fault) if content.fault else None,
        )

    def _error_in_rows(self, file: LandedFile) -> FileError | None:
        source = self._source(f"{self._storage[1]}/{file.name}", file.careful)
        try:
            with store_errors(self.path):
                for _ in read_order_file(source):
                    pass
        except OrderFileError as error:
            return FileError.of(error)
        return None

    def _list_quarantine(self, files: Sequence[LandedFile]) -> None:
        """Replace the list of files with errors or faults; the folder holds nothing else."""
        listed = set()
        for file in files:
            if not (wrong := file.error or file.fault):
                continue
            name = file.name.replace("/", "__").replace("\\", "__")
            # Files of several folders may have the same name here.
            if len(name.encode()) > _LONGEST_NAME or name in listed:
                name = f"{fingerprint(file.name)}-{name[-50:]}"
            listed.add(name)
            replace_file(self.quarantine, f"{name}{_LISTED}", f"{wrong}\n".encode())
        for name in list_files(self.quarantine):
            if name.endswith(_LISTED) and name.removesuffix(_LISTED) not in listed:
                remove_file(self.quarantine, name)


def _look_at(
    names: Mapping[str, "FileInfo"], look: Callable[[str], Entry | None]
) -> tuple[list[Entry], OSError | None]:
    """Look at files side by side.

    Returns
    -------
    tuple
        The entries of the files, and the first error of their store, after which no more files are looked at.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = [pool.submit(look, name) for name in names]
        for waiting in wait(looks, return_when=FIRST_EXCEPTION).not_done:
            waiting.cancel()
    entries, first_error = [], None
    for done in looks:
        if done.cancelled():
            continue
        try:
            entry = done.result()
        except OSError as error:
            first_error = first_error or error
        else:
            entries += [entry] if entry else []
    return entries, first_error


def _time(info: "FileInfo") -> str:
    return str(info.mtime.astimezone(UTC).isoformat())
