"""One Spark Connect server on this machine, so that runs find a warm JVM. Runs know of it by the environment."""

import os
import secrets
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from forecasting_assets.resources.spark import WARM_SERVER, jvm_environment, spark_conf

if TYPE_CHECKING:
    from forecasting_assets.settings import SparkSettings

_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
# Ends the server once nobody holds the other end of its standard input any more; a JVM ignores what ignored
# signals it was started with, so that asking is not always enough.
_WHILE_READ = '"$@" </dev/null & server=$!; cat; kill $server; sleep 10; kill -9 $server 2>/dev/null'


def start_server(settings: "SparkSettings") -> None:
    """Start a server that ends with this process, whatever ends it and even if it is replaced by `exec`.

    Its address and the token it asks for are put into the environment. It answers a few seconds later.
    """
    import pyspark

    port, token = _free_port(), secrets.token_hex(16)
    conf = spark_conf(settings) | {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    options = [argument for name, value in conf.items() for argument in ("--conf", f"{name}={value}")]
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    # Not on the command line, which others can read.
    os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = token
    held, ours = os.pipe()
    subprocess.Popen(
        ["sh", "-c", _WHILE_READ, "spark-server", str(submit), "--class", _CLASS, *options],
        stdin=held,
        env=os.environ | jvm_environment(settings),
        # Ctrl-C is for the runs; the server goes when they are gone.
        start_new_session=True,
    )
    os.close(held)
    os.set_inheritable(ours, True)
    # A token is taken without TLS from `localhost` only.
    os.environ[WARM_SERVER] = f"sc://localhost:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
