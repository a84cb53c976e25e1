"""Spark configuration for each place where Spark may run."""

import os
import sys

import pytest

from forecasting_assets.runtime.spark import jvm_environment, spark_conf
from forecasting_assets.settings import SparkSettings

PARTITIONS = "spark.sql.shuffle.partitions"
CHECKSUMS = "parquet.page.verify-checksum.enabled"


@pytest.mark.parametrize(
    ("master", "cores"),
    [
        ("local", 1),
        ("local[3]", 3),
        ("local[3,2]", 3),
        ("local[*]", os.cpu_count()),
        ("local[*, 2]", os.cpu_count()),
    ],
)
def test_a_local_master_has_as_many_shuffle_partitions_as_cores(master, cores):
    assert spark_conf(SparkSettings(master=master))[PARTITIONS] == str(cores)


def test_nothing_about_this_machine_is_passed_to_a_cluster(monkeypatch):
    monkeypatch.setenv("PYSPARK_PYTHON", "/opt/python/bin/python")
    settings = SparkSettings(master="spark://head:7077")
    assert PARTITIONS not in spark_conf(settings)
    assert jvm_environment(settings) == {"PYSPARK_PYTHON": "/opt/python/bin/python"}
    assert jvm_environment(SparkSettings())["PYSPARK_PYTHON"] == sys.executable


def test_pages_are_verified_wherever_spark_is():
    # Sessions on a server take Hadoop's options by their own names, without a prefix.
    assert spark_conf(SparkSettings())[f"spark.hadoop.{CHECKSUMS}"] == "true"
    assert spark_conf(SparkSettings(remote="sc://head:15002"))[CHECKSUMS] == "true"


def test_the_settings_override_everything_else():
    for where in ({"master": "local[2]"}, {"master": "yarn"}, {"remote": "sc://head:15002"}):
        assert spark_conf(SparkSettings(conf={PARTITIONS: "7"}, **where))[PARTITIONS] == "7"
