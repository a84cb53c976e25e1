"""The models against a real MLflow server over HTTP, which is stricter than its client with a database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from devtools.postgresql import postgresql, programs
from devtools.servers import answers, free_port, wait_until
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.tracking.client import CHAMPION
from forecasting_assets.tracking.store import EXPERIMENT
from forecasting_assets_tests.support.homes import PLANNED, WEEKS

pytestmark = pytest.mark.spark

WEEK = PLANNED[-1]
SELECTION = "sarimax_model,xgb_model,backtest_report"


@contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'server.db'}"
    else:
        if programs() is None:
            pytest.skip("PostgreSQL is not installed")
        with postgresql(["mlflow"]) as database:
            yield database.url("mlflow")


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.matrix), "postgresql"])
def server(request, tmp_path):
    """The address of an MLflow server."""
    port = free_port()
    with store(request.param, tmp_path) as backend, (tmp_path / "mlflow.log").open("w") as log:
        command = [
            str(Path(sys.executable).parent / "mlflow"), "server", "--backend-store-uri", backend,
            "--artifacts-destination", str(tmp_path / "artifacts"), "--workers", "1", "--port", str(port),
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 120, "the MLflow server")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


def newest_metadata(home, model):
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        events = instance.fetch_materializations(dg.AssetKey(model), limit=1)
    made = events.records[0].asset_materialization
    assert made is not None
    return made.metadata


def test_models_are_registered_reused_proven_and_loaded(server, home_copy, monkeypatch):
    import mlflow

    monkeypatch.setenv("FORECASTING__MLFLOW__TRACKING_URI", server)
    settings = home_copy.settings
    assert materialize(settings, [WEEK], SELECTION)
    client = mlflow.MlflowClient(server, server)
    for model in ("sarimax_model", "xgb_model"):
        version = client.get_model_version_by_alias(model, f"week-{WEEK}")
        assert version.status == "READY"
        assert client.get_model_version_by_alias(model, CHAMPION).version == version.version
        assert newest_metadata(home_copy, model)["mlflow_run"].value.startswith(f"{server}/#/experiments/")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.data.tags.get("asset") for run in runs} == {
        "sarimax_model", "xgb_model", "demand_forecast", "seasonal_naive", None,
    }  # fmt: skip
    history = home_copy.lake.read_pandas(WEEKLY_DEMAND, [week for week in WEEKS if week <= WEEK])
    mlflow.set_tracking_uri(server)
    loaded = mlflow.pyfunc.load_model(f"models:/sarimax_model@{CHAMPION}")
    assert len(loaded.predict(history[["part_id", "region", "part_category", "week", "quantity"]]))
    assert materialize(settings, [WEEK], "sarimax_model,xgb_model")
    for model in ("sarimax_model", "xgb_model"):
        assert newest_metadata(home_copy, model)["fitted"].value == f"before, as models:/{model}/1"
