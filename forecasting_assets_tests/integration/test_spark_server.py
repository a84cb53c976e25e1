"""The warm Spark server that `forecasting-assets dev` keeps for its runs."""

import os
import signal
import socket
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from devtools.servers import listening, wait_until
from forecasting_assets.runtime.spark_daemon import LIBRARIES

pytestmark = pytest.mark.spark

KEEP = """
import os, signal, time
# Whatever signals the process that runs the tests ignores.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
from forecasting_assets.runtime.spark_server import start_server
from forecasting_assets.settings import load_settings
start_server(load_settings().spark)
print(os.environ["FORECASTING_SPARK_SERVER"], flush=True)
time.sleep(600)
"""


def bound_addresses(port: int) -> set[str]:
    """Return the local addresses on which something listens on the port, from /proc (Linux)."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, number = local.split(":")
            if int(number, 16) == port and state == "0A":  # listening
                words = [
                    int(address[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(address), 8)
                ]
                bound = ip_address(b"".join(words))
                # The JVM's sockets take IPv4 and IPv6 alike, with IPv4 addresses mapped.
                found.add(str(getattr(bound, "ipv4_mapped", None) or bound))
    assert found, f"nothing listens on port {port}"
    return found


@pytest.mark.parametrize("how", [pytest.param(signal.SIGTERM, marks=pytest.mark.matrix), signal.SIGKILL])
def test_the_server_listens_on_this_machine_only_and_ends_with_its_owner(tmp_path, how):
    environment = {**os.environ, "FORECASTING_HOME": str(tmp_path), "FORECASTING__SPARK__MASTER": "local[2]"}
    owner = subprocess.Popen([sys.executable, "-c", KEEP], env=environment, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    port = int(owner.stdout.readline().rpartition(":")[2])
    wait_until(lambda: listening(port), 90, "the Spark server")
    others = {address[4][0] for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    assert not any(listening(port, str(other)) for other in others if not str(other).startswith("127."))
    if sys.platform == "linux":  # also where the name of this machine has no other address
        assert bound_addresses(port) <= {"127.0.0.1", "::1"}
    owner.send_signal(how)
    owner.wait(30)
    wait_until(lambda: not listening(port), 60, "the end of the Spark server")


IMPORTED = """
from os import environ
from forecasting_assets.runtime.spark import attached
from forecasting_assets.runtime.spark_server import start_server, warm_up
from forecasting_assets.settings import load_settings

def modules(batches):
    import sys
    import pyarrow as pa
    yield pa.RecordBatch.from_pydict({"name": list(sys.modules)})

start_server(load_settings().spark)
warm_up(environ["FORECASTING_SPARK_SERVER"])
with attached(environ["FORECASTING_SPARK_SERVER"]) as session:
    rows = session.range(1).mapInArrow(modules, "name STRING").collect()
    print(*(row.name for row in rows))
"""


@pytest.mark.matrix
def test_its_workers_start_with_the_libraries_of_tasks_and_without_modules_of_the_platform(tmp_path):
    environment = {**os.environ, "FORECASTING_HOME": str(tmp_path), "FORECASTING__SPARK__MASTER": "local[2]"}
    completed = subprocess.run(
        [sys.executable, "-c", IMPORTED], env=environment, capture_output=True, text=True, check=True
    )
    modules = set(completed.stdout.split())
    assert set(LIBRARIES) <= modules
    ours = {name for name in modules if name.startswith("forecasting_assets")}
    assert ours <= {"forecasting_assets", "forecasting_assets.runtime"}
