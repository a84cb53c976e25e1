"""Dagster's PostgreSQL storage with its connections kept open, as a range of weeks writes thousands of events.

Dagster opens a connection for each event outside its webserver. A dagster.yaml names `PostgresStorage` as its
`storage`; it takes the configuration of Dagster's own (deploy/docker/dagster.yaml). Needs the extra `postgres`.
"""

from typing import Any

from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config

#: Seconds after which a connection is replaced, as firewalls drop connections that are idle for long.
_RECYCLE = 1800
#: Connections in addition to the one that is kept, for the threads of the daemon.
_OVERFLOW = 20


class PostgresStorage(DagsterPostgresStorage):
    """Runs, events and schedules in PostgreSQL, with one open connection for each of the three."""

    def __init__(self, *arguments: Any, **configuration: Any) -> None:
        super().__init__(*arguments, **configuration)
        provider = configuration.get("token_provider")
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = create_pg_engine(
                self.postgres_url,
                provider,
                isolation_level="AUTOCOMMIT",
                pool_size=1,
                max_overflow=_OVERFLOW,
                pool_recycle=_RECYCLE,
                pool_pre_ping=True,  # the database may have been restarted
            )

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "PostgresStorage":
        """Build the storage that a dagster.yaml describes."""
        return cls(
            postgres_url=pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
            token_provider=get_token_provider_from_config(config_value),
        )
