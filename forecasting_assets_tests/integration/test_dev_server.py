"""Operations against a running `dagster dev` (webserver, daemon, code server), through its GraphQL API."""

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from devtools.dev_server import click, dev_server, ended_run, log_of, query, wait_for_runs
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.runtime.orphans import PROCESS
from forecasting_assets.runtime.spark import SPARK_TAG
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, WEEKLY_DEMAND
from forecasting_assets_tests.support.homes import PLANNED, WEEKS, rows, written_at

pytestmark = pytest.mark.spark

LOCATION = "forecasting_assets.definitions"
START_SENSOR = """mutation ($sensor: SensorSelector!) {
  startSensor(sensorSelector: $sensor) { __typename } }"""
RELOAD = """mutation ($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) { __typename } }"""
BACKFILL = """mutation ($what: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $what) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILL_STATUS = """query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"""
RUNS = """query { runsOrError {
  ... on Runs { results { runId status startTime endTime tags { key value } } } } }"""
TERMINATE = """mutation ($run: String!) { terminateRun(runId: $run) { __typename } }"""
FAILURES = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on ExecutionStepFailureEvent { stepKey error { message causes { message } } } } } } }"""


@pytest.fixture(scope="module")
def served(home, tmp_path_factory):
    """Provide a copy of the home and the address of its UI."""
    folder = tmp_path_factory.mktemp("served")
    copied = home.copy(folder / "home")
    with dev_server(copied.path, folder) as address:
        yield copied, address


def backfill(address, assets, weeks) -> str:
    what = {
        "assetSelection": [{"path": [asset]} for asset in assets],
        "partitionNames": [str(w) for w in weeks],
    }
    answer = query(address, BACKFILL, what=what)
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return answer["backfillId"]


def outcome(address, backfill_id) -> str:
    def ended() -> str | None:
        status = query(address, BACKFILL_STATUS, id=backfill_id)["status"]
        return None if status in ("REQUESTED", "CANCELING", "COMPLETING") else status

    return wait_for_runs(address, ended, "the end of the backfill")


def runs(address, tag, value) -> list[dict]:
    every = query(address, RUNS)["results"]
    return [run for run in every if {"key": tag, "value": value} in run["tags"]]


def spark_of(run) -> str:
    """Return where the run says its Spark work was done."""
    return next(tag["value"] for tag in run["tags"] if tag["key"] == SPARK_TAG)


def started(address, run_id) -> int:
    """Wait for a run to start and return its process id."""

    def process() -> str | None:
        (run,) = (run for run in query(address, RUNS)["results"] if run["runId"] == run_id)
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        return tags.get(PROCESS) if run["status"] == "STARTED" else None

    return int(wait_for_runs(address, process, "the start of the run").rpartition(":")[2])


def parent(process) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def states(home, asset, weeks) -> list[str]:
    freshness = freshness_of(home.settings)
    return [freshness.state(asset, week).state for week in weeks]


@pytest.mark.matrix
def test_landed_files_and_two_backfills_succeed_together(home, served):
    copied, address = served
    early, late, touched = WEEKS[20:23], WEEKS[40:42], PLANNED[-1]
    line = rows(home, CLEAN_ORDERS, touched).assign(order_id="late").drop(columns="week")[:1]
    line.to_csv(copied.path / "landing" / "orders" / "late.csv", index=False)
    sensor = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
    query(address, START_SENSOR, sensor={**sensor, "sensorName": "new_orders_sensor"})
    backfills = [backfill(address, ["clean_orders", "weekly_demand"], weeks) for weeks in (early, late)]

    def requested() -> list[dict]:
        return runs(address, "dagster/sensor_name", "new_orders_sensor")

    wait_for_runs(address, requested, "a run requested by the sensor")
    assert [outcome(address, one) for one in backfills] == ["COMPLETED_SUCCESS"] * 2
    wait_for_runs(address, lambda: all(run["endTime"] for run in requested()), "the end of the sensor's run")
    assert {run["status"] for run in requested()} == {"SUCCESS"}
    assert states(copied, "weekly_demand", [*early, *late, touched]) == ["fresh"] * 6
    for week in (*early, *late):
        for table in (CLEAN_ORDERS, WEEKLY_DEMAND):
            assert written_at(copied, table, week) != written_at(home, table, week)
            pd.testing.assert_frame_equal(rows(copied, table, week), rows(home, table, week))
    assert copied.lake.rows(RAW_ORDERS, touched) == home.lake.rows(RAW_ORDERS, touched) + 1
    # Runs take turns and use the warm JVM.
    new = [*requested(), *(run for one in backfills for run in runs(address, "dagster/backfill", one))]
    spans = sorted((run["startTime"], run["endTime"]) for run in new)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
    assert all(spark_of(run).startswith("sc://localhost:") for run in new)


