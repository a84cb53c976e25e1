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
from importlib import import_module
from pathlib import Path

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.launcher import LaunchRunContext
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value

from forecasting_assets.resources.orphans import PROCESS, live_process, process_tag

#: Environment variable with the address of the process that runs are forked from.
WARM_PYTHON = "FORECASTING_WARM_PYTHON"
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
        # The tags of a run that is made again name the process of the one before.
        self._instance.add_run_tags(context.dagster_run.run_id, {PROCESS: ""})
        address = os.environ.get(WARM_PYTHON)
        if address is None or not self._fork(address, context):
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        process = live_process(run) if run and not run.is_finished else None
        if run is None or process is None:
            return super().terminate(run_id)
        self._instance.report_run_canceling(run)
        os.kill(process, signal.SIGINT)
        return True

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
        except (OSError, ValueError) as error:
            connection.close()
            self._instance.report_engine_event(
                f"This run imports its libraries itself, as the process that has them does not answer ({error}). "
                "Start forecasting-assets dev again to have it back.",
                run,
                cls=type(self),
            )
            return False
        self._instance.add_run_tags(run.run_id, process_tag(process))
        connection.sendall(serialize_value(arguments).encode() + b"\n")
        threading.Thread(target=self._follow, args=(connection, run, process), daemon=True).start()
        return True

    def _follow(self, connection: socket.socket, run: DagsterRun, process: int) -> None:
        """Wait for the end of `process`, and record the run as failed if it has not come to an end of its own."""
        connection.settimeout(None)
        with connection:
            connection.recv(1)
        found = self._instance.get_run_by_id(run.run_id)
        if found and not found.is_finished:
            self._instance.report_run_failed(
                found,
                f"The run's process {process} has ended unexpectedly; it may have been killed for want of memory.",
            )


def keep_warm() -> None:
    """Start the process that runs are forked from, which ends with this one, even if it is replaced by `exec`.

    Its address is put into the environment. Whoever asks sooner than it has imported its libraries waits.
    """
    # Nobody else may have runs made in our name.
    address = Path(tempfile.mkdtemp(prefix="forecasting-")) / "runs"
    command = [sys.executable, "-m", "forecasting_assets.resources.run_launcher", str(address), str(os.getpid())]
    subprocess.Popen(command, stdin=subprocess.DEVNULL)
    os.environ[WARM_PYTHON] = str(address)


class _Run(socketserver.StreamRequestHandler):
    """One run, in a process of its own: tells its id, and goes on once it has been told what to do."""

    def handle(self) -> None:
        from dagster._cli.api import execute_run_command

        self.server.socket.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.wfile.write(f"{os.getpid()}\n".encode())
        if arguments := self.rfile.readline().decode():
            execute_run_command([arguments], standalone_mode=False)


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
        for library in LIBRARIES:
            import_module(library)
        # Runs would copy the memory of all that is here when they look for garbage in it.
        gc.freeze()
        runs.serve_forever()
    finally:
        shutil.rmtree(Path(address).parent)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
