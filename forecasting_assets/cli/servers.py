"""Commands that serve user interfaces: dev, mlflow."""

import os
import sys
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import print_line
from forecasting_assets.settings import Settings, SparkSettings

_HOST = "127.0.0.1"


@click.command()
@click.option(
    "--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Port of the UI."
)
def dev(port: int) -> int:
    """Serve Dagster's UI with its daemon, which runs sensors, schedules and backfills.

    Ctrl-C, or SIGTERM if it runs in the background, ends everything it has started.
    """
    from forecasting_assets.orchestration.runs import prepare_queue
    from forecasting_assets.tracking.client import DAGSTER_URL

    settings = load_existing_settings()
    _set_home(settings)
    os.environ[DAGSTER_URL] = f"http://{_HOST}:{port}"
    if "dagster_url" not in settings.alerts.model_fields_set:
        os.environ["FORECASTING__ALERTS__DAGSTER_URL"] = os.environ[DAGSTER_URL]
    _serve_pages(settings)
    prepare_queue(settings.home)
    if settings.spark.warm_server:
        start_spark_server(settings.spark)
    if settings.runtime.fork_runs and sys.platform == "linux":  # on macOS importing before a fork is risky
        from forecasting_assets.runtime.run_launcher_process import keep_warm

        keep_warm()
    # `dagster dev` advertises its successor, which requires another project layout.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command` is superseded")
    command = ["dagster", "dev", "-m", "forecasting_assets.definitions", "-h", _HOST, "-p", str(port)]
    return _serve(command, port, "/server_info", "Dagster")


@click.command()
@click.option(
    "--port", default=5000, show_default=True, type=click.IntRange(1, 65535), help="Port of the UI."
)
def mlflow(port: int) -> int:
    """Serve MLflow's UI with the runs and models of this home."""
    settings = load_existing_settings()
    if settings.artifacts_uri is None:
        raise click.UsageError(f"MLflow is already served at {settings.tracking_uri}: open it there.")
    _set_home(settings)
    store = ["--backend-store-uri", settings.tracking_uri]
    artifacts = ["--artifacts-destination", settings.artifacts_uri]
    command = ["mlflow", "server", *store, *artifacts, "--workers", "1", "--host", _HOST, "--port", str(port)]
    return _serve(command, port, "/health", "MLflow")


def _set_home(settings: Settings) -> None:
    """Set the environment variables that lead processes started from here to this home."""
    from forecasting_assets.runtime.dagster_home import prepare_home

    dagster_home = prepare_home(settings.home)
    os.environ |= {"FORECASTING_HOME": str(settings.home), "DAGSTER_HOME": str(dagster_home)}


def start_spark_server(settings: SparkSettings) -> None:
    """Start the server that stays warm for runs, unless they use another one."""
    from forecasting_assets.runtime.spark_conf import remote_address
    from forecasting_assets.runtime.spark_server import start_server
    from forecasting_assets.spark_versions import spark_version

    if remote_address(settings):
        return
    if spark_version() < (4, 0):
        print_line(
            "Each run starts Spark itself: servers of Spark 3.5 do not ask for a token, so none is started"
        )
        return
    start_server(settings)


def _serve_pages(settings: Settings) -> None:
    """Serve the reports where links lead to, if that is on this machine."""
    from forecasting_assets.runtime.page_server import serve_pages
    from forecasting_assets.storage import is_url

    address = urlsplit(settings.reports.url)
    if address.hostname not in (_HOST, "localhost"):
        return
    if is_url(settings.reports_path):
        os.environ["FORECASTING__REPORTS__URL"] = ""
        print_line(
            f"Pages in {settings.reports_path} are not served here: set [reports] url to the address of a server "
            "that shows them"
        )
        return
    try:
        serve_pages(Path(settings.reports_path), address.port or 80)
        print_line(f"Pages are served at {settings.reports.url}")
    except OSError as error:
        # Links would lead to whatever else is served there.
        os.environ["FORECASTING__REPORTS__URL"] = ""
        print_line(f"Pages are not served at {settings.reports.url} ({error}): set [reports] url", err=True)


def _serve(command: Sequence[str], port: int, health: str, name: str) -> int:
    from forecasting_assets.runtime.supervisor import supervise

    program = Path(sys.executable).parent / command[0]
    address = f"http://{_HOST}:{port}"
    print_line(f"Starting {name} …")
    return supervise([str(program), *command[1:]], os.environ, _announce_once(address, health, name))


def _announce_once(address: str, health: str, name: str) -> Callable[[], None]:
    """Return a function that prints the address once, when the server answers."""
    announced = False

    def announce() -> None:
        nonlocal announced
        if not announced and _answers(address + health):
            announced = True
            print_line(f"{name} is ready: open {address} (Ctrl-C ends it)")

    return announce


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
