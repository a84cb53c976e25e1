"""Configuration of Spark: of sessions and JVMs that the platform starts, and what it adds to those of others."""

import os
import re
import sys
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forecasting_assets.settings import SparkSettings

#: What results depend on: set in every session, also in one that others have configured.
REQUIRED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
}
#: Set in sessions that the platform opens.
SESSION_CONF = {
    **REQUIRED,
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Pages are written with checksums, so that a damaged one raises an error and never gives a wrong number.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
}
#: Decided where a JVM is started: options of a JVM that runs already would do nothing.
_OF_THE_JVM = ("spark.driver.", "spark.master", "spark.remote")


def remote_address(settings: "SparkSettings") -> str | None:
    """Return the Spark Connect server to use: that of `spark-submit --remote`, else that of the settings."""
    return os.environ.get("SPARK_REMOTE") or settings.remote


def spark_conf(settings: "SparkSettings") -> dict[str, str]:
    """Return the configuration of sessions, and of the JVM where the platform starts it.

    Parameters
    ----------
    settings
        Section `[spark]`; its `conf` overrides everything else.
    """
    if remote := remote_address(settings):
        # The server's JVM is configured elsewhere; sessions name Hadoop options without their prefix.
        session = {name.removeprefix("spark.hadoop."): value for name, value in SESSION_CONF.items()}
        return session | {"spark.remote": remote} | settings.conf
    log4j = resources.files("forecasting_assets.runtime") / "log4j2.properties"
    jvm = {
        "spark.master": settings.master,
        "spark.app.name": "forecasting-assets",
        "spark.driver.memory": "4g",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{log4j} -XX:+UseParallelGC",
        # The lake stages tables before it publishes them, so Spark need not move their files a second time.
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    return SESSION_CONF | jvm | _of_local_master(settings.master) | settings.conf


def added_conf(existing: Mapping[str, str], of_settings: Mapping[str, str]) -> dict[str, str]:
    """Return what the platform adds to a configuration that spark-submit or another program has made.

    Parameters
    ----------
    existing
        The configuration that exists. It is kept, except for `REQUIRED`.
    of_settings
        `[spark.conf]` of the settings.
    """
    ours = SESSION_CONF | _of_local_master(existing.get("spark.master", "")) | dict(of_settings)
    missing = {
        name: value
        for name, value in ours.items()
        if name not in existing and not name.startswith(_OF_THE_JVM)
    }
    return missing | REQUIRED


def _of_local_master(master: str) -> dict[str, str]:
    """Return what suits one machine; for a cluster, whose cores are not known here, Spark's defaults apply."""
    cores = local_cores(master)
    if cores is None:
        return {}
    return {
        "spark.sql.shuffle.partitions": str(cores),
        # On one machine, listing the folders of many weeks in a Spark job costs more than it saves.
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",
    }


def local_cores(master: str) -> int | None:
    """Return the number of cores that a master such as `local[4]` uses, or None for a cluster."""
    match = re.fullmatch(r"local(?:\[(\*|\d+)(?:,.*)?\])?", master)
    if match is None:
        return None
    return (os.cpu_count() or 1) if match[1] == "*" else int(match[1] or 1)


def jvm_environment(settings: "SparkSettings") -> dict[str, str]:
    """Return the environment variables that a JVM started by the platform needs."""
    if local_cores(settings.master) is None:
        # Python may be in another place on the machines of a cluster.
        return {"PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable)}
    # Without these, Python workers use the first interpreter on the PATH, and a laptop without a name server cannot
    # resolve its own host name.
    return {
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
    }
