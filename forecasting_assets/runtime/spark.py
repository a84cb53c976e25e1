"""Spark session of a run: dagster-pyspark's lazy resource with the configuration the platform relies on.

A run attaches to the warm server of `forecasting-assets dev` (spark_server.py) if there is one and it answers.
Otherwise it borrows the session of the program that it is part of (spark_existing.py), or opens its own, with the
configuration of spark-submit if that started it. The run's tag `forecasting/spark` names the server or master.
"""

import functools
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import dagster as dg
from pydantic import PrivateAttr

from forecasting_assets.runtime.spark_conf import (
    SESSION_CONF,
    added_conf,
    jvm_environment,
    remote_address,
    spark_conf,
)
from forecasting_assets.runtime.spark_existing import (
    BorrowedSession,
    existing_session,
    remember_as_own,
    submitted_conf,
)

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


class Spark(dg.ConfigurableResource["Spark"]):
    """Session that opens when an asset first uses it: warm, local, on a cluster or through Spark Connect."""

    conf: dict[str, str]
    #: `[spark.conf]` of the settings, which is part of `conf` too.
    conf_of_settings: dict[str, str]
    environment: dict[str, str]

    _context: Any = PrivateAttr(default=None)
    _warm: Any = PrivateAttr(default=None)
    _borrowed: Any = PrivateAttr(default=None)
    _own: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: "SparkSettings") -> "Spark":
        """Build the resource from section `[spark]`."""
        return cls(
            conf=spark_conf(settings),
            conf_of_settings=settings.conf,
            environment={} if remote_address(settings) else jvm_environment(settings),
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Keep the context of the run, for its log and tags."""
        self._context = context

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Detach from a server or borrowed session; a JVM of this process is kept for later runs."""
        self._detach()

    @property
    def spark_session(self) -> "SparkSession":
        """The session, opened on first use; the run's own session once the warm server has ended."""
        if self._warm is not None and self.server_lost():
            self._detach()
            self._open(", as the Spark server ended during the run")
        elif self._warm is None and self._borrowed is None and self._own is None:
            self._attach()
        session: SparkSession
        if self._warm is not None:
            session = self._warm
        elif self._borrowed is not None:
            session = self._borrowed.session
        else:
            session = self._own.spark_session
        return session

    def server_lost(self) -> bool:
        """Return whether the warm server that the session is attached to has ended."""
        return self._warm is not None and not answers(os.environ[WARM_SERVER])

    def _attach(self) -> None:
        server = os.environ.get(WARM_SERVER)
        if server is None:
            self._open()
        elif session := _connect(server, self.conf):
            self._warm = session
            # Marks this run's queries in the session that runs share.
            session.addTag(self._context.run.run_id)
            # A killed run may have left cached files that have been replaced since.
            session.catalog.clearCache()
            self._record(server)
        else:
            self._open(f", as the Spark server {server} does not answer")

    def _open(self, reason: str = "") -> None:
        """Borrow or open a session; `reason` is why the run does not use the warm server, if it should."""
        from dagster_pyspark import LazyPySparkResource

        if existing := existing_session():
            self._record(existing.conf.get("spark.master", None) or "Spark Connect", reason)
            self._borrowed = BorrowedSession(existing, self.conf_of_settings)
            return
        conf, environment = self.conf, self.environment
        if (submitted := submitted_conf()) is not None:
            conf = added_conf(submitted, self.conf_of_settings)
            environment = {"PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable)}
            self._record(submitted["spark.master"], reason)
        else:
            # Parameters may hold a token.
            self._record(conf.get("spark.remote", "").partition("/;")[0] or conf["spark.master"], reason)
        os.environ |= environment
        self._own = LazyPySparkResource(spark_config=conf)
        remember_as_own(self._own.spark_session)

    def _detach(self) -> None:
        """Leave a server, without queries of this run still running there."""
        if self._warm is not None:
            if not self.server_lost():
                self._warm.interruptTag(self._context.run.run_id)
            _close(self._warm, release=False)
            self._warm = None
        elif self._borrowed is not None:
            self._borrowed.give_back()
            self._borrowed = None
        elif self._own is not None and "spark.remote" in self.conf:
            _close(self._own.spark_session, release=True)
            self._own = None

    def _record(self, address: str, reason: str = "") -> None:
        if reason:
            self._context.log.warning(f"This run uses a Spark session of its own: {address}{reason}")
        self._context.instance.add_run_tags(self._context.run.run_id, {SPARK_TAG: f"{address}{reason}"})


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
    session = _connect(server, SESSION_CONF)
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
