"""Weeks worked on side by side, one process a core; what is done with a week is not known here."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import date
from functools import cache
from typing import Any

#: Seconds of work that are done here before processes have started and imported what they need, and if they have.
_START_UP, _STARTED = 10.0, 1.0


def each_week(
    function: Callable[..., Any], weeks: Collection[date], arguments: Iterable[tuple], in_turn: bool = False
) -> Iterator[tuple[date, Any]]:
    """(week, function(*its arguments)) of each of `weeks`, in their order; weeks that take long together are shared
    out over the cores, unless each needs the one before it (`in_turn`).

    `function` is one that a module holds, and arguments and results are copied between processes. Arguments that
    take work to make are made here one by one, while other processes have the weeks before.
    """
    spent, futures = list[float](), dict[date, Future]()
    alone = in_turn or (os.cpu_count() or 1) < 2
    try:
        for done, (week, given) in enumerate(zip(weeks, arguments, strict=True)):
            if futures or (not alone and _worthwhile(spent, len(weeks) - done)):
                futures[week] = _pool().submit(function, *given)
                continue
            begin = time.monotonic()
            result = function(*given)
            spent.append(time.monotonic() - begin)
            yield week, result
        for week, future in futures.items():
            yield week, future.result()
    finally:
        for future in futures.values():
            future.cancel()


def _worthwhile(spent: list[float], left: int) -> bool:
    """Whether processes would be done sooner with `left` more tasks, by the seconds that tasks have taken so far."""
    # A first task that is quick may have waited for imports more than it has worked.
    if not spent or left < 2 or (len(spent) == 1 and spent[0] < _START_UP / 4):
        return False
    return min(spent) * left > (_STARTED if _pool.cache_info().currsize else _START_UP)


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
