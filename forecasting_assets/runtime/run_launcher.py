"""Run launcher that forks runs from the warm process (run_launcher_process.py) instead of starting new ones.

Dagster's daemon launches runs through it and asks it whether the processes of started runs still exist
(`run_monitoring` in dagster.yaml).
"""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._serdes import deserialize_value

from forecasting_assets.runtime.orphans import PROCESS, local_process, process_has_ended, process_tag
from forecasting_assets.runtime.run_launcher_process import WARM_PYTHON, is_fork

if TYPE_CHECKING:
    from dagster._grpc.client import DagsterGrpcClient

#: Seconds to wait for the warm process before the run is started without it.
_PATIENCE = 60


class WarmRunLauncher(DefaultRunLauncher):
    """Fork runs from the warm process, or use Dagster's own launcher if there is none or it does not answer.

    In the latter case an event in the run's log says so.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the process of a run."""
        run = context.dagster_run
        if PROCESS in run.tags:  # copied from the run that this one repeats
            self._instance.add_run_tags(run.run_id, {PROCESS: ""})
        address = os.environ.get(WARM_PYTHON)
        if address is None or not self._fork(address, run):
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the process of a run; return whether there was one."""
        run = self._instance.get_run_by_id(run_id)
        pid = local_process(run) if run and not run.is_finished else None
        if run is None or pid is None or not is_fork(pid):
            terminate: Callable[[str], bool] = super().terminate
            return terminate(run_id)
        self._instance.report_run_canceling(run)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
            return True
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether Dagster may ask for the health of runs."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Check that the process of a started run still exists.

        The code location is asked for a process on another machine. A run counts as running if nobody knows, as
        Dagster fails runs of unknown health.
        """
        if process_has_ended(run):
            return CheckRunHealthResult(
                WorkerStatus.FAILED,
                f"The run's process {local_process(run)} ended unexpectedly. If it was killed, the machine may "
                "have run out of memory.",
            )
        if local_process(run) is None and self._is_unknown_to_code_location(run):
            return CheckRunHealthResult(
                WorkerStatus.FAILED,
                "The run ended unexpectedly: its code location has been started again, or its process was killed. If "
                "nobody did that, the machine of the code location may have run out of memory.",
            )
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _is_unknown_to_code_location(self, run: DagsterRun) -> bool:
        """Return whether the code location that started the run answers, and has no such run."""
        # gRPC takes long to import, and commands on one machine do not need it.
        from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult

        client_of: Callable[[str], DagsterGrpcClient | None] = self._get_grpc_client_for_termination
        client = client_of(run.run_id)
        if client is None:
            return False
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:
            return False
        return not deserialize_value(answer, CanCancelExecutionResult).can_cancel

    def _fork(self, address: str, run: DagsterRun) -> bool:
        """Have the warm process at `address` fork the run; return whether it did."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_PATIENCE)
                connection.connect(address)
                pid = int(connection.makefile().readline())
                self._instance.add_run_tags(run.run_id, process_tag(pid))
                connection.sendall(f"{run.run_id}\n".encode())
        except (OSError, ValueError) as error:
            self._instance.report_engine_event(
                "This run starts some seconds later because it must import its libraries itself: the warm process "
                f"that runs are forked from does not answer ({error}). Restart forecasting-assets dev to restore it.",
                run,
                cls=type(self),
            )
            return False
        return True
