"""Where MLflow keeps runs and models: a database of the home's own, another database, or a server."""

import logging
import os
import uuid
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from forecasting_assets.errors import PicklableError

EXPERIMENT = "forecasting-assets"
#: Seconds that an MLflow server has to answer.
_PATIENCE = 10


class TrackingUnreachableError(PicklableError, ValueError):
    """An MLflow server that does not answer.

    Attributes
    ----------
    address
        Address of the server, without a password.
    """

    def __init__(self, address: str, reason: object) -> None:
        super().__init__(
            f"MLflow does not answer at {address} ({reason}): start it, or change [mlflow] tracking_uri "
            "(FORECASTING__MLFLOW__TRACKING_URI); then materialize again"
        )
        self.address = address


def prepare_store(tracking_uri: str, artifacts: str | None) -> None:
    """Make sure that the store exists and has the experiment of the platform.

    Parameters
    ----------
    tracking_uri
        MLflow server or database.
    artifacts
        URI where models are kept, if `tracking_uri` is a database.

    Raises
    ------
    TrackingUnreachableError
        If a server does not answer.
    """
    from mlflow import MlflowClient

    own_file = Path(tracking_uri.removeprefix("sqlite:///"))
    if artifacts and tracking_uri.startswith("sqlite:///") and not own_file.exists():
        _create_database(own_file, artifacts)
        return
    _require_server(tracking_uri)
    client = MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment and artifacts and experiment.artifact_location != artifacts:
        # A copied home must not write into the one it was copied from.
        client.rename_experiment(
            experiment.experiment_id, f"{EXPERIMENT} (models in {experiment.artifact_location})"
        )
        experiment = None
    if experiment is None:
        client.create_experiment(EXPERIMENT, artifact_location=artifacts)


def _create_database(file: Path, artifacts: str) -> None:
    """Create MLflow's database and move it into place as a whole.

    One that a killed run left incomplete could not be opened again, nor one that two runs created at once.
    """
    from mlflow import MlflowClient

    file.parent.mkdir(parents=True, exist_ok=True)
    staged = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        client = MlflowClient(f"sqlite:///{staged}")
        client.create_experiment(EXPERIMENT, artifact_location=artifacts)
        # Fails where another run was faster: a database that is in use is never replaced.
        with suppress(FileExistsError):
            os.link(staged, file)
    finally:
        staged.unlink(missing_ok=True)


def _require_server(tracking_uri: str) -> None:
    """Ask an MLflow server once: MLflow's own client would try for minutes, for each week, before it gives up."""
    url = urlsplit(tracking_uri)
    if url.scheme not in ("http", "https"):
        return
    without_password = url._replace(netloc=url.netloc.rpartition("@")[2])
    health = without_password._replace(path=f"{url.path.rstrip('/')}/health").geturl()
    try:
        urlopen(health, timeout=_PATIENCE).close()
    except HTTPError:
        pass  # it answers, if only to ask for a password
    except OSError as error:
        raise TrackingUnreachableError(without_password.geturl(), getattr(error, "reason", error)) from None


def silence_mlflow() -> None:
    """Keep migrations, progress bars and the like out of the logs of runs, and give up on a lost server in seconds."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ |= {
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }
    for name in (
        "alembic",
        "mlflow.store.db.utils",
        "mlflow.store.model_registry",
        "mlflow.utils.environment",
    ):
        logging.getLogger(name).setLevel(logging.ERROR)
