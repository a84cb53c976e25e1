"""The Spark session of tests that need one beside the platform's runs."""

import os
from typing import TYPE_CHECKING

from forecasting_assets.runtime.spark_conf import jvm_environment, spark_conf
from forecasting_assets.settings import SparkSettings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def spark_session(settings: SparkSettings) -> "SparkSession":
    """Return the session of this process; it is opened as the platform does, whose later runs here use it too."""
    from pyspark.sql import SparkSession

    os.environ |= jvm_environment(settings)
    return SparkSession.builder.config(map=dict(spark_conf(settings))).getOrCreate()
