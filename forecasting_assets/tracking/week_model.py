"""The model of a week, read from MLflow without a run of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from forecasting_assets.tracking.store import prepare_store, silence_mlflow


@contextmanager
def week_model_files(
    tracking_uri: str, artifacts: str | None, model: str, week: date
) -> Iterator[Path | None]:
    """Provide a folder with the files that the model of `week` was logged with; None if MLflow has no such model.

    Parameters
    ----------
    tracking_uri, artifacts
        As for `tracking.store.prepare_store`.
    model
        Name of the asset.
    week
        The week.
    """
    silence_mlflow()
    prepare_store(tracking_uri, artifacts)
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    client = MlflowClient(tracking_uri)
    versions = client.search_model_versions(
        f"name = '{model}' AND tags.`week` = '{week}'", max_results=1, order_by=["version_number DESC"]
    )
    if not versions:
        yield None
        return
    logged = str(versions[0].source).removeprefix("models:/")
    location = client.get_logged_model(logged).artifact_location
    with TemporaryDirectory() as folder:
        files = download_artifacts(artifact_uri=location, dst_path=folder, tracking_uri=tracking_uri)
        yield Path(files) / "artifacts"
