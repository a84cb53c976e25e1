"""Spark configuration for each place where Spark may run."""

import os
import sys

import pytest

from forecasting_assets import spark_versions
from forecasting_assets.cli.servers import start_spark_server
from forecasting_assets.runtime import spark_server
from forecasting_assets.runtime.spark_conf import added_conf, jvm_environment, spark_conf
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


def test_what_others_have_configured_is_kept_except_what_results_depend_on():
    existing = {
        "spark.master": "spark://head:7077",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "Asia/Tokyo",
    }
    added = added_conf(existing, {"spark.sql.adaptive.enabled": "true", "spark.executor.memory": "8g"})
    assert added["spark.sql.session.timeZone"] == "UTC"
    assert added["spark.executor.memory"] == "8g"
    assert not {"spark.master", "spark.sql.adaptive.enabled", PARTITIONS} & set(added)


def test_an_existing_jvm_gets_the_partitions_of_its_own_master():
    assert added_conf({"spark.master": "local[3]"}, {})[PARTITIONS] == "3"
    assert added_conf({"spark.master": "local[3]"}, {PARTITIONS: "7"})[PARTITIONS] == "7"
    assert PARTITIONS not in added_conf({"spark.master": "local[3]", PARTITIONS: "9"}, {})


def test_options_of_a_jvm_that_runs_already_are_not_added():
    assert not {"spark.driver.memory", "spark.remote"} & set(
        added_conf({}, {"spark.driver.memory": "8g", "spark.remote": "sc://elsewhere"})
    )


def test_the_server_of_spark_submit_is_used_instead_of_the_settings(monkeypatch):
    monkeypatch.setenv("SPARK_REMOTE", "sc://submitted")
    assert spark_conf(SparkSettings())["spark.remote"] == "sc://submitted"
    assert spark_conf(SparkSettings(remote="sc://head"))["spark.remote"] == "sc://submitted"


@pytest.mark.parametrize(
    ("version", "remote", "started"),
    [((4, 0), None, True), ((3, 5), None, False), ((4, 3), "sc://head:15002", False)],
)
def test_a_warm_server_is_started_where_it_asks_for_a_token(monkeypatch, version, remote, started):
    monkeypatch.setattr(spark_versions, "spark_version", lambda: version)
    servers: list[str] = []
    monkeypatch.setattr(spark_server, "start_server", servers.append)
    start_spark_server(SparkSettings(remote=remote))
    assert bool(servers) == started
