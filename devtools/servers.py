"""Ports of this machine, and waiting for the servers behind them."""

import socket
import time
import urllib.request
from collections.abc import Callable
from typing import Any


def free_port() -> int:
    """Return the number of a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, port)) == 0


def answers(url: str) -> bool:
    """Return whether a request to `url` succeeds within five seconds."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def wait_until(
    condition: Callable[[], Any], seconds: float, what: str, progress: Callable[[], Any] = lambda: None
) -> Any:
    """Call `condition` once a second until its result is true, and return that result.

    Parameters
    ----------
    condition
        What is waited for.
    seconds
        Limit; it begins again whenever the result of `progress` changes.
    what
        Name of what is waited for.
    progress
        How far the work is: a machine that is busy with other things is slow, but not stuck.

    Raises
    ------
    TimeoutError
        If the result is not true within the limit; the message names `what`.
    """
    end, before = time.monotonic() + seconds, progress()
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(1)
        if (now := progress()) != before:
            end, before = time.monotonic() + seconds, now
    raise TimeoutError(f"{what} not within {seconds:.0f} s")
