"""The job script of AWS Glue as Glue runs it: by spark-submit, in the packed environment, with all in a bucket."""

import os
import subprocess
import tarfile
from datetime import timedelta

import pytest

from forecasting_assets_tests.faults.harness import assert_same_lake, every_table
from forecasting_assets_tests.integration.test_object_store import moved
from forecasting_assets_tests.integration.test_spark_elsewhere import PYTHON, spark_home
from forecasting_assets_tests.integration.test_spark_submit import dist as dist
from forecasting_assets_tests.support.homes import PLANNED
from forecasting_assets_tests.support.object_store import server as server
from forecasting_assets_tests.support.object_store import store as store

pytestmark = [pytest.mark.spark, pytest.mark.matrix]

WEEK = PLANNED[-1]


@pytest.fixture
def submit(dist, tmp_path):
    """Submit the script with arguments; return exit code and output."""
    with tarfile.open(dist / "forecasting-assets-environment.tar.gz") as packed:
        packed.extractall(tmp_path / "environment", filter="fully_trusted")
    python, spark = str(tmp_path / "environment" / "bin" / "python"), spark_home(PYTHON)
    place = {"PYTHONPATH": "", "SPARK_HOME": str(spark), "SPARK_LOCAL_IP": "127.0.0.1"}
    place |= {"PYSPARK_DRIVER_PYTHON": python, "PYSPARK_PYTHON": python}

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [
                str(spark / "bin" / "spark-submit"),
                *["--master", "local[2]", "--conf", "spark.sql.shuffle.partitions=4"],
                str(dist / "glue_job.py"),
                # What Glue itself adds.
                *[
                    "--JOB_NAME",
                    "forecasting",
                    "--JOB_RUN_ID",
                    "jr_1",
                    "--TempDir",
                    "s3://shop/tmp",
                    "--job-language",
                    "python",
                ],
                *arguments,
            ],
            env={**os.environ, **place},
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout

    return run


def test_glue_makes_the_newest_closed_week_in_a_bucket(home, store, submit, tmp_path):
    there = moved(home, store, tmp_path / "home", lambda table: True)
    store.upload_file(str(there.path / "forecasting.toml"), "shop", "forecasting.toml")
    command = ["--command", f"backfill --resume --closed-before {WEEK + timedelta(days=7)}"]
    settings = ["--settings", "s3://shop/forecasting.toml"]
    code, said = submit(*command, *settings)
    assert code == 0, said[-5000:]
    assert_same_lake(home, there, [WEEK], every_table(home))
    code, said = submit(*command, *settings)
    assert (code, "every week is fresh" in said) == (0, True), said[-5000:]
    code, said = submit("--command", "backfill --from 1999-01-04 --to 1999-01-05", *settings)
    assert (code != 0, "CommandFailedError" in said) == (True, True), said[-5000:]
