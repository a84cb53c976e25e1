"""All assets on Spark in other places and of other versions, by settings alone: the same rows as on this machine.

`SPARK_PYTHON` is the Python whose PySpark is tested, by default the one that runs the tests, and `SPARK_SERVER_PYTHON`
the one whose Spark Connect server is used: make test-spark.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from devtools.model_cache import forget_fits
from forecasting_assets.orchestration.runs import materialize as materialize_here
from forecasting_assets.runtime.spark import SPARK_TAG
from forecasting_assets.tables import XGB_MODEL
from forecasting_assets_tests.faults.harness import assert_same_lake, every_table
from forecasting_assets_tests.support.homes import PLANNED, Home, rows
from forecasting_assets_tests.support.spark_cluster import cluster, connect_server

pytestmark = [pytest.mark.spark, pytest.mark.matrix]

PYTHON = os.environ.get("SPARK_PYTHON", sys.executable)
#: PySpark 3.5 comes without a server of Spark Connect, but can use one of 4.0.
SERVER_PYTHON = os.environ.get("SPARK_SERVER_PYTHON", PYTHON)
WEEKS = PLANNED[-3:]


def spark_home(python: str) -> Path:
    """The folder of PySpark in an environment."""
    folder = "import pyspark; print(pyspark.__path__[0])"
    found = subprocess.run([python, "-c", folder], text=True, check=True, stdout=subprocess.PIPE)
    return Path(found.stdout.strip())


def emptied(home: Home, path: Path) -> Home:
    """A copy of the home without three weeks and what was learnt from them; Spark's tasks train XGBoost together."""
    copy = home.copy(path)
    forget_fits(copy.path)
    for week in WEEKS:
        for folder in (copy.path / "lake").glob(f"*/week={week}"):
            shutil.rmtree(folder)
    with (copy.path / "forecasting.toml").open("a") as file:
        file.write("xgb_distributed_rows = 500\n")
    return copy


@pytest.fixture(scope="module")
def expected(home, tmp_path_factory) -> Home:
    """The three weeks as the locked version makes them on this machine."""
    made = emptied(home, tmp_path_factory.mktemp("expected") / "home")
    assert materialize_here(made.settings, WEEKS)
    assert set(rows(made, XGB_MODEL, WEEKS[-1])["method"]) == {"xgb"}
    return made


def materialize(home: Home, **settings: str) -> None:
    """Make the three weeks with the PySpark that is tested."""
    span = ["--from", str(WEEKS[0]), "--to", str(WEEKS[-1])]
    done = subprocess.run(
        [PYTHON, "-m", "forecasting_assets", "materialize", *span],
        env={**os.environ, "FORECASTING_HOME": str(home.path), "SPARK_LOCAL_IP": "127.0.0.1", **settings},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-5000:]


def spark_of_last_run(home) -> str:
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        return instance.get_runs(limit=1)[0].tags[SPARK_TAG]


def assert_same_weeks(expected: Home, made: Home) -> None:
    assert_same_lake(expected, made, WEEKS, every_table(expected))


def test_this_machine_makes_the_same_rows(home, expected, tmp_path):
    made = emptied(home, tmp_path / "home")
    materialize(made)
    assert_same_weeks(expected, made)


def test_a_cluster_of_two_workers_makes_the_same_rows(home, expected, tmp_path):
    made = emptied(home, tmp_path / "home")
    # Spark's default of 200 partitions is for clusters that are larger.
    few = json.dumps({"spark.sql.shuffle.partitions": "4"})
    with cluster(spark_home(PYTHON), tmp_path) as there:
        materialize(
            made,
            PYSPARK_PYTHON=PYTHON,
            FORECASTING__SPARK__MASTER=there.master,
            FORECASTING__SPARK__CONF=few,
        )
        assert there.finished()["name"] == "forecasting-assets"
    assert spark_of_last_run(made) == there.master
    assert_same_weeks(expected, made)


def test_spark_connect_makes_the_same_rows(home, expected, tmp_path):
    made = emptied(home, tmp_path / "home")
    with connect_server(spark_home(SERVER_PYTHON), tmp_path, PYSPARK_PYTHON=SERVER_PYTHON) as remote:
        materialize(made, FORECASTING__SPARK__REMOTE=remote)
    assert spark_of_last_run(made) == remote
    assert_same_weeks(expected, made)
