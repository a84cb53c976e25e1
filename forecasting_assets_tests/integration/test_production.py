"""The processes of docker-compose.yaml on this machine: PostgreSQL, an S3 server, MLflow, and Dagster apart."""

import importlib.util
import shutil
from dataclasses import dataclass
from typing import Any

import mlflow
import pytest

from devtools.dev_server import click, ended_run, log_of, query, wait_for_runs
from devtools.postgresql import programs
from devtools.production import BUCKET, Production, production
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, WEEKLY_DEMAND
from forecasting_assets.tracking.client import CHAMPION
from forecasting_assets_tests.faults.harness import assert_same_lake, every_table
from forecasting_assets_tests.integration.test_dev_server import (
    LOCATION,
    RUNS,
    START_SENSOR,
    backfill,
    outcome,
    runs,
    started,
    states,
)
from forecasting_assets_tests.support.homes import PLANNED, SETTINGS, WEEKS, Home, rows
from forecasting_assets_tests.support.object_store import client, keys, upload

pytestmark = [
    pytest.mark.spark,
    pytest.mark.matrix,
    pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed"),
    pytest.mark.skipif(
        not importlib.util.find_spec("dagster_postgres") or not importlib.util.find_spec("dagster_aws"),
        reason="needs the extras postgres and aws",
    ),
]

WEEK = PLANNED[-1]
#: Places of a home in the bucket, as docker-compose.yaml has them.
PLACES = {
    "landing/orders": "orders",
    "landing/network": "network",
    "landing/planning": "planning",
    "lake": "lake",
}
TOML = """
[orders]
landing = "s3://forecasting/orders"
index = "s3://forecasting/state/landing.db"
quarantine = "s3://forecasting/state/quarantine"
[network]
path = "s3://forecasting/network"
[planning]
path = "s3://forecasting/planning"
[lake]
path = "s3://forecasting/lake"
"""
CHAIN = ["raw_orders", "clean_orders", "weekly_demand"]


@dataclass(frozen=True)
class Served:
    """A home whose places are in a bucket, the processes that serve it, and a client of the bucket."""

    home: Home
    processes: Production
    s3: Any


@pytest.fixture(scope="module")
def served(home, tmp_path_factory):
    """Provide all weeks of the home but what was made of the newest, in production."""
    folder = tmp_path_factory.mktemp("production")
    path = folder / "home"
    path.mkdir()
    (path / "forecasting.toml").write_text(SETTINGS + TOML)
    with production(path, folder, {}) as processes, pytest.MonkeyPatch.context() as patch:
        for name, value in processes.environment["code"].items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        s3 = client(processes.store, "s3")
        newest = shutil.ignore_patterns(f"week={WEEK}")
        shutil.copytree(home.path / "lake", folder / "lake", ignore=newest)
        for here, there in PLACES.items():
            upload(s3, folder / here if here == "lake" else home.path / here, there, BUCKET)
        yield Served(Home(path, home.known), processes, s3)


def test_a_click_makes_the_week_as_on_one_machine(home, served):
    processes = served.processes
    run = click(processes.address, list(freshness_of(served.home.settings).pipeline), str(WEEK))
    assert ended_run(processes.address, run)["status"] == "SUCCESS", log_of(processes.address, run)
    assert_same_lake(home, served.home, [WEEK], every_table(home))
    registry = mlflow.MlflowClient(processes.mlflow, processes.mlflow)
    for model in ("sarimax_model", "xgb_model"):
        assert registry.get_model_version_by_alias(model, CHAMPION).status == "READY"
    assert keys(served.s3, "models/", BUCKET)
    assert keys(served.s3, "dagster-logs/", BUCKET)


def test_the_sensor_and_a_backfill_make_weeks(home, served):
    address, early, touched = served.processes.address, WEEKS[20:22], WEEK
    line = rows(home, CLEAN_ORDERS, touched).assign(order_id="late").drop(columns="week")[:1]
    served.s3.put_object(Bucket=BUCKET, Key="orders/late.csv", Body=line.to_csv(index=False).encode())
    sensor = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
    query(address, START_SENSOR, sensor={**sensor, "sensorName": "new_orders_sensor"})
    requested = backfill(address, ["clean_orders", "weekly_demand"], early)

    def of_the_sensor() -> list[dict]:
        return runs(address, "dagster/sensor_name", "new_orders_sensor")

    wait_for_runs(address, of_the_sensor, "a run requested by the sensor")
    assert outcome(address, requested) == "COMPLETED_SUCCESS"
    wait_for_runs(
        address, lambda: all(run["endTime"] for run in of_the_sensor()), "the end of the sensor's run"
    )
    assert {run["status"] for run in of_the_sensor()} == {"SUCCESS"}
    assert served.home.lake.rows(RAW_ORDERS, touched) == home.lake.rows(RAW_ORDERS, touched) + 1
    assert_same_lake(home, served.home, early, [CLEAN_ORDERS, WEEKLY_DEMAND])
    assert states(served.home, "weekly_demand", [*early, touched]) == ["fresh"] * 3


def test_a_run_fails_when_its_code_location_is_killed_and_succeeds_when_it_is_repeated(home, served):
    processes, week = served.processes, WEEKS[40]
    run = click(processes.address, CHAIN, str(week))
    started(processes.address, run)
    processes.kill("code")
    processes.start("code")
    assert ended_run(processes.address, run)["status"] == "FAILURE"
    assert "ended unexpectedly" in log_of(processes.address, run)
    again = click(processes.address, CHAIN, str(week))
    assert ended_run(processes.address, again)["status"] == "SUCCESS", log_of(processes.address, again)
    assert_same_lake(home, served.home, [week], [RAW_ORDERS, CLEAN_ORDERS, WEEKLY_DEMAND])
    assert states(served.home, "weekly_demand", [week]) == ["fresh"]


def test_a_backup_restores_databases_and_files_and_weeks_stay_fresh(served, tmp_path):
    processes, s3 = served.processes, served.s3
    services, databases = ["daemon", "webserver", "code", "mlflow"], ["dagster", "mlflow"]
    before = freshness_of(served.home.settings).status()
    known = [run["runId"] for run in query(processes.address, RUNS)["results"]]
    mlflow.MlflowClient(processes.mlflow).create_registered_model("kept")
    for service in services:
        processes.kill(service)

    for database in databases:
        file = str(tmp_path / f"{database}.dump")
        processes.database.run("pg_dump", "--format", "custom", "--file", file, database)
    for key in keys(s3, bucket=BUCKET):
        (tmp_path / "bucket" / key).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(BUCKET, key, str(tmp_path / "bucket" / key))
        s3.delete_object(Bucket=BUCKET, Key=key)
    for database in databases:
        processes.database.run("dropdb", database)
    assert not keys(s3, bucket=BUCKET)

    for database in databases:
        processes.database.run("createdb", database)
        processes.database.run("pg_restore", "--dbname", database, str(tmp_path / f"{database}.dump"))
    for folder in (tmp_path / "bucket").iterdir():
        upload(s3, folder, folder.name, BUCKET)
    processes.start_all(reversed(services))

    assert freshness_of(served.home.settings).status() == before
    assert [run["runId"] for run in query(processes.address, RUNS)["results"]] == known
    assert mlflow.MlflowClient(processes.mlflow).get_registered_model("kept").name == "kept"
    run = click(processes.address, ["weekly_demand"], str(WEEKS[40]))
    assert ended_run(processes.address, run)["status"] == "SUCCESS", log_of(processes.address, run)
