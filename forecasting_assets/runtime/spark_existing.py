"""Spark that others have started: spark-submit, or a program that runs the platform in its own session."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from forecasting_assets.runtime.spark_conf import added_conf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Applications that runs of this process have started themselves.
_OWN_APPLICATIONS: set[str] = set()


def submitted_conf() -> dict[str, str] | None:
    """Return what spark-submit has configured, or None if it did not start this process."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    from pyspark import SparkConf, SparkContext

    # Connects to the JVM of spark-submit, from whose properties SparkConf is filled.
    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


def existing_session() -> "SparkSession | None":
    """Return the session of this process if the platform did not open it."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    context = SparkContext._active_spark_context
    if context is None:
        return SparkSession.getActiveSession()  # one of Spark Connect has no context
    return None if context.applicationId in _OWN_APPLICATIONS else SparkSession.builder.getOrCreate()


def remember_as_own(session: "SparkSession") -> None:
    """Remember that the platform opened the session, if it has a JVM in this process."""
    from pyspark import SparkContext

    if SparkContext._active_spark_context is not None:
        _OWN_APPLICATIONS.add(session.sparkContext.applicationId)


class BorrowedSession:
    """A session that another program has opened; it gets back what was changed for a run.

    Parameters
    ----------
    session
        The session.
    conf
        `[spark.conf]` of the settings, for what the program has not set.
    """

    def __init__(self, session: "SparkSession", conf: Mapping[str, str]) -> None:
        self.session = session
        existing = {row["key"]: row["value"] for row in session.sql("SET").collect()}
        added = {
            name: value
            for name, value in added_conf(existing, conf).items()
            if session.conf.isModifiable(name)
        }
        self._before = {name: existing.get(name) for name in added}
        for name, value in added.items():
            session.conf.set(name, value)

    def give_back(self) -> None:
        """Restore the configuration of the session."""
        for name, value in self._before.items():
            if value is None:
                self.session.conf.unset(name)
            else:
                self.session.conf.set(name, value)
