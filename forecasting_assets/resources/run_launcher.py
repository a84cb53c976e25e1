"""Runs forked from a process that has imported their libraries already, as importing them takes seconds.

`forecasting-assets dev` keeps that process, this module as a program, beside the warm Spark server. The platform's
own modules are left to the runs, as they may be edited meanwhile. Dagster's daemon, which asks for a run, holds a
connection to it, and so learns of its end whatever ends it.
"""

import gc
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from dagster import DagsterRun, DagsterRunStatus, DefaultRunLauncher
from dagster._core.launcher import LaunchRunContext
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import deserialize_value, serialize_value

from forecasting_assets.resources.orphans import PROCESS, process_here, process_tag

#: Environment variable with the address of the process that runs are forked from.
WARM_PYTHON = "FORECASTING_WARM_PYTHON"
#: What runs import, by the modules that import the most.
LIBRARIES = [
    "alembic.command",
    "cvxpy",
    "dagster._cli.api",
    "dagster_pyspark",
    "highspy",
    "holidays",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.xgboost",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic_settings",
    "pyspark.sql.connect.session",
    "statsmodels.tsa.statespace.sarimax",
    "xgboost",
]
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
        if run is None or process is None or not _is_fork(process):
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


def keep_warm() -> None:
    """Start the process that runs are forked from, which ends with this one, even if it is replaced by `exec`.

    Its address is put into the environment. Whoever asks sooner than it has imported its libraries waits.
    """
    # Nobody else may have runs made in our name.
    address = Path(tempfile.mkdtemp(prefix="forecasting-")) / "runs"
    subprocess.Popen(
        [sys.executable, "-m", "forecasting_assets.resources.run_launcher", str(address), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        # It is read when MLflow is imported.
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    os.environ[WARM_PYTHON] = str(address)


def _is_fork(process: int) -> bool:
    """Whether `process` is one that runs are forked to, and not another that has taken its number since."""
    with suppress(OSError):
        return __name__.encode() in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


class _Run(socketserver.StreamRequestHandler):
    """One run, in a process of its own: tells its number, and goes on once it has been told what to do."""

    server: "_Runs"

    def handle(self) -> None:
        from dagster._cli.api import _execute_run_command_body
        from dagster._cli.utils import get_instance_for_cli
        from dagster._utils.interrupts import capture_interrupts

        sys.argv = ["forecasting-assets", "dev"]  # what MLflow names as the source of a run's models
        self.server.socket.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.wfile.write(f"{os.getpid()}\n".encode())
        told = self.rfile.readline().decode()
        if not told.endswith("\n"):
            return  # whoever asked has given up
        arguments = deserialize_value(told, ExecuteRunArgs)
        # As `dagster api execute_run` does it, but for keeping all events.
        with capture_interrupts(), get_instance_for_cli(arguments.instance_ref) as instance:
            _execute_run_command_body(
                arguments.run_id, instance, lambda _: None, set_exit_code_on_failure=False
            )


class _Runs(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Forks a process for each connection, until process `keeper` is gone."""

    def __init__(self, address: str, keeper: int) -> None:
        super().__init__(address, _Run)
        self.keeper = keeper

    def service_actions(self) -> None:
        super().service_actions()
        if os.getppid() != self.keeper:
            raise SystemExit


def _serve(address: str, keeper: int) -> None:
    # Ctrl-C is for the runs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        runs = _Runs(address, keeper)
        # In a thread, as a priority once given up is not had back.
        with ThreadPoolExecutor(1, initializer=_yield_to_others) as thread:
            thread.submit(_import_libraries).result()
        # Runs would copy the memory of all that is here when they look for garbage in it.
        gc.freeze()
        runs.serve_forever()
    finally:
        shutil.rmtree(Path(address).parent)


def _yield_to_others() -> None:
    """Let the UI start first, where this thread competes with it."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _import_libraries() -> None:
    for library in LIBRARIES:
        import_module(library)
    from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches

    # MLflow looks through all installed packages before it logs its first model.
    warn_dependency_requirement_mismatches(["mlflow"])


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
