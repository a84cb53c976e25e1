"""Start `forecasting-assets dev` (webserver and daemon) on a free port, and use its GraphQL API."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from devtools.servers import answers, free_port, wait_until

_LAUNCH = """mutation ($what: ExecutionParams!) { launchPipelineExecution(executionParams: $what) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_LOG = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on MessageEvent { message } } } } }"""
_RUN = """query ($run: ID!) { runOrError(runId: $run) { ... on Run { status tags { key value }
  stepStats { stepKey startTime endTime }
  stats { ... on RunStatsSnapshot { launchTime startTime endTime } } } } }"""
_WORK = """query { runsOrError { ... on Runs { results { runId status stepStats { stepKey status } } } } }"""
#: Seconds within which some step of some run begins or ends, also on a machine that is busy with other things, and
#: within which all runs have ended.
_STEP_SECONDS, _ALL_SECONDS = 600, 3600


@contextmanager
def dev_server(
    home: Path, folder: Path, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Serve `home` until the block ends; provide the address of the UI and write the log into `folder`."""
    port, log = free_port(), folder / "dev.log"
    pages = f"http://127.0.0.1:{free_port()}"
    command = [str(Path(sys.executable).parent / "forecasting-assets"), "dev", "--port", str(port)]
    with log.open("w") as out:
        # A group of its own, so that webserver, daemon, code server and runs end together.
        server = subprocess.Popen(
            command,
            env={
                **os.environ,
                "FORECASTING_HOME": str(home),
                "FORECASTING__REPORTS__URL": pages,
                **environment,
            },
            cwd=folder,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/server_info"), 120, f"the UI ({log})")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def query(address: str, text: str, **variables: Any) -> Any:
    """Send a GraphQL query of one field, and return the value of that field."""
    request = urllib.request.Request(
        f"{address}/graphql",
        json.dumps({"query": text, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=180) as response:
        content = json.load(response)
    assert "errors" not in content, content["errors"]
    (result,) = content["data"].values()
    return result


def click(
    address: str, assets: Sequence[str], week: str, tags: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Materialize one week of `assets` as the UI's button does, and return the id of the run.

    The run gets `tags` in addition to that of its week.
    """
    what = {
        "selector": {
            "repositoryName": "__repository__",
            "repositoryLocationName": "forecasting_assets.definitions",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": [asset]} for asset in assets],
        },
        "executionMetadata": {
            "tags": [{"key": key, "value": tag} for key, tag in {"dagster/partition": week, **tags}.items()]
        },
        "mode": "default",
        "runConfigData": {},
    }
    launched = query(address, _LAUNCH, what=what)
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


def ended_run(address: str, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run, and return its status, tags and times."""

    def ended() -> dict[str, Any] | None:
        run = query(address, _RUN, run=run_id)
        return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

    run: dict[str, Any] = wait_for_runs(address, ended, "the end of the run")
    return run


def wait_for_runs(address: str, condition: Callable[[], Any], what: str) -> Any:
    """Wait until the result of `condition` is true, for as long as steps of runs begin or end; return that result.

    Only one run uses Spark at a time, so a run may wait for others.
    """
    end = time.monotonic() + _ALL_SECONDS

    def progress() -> Any:
        return query(address, _WORK) if time.monotonic() < end else None

    return wait_until(condition, _STEP_SECONDS, what, progress)


def log_of(address: str, run_id: str) -> str:
    """Return what the UI shows as the log of a run."""
    return "\n".join(event["message"] for event in query(address, _LOG, run=run_id)["events"])
