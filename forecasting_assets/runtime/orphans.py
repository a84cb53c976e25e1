"""Runs and their processes: Dagster waits for ever for a run whose process was killed, and starts no other."""

import os
import socket

import dagster as dg

#: Run tag of the process (`host:pid`) that a run is made by; empty until it is known.
PROCESS = "forecasting/process"


def process_tag(process: int) -> dict[str, str]:
    """The run tag of a process on this machine."""
    return {PROCESS: f"{socket.gethostname()}:{process}"}


def this_process() -> dict[str, str]:
    """The run tag of this process."""
    return process_tag(os.getpid())


def process_here(run: dg.DagsterRun) -> int | None:
    """The number of the run's process, if it is known to be one of this machine."""
    host, _, process = run.tags.get(PROCESS, "").partition(":")
    return int(process) if host == socket.gethostname() else None


def end_orphans(instance: dg.DagsterInstance) -> None:
    """Record as failed the runs whose process on this machine is gone."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        process = process_here(run)
        if process is not None and not _alive(process):
            instance.report_run_failed(run, f"Process {process} is gone.")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
