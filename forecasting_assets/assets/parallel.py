"""Weeks worked on side by side, one process a core; what is done with a week is not known here."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache
from typing import Any

#: Fewer weeks are done before a process has started and imported what it needs.
_FEW_WEEKS = 4


def each_week(
    function: Callable[..., Any], tasks: Mapping[date, tuple], in_turn: bool = False
) -> Iterator[tuple[date, Any]]:
    """(week, function(*arguments)) of every task, in their order; many weeks are shared out over the cores,
    unless each needs the one before it (`in_turn`).

    `function` is one that a module holds, and arguments and results are copied between processes.
    """
    if in_turn or len(tasks) < _FEW_WEEKS or (os.cpu_count() or 1) < 2:
        yield from ((week, function(*arguments)) for week, arguments in tasks.items())
        return
    futures = {week: _pool().submit(function, *arguments) for week, arguments in tasks.items()}
    try:
        for week, future in futures.items():
            yield week, future.result()
    finally:
        for future in futures.values():
            future.cancel()


@cache
def _pool() -> ProcessPoolExecutor:
    # A fork of a process that talks to a JVM would share its sockets.
    return ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), _end_with_parent)


def _end_with_parent() -> None:
    """A worker whose run has been killed would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
