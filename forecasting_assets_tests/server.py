"""`forecasting-assets dev` for tests: webserver and daemon on a free port, and its GraphQL API."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

_LAUNCH = """mutation ($what: ExecutionParams!) { launchPipelineExecution(executionParams: $what) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_LOG = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on MessageEvent { message } } } } }"""
_RUN = """query ($run: ID!) { runOrError(runId: $run) { ... on Run { status tags { key value }
  stepStats { stepKey startTime endTime }
  stats { ... on RunStatsSnapshot { launchTime startTime endTime } } } } }"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, port)) == 0


def wait_until(reached: Callable[[], Any], seconds: float, what: str) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := reached():
            return value
        time.sleep(1)
    raise TimeoutError(f"{what} not within {seconds:.0f} s")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def dev_server(
    home: Path, folder: Path, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """The address of the UI of `home`, until the block ends; its log is in `folder`."""
    port, log = free_port(), folder / "dev.log"
    command = [str(Path(sys.executable).parent / "forecasting-assets"), "dev", "--port", str(port)]
    with log.open("w") as out:
        # A group of its own, so that webserver, daemon, code server and runs end together.
        server = subprocess.Popen(
            command,
            env={**os.environ, "FORECASTING_HOME": str(home), **environment},
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


def ask(address: str, query: str, **variables: Any) -> Any:
    """The answer of the GraphQL API to a query of one field."""
    request = urllib.request.Request(
        f"{address}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        told = json.load(answer)
    assert "errors" not in told, told["errors"]
    (result,) = told["data"].values()
    return result


def click(
    address: str, assets: Sequence[str], week: str, tags: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Materialize one week of `assets` as the UI's button does, with more run `tags`; the id of the run."""
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
    launched = ask(address, _LAUNCH, what=what)
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return launched["run"]["runId"]


def ended_run(address: str, run_id: str) -> dict[str, Any]:
    """Status, tags and times of a run, once it has ended."""

    def ended() -> dict[str, Any] | None:
        run = ask(address, _RUN, run=run_id)
        return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

    return wait_until(ended, 900, "the end of the run")


def log_of(address: str, run_id: str) -> str:
    """What the UI shows as the log of a run."""
    return "\n".join(event["message"] for event in ask(address, _LOG, run=run_id)["events"])
