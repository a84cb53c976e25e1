"""The warm process, what becomes of its forks, and the health of runs, without Dagster's daemon."""

import logging
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import WorkerStatus
from dagster._daemon.monitoring.run_monitoring import monitor_started_run
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import serialize_value

from devtools.servers import wait_until
from forecasting_assets.runtime.orphans import PROCESS, process_tag
from forecasting_assets.runtime.run_launcher import WarmRunLauncher

KEEP = """
import os, time
from forecasting_assets.runtime.run_launcher_process import WARM_PYTHON, keep_warm
keep_warm()
print(os.environ[WARM_PYTHON], flush=True)
time.sleep(600)
"""


@contextmanager
def warm():
    """Start a process that owns a warm process; provide it and the address of the warm process."""
    with subprocess.Popen([sys.executable, "-c", KEEP], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        address = Path(owner.stdout.readline().strip())
        wait_until(address.exists, 60, "the warm process")
        yield owner, address
        owner.kill()


@contextmanager
def launcher(**processes: str | None):
    """Provide a run launcher whose instance has a started run for each of `processes`."""
    with dg.DagsterInstance.ephemeral() as instance:
        for name, process in processes.items():
            tags = {} if process is None else {PROCESS: process}
            instance.add_run(
                dg.DagsterRun(job_name="any", run_id=name, status=dg.DagsterRunStatus.STARTED, tags=tags)
            )
        launcher = WarmRunLauncher()
        launcher.register_instance(instance)
        yield launcher, instance


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux only")
def test_a_fork_without_a_request_does_nothing_and_the_warm_process_ends_with_its_owner():
    with warm() as (owner, address):
        for request in (b"", b"cut off"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(address))
                fork = int(connection.makefile().readline())
                os.kill(fork, 0)
                connection.sendall(request)
            wait_until(partial(ended, fork), 30, "the end of the fork")
        owner.send_signal(signal.SIGKILL)
        wait_until(lambda: not address.parent.exists(), 30, "the end of the warm process")


def test_forks_start_without_modules_of_the_platform():
    program = "import sys, forecasting_assets.runtime.run_launcher_process; print(*sys.modules)"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours = {name for name in completed.stdout.split() if name.startswith("forecasting_assets")}
    assert ours <= {
        "forecasting_assets",
        "forecasting_assets.runtime",
        "forecasting_assets.runtime.run_launcher_process",
    }


def test_another_process_that_got_the_id_of_a_fork_is_not_interrupted():
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
        launcher(one=process_tag(other.pid)[PROCESS]) as (warm_launcher, _),
    ):
        assert not warm_launcher.terminate("one")
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0


def test_only_a_run_whose_process_on_this_machine_has_ended_is_unhealthy():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = socket.gethostname()
    processes = {
        "alive": f"{here}:{os.getpid()}",
        "ended": f"{here}:{ended.pid}",
        "elsewhere": f"{here}-2:{ended.pid}",
        "unknown": None,
        "not_yet_known": "",
    }
    with launcher(**processes) as (warm_launcher, instance):
        assert warm_launcher.supports_check_run_worker_health
        health = {
            run.run_id: warm_launcher.check_run_worker_health(run).status for run in instance.get_runs()
        }
    assert health == dict.fromkeys(processes, WorkerStatus.RUNNING) | {"ended": WorkerStatus.FAILED}


class CodeLocation:
    """A code location that has some runs, or does not answer."""

    def __init__(self, *runs: str, answers: bool = True) -> None:
        self.runs, self.answers = runs, answers

    def can_cancel_execution(self, request: CanCancelExecutionRequest) -> str:
        if not self.answers:
            raise DagsterUserCodeUnreachableError("no answer")
        return serialize_value(CanCancelExecutionResult(can_cancel=request.run_id in self.runs))


@pytest.mark.parametrize(
    ("location", "unhealthy"),
    [
        (CodeLocation("elsewhere", "not_yet_known"), set()),
        (CodeLocation("not_yet_known"), {"elsewhere"}),
        (CodeLocation(), {"elsewhere", "not_yet_known"}),
        (CodeLocation(answers=False), set()),
    ],
)
def test_a_run_that_its_code_location_does_not_have_is_unhealthy(monkeypatch, location, unhealthy):
    processes = {
        "alive": f"{socket.gethostname()}:{os.getpid()}",
        "elsewhere": "code:1",
        "not_yet_known": None,
    }
    with launcher(**processes) as (warm_launcher, instance):
        monkeypatch.setattr(warm_launcher, "_get_grpc_client_for_termination", lambda run_id: location)
        health = {
            run.run_id: warm_launcher.check_run_worker_health(run).status for run in instance.get_runs()
        }
    assert {run for run, status in health.items() if status == WorkerStatus.FAILED} == unhealthy


@pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux only")
def test_dagsters_monitoring_fails_a_run_whose_process_has_ended():
    with warm() as (_, address), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        pid = int(connection.makefile().readline())
        with launcher(killed=process_tag(pid)[PROCESS]) as (warm_launcher, instance):
            instance._run_launcher = warm_launcher

            def status() -> dg.DagsterRunStatus:
                (record,) = instance.get_run_records()
                workspace: Any = None  # runs of one machine need none
                monitor_started_run(instance, workspace, record, logging.getLogger("test"))
                return instance.get_run_by_id("killed").status

            assert status() == dg.DagsterRunStatus.STARTED
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: status() == dg.DagsterRunStatus.FAILURE, 30, "the failure of the run")
            (failed,) = instance.all_logs("killed", dg.DagsterEventType.RUN_FAILURE)
            assert f"process {pid} " in failed.message
