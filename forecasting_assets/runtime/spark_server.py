"""Spark Connect server on this machine that keeps a JVM warm for runs; they find it through the environment.

Run as a program, this module warms the server up, so that not even the first run waits for classes to load.
"""

import os
import secrets
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from forecasting_assets.runtime.spark import WARM_SERVER, WARM_SESSION, attached
from forecasting_assets.runtime.spark_conf import jvm_environment, spark_conf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from forecasting_assets.settings import SparkSettings

#: Generated code is cached per session, and compiling it again is most of the cost of small queries: runs share one
#: session. Its plan cache is off, as it would remember files that runs replace.
_SHARED_SESSION = {
    "spark.sql.codegen.cache.maxEntries": "2000",
    "spark.connect.session.planCache.maxSize": "0",
    "spark.connect.session.manager.defaultSessionTimeout": "-1",
}
if sys.platform == "linux":  # on macOS importing even NumPy before a fork is risky
    _SHARED_SESSION["spark.python.daemon.module"] = "forecasting_assets.runtime.spark_daemon"
_SERVER_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
# Ends the server once no process holds the other end of its standard input. A JVM keeps ignoring the signals that
# were ignored when it started, so SIGTERM is not always enough.
_RUN_WHILE_STDIN_IS_OPEN = (
    'python=$1; shift; "$@" </dev/null & server=$!; '
    '"$python" -m forecasting_assets.runtime.spark_server </dev/null 2>/dev/null & warming=$!; '
    "cat; kill $warming 2>/dev/null; kill $server; sleep 10; kill -9 $server 2>/dev/null"
)
#: Seconds to wait for a server to answer before warm-up is abandoned.
_PATIENCE = 120


def start_server(settings: "SparkSettings") -> None:
    """Start a server and put its address, session and token into the environment.

    It answers some seconds later, and ends with the current process, however that ends and even if it is replaced
    by `exec`.
    """
    import pyspark

    port, token = _free_port(), secrets.token_hex(16)
    conf = (
        _SHARED_SESSION
        | spark_conf(settings)
        | {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
        }
    )
    options = [argument for name, value in conf.items() for argument in ("--conf", f"{name}={value}")]
    submit = [str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--class", _SERVER_CLASS, *options]
    # Not on the command line, which other users can read.
    os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = token
    # Without TLS, Spark accepts a token for `localhost` only.
    os.environ[WARM_SERVER] = f"sc://localhost:{port}"
    os.environ[WARM_SESSION] = str(uuid.uuid4())
    server_end, our_end = os.pipe()
    subprocess.Popen(
        ["sh", "-c", _RUN_WHILE_STDIN_IS_OPEN, "spark-server", sys.executable, *submit],
        stdin=server_end,
        env=os.environ | jvm_environment(settings),
        # Ctrl-C is meant for the runs; the server ends after them.
        start_new_session=True,
    )
    os.close(server_end)
    os.set_inheritable(our_end, True)


def warm_up(server: str) -> None:
    """Wait for `server` and exercise what runs use: Python workers, a shuffle, Parquet."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with attached(server) as session:
            if session is not None:
                _exercise(session)
                return
        time.sleep(1)


def _exercise(session: "SparkSession") -> None:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    schema = "part STRING, units DOUBLE"
    rows = session.createDataFrame([(f"P{n % 7}", float(n)) for n in range(100)], schema)
    rows = rows.mapInArrow(lambda batches: batches, schema)
    recent = Window.partitionBy("part").orderBy("units").rowsBetween(-3, 0)
    sums = rows.groupBy("part").agg(F.sum("units").alias("sum"), F.countDistinct("units").alias("values"))
    joined = rows.withColumn("recent", F.avg("units").over(recent)).join(sums, "part")
    with TemporaryDirectory() as folder:
        joined.repartition("part").write.partitionBy("part").mode("overwrite").parquet(folder)
        session.read.schema("units DOUBLE, sum DOUBLE, part STRING").parquet(folder).groupBy(
            "part"
        ).count().collect()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    # If warming up fails, the first run warms the server up.
    with suppress(Exception):
        warm_up(os.environ[WARM_SERVER])
