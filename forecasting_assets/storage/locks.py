"""Locks between processes that write one lake, on one machine or on several.

On a disk a lock is a lock of the operating system. A store has none, so processes queue for it with files.
"""

import fcntl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from forecasting_assets.errors import PicklableError
from forecasting_assets.storage.errors import store_errors
from forecasting_assets.storage.files import put_object
from forecasting_assets.storage.filesystems import is_local, joined, open_filesystem

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: Seconds after which the lock of a process that has ended without freeing it is free.
LEASE_SECONDS = 60.0
#: Seconds between two looks at a queue.
_PAUSE = 1.0
_FOLDER = "_locks"
_CHOOSING = "choosing-"


class LockLostError(PicklableError, ValueError):
    """A lock that was not renewed in time, so that another process may have held it at the same time.

    Attributes
    ----------
    lock
        Path or URL of the lock.
    """

    def __init__(self, lock: str) -> None:
        super().__init__(
            f"the lock {lock} was lost, as it was not renewed in time: do the same again, as another process may have "
            "written at the same time"
        )
        self.lock = lock


@contextmanager
def exclusive_lock(
    folder: str | Path, name: str, on_wait: Callable[[], None] | None = None, lease: float = LEASE_SECONDS
) -> Iterator[None]:
    """Hold a lock for the duration of the block.

    If the process ends, the operating system frees the lock of a folder at once; that of a store is free after its
    lease.

    Parameters
    ----------
    folder
        Folder or URL of the lake; the locks are in a folder of their own within it.
    name
        Name of the lock, usually of the table that is written.
    on_wait
        Called before waiting if another process holds the lock.
    lease
        Seconds after which another process may take over the lock of a store if it is not renewed.

    Raises
    ------
    StoreError
        If the store cannot be used.
    LockLostError
        After the block, if the lock of a store was not renewed in time.
    """
    with store_errors(str(folder), "written"):
        filesystem, root = open_filesystem(folder)
    if is_local(filesystem):
        file = Path(root, _FOLDER, name)
        with store_errors(str(folder), "written"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        with _file_lock(file, on_wait):
            yield
        return
    place = _Place(filesystem, f"{root}/{_FOLDER}/{name}", lease)
    with store_errors(str(folder), "written"):
        place.wait_for_turn(on_wait)
    renewal = _Renewal(place)
    renewal.start()
    try:
        yield
    finally:
        renewal.stop()
    if renewal.lost:
        raise LockLostError(joined(folder, f"{_FOLDER}/{name}")) from renewal.error


@contextmanager
def _file_lock(path: Path, on_wait: Callable[[], None] | None) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass
class _Place:
    """The place of a process in the queue for a lock of a store.

    Lamport's bakery algorithm: each process takes a number larger than all others in the queue, and the smallest
    number holds the lock. It needs objects that can be listed as soon as they are put, and nothing else that stores
    do differently. A file that was not put again within the lease, by the clock of the store, belongs to a process that
    has ended.

    Attributes
    ----------
    filesystem, folder
        Where the files of the queue are.
    lease
        Seconds.
    ticket
        Name of the file that holds the place; it begins with the number.

    References
    ----------
    Lamport, L. (1974). A new solution of Dijkstra's concurrent programming problem. Communications of the ACM 17(8).
    """

    filesystem: "FileSystem"
    folder: str
    lease: float
    ticket: str = ""
    _id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _renewed: float = 0.0
    _files: set[str] = field(default_factory=set)

    @property
    def overdue(self) -> bool:
        """Whether others may have taken this process for ended since it last put its ticket."""
        return time.monotonic() - self._renewed > self.lease

    def wait_for_turn(self, on_wait: Callable[[], None] | None) -> None:
        """Queue until this place is the first; leave the queue if that fails or is cancelled."""
        try:
            self._wait_for_turn(on_wait)
        except BaseException:
            self.leave()
            raise

    def _wait_for_turn(self, on_wait: Callable[[], None] | None) -> None:
        self._take_ticket()
        while True:
            # While someone else is choosing, its number may yet turn out to be smaller.
            someone_chooses = any(name.startswith(_CHOOSING) for name in self._living())
            if not someone_chooses and min(self._living(), default="") == self.ticket:
                return
            if on_wait:
                on_wait()
                on_wait = None
            time.sleep(_PAUSE)
            if not self.renew():
                self._take_ticket()

    def renew(self, first: bool = False) -> bool:
        """Put the ticket again.

        Parameters
        ----------
        first
            Whether the place has to be the first, as this process holds the lock.

        Returns
        -------
        bool
            False if others have, or may have, taken this process for ended, so that the place is lost.
        """
        if self.overdue:
            return False
        begin = time.monotonic()
        before = self._listed().get(self.ticket)
        if before is None:
            return False
        self._put(self.ticket)
        listed = self._listed()
        after = listed.get(self.ticket)
        # If this process was suspended before it put the ticket, others may have deleted it and gone ahead.
        if after is None or after - before > timedelta(seconds=self.lease):
            return False
        if first and min(listed) != self.ticket:
            return False
        self._renewed = begin
        return True

    def leave(self) -> None:
        """Leave the queue; others take this place after the lease if the store does not answer."""
        for name in sorted(self._files):
            with suppress(OSError):
                self._delete(name)
        self._files.clear()

    def _take_ticket(self) -> None:
        choosing = _CHOOSING + self._id
        while True:
            self.leave()
            self._put(choosing)
            numbers = [
                int(name.partition("-")[0]) for name in self._living() if not name.startswith(_CHOOSING)
            ]
            self.ticket = f"{max(numbers, default=0) + 1:012d}-{self._id}"
            self._renewed = time.monotonic()
            self._put(self.ticket)
            # If this process was suspended while it chose, others have stopped waiting for it, and one that took a
            # larger number may hold the lock.
            if choosing in self._listed():
                self._delete(choosing)
                return

    def _living(self) -> set[str]:
        """List the queue without those that have ended, whose files are deleted."""
        listed = self._listed()
        # This process has just put a file, whose time is that of the store's clock.
        ended = {
            name
            for name, put_at in listed.items()
            if max(listed.values()) - put_at > timedelta(seconds=self.lease)
        }
        for name in ended:
            self._delete(name)
        return listed.keys() - ended

    def _listed(self) -> dict[str, datetime]:
        from pyarrow import fs

        infos = self.filesystem.get_file_info(fs.FileSelector(self.folder, allow_not_found=True))
        return {info.base_name: info.mtime for info in infos if info.type is fs.FileType.File}

    def _put(self, name: str) -> None:
        self._files.add(name)
        put_object(self.filesystem, f"{self.folder}/{name}", b"")

    def _delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self.filesystem.delete_file(f"{self.folder}/{name}")


class _Renewal(threading.Thread):
    """Keeps a place in a queue while its lock is held; `lost` is whether it was not kept, and `error` may say why."""

    def __init__(self, place: _Place) -> None:
        super().__init__(name="lock renewal", daemon=True)
        self.lost = False
        self.error: Exception | None = None
        self._place = place
        self._ended = threading.Event()

    def run(self) -> None:
        """Put the ticket again and again."""
        try:
            self.lost = not self._keep()
        except Exception as error:  # it ends this thread, and so the renewal
            self.lost, self.error = True, error

    def stop(self) -> None:
        """Leave the queue."""
        self._ended.set()
        self.join()
        self._place.leave()

    def _keep(self) -> bool:
        """Renew the place until the lock is freed; False if it was lost before."""
        while not self._ended.wait(self._place.lease / 4):
            with suppress(OSError):  # the store may answer again within the lease
                if not self._place.renew(first=True):
                    return False
            if self._place.overdue:
                return False
        return not self._place.overdue
