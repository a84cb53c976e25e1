"""Weeks worked on side by side, one process a core."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from functools import cache
from typing import Any

#: Seconds of work that are done in this process rather than in others: others first have to start and import what they
#: need (first figure), or have started already (second).
_START_UP, _STARTED = 10.0, 1.0


def each_week(
    function: Callable[..., Any],
    weeks: Collection[date],
    arguments: Iterable[tuple[Any, ...]],
    in_turn: bool = False,
) -> Iterator[tuple[date, Any]]:
    """Call `function` for each of `weeks`; weeks that take long together are shared out over the cores.

    Parameters
    ----------
    function
        A function of a module, so that other processes can import it. Its arguments and results are copied between
        processes.
    weeks
        The weeks.
    arguments
        Arguments of `function` for each week. They are taken one by one while other processes work on earlier weeks.
    in_turn
        Whether each week needs the one before it, so that they are done one after the other in this process.

    Yields
    ------
    tuple
        Each week and what `function` returned for it, in the order of `weeks`.
    """
    durations, futures = list[float](), dict[date, Future[Any]]()
    alone = in_turn or (os.cpu_count() or 1) < 2
    try:
        for done, (week, given) in enumerate(zip(weeks, arguments, strict=True)):
            if futures or (not alone and _worthwhile(durations, len(weeks) - done)):
                futures[week] = _pool().submit(function, *given)
                continue
            begin = time.monotonic()
            result = function(*given)
            durations.append(time.monotonic() - begin)
            yield week, result
        for week, future in futures.items():
            yield week, future.result()
    except BrokenProcessPool:
        _pool.cache_clear()  # a process was killed; later weeks get new ones
        raise
    finally:
        for future in futures.values():
            future.cancel()


def _worthwhile(durations: list[float], left: int) -> bool:
    """Return whether processes would be done sooner with `left` more weeks, given the seconds of those so far."""
    # A first week that is quick may have waited for imports more than it has worked.
    if not durations or left < 2 or (len(durations) == 1 and durations[0] < _START_UP / 4):
        return False
    return min(durations) * left > (_STARTED if _pool.cache_info().currsize else _START_UP)


@cache
def _pool() -> ProcessPoolExecutor:
    # A fork of a process that talks to a JVM would share its sockets.
    return ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), _end_with_parent)


def _end_with_parent() -> None:
    """End this worker when its parent ends: if the run is killed, it would wait for work forever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
