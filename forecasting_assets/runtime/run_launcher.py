"""Dagster's run launcher, but that runs are forked from the warm process (run_launcher_process.py) while it answers.

Dagster's daemon, which asks for a run, holds a connection to it, and so learns of its end whatever ends it.
"""

import os
import signal
import socket
import threading
from contextlib import suppress

from dagster import DagsterRun, DagsterRunStatus, DefaultRunLauncher
from dagster._core.launcher import LaunchRunContext
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value

from forecasting_assets.runtime.orphans import PROCESS, process_here, process_tag
from forecasting_assets.runtime.run_launcher_process import WARM_PYTHON, is_fork

#: Seconds within which a process answers, or the run is started without it.
_PATIENCE = 60


class WarmRunLauncher(DefaultRunLauncher):
    """Forks runs from the warm process; Dagster's own launcher where none is kept, or where it does not answer,
    of which the run's log tells."""

    def launch_run(self, context: LaunchRunContext) -> None:
        run = context.dagster_run
        if PROCESS in run.tags:  # of the run that this one repeats
            self._instance.add_run_tags(run.run_id, {PROCESS: ""})
        address = os.environ.get(WARM_PYTHON)
        if address is None or not self._fork(address, context):
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        process = process_here(run) if run and not run.is_finished else None
        if run is None or process is None or not is_fork(process):
            return super().terminate(run_id)
        self._instance.report_run_canceling(run)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGINT)
            return True
        return False

    def _fork(self, address: str, context: LaunchRunContext) -> bool:
        """Have the run forked; whether the process at `address` has done so."""
        run = context.dagster_run
        assert context.job_code_origin is not None
        arguments = ExecuteRunArgs(context.job_code_origin, run.run_id, self._instance.get_ref())
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(address)
            process = int(connection.makefile().readline())
            self._instance.add_run_tags(run.run_id, process_tag(process))
            connection.sendall(serialize_value(arguments).encode() + b"\n")
        except (OSError, ValueError) as error:
            connection.close()
            self._instance.report_engine_event(
                f"This run imports its libraries itself, as the process that has them does not answer ({error}). "
                "Start forecasting-assets dev again to have it back.",
                run,
                cls=type(self),
            )
            return False
        threading.Thread(target=self._follow, args=(connection, run, process), daemon=True).start()
        return True

    def _follow(self, connection: socket.socket, run: DagsterRun, process: int) -> None:
        """Wait for the end of `process`, and record that of the run if it has not done so itself."""
        connection.settimeout(None)
        with connection, suppress(ConnectionError):
            connection.recv(1)
        found = self._instance.get_run_by_id(run.run_id)
        if found is None or found.is_finished:
            return
        said = f"The run's process {process} has ended unexpectedly. If it was killed, it may be for want of memory."
        if found.status == DagsterRunStatus.CANCELING:
            self._instance.report_run_canceled(found, said)
        else:
            self._instance.report_run_failed(found, said)
