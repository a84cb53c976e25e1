"""Runs and their processes: Dagster waits for ever for a run whose process was killed, and starts no other."""

import os
import socket

import dagster as dg

#: Run tag of the process (`host:pid`) that a run is made by.
PROCESS = "forecasting/process"


def this_process() -> dict[str, str]:
    """The run tag of this process."""
    return {PROCESS: f"{socket.gethostname()}:{os.getpid()}"}


def end_orphans(instance: dg.DagsterInstance) -> None:
    """Record as failed the runs whose process on this machine is gone."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        host, _, process = run.tags.get(PROCESS, "").partition(":")
        if host == socket.gethostname() and not _alive(int(process)):
            instance.report_run_failed(run, f"Process {process} is gone.")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
