"""The platform started by others: by spark-submit from a packed environment, and in the session of another program."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import dagster as dg
import pyspark
import pytest

from forecasting_assets.runtime.spark import SPARK_TAG
from forecasting_assets.tables import RAW_ORDERS
from forecasting_assets_tests.support.homes import PLANNED, Home, rows
from forecasting_assets_tests.support.spark_cluster import cluster

pytestmark = [pytest.mark.spark, pytest.mark.matrix]

PROJECT = Path(__file__).parents[2]
SPARK_HOME = Path(pyspark.__path__[0])
WEEK = PLANNED[-1]
#: A program with a session of its own, in which it runs the platform.
PROGRAM = """
import sys
from pyspark.sql import SparkSession
from forecasting_assets.cli import main
spark = SparkSession.builder.master("local[1]").config("spark.sql.session.timeZone", "Asia/Tokyo").getOrCreate()
spark.conf.set("spark.sql.adaptive.enabled", "false")
code = main(sys.argv[1:])
print("after", code, spark.conf.get("spark.sql.session.timeZone"), spark.conf.get("spark.sql.adaptive.enabled"))
"""


@pytest.fixture
def emptied(home_copy) -> Home:
    """A copy of the home without the raw orders of a week."""
    shutil.rmtree(home_copy.path / "lake" / RAW_ORDERS.name / f"week={WEEK}")
    return home_copy


def made(home: Home, *command: str, **environment: str) -> str:
    """What a command prints that makes the raw orders of the week."""
    week = ["--from", str(WEEK), "--to", str(WEEK)]
    done = subprocess.run(
        [*command, "materialize", "--select", "raw_orders", *week],
        env={**os.environ, "FORECASTING_HOME": str(home.path), "SPARK_LOCAL_IP": "127.0.0.1", **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def spark_of_last_run(home: Home) -> str:
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        return instance.get_runs(limit=1)[0].tags[SPARK_TAG]


def same_orders(home: Home, other: Home) -> bool:
    return rows(home, RAW_ORDERS, WEEK).equals(rows(other, RAW_ORDERS, WEEK))


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """What `make dist` makes."""
    folder = tmp_path_factory.mktemp("dist")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(PROJECT),
    ]
    subprocess.run(pip, check=True)
    (wheel,) = folder.glob("*.whl")
    archive = folder / "forecasting-assets-environment.tar.gz"
    pack = ["sh", str(PROJECT / "deploy" / "pack-environment.sh"), sys.executable, str(wheel), str(archive)]
    subprocess.run(pack, check=True, cwd=PROJECT)
    for script in ("spark_submit.py", "aws/glue_job.py"):
        shutil.copy(PROJECT / "deploy" / script, folder)
    return folder


def test_spark_submit_runs_on_its_master_with_the_packed_environment(home, emptied, dist, tmp_path):
    # A Python that has nothing of the platform, here and on the workers.
    python = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    bare = {"PATH": f"{python.parent}:/usr/bin:/bin", "PYTHONPATH": "", "SPARK_HOME": str(SPARK_HOME)}
    missing = subprocess.run(
        [python, "-c", "import forecasting_assets"], env=bare, cwd="/", capture_output=True
    )
    assert b"ModuleNotFoundError" in missing.stderr
    archive = dist / "forecasting-assets-environment.tar.gz"
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "driver", filter="fully_trusted")
    with cluster(SPARK_HOME, tmp_path, **bare) as there:
        submit = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", there.master, "--name", "weekly plan"]
        submit += ["--archives", f"{archive}#environment", "--conf", "spark.sql.shuffle.partitions=4"]
        made(
            emptied,
            *submit,
            str(dist / "spark_submit.py"),
            **bare,
            PYSPARK_DRIVER_PYTHON=str(tmp_path / "driver" / "bin" / "python"),
            PYSPARK_PYTHON="./environment/bin/python",
            # The settings say otherwise.
            FORECASTING__SPARK__MASTER="local[1]",
        )
        assert there.finished()["name"] == "weekly plan"
    assert spark_of_last_run(emptied) == there.master
    assert same_orders(home, emptied)


def test_the_session_of_another_program_is_used_and_left_as_it_was(home, emptied):
    said = made(emptied, sys.executable, "-c", PROGRAM, PYSPARK_PYTHON=sys.executable)
    assert "after 0 Asia/Tokyo false" in said
    assert spark_of_last_run(emptied) == "local[1]"
    assert same_orders(home, emptied)
