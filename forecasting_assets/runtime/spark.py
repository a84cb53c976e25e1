"""The Spark session of a run: dagster-pyspark's lazy resource with the configuration the platform relies on.

A run attaches to the warm server that `forecasting-assets dev` keeps (spark_server.py), if there is one and as
long as it answers; otherwise it opens a session of its own, and its tag `forecasting/spark` says so.
"""

import functools
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dagster as dg
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from forecasting_assets.settings import SparkSettings

#: Environment variable with the address of the warm server.
WARM_SERVER = "FORECASTING_SPARK_SERVER"
#: Environment variable with the id of the session there that runs share.
WARM_SESSION = "FORECASTING_SPARK_SESSION"
#: Run tag: where the run's Spark work is done.
SPARK_TAG = "forecasting/spark"
_CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Pages are written with checksums: a damaged one is an error, never a wrong number.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
}


def spark_conf(settings: "SparkSettings") -> dict[str, str]:
    """The configuration of sessions, and of the JVM that runs them where it is ours."""
    if settings.remote:
        # The server's JVM is not ours to set up; what sessions say of Hadoop goes without its prefix.
        session = {name.removeprefix("spark.hadoop."): value for name, value in _CONF.items()}
        return session | {"spark.remote": settings.remote} | settings.conf
    log4j = resources.files("forecasting_assets.runtime") / "log4j2.properties"
    jvm = {
        "spark.master": settings.master,
        "spark.app.name": "forecasting-assets",
        "spark.driver.memory": "4g",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{log4j} -XX:+UseParallelGC",
        # A table is staged before it is published, so its files need not be moved twice.
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if cores := local_cores(settings.master):
        # How many a cluster has is not known here: Spark's default then, or what the settings say.
        jvm["spark.sql.shuffle.partitions"] = str(cores)
        # A job of its own to list the folders of many weeks costs more than it saves where all cores are here.
        jvm["spark.sql.sources.parallelPartitionDiscovery.threshold"] = "10000"
    return _CONF | jvm | settings.conf


def local_cores(master: str) -> int | None:
    """How many cores of this machine a master such as `local[4]` takes; None if it is a cluster's."""
    found = re.fullmatch(r"local(?:\[(\*|\d+)(?:,.*)?\])?", master)
    if found is None:
        return None
    return (os.cpu_count() or 1) if found[1] == "*" else int(found[1] or 1)


def jvm_environment(settings: "SparkSettings") -> dict[str, str]:
    """What the environment of a JVM of ours must say."""
    if local_cores(settings.master) is None:
        # The machines of a cluster may have theirs elsewhere.
        return {"PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable)}
    # Python workers would otherwise take the first interpreter on the PATH; and a laptop without a name server
    # cannot resolve its own host name.
    return {
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
    }


class Spark(dg.ConfigurableResource):
    """A session that opens when an asset first asks for it: warm, local, on a cluster, or through Spark Connect."""

    conf: dict[str, str]
    environment: dict[str, str]

    _context: Any = PrivateAttr(default=None)
    _warm: Any = PrivateAttr(default=None)
    _own: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: "SparkSettings") -> "Spark":
        return cls(
            conf=spark_conf(settings), environment={} if settings.remote else jvm_environment(settings)
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._context = context

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        self._leave()

    @property
    def spark_session(self) -> "SparkSession":
        if self._warm is not None and self.lost():
            self._leave()
            self._say(f"{self._home}, as the Spark server ended during the run", loud=True)
        elif self._warm is None and self._own is None:
            self._attach()
        return self._warm or self._open()

    def lost(self) -> bool:
        """Whether the warm server that the session is attached to has ended."""
        return self._warm is not None and not _answers(os.environ[WARM_SERVER])

    @property
    def _home(self) -> str:
        return self.conf.get("spark.remote") or self.conf["spark.master"]

    def _attach(self) -> None:
        server = os.environ.get(WARM_SERVER)
        if server is None:
            self._say(self._home)
        elif session := _connect(server, self.conf):
            self._warm = session
            # By which this run's queries are told from those of others in the session that runs share.
            session.addTag(self._context.run.run_id)
            # What a run that was killed had cached may be of files that have been replaced since.
            session.catalog.clearCache()
            self._say(server)
        else:
            self._say(f"{self._home}, as the Spark server {server} does not answer", loud=True)

    def _open(self) -> "SparkSession":
        from dagster_pyspark import LazyPySparkResource

        if self._own is None:
            os.environ |= self.environment
            self._own = LazyPySparkResource(spark_config=self.conf)
        return self._own.spark_session

    def _leave(self) -> None:
        """Go from a server, without anything left running there; a JVM of ours serves later runs as well."""
        if self._warm is not None:
            if not self.lost():
                self._warm.interruptTag(self._context.run.run_id)
            _close(self._warm, release=False)
            self._warm = None
        elif self._own is not None and "spark.remote" in self.conf:
            _close(self._own.spark_session, release=True)
            self._own = None

    def _say(self, where: str, loud: bool = False) -> None:
        if loud:
            self._context.log.warning(f"This run uses a Spark session of its own: {where}")
        self._context.instance.add_run_tags(self._context.run.run_id, {SPARK_TAG: where})


def outliving_server(function: Callable[..., None]) -> Callable[..., None]:
    """`function(…, spark=…)`, done again with a session of the run's own if the warm server ends meanwhile."""

    @functools.wraps(function)
    def attempt(*arguments: Any, **named: Any) -> None:
        try:
            function(*arguments, **named)
        except Exception:
            spark = named.get("spark")
            if not (isinstance(spark, Spark) and spark.lost()):
                raise
            function(*arguments, **named)

    return attempt


def _answers(server: str) -> bool:
    address = urlsplit(server)
    try:
        with socket.create_connection((address.hostname, address.port), timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def attached(server: str) -> Iterator["SparkSession | None"]:
    """The session at `server` that runs share, for as long as the block lasts; None if it does not answer."""
    session = _connect(server, _CONF)
    try:
        yield session
    finally:
        if session is not None:
            _close(session, release=False)


def _connect(server: str, conf: dict[str, str]) -> "SparkSession | None":
    """The session at `server` that runs share; None if it does not answer."""
    if not _answers(server):
        return None
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy

    session = SparkSession.builder.remote(f"{server}/;session_id={os.environ[WARM_SESSION]}").getOrCreate()
    # By default a server that has ended is waited for for ten minutes.
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
    """Go from the server of `session`; `release` to end the session there too."""
    session.release_session_on_close = release
    session.stop()
    # PySpark would go on to make remote plans.
    os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
