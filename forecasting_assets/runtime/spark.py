"""Spark session of a run: dagster-pyspark's lazy resource with the configuration the platform relies on.

A run attaches to the warm server of `forecasting-assets dev` (spark_server.py) if there is one and it answers;
otherwise it opens its own session. The run's tag `forecasting/spark` names the server or master.
"""

import functools
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import dagster as dg
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from forecasting_assets.settings import SparkSettings

#: Environment variable with the address of the warm server.
WARM_SERVER = "FORECASTING_SPARK_SERVER"
#: Environment variable with the id of the session on that server that runs share.
WARM_SESSION = "FORECASTING_SPARK_SESSION"
#: Run tag with the server or master that does the run's Spark work.
SPARK_TAG = "forecasting/spark"
_Result = TypeVar("_Result")
_CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Pages are written with checksums, so that a damaged one raises an error and never gives a wrong number.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
}


def spark_conf(settings: "SparkSettings") -> dict[str, str]:
    """Return the configuration of sessions, and of the JVM where the platform starts it.

    Parameters
    ----------
    settings
        Section `[spark]`; its `conf` overrides everything else.
    """
    if settings.remote:
        # The server's JVM is configured elsewhere; sessions name Hadoop options without their prefix.
        session = {name.removeprefix("spark.hadoop."): value for name, value in _CONF.items()}
        return session | {"spark.remote": settings.remote} | settings.conf
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
    if cores := local_cores(settings.master):
        # The cores of a cluster are not known here: Spark's default applies, or the settings.
        jvm["spark.sql.shuffle.partitions"] = str(cores)
        # On one machine, listing the folders of many weeks in a Spark job costs more than it saves.
        jvm["spark.sql.sources.parallelPartitionDiscovery.threshold"] = "10000"
    return _CONF | jvm | settings.conf


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


class Spark(dg.ConfigurableResource["Spark"]):
    """Session that opens when an asset first uses it: warm, local, on a cluster or through Spark Connect."""

    conf: dict[str, str]
    environment: dict[str, str]

    _context: Any = PrivateAttr(default=None)
    _warm: Any = PrivateAttr(default=None)
    _own: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: "SparkSettings") -> "Spark":
        """Build the resource from section `[spark]`."""
        return cls(
            conf=spark_conf(settings), environment={} if settings.remote else jvm_environment(settings)
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Keep the context of the run, for its log and tags."""
        self._context = context

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Detach from a server; a JVM of this process is kept for later runs."""
        self._detach()

    @property
    def spark_session(self) -> "SparkSession":
        """The session, opened on first use; the run's own session once the warm server has ended."""
        if self._warm is not None and self.server_lost():
            self._detach()
            self._record(f"{self._own_address}, as the Spark server ended during the run", warn=True)
        elif self._warm is None and self._own is None:
            self._attach()
        return self._warm or self._open()

    def server_lost(self) -> bool:
        """Return whether the warm server that the session is attached to has ended."""
        return self._warm is not None and not answers(os.environ[WARM_SERVER])

    @property
    def _own_address(self) -> str:
        """Server or master of the run's own session."""
        return self.conf.get("spark.remote") or self.conf["spark.master"]

    def _attach(self) -> None:
        server = os.environ.get(WARM_SERVER)
        if server is None:
            self._record(self._own_address)
        elif session := _connect(server, self.conf):
            self._warm = session
            # Marks this run's queries in the session that runs share.
            session.addTag(self._context.run.run_id)
            # A killed run may have left cached files that have been replaced since.
            session.catalog.clearCache()
            self._record(server)
        else:
            self._record(f"{self._own_address}, as the Spark server {server} does not answer", warn=True)

    def _open(self) -> "SparkSession":
        from dagster_pyspark import LazyPySparkResource

        if self._own is None:
            os.environ |= self.environment
            self._own = LazyPySparkResource(spark_config=self.conf)
        session: SparkSession = self._own.spark_session
        return session

    def _detach(self) -> None:
        """Leave a server, without queries of this run still running there."""
        if self._warm is not None:
            if not self.server_lost():
                self._warm.interruptTag(self._context.run.run_id)
            _close(self._warm, release=False)
            self._warm = None
        elif self._own is not None and "spark.remote" in self.conf:
            _close(self._own.spark_session, release=True)
            self._own = None

    def _record(self, address: str, warn: bool = False) -> None:
        if warn:
            self._context.log.warning(f"This run uses a Spark session of its own: {address}")
        self._context.instance.add_run_tags(self._context.run.run_id, {SPARK_TAG: address})


def retry_if_server_lost(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Wrap `function(…, spark=…)` to run again, with a session of the run's own, if the warm server ends meanwhile."""

    @functools.wraps(function)
    def attempt(*args: Any, **kwargs: Any) -> _Result:
        try:
            return function(*args, **kwargs)
        except Exception:
            spark = kwargs.get("spark")
            if not (isinstance(spark, Spark) and spark.server_lost()):
                raise
            return function(*args, **kwargs)

    return attempt


def answers(server: str) -> bool:
    """Return whether a Spark Connect server accepts connections."""
    address = urlsplit(server)
    try:
        with socket.create_connection((address.hostname, address.port), timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def attached(server: str) -> Iterator["SparkSession | None"]:
    """Provide the shared session at `server` for the duration of the block; None if the server does not answer."""
    session = _connect(server, _CONF)
    try:
        yield session
    finally:
        if session is not None:
            _close(session, release=False)


def _connect(server: str, conf: dict[str, str]) -> "SparkSession | None":
    """Return the shared session at `server`, or None if the server does not answer."""
    if not answers(server):
        return None
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy

    session = SparkSession.builder.remote(f"{server}/;session_id={os.environ[WARM_SESSION]}").getOrCreate()
    # By default Spark waits ten minutes for a server that has ended.
    session.client.set_retry_policies([DefaultPolicy(max_retries=4, max_backoff=2000)])
    try:
        for name, value in conf.items():
            if name.startswith("spark.sql."):
                session.conf.set(name, value)
    except PySparkException:
        _close(session, release=False)
        return None
    return session


def _close(session: Any, release: bool) -> None:
    """Leave the server of `session`; with `release` the session ends there too."""
    session.release_session_on_close = release
    session.stop()
    # PySpark would otherwise keep building remote plans.
    os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
