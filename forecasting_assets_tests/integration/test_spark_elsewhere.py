"""The same assets on a Spark cluster and through Spark Connect, by settings alone: the same rows as on this machine."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
import pandas as pd
import pyspark
import pytest

from devtools.model_cache import forget_fits
from devtools.servers import free_port, listening, wait_until
from forecasting_assets.features.build import feature_columns
from forecasting_assets.runtime.spark import SPARK_TAG
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, REJECTED_ORDERS, SARIMAX_MODEL, WEEKLY_DEMAND
from forecasting_assets_tests.support.homes import PLANNED, rows

pytestmark = [pytest.mark.spark, pytest.mark.matrix]

SPARK = Path(pyspark.__file__).parent / "bin"
#: Those that Spark makes.
TABLES = [RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS, WEEKLY_DEMAND, feature_columns(6), SARIMAX_MODEL]
WEEKS = PLANNED[-2:]


@contextmanager
def running(*command: str, log: Path) -> Iterator[None]:
    """A server of Spark, for as long as the block lasts."""
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    with log.open("w") as out:
        # A group of its own, so that a worker's executors end with it.
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(server.pid, 9)
        server.wait(30)


@pytest.fixture
def emptied(home_copy):
    """A copy of the home without the weeks that are to be made, and what was learnt from them."""
    forget_fits(home_copy.path)
    for table in TABLES:
        for week in WEEKS:
            shutil.rmtree(home_copy.path / "lake" / table.name / f"week={week}")
    return home_copy


def materialize(home, **settings: str) -> None:
    tool = Path(sys.executable).parent / "forecasting-assets"
    span = ["--from", str(WEEKS[0]), "--to", str(WEEKS[-1])]
    done = subprocess.run(
        [tool, "materialize", "--select", "+key:sarimax_model", *span],
        env={**os.environ, "FORECASTING_HOME": str(home.path), "SPARK_LOCAL_IP": "127.0.0.1", **settings},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-5000:]


def spark_of_last_run(home) -> str:
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        return instance.get_runs(limit=1)[0].tags[SPARK_TAG]


def assert_same_rows(home, other) -> None:
    for table in TABLES:
        for week in WEEKS:
            here, there = rows(home, table, week), rows(other, table, week)
            pd.testing.assert_frame_equal(here, there, rtol=1e-9, atol=0)


def test_a_cluster_of_two_workers_makes_the_same_rows(home, emptied, tmp_path):
    port, page = free_port(), free_port()
    master = f"spark://127.0.0.1:{port}"
    spark_class, deploy = str(SPARK / "spark-class"), "org.apache.spark.deploy"

    def told() -> dict:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{page}/json/", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return {}

    with ExitStack() as cluster:
        place = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page)]
        log = tmp_path / "master.log"
        cluster.enter_context(running(spark_class, f"{deploy}.master.Master", *place, log=log))
        for name in ("first", "second"):
            size = ["--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(tmp_path / name)]
            worker = [spark_class, f"{deploy}.worker.Worker", "--host", "127.0.0.1", *size, master]
            cluster.enter_context(running(*worker, log=tmp_path / f"{name}.log"))
        wait_until(lambda: told().get("aliveworkers") == 2, 60, "the cluster")
        # Spark's default of 200 partitions is for clusters that are larger.
        few = json.dumps({"spark.sql.shuffle.partitions": "4"})
        materialize(emptied, FORECASTING__SPARK__MASTER=master, FORECASTING__SPARK__CONF=few)
        (application,) = wait_until(lambda: told()["completedapps"], 30, "the end of the application")
    assert (application["name"], application["state"]) == ("forecasting-assets", "FINISHED")
    for name in ("first", "second"):
        executors = list((tmp_path / name / application["id"]).iterdir())
        assert executors
        assert any((executor / "stderr").stat().st_size for executor in executors)
    assert spark_of_last_run(emptied) == master
    assert_same_rows(home, emptied)


def test_spark_connect_makes_the_same_rows(home, emptied, tmp_path):
    port = free_port()
    remote = f"sc://127.0.0.1:{port}"
    options = ["spark.connect.grpc.binding.address=127.0.0.1", f"spark.connect.grpc.binding.port={port}"]
    server = [str(SPARK / "spark-submit"), "--master", "local[2]"]
    server += [argument for option in [*options, "spark.ui.enabled=false"] for argument in ("--conf", option)]
    server += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    with running(*server, log=tmp_path / "connect.log"):
        wait_until(lambda: listening(port), 60, "the Spark Connect server")
        materialize(emptied, FORECASTING__SPARK__REMOTE=remote)
    assert spark_of_last_run(emptied) == remote
    assert_same_rows(home, emptied)
