"""The process that runs are forked from, with their libraries imported, as importing them takes seconds.

`forecasting-assets dev` keeps it, this module as a program, beside the warm Spark server. It imports none of the
platform's own modules, which are left to the runs, as they may be edited meanwhile.
"""

import gc
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path

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


def keep_warm() -> None:
    """Start the process that runs are forked from, which ends with this one, even if it is replaced by `exec`.

    Its address is put into the environment. Whoever asks sooner than it has imported its libraries waits.
    """
    # Nobody else may have runs made in our name.
    address = Path(tempfile.mkdtemp(prefix="forecasting-")) / "runs"
    subprocess.Popen(
        [sys.executable, "-m", __name__, str(address), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        # It is read when MLflow is imported.
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    os.environ[WARM_PYTHON] = str(address)


def is_fork(process: int) -> bool:
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
        from dagster._grpc.types import ExecuteRunArgs
        from dagster._serdes import deserialize_value
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
