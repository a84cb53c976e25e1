"""Dagster's SQLite event log with its databases kept open, as a range of weeks writes thousands of events.

Dagster reopens the database for each event and waits for the disk two to four times. With the database kept
open, and waiting for the disk only when SQLite checkpoints its journal, an event costs an eighth. A power failure
may lose the newest events but damages no database; what was computed for a week is in the lake.

`instance_class` in dagster.yaml names `Instance`. This module alone uses Dagster's private storage classes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

#: The database of all runs; each run has its own database next to it.
_INDEX = "index"
#: Seconds to wait for another process that is writing.
_BUSY_TIMEOUT = 30


class EventLog(SqliteEventLogStorage):
    """Event log in Dagster's own files, with one open connection to the index and one to the latest run."""

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, db.Engine] = {}
        self._tables: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _engine(self, shard: str) -> db.Engine:
        if shard not in self._engines:
            for other in self._engines.keys() - {_INDEX, shard}:
                self._engines.pop(other).dispose()
            engine = db.create_engine(
                self.conn_string_for_shard(shard),
                poolclass=db.QueuePool,
                pool_size=1,
                connect_args={"timeout": _BUSY_TIMEOUT},
            )
            db.event.listen(engine, "connect", _sync_at_checkpoints_only)
            self._initdb(engine)
            self._engines[shard] = engine
        return self._engines[shard]

    def has_table(self, table_name: str) -> bool:
        """Return whether the index has a table; Dagster asks at every materialization."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)  # tables are never dropped
        return table_name in self._tables

    def wipe(self) -> None:
        """Delete all events."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close all databases."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _sync_at_checkpoints_only(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


class Storage(DagsterSqliteStorage):
    """Dagster's SQLite storage in DAGSTER_HOME with `EventLog` as its event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = EventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "Storage":
        """Build the storage that a dagster.yaml describes."""
        return cls.from_local(inst_data=inst_data, **config_value)


class Instance(dg.DagsterInstance):
    """Dagster's instance with the platform's storage and run launcher where dagster.yaml names no others."""

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        """Return the schema of additional configuration, which is empty."""
        return {}

    @staticmethod
    def config_defaults(base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        """Return the classes that are used unless dagster.yaml names others."""
        defaults = InstanceRef.config_defaults(base_dir)
        dagster_storage = defaults["storage"]
        assert dagster_storage is not None
        return {
            **defaults,
            "storage": ConfigurableClassData(__name__, "Storage", dagster_storage.config_yaml),
            "run_launcher": ConfigurableClassData(
                "forecasting_assets.runtime.run_launcher", "WarmRunLauncher", "{}\n"
            ),
        }
