"""Run a server that always ends with this process, however this process ends.

A process that a shell starts with `&` ignores SIGINT, and so would everything it starts; and a process that is killed
cannot end its children. So the server gets a process group of its own and default signal handling, and a small
watchdog (this module as a program) ends the group once this process has ended.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

#: Seconds between SIGINT, SIGTERM and SIGKILL to a server that should end.
_PATIENCE = 15.0
_POLL_SECONDS = 0.2


def supervise(
    command: Sequence[str], environment: Mapping[str, str], poll: Callable[[], None] = lambda: None
) -> int:
    """Run a server until it ends or this process receives SIGINT or SIGTERM.

    Parameters
    ----------
    command
        Program and arguments of the server.
    environment
        Environment variables of the server.
    poll
        Called repeatedly while the server runs.

    Returns
    -------
    int
        Exit code of the server, or 128 plus the number of the signal that ended it; 0 if this process was stopped.
    """
    stop_requested = False

    def end(signal_number: int, frame: object) -> None:
        nonlocal stop_requested
        stop_requested = True

    # A handler also replaces an inherited "ignore", which the server would inherit in turn.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    _start_watchdog(server.pid)
    try:
        while server.poll() is None and not stop_requested:
            poll()
            time.sleep(_POLL_SECONDS)
    finally:
        end_group(server.pid)
    exit_code = server.wait()
    if stop_requested:
        return 0
    return exit_code if exit_code >= 0 else 128 - exit_code  # as in shells


def end_group(group: int) -> None:
    """End all processes of a group: SIGINT first, as Dagster then shuts its services down in order."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if not _group_exists(group):
                return
            time.sleep(_POLL_SECONDS)


def _group_exists(group: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(-group, os.WNOHANG)  # a child of ours that has ended counts as existing until it is reaped
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _start_watchdog(group: int) -> None:
    watched, held = os.pipe()  # the write end closes with this process, and only this process holds it
    subprocess.Popen(
        [sys.executable, "-m", __name__, str(group)],
        stdin=watched,
        start_new_session=True,
    )
    os.close(watched)
    os.set_inheritable(held, False)


def _watch(group: int) -> None:
    """End the group once the other end of standard input is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    if _group_exists(group):
        end_group(group)


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
