"""Link runs to the processes that execute them, and end runs whose process no longer exists.

Left alone, Dagster waits forever for a run whose process was killed, and the run keeps its place in the pool.
While the daemon is up, the run launcher's health check finds such runs (run_launcher.py); `end_orphans` does the
same for the command line, where no daemon need be running.
"""

import os
import socket

import dagster as dg

#: Run tag with the process (`host:pid`) that executes the run; empty until it is known.
PROCESS = "forecasting/process"


def process_tag(pid: int) -> dict[str, str]:
    """Return the run tag that names process `pid` of this machine."""
    return {PROCESS: f"{socket.gethostname()}:{pid}"}


def this_process() -> dict[str, str]:
    """Return the run tag that names the current process."""
    return process_tag(os.getpid())


def local_process(run: dg.DagsterRun) -> int | None:
    """Return the id of the run's process, or None if it is unknown or belongs to another machine."""
    host, _, pid = run.tags.get(PROCESS, "").partition(":")
    return int(pid) if host == socket.gethostname() else None


def process_has_ended(run: dg.DagsterRun) -> bool:
    """Return whether the run's process is known to have run on this machine and no longer exists."""
    pid = local_process(run)
    return pid is not None and not _exists(pid)


def end_orphans(instance: dg.DagsterInstance) -> None:
    """Record started runs whose process on this machine no longer exists as failed."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if process_has_ended(run):
            instance.report_run_failed(run, f"The run's process {local_process(run)} no longer exists.")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
