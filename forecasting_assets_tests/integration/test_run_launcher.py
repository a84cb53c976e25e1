"""The process that runs are forked from, and what becomes of those it forks, without Dagster's daemon."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from forecasting_assets.runtime.orphans import process_tag
from forecasting_assets.runtime.run_launcher import WarmRunLauncher
from forecasting_assets_tests.server import wait_until

KEEP = """
import os, time
from forecasting_assets.runtime.run_launcher_process import WARM_PYTHON, keep_warm
keep_warm()
print(os.environ[WARM_PYTHON], flush=True)
time.sleep(600)
"""


@contextmanager
def warm():
    """Whoever keeps the process, and its address."""
    with subprocess.Popen([sys.executable, "-c", KEEP], stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        address = Path(keeper.stdout.readline().strip())
        wait_until(address.exists, 60, "the process that runs are forked from")
        yield keeper, address
        keeper.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux only")
def test_a_fork_that_is_told_nothing_does_nothing_and_all_end_with_whoever_keeps_them():
    with warm() as (keeper, address):
        for told in (b"", b'{"cut off'):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(address))
                fork = int(connection.makefile().readline())
                os.kill(fork, 0)
                connection.sendall(told)
            wait_until(lambda fork=fork: not Path(f"/proc/{fork}").exists(), 30, "the end of the fork")
        keeper.send_signal(signal.SIGKILL)
        wait_until(lambda: not address.parent.exists(), 30, "the end of the process")


def test_forks_begin_with_none_of_the_platform():
    program = "import sys, forecasting_assets.runtime.run_launcher_process; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours = {name for name in told.stdout.split() if name.startswith("forecasting_assets")}
    assert ours <= {
        "forecasting_assets",
        "forecasting_assets.runtime",
        "forecasting_assets.runtime.run_launcher_process",
    }


def test_another_process_with_the_number_of_a_run_is_left_alone():
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        tags, started = process_tag(other.pid), dg.DagsterRunStatus.STARTED
        instance.add_run(dg.DagsterRun(job_name="any", run_id="one", status=started, tags=tags))
        launcher = WarmRunLauncher()
        launcher.register_instance(instance)
        assert not launcher.terminate("one")
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0
