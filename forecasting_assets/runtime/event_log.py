"""Dagster's event log in SQLite, its databases kept open: a range of weeks makes thousands of events.

Dagster opens the database anew for each event and waits for the disk two to four times. Kept open, and waiting for
the disk only when SQLite writes its journal back, an event costs an eighth. Should the power fail, the newest
events are lost, but no database is damaged; what was made of a week is in the lake. `instance_class` in
dagster.yaml names the instance.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData


class EventLog(SqliteEventLogStorage):
    """Events in the files they always had, through one connection to the index and one to the newest run."""

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
            for other in self._engines.keys() - {INDEX_SHARD_NAME, shard}:
                self._engines.pop(other).dispose()
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=db.QueuePool,
                pool_size=1,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
            db.event.listen(engine, "connect", _wait_less)
            self._initdb(engine)
            self._engines[shard] = engine
        return self._engines[shard]

    def has_table(self, table_name: str) -> bool:
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)  # and it stays; it is asked for with each materialization
        return table_name in self._tables

    def wipe(self) -> None:
        self._close()
        super().wipe()

    def dispose(self) -> None:
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _wait_less(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


class Storage(DagsterSqliteStorage):
    """Dagster's storage in DAGSTER_HOME with this event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = EventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "Storage":
        return cls.from_local(inst_data=inst_data, **config_value)


class Instance(dg.DagsterInstance):
    """Dagster's instance, with this storage where dagster.yaml names no other."""

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        return {}

    @staticmethod
    def config_defaults(base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        defaults = InstanceRef.config_defaults(base_dir)
        theirs = defaults["storage"]
        assert theirs is not None
        ours = {
            "storage": ConfigurableClassData(__name__, "Storage", theirs.config_yaml),
            "run_launcher": ConfigurableClassData(
                "forecasting_assets.runtime.run_launcher", "WarmRunLauncher", "{}\n"
            ),
        }
        return {**defaults, **ours}
