"""Spark's own servers on this machine: a standalone cluster, Spark Connect."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.servers import free_port, listening, wait_until

_MINUTE = 60


@dataclass(frozen=True)
class Cluster:
    """A standalone cluster of two workers with one core each.

    Attributes
    ----------
    master
        Its address.
    page
        Port of the master's web page.
    folder
        Where the workers keep files and logs of applications.
    """

    master: str
    page: int
    folder: Path

    def state(self) -> dict[str, Any]:
        """What the master knows; nothing while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/json/", timeout=5) as answer:
                state: dict[str, Any] = json.load(answer)
                return state
        except OSError:
            return {}

    def finished(self) -> dict[str, Any]:
        """The one application that has ended; asserts that both workers had executors for it."""
        (application,) = wait_until(
            lambda: self.state()["completedapps"], _MINUTE, "the end of the application"
        )
        assert application["state"] == "FINISHED"
        for name in ("first", "second"):
            executors = list((self.folder / name / application["id"]).iterdir())
            assert any((executor / "stderr").stat().st_size for executor in executors)
        return dict(application)


@contextmanager
def cluster(spark_home: Path, folder: Path, **environment: str) -> Iterator[Cluster]:
    """Run a cluster of the PySpark in `spark_home` for as long as the block lasts."""
    port, page = free_port(), free_port()
    running_cluster = Cluster(f"spark://127.0.0.1:{port}", page, folder)
    spark_class, deploy = str(spark_home / "bin" / "spark-class"), "org.apache.spark.deploy"
    with ExitStack() as servers:
        place = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page)]
        master = [spark_class, f"{deploy}.master.Master", *place]
        servers.enter_context(_running(master, folder / "master.log", environment))
        for name in ("first", "second"):
            size = ["--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(folder / name)]
            worker = [
                spark_class,
                f"{deploy}.worker.Worker",
                "--host",
                "127.0.0.1",
                *size,
                running_cluster.master,
            ]
            servers.enter_context(_running(worker, folder / f"{name}.log", environment))
        wait_until(lambda: running_cluster.state().get("aliveworkers") == 2, 2 * _MINUTE, "the cluster")
        yield running_cluster


@contextmanager
def connect_server(spark_home: Path, folder: Path, **environment: str) -> Iterator[str]:
    """Run a Spark Connect server with two cores for as long as the block lasts, and provide its address."""
    port = free_port()
    options = ["spark.connect.grpc.binding.address=127.0.0.1", f"spark.connect.grpc.binding.port={port}"]
    # Spark's default of 200 is for clusters that are larger.
    options += ["spark.ui.enabled=false", "spark.sql.shuffle.partitions=4"]
    server = [str(spark_home / "bin" / "spark-submit"), "--master", "local[2]"]
    server += [argument for option in options for argument in ("--conf", option)]
    server += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    with _running(server, folder / "connect.log", environment):
        wait_until(lambda: listening(port), 2 * _MINUTE, "the Spark Connect server")
        yield f"sc://127.0.0.1:{port}"


@contextmanager
def _running(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("w") as out:
        # A group of its own, so that a worker's executors end with it.
        server = subprocess.Popen(
            command,
            env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", **environment},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(server.pid, 9)
        server.wait(30)