def test_runs_that_share_a_session_see_the_current_files(home, served):
    copied, address = served
    week, landed = WEEKS[50], copied.path / "landing" / "orders" / "again.csv"
    lines = rows(home, CLEAN_ORDERS, week)[:2].drop(columns="week").assign(order_id=["again-1", "again-2"])
    tables, extra = ["raw_orders", "clean_orders", "weekly_demand"], []
    for more in (lines[:1], lines, None):
        if more is None:
            landed.unlink()
        else:
            more.to_csv(landed, index=False)
        run = ended_run(address, click(address, tables, str(week)))
        assert run["status"] == "SUCCESS"
        assert spark_of(run).startswith("sc://localhost:")
        assert PROCESS in [tag["key"] for tag in run["tags"]]
        extra.append(copied.lake.rows(CLEAN_ORDERS, week) - home.lake.rows(CLEAN_ORDERS, week))
    assert extra == [1, 2, 0]
    for table in (RAW_ORDERS, CLEAN_ORDERS, WEEKLY_DEMAND):
        pd.testing.assert_frame_equal(rows(copied, table, week), rows(home, table, week))


@pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux only")
def test_forked_runs_can_be_terminated_and_killed_and_runs_start_without_the_warm_process(served):
    copied, address = served
    week, assets = PLANNED[-1], list(freshness_of(copied.settings).pipeline)
    # A repeated run has the tags of the run it repeats.
    run = click(address, assets, str(week), {PROCESS: f"{os.uname().nodename}:{os.getpid()}"})
    warm_process = parent(started(address, run))
    assert b"run_launcher" in Path(f"/proc/{warm_process}/cmdline").read_bytes()
    assert query(address, TERMINATE, run=run)["__typename"] == "TerminateRunSuccess"
    assert ended_run(address, run)["status"] == "CANCELED"

    run = click(address, assets, str(week))
    process = started(address, run)
    assert parent(process) == warm_process
    os.kill(process, signal.SIGKILL)
    assert ended_run(address, run)["status"] == "FAILURE"
    assert f"process {process} ended unexpectedly" in log_of(address, run)

    os.kill(warm_process, signal.SIGKILL)
    # The killed run may have left orders that no check has looked at: these are made again.
    run = click(address, ["raw_orders", "clean_orders", "weekly_demand"], str(week))
    assert ended_run(address, run)["status"] == "SUCCESS"
    assert "must import its libraries itself" in log_of(address, run)
    run = click(address, assets, str(week))
    started(address, run)
    assert query(address, TERMINATE, run=run)["__typename"] == "TerminateRunSuccess"
    assert ended_run(address, run)["status"] == "CANCELED"

    assert ended_run(address, click(address, ["feature_table"], str(week)))["status"] == "SUCCESS"
    assert states(copied, "feature_table", [week]) == ["fresh"]


@pytest.mark.matrix
def test_a_blocked_week_stays_blocked_in_a_backfill(served):
    copied, address = served
    week, settings = PLANNED[-2], copied.path / "forecasting.toml"
    # Contradicting rules: the plan is made, and its check fails.
    settings.write_text(
        settings.read_text()
        + '[allocation.minimum_load]\nM02 = 0.9\n[allocation.maximum_share]\n"CNC machining" = 0.01\n'
    )
    query(address, RELOAD, location=LOCATION)
    assert ended_run(address, click(address, ["allocation_plan"], str(week)))["status"] == "FAILURE"
    blocked = backfill(address, ["business_impact"], [week])
    assert outcome(address, blocked) == "COMPLETED_FAILED"
    (run,) = runs(address, "dagster/backfill", blocked)
    failures = [event for event in query(address, FAILURES, run=run["runId"])["events"] if event]
    assert [failure["stepKey"] for failure in failures] == ["business_impact"]
    assert f"the check rules_kept of allocation_plan {week} failed (" in str(failures)
    assert states(copied, "business_impact", [week]) == ["failed"]


@pytest.mark.matrix
def test_runs_use_a_session_of_their_own_and_say_so_when_the_spark_server_has_ended(home, served):
    copied, address = served
    week = WEEKS[30]
    run = ended_run(address, click(address, ["weekly_demand"], str(week)))
    assert run["status"] == "SUCCESS"
    port = spark_of(run).rpartition(":")[2]
    subprocess.run(["pkill", "-9", "-f", f"java.*connect.grpc.binding.port={port}"], check=True)
    run = ended_run(address, click(address, ["clean_orders", "weekly_demand"], str(week)))
    assert run["status"] == "SUCCESS"
    assert spark_of(run) == f"local[2], as the Spark server sc://localhost:{port} does not answer"
    for table in (CLEAN_ORDERS, WEEKLY_DEMAND):
        pd.testing.assert_frame_equal(rows(copied, table, week), rows(home, table, week))
