"""Have a running Dagster plan each week, once the week has closed, by its GraphQL API.

Copy this file into Airflow's folder of DAGs. FORECASTING_DAGSTER_URL is the address of the Dagster webserver; turn off
`weekly_schedule` in Dagster. Nothing of the platform need be installed where Airflow is.

A task that is tried again takes up the run that it has started before, and starts another only if that has failed.
"""

import json
import os
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowException, AirflowFailException

ADDRESS = os.environ.get("FORECASTING_DAGSTER_URL", "http://127.0.0.1:3000")
#: Run tag by which a task finds the run that it has started.
TAG = "airflow/dag_run"
#: Seconds between two looks at the run.
PAUSE = 10

LAUNCH = """mutation ($what: ExecutionParams!) { launchPipelineExecution(executionParams: $what) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
FIND = """query ($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 1) {
  __typename ... on Runs { results { runId status } } } }"""
STATUS = """query ($run: ID!) { runOrError(runId: $run) { __typename ... on Run { status } } }"""
EVENTS = """query ($run: ID!) { logsForRun(runId: $run) { __typename ... on EventConnection { events {
  __typename
  ... on ExecutionStepFailureEvent { stepKey error { message causes { message } } }
  ... on AssetCheckEvaluationEvent { evaluation {
    success severity checkName partition assetKey { path } description } } } } } }"""
TERMINATE = """mutation ($run: String!) { terminateRun(runId: $run) { __typename } }"""


class DagsterOperator(BaseOperator):
    """Start the job `weekly_plan` for the newest week that closed before the run, and wait for its end.

    Parameters
    ----------
    location
        Name of the code location.
    """

    def __init__(self, *, location: str = "forecasting_assets.definitions", **options: Any) -> None:
        super().__init__(**options)
        self.location = location
        self._run = ""

    def execute(self, context: Any) -> dict[str, str]:
        """Wait for the run and return its id, week and address."""
        week = newest_closed_week(context.get("data_interval_end") or context["dag_run"].run_after)
        self._run = self._earlier_run(context["run_id"]) or self._launch(week, context["run_id"])
        result = {"run": self._run, "week": week, "address": f"{ADDRESS}/runs/{self._run}"}
        self.log.info("%s", result)
        while (status := query(STATUS, run=self._run)["status"]) not in ("SUCCESS", "FAILURE", "CANCELED"):
            time.sleep(PAUSE)
        if status != "SUCCESS":
            raise AirflowException(f"{status}: {'; '.join(failures(self._run)) or result['address']}")
        return result

    def on_kill(self) -> None:
        """End the run when somebody marks the task as failed or stops it."""
        if self._run:
            query(TERMINATE, run=self._run)

    def _earlier_run(self, dag_run: str) -> str | None:
        wanted = {
            "tags": [{"key": TAG, "value": dag_run}],
            "statuses": ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "SUCCESS"],
        }
        found = query(FIND, filter=wanted)["results"]
        return str(found[0]["runId"]) if found else None

    def _launch(self, week: str, dag_run: str) -> str:
        tags = {"dagster/partition": week, TAG: dag_run}
        what = {
            "selector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": self.location,
                "pipelineName": "weekly_plan",
            },
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            "mode": "default",
            "runConfigData": {},
        }
        launched = query(LAUNCH, what=what)
        if launched["__typename"] != "LaunchRunSuccess":
            raise AirflowFailException(f"Dagster refused to start {week}: {launched}")
        return str(launched["run"]["runId"])


def newest_closed_week(moment: datetime) -> str:
    """Return the Monday of the newest week that is over at `moment`."""
    day = moment.astimezone(UTC).date()
    return str(day - timedelta(days=day.weekday() + 7))


def query(text: str, **variables: Any) -> dict[str, Any]:
    """Send a GraphQL query of one field, and return the value of that field."""
    body = json.dumps({"query": text, "variables": variables}).encode()
    request = urllib.request.Request(f"{ADDRESS}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        content = json.load(response)
    if errors := content.get("errors"):
        raise AirflowException(f"{ADDRESS}: {errors}")
    (result,) = content["data"].values()
    return result


def failures(run: str) -> list[str]:
    """Return the checks that failed in a run, and the steps that failed for other reasons."""
    found = []
    for event in query(EVENTS, run=run)["events"]:
        if event["__typename"] == "AssetCheckEvaluationEvent":
            check = event["evaluation"]
            if not check["success"] and check["severity"] == "ERROR" and check["partition"]:
                asset = "/".join(check["assetKey"]["path"])
                found.append(f"{asset} {check['partition']}: {check['checkName']}: {check['description']}")
        elif event["__typename"] == "ExecutionStepFailureEvent":
            error = event["error"] or {"message": "interrupted", "causes": []}
            messages = [error["message"], *(cause["message"] for cause in error["causes"])]
            found.append(f"{event['stepKey']}: {messages[-1].strip()}")
    return found


with DAG(
    "forecasting_by_dagster",
    schedule=CronTriggerTimetable("0 3 * * 1", timezone="UTC"),
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,  # plans follow on each other
    default_args={"retries": 1},
    doc_md=__doc__,
):
    DagsterOperator(task_id="weekly_plan")
