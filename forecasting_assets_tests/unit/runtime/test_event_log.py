"""Event log: what runs write can be read back, also by Dagster's own storage."""

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage

from forecasting_assets.runtime.dagster_home import prepare_home
from forecasting_assets.runtime.event_log import EventLog

DAYS = dg.StaticPartitionsDefinition(["mon", "tue", "wed"])


@dg.asset(partitions_def=DAYS)
def counted() -> int:
    return 1


@dg.asset_check(asset=counted)
def positive() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def materialized(instance: dg.DagsterInstance) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey("counted")))


def test_events_are_where_dagster_looks_for_them(tmp_path):
    home = str(prepare_home(tmp_path))
    with dg.DagsterInstance.from_config(home) as instance:
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        runs = [
            dg.materialize([counted, positive], instance=instance, partition_key=day).run_id
            for day in ("mon", "tue")
        ]
        assert materialized(instance) == {"mon", "tue"}
        # The database of the newest run is open, that of an older one is opened again.
        written = {run: [entry.message for entry in log.get_logs_for_run(run)] for run in runs}
        assert all("Finished execution of run" in messages[-1] for messages in written.values())
    assert not list(tmp_path.rglob("*-wal"))
    dagster_log = SqliteEventLogStorage(log._base_dir)
    assert {run: [entry.message for entry in dagster_log.get_logs_for_run(run)] for run in runs} == written
    with dg.DagsterInstance.from_config(home) as instance:
        assert materialized(instance) == {"mon", "tue"}
        instance.delete_run(runs[0])
        instance.wipe()
        assert materialized(instance) == set()
        dg.materialize([counted, positive], instance=instance, partition_key="wed")
        assert materialized(instance) == {"wed"}
