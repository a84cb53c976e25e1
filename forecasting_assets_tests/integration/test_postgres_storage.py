"""Dagster's storage in PostgreSQL: what runs write can be read back, and connections are kept open."""

import dagster as dg
import pytest
import sqlalchemy

from devtools.postgresql import HOST, postgresql, programs

pytest.importorskip("dagster_postgres")
pytestmark = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")

DAYS = dg.StaticPartitionsDefinition(["mon", "tue"])
CONFIGURATION = """
storage:
  custom:
    module: {module}
    class: {name}
    config:
      postgres_db:
        scheme: postgresql+psycopg2
        hostname: {host}
        port: {port}
        username: {user}
        db_name: dagster
"""


@dg.asset(partitions_def=DAYS)
def counted() -> int:
    return 1


def sessions(server) -> int:
    """Return how many connections to Dagster's database have ended or are open, of all time."""
    engine = sqlalchemy.create_engine(server.url("postgres"))
    with engine.connect() as connection:
        text = sqlalchemy.text("SELECT sessions FROM pg_stat_database WHERE datname = 'dagster'")
        count: int = connection.execute(text).scalar_one()
    engine.dispose()
    return count


def instance_of(server, folder, module: str, name: str) -> dg.DagsterInstance:
    text = CONFIGURATION.format(module=module, name=name, host=HOST, port=server.port, user=server.user)
    folder.mkdir(exist_ok=True)
    (folder / "dagster.yaml").write_text(text)
    return dg.DagsterInstance.from_config(str(folder))


def materialize(instance) -> list[str]:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return [
        dg.materialize([counted], instance=instance, partition_key=day, run_config=quiet).run_id
        for day in ("mon", "tue")
    ]


def test_runs_and_events_are_in_the_database_and_few_connections_are_made(tmp_path):
    ours = "forecasting_assets.runtime.postgres_storage", "PostgresStorage"
    with postgresql(["dagster"]) as server:
        with instance_of(server, tmp_path / "ours", *ours) as instance:
            begin = sessions(server)
            runs = materialize(instance)
            made = sessions(server) - begin
        with instance_of(
            server, tmp_path / "dagster", "dagster_postgres", "DagsterPostgresStorage"
        ) as instance:
            begin = sessions(server)
            materialize(instance)
            assert made * 10 < sessions(server) - begin
        with instance_of(server, tmp_path / "ours", *ours) as instance:
            assert {run.run_id for run in instance.get_runs()} >= set(runs)
            assert set(instance.get_materialized_partitions(dg.AssetKey("counted"))) == {"mon", "tue"}
            server.restart()
            assert len(instance.all_logs(runs[0])) > 10  # the connection that was open is replaced
