"""A supervised server ends with its supervisor, whatever ends that and however it was started."""

import os
import signal
import subprocess
import sys
import time

import pytest

#: A server with a child of its own; it prints the numbers of both processes.
SERVER = """
import os, subprocess, sys, time
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getpid(), inner.pid, flush=True)
time.sleep(60)
"""
SUPERVISOR = """
import os, sys
from forecasting_assets.runtime.supervisor import supervise
sys.exit(supervise([sys.executable, "-c", sys.argv[1]], os.environ))
"""


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(reached, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if reached():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(params=["foreground", "background"])
def supervised(request):
    """A supervisor, and its server's processes."""

    def ignore_interrupts() -> None:
        # As a shell that is not interactive starts a process with `&`.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, SERVER],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=ignore_interrupts if request.param == "background" else None,
        start_new_session=True,
    )
    assert process.stdout is not None
    servers = [int(number) for number in process.stdout.readline().split()]
    yield process, servers
    for number in (process.pid, *servers):
        if alive(number):
            os.kill(number, signal.SIGKILL)
    process.wait(10)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_server_ends_with_its_supervisor(supervised, number):
    process, servers = supervised
    assert all(map(alive, servers))
    os.kill(process.pid, number)
    assert wait_until(lambda: not any(map(alive, servers)))
    assert process.wait(30) == (-signal.SIGKILL if number == signal.SIGKILL else 0)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_server_that_ends_ends_its_supervisor(supervised):
    process, servers = supervised
    os.kill(servers[0], signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
