"""Warm process that runs are forked from with their libraries imported, as importing them takes seconds.

`forecasting-assets dev` runs this module as a program, along with the warm Spark server. It imports none of the
platform's own modules: each run imports them itself, as they may be edited in the meantime.
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

#: Environment variable with the address of the warm process.
WARM_PYTHON = "FORECASTING_WARM_PYTHON"
#: Modules that runs import; those that import most others are enough.
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
    """Start the warm process and put its address into the environment.

    It ends with the current process, even if that is replaced by `exec`. Requests that arrive before it has
    imported its libraries wait. DAGSTER_HOME must be set.
    """
    # A folder that only this user may enter, so that other users cannot start runs as this user.
    address = Path(tempfile.mkdtemp(prefix="forecasting-")) / "runs"
    subprocess.Popen(
        [sys.executable, "-m", __name__, str(address), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        # MLflow reads this when it is imported.
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    os.environ[WARM_PYTHON] = str(address)


def is_fork(pid: int) -> bool:
    """Return whether a process was forked here, as another may have got the id of one that has ended."""
    with suppress(OSError):
        return __name__.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


class _RunHandler(socketserver.StreamRequestHandler):
    """Execute one run in its own process: send the process id, then wait for the id of the run."""

    server: "_RunServer"

    def handle(self) -> None:
        from dagster._cli.api import _execute_run_command_body
        from dagster._cli.utils import get_instance_for_cli
        from dagster._utils.interrupts import capture_interrupts

        sys.argv = ["forecasting-assets", "dev"]  # MLflow names this as the source of a run's models
        self.server.socket.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.wfile.write(f"{os.getpid()}\n".encode())
        request = self.rfile.readline().decode()
        if not request.endswith("\n"):
            return  # the launcher has timed out
        # As `dagster api execute_run` does, except that no events are printed.
        with capture_interrupts(), get_instance_for_cli() as instance:
            _execute_run_command_body(
                request.strip(), instance, lambda _: None, set_exit_code_on_failure=False
            )


class _RunServer(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Fork a process for each connection until process `owner` has ended."""

    def __init__(self, address: str, owner: int) -> None:
        super().__init__(address, _RunHandler)
        self.owner = owner

    def service_actions(self) -> None:
        super().service_actions()
        if os.getppid() != self.owner:
            raise SystemExit


def _serve(address: str, owner: int) -> None:
    # Ctrl-C is meant for the runs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = _RunServer(address, owner)
        # In a thread, as a process cannot raise its priority again once it has lowered it.
        with ThreadPoolExecutor(1, initializer=_lower_priority) as thread:
            thread.submit(_import_libraries).result()
        # Otherwise garbage collection in runs would touch, and so copy, all of this memory.
        gc.freeze()
        server.serve_forever()
    finally:
        shutil.rmtree(Path(address).parent)


def _lower_priority() -> None:
    """Let the UI start first where it competes with this thread."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _import_libraries() -> None:
    for library in LIBRARIES:
        import_module(library)
    from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches

    # MLflow inspects all installed packages before it logs its first model.
    warn_dependency_requirement_mismatches(["mlflow"])


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
