"""One Spark Connect server on this machine, so that runs find a warm JVM. Runs know of it by the environment.

As a program this module warms the server up, so that not even the first run waits for classes to load.
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

from forecasting_assets.runtime.spark import (
    WARM_SERVER,
    WARM_SESSION,
    attached,
    jvm_environment,
    spark_conf,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from forecasting_assets.settings import SparkSettings

#: Generated code is kept for a session alone, so that runs share one, and compiling it again is most of what small
#: queries cost; what the session knows of files is not kept, as runs replace them.
_SHARED = {
    "spark.sql.codegen.cache.maxEntries": "2000",
    "spark.connect.session.planCache.maxSize": "0",
    "spark.connect.session.manager.defaultSessionTimeout": "-1",
}
if sys.platform == "linux":  # on macOS not even NumPy can be imported before a fork without risk
    _SHARED["spark.python.daemon.module"] = "forecasting_assets.runtime.spark_daemon"
_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
# Ends the server once nobody holds the other end of its standard input any more; a JVM ignores what ignored
# signals it was started with, so that asking is not always enough.
_WHILE_READ = (
    'python=$1; shift; "$@" </dev/null & server=$!; '
    '"$python" -m forecasting_assets.runtime.spark_server </dev/null 2>/dev/null & warming=$!; '
    "cat; kill $warming 2>/dev/null; kill $server; sleep 10; kill -9 $server 2>/dev/null"
)
#: Seconds within which a server answers, or is not warmed up.
_PATIENCE = 120


def start_server(settings: "SparkSettings") -> None:
    """Start a server that ends with this process, whatever ends it and even if it is replaced by `exec`.

    Its address and the token it asks for are put into the environment. It answers a few seconds later.
    """
    import pyspark

    port, token = _free_port(), secrets.token_hex(16)
    conf = (
        _SHARED
        | spark_conf(settings)
        | {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
        }
    )
    options = [argument for name, value in conf.items() for argument in ("--conf", f"{name}={value}")]
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    # Not on the command line, which others can read.
    os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = token
    # A token is taken without TLS from `localhost` only.
    os.environ[WARM_SERVER] = f"sc://localhost:{port}"
    os.environ[WARM_SESSION] = str(uuid.uuid4())
    held, ours = os.pipe()
    subprocess.Popen(
        ["sh", "-c", _WHILE_READ, "spark-server", sys.executable, str(submit), "--class", _CLASS, *options],
        stdin=held,
        env=os.environ | jvm_environment(settings),
        # Ctrl-C is for the runs; the server goes when they are gone.
        start_new_session=True,
    )
    os.close(held)
    os.set_inheritable(ours, True)


def warm_up(server: str) -> None:
    """Once `server` answers, have it do a little of all that runs ask for: Python, a shuffle, Parquet."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
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
        return probe.getsockname()[1]


if __name__ == "__main__":
    # A server that could not be warmed up is one that the first run warms up.
    with suppress(Exception):
        warm_up(os.environ[WARM_SERVER])
