"""The Spark session of a run: dagster-pyspark's lazy resource with the configuration the platform relies on."""

import os
import sys
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster_pyspark import LazyPySparkResource

    from forecasting_assets.settings import SparkSettings


def spark_resource(settings: "SparkSettings") -> "LazyPySparkResource":
    """A session that opens when an asset first asks for it: local, on a cluster, or through Spark Connect."""
    from dagster_pyspark import LazyPySparkResource

    conf = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.caseSensitive": "true",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # Pages are written with checksums: a damaged one is an error, never a wrong number.
        "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    }
    if settings.remote:
        conf["spark.remote"] = settings.remote
    else:
        # Python workers would otherwise take the first interpreter on the PATH.
        os.environ["PYSPARK_PYTHON"] = sys.executable
        # A laptop without a name server cannot resolve its own host name.
        if settings.master.startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        log4j = resources.files("forecasting_assets.resources") / "log4j2.properties"
        conf |= {
            "spark.master": settings.master,
            "spark.app.name": "forecasting-assets",
            "spark.driver.memory": "4g",
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{log4j} -XX:+UseParallelGC",
            # A table is staged before it is published, so its files need not be moved twice.
            "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
            "spark.sql.shuffle.partitions": str(os.cpu_count() or 1),
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }
    return LazyPySparkResource(spark_config=conf | settings.conf)
