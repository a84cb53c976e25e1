"""The warm Spark server that `forecasting-assets dev` keeps for its runs."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from forecasting_assets_tests.server import listening, wait_until

pytestmark = pytest.mark.spark

KEEP = """
import os, signal, time
# Whatever the process that runs the tests has been told to ignore.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
from forecasting_assets.resources.spark_server import start_server
from forecasting_assets.settings import load_settings
start_server(load_settings().spark)
print(os.environ["FORECASTING_SPARK_SERVER"], flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_listens_at_home_only_and_ends_with_whoever_keeps_it(tmp_path, how):
    environment = {**os.environ, "FORECASTING_HOME": str(tmp_path), "FORECASTING__SPARK__MASTER": "local[2]"}
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEP], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert keeper.stdout is not None
    port = int(keeper.stdout.readline().rpartition(":")[2])
    wait_until(lambda: listening(port), 90, "the Spark server")
    others = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    assert not any(listening(port, str(other)) for other in others if not str(other).startswith("127."))
    keeper.send_signal(how)
    keeper.wait(30)
    wait_until(lambda: not listening(port), 60, "the end of the Spark server")
