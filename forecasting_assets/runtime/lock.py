"""Locks between the processes of one machine; the pool in dagster.yaml keeps runs on several machines apart."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive_lock(home: Path, name: str, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock for the duration of the block; the operating system releases it if the process ends.

    Parameters
    ----------
    home
        The platform's home, in which lock files are kept.
    name
        Name of the lock, usually of the table that is written.
    on_wait
        Called before waiting if another process holds the lock.
    """
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
