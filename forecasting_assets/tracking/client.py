"""MLflow tracking: one run for each Dagster run, and nested in it one run for each model and week."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from forecasting_assets.tracking.week_run import NO_ALIAS, WeekRun, alias_of, delete_alias

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

#: Alias of the newest model whose forecasts were better than the seasonal naive forecast.
CHAMPION = "champion"
#: Environment variable with the address of Dagster's UI, where `forecasting-assets dev` serves it.
DAGSTER_URL = "FORECASTING_DAGSTER_URL"
#: Metrics that an MLflow server takes in one request.
_METRICS_PER_REQUEST = 1000


@dataclass(frozen=True)
class Tracking:
    """MLflow for one Dagster run; it is opened when it is first used.

    Attributes
    ----------
    tracking_uri
        MLflow server or database.
    dagster_run_id
        The Dagster run that models and metrics are logged for.
    open_mlflow
        Opens MLflow and the run that the runs of weeks are nested in.
    """

    tracking_uri: str
    dagster_run_id: str
    open_mlflow: "Callable[[], MlFlow]"

    @cached_property
    def _mlflow(self) -> "MlFlow":
        return self.open_mlflow()

    @property
    def _client(self) -> Any:
        return self._mlflow.tracking.MlflowClient()

    def close(self, status: str) -> None:
        """End the run that the runs of weeks are nested in, if MLflow was opened."""
        if "_mlflow" in self.__dict__:
            self._mlflow.end_run(status)

    # ------------------------------------------------------------------ runs and metrics

    @contextmanager
    def week(self, model: str, week: date) -> Iterator[WeekRun]:
        """Provide an open run for one model and week; it ends as failed if the block raises."""
        tags = {"asset": model, "week": str(week), **dagster_tags(self.dagster_run_id)}
        with self._mlflow.start_run(run_name=f"{model} {week}", nested=True, tags=tags) as run:
            yield WeekRun(self._mlflow, run.info.run_id, model, week, self._url_of(run))

    def _url_of(self, run: "Run") -> str | None:
        """Return where MLflow's UI shows a run; None if no server is known that serves it."""
        if not self.tracking_uri.startswith(("http://", "https://")):
            return None
        return (
            f"{self.tracking_uri.rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        )

    def log_scores(self, name: str, week: date, metrics: Mapping[str, Mapping[int, float]]) -> str:
        """Log a run of its own for forecasts that no single model makes, as the combination of all.

        Parameters
        ----------
        name
            Name of the forecasts.
        week
            The week.
        metrics
            Name -> step (horizon, 0 for all horizons together) -> value.

        Returns
        -------
        str
            Id of the run.
        """
        with self.week(name, week) as run:
            self._log_steps(run.run_id, metrics)
        return run.run_id

    def add_metrics(self, model: str, week: date, metrics: Mapping[str, Mapping[int, float]]) -> None:
        """Add metrics, as `log_scores` takes them, to the run that made the model of `week`, if there is one."""
        version = self._newest_version(model, "week", str(week))
        if version is not None and version.run_id:
            self._log_steps(version.run_id, metrics)

    def _log_steps(self, run_id: str, metrics: Mapping[str, Mapping[int, float]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        values = [
            Metric(name, value, now, step)
            for name, by_step in metrics.items()
            for step, value in by_step.items()
            if value == value
        ]
        client = self._client
        for begin in range(0, len(values), _METRICS_PER_REQUEST):
            client.log_batch(run_id, metrics=values[begin : begin + _METRICS_PER_REQUEST])

    # ------------------------------------------------------------------ models

    def find(self, model: str, fit: str) -> str | None:
        """Return the URI of the registered model that was logged with this `fit`; None if there is none."""
        version = self._newest_version(model, "fit", fit)
        return f"models:/{model}/{version.version}" if version is not None else None

    @contextmanager
    def files(self, uri: str) -> Iterator[Path]:
        """Provide a folder with the files that a model was logged with, for the duration of the block."""
        artifacts = self._mlflow.artifacts
        with TemporaryDirectory() as folder:
            yield Path(artifacts.download_artifacts(uri, dst_path=folder)) / "artifacts"

    def forget(self, model: str, week: date) -> None:
        """Take back the model of `week`, because its forecasts were made without one this time."""
        client = self._client
        delete_alias(client, model, alias_of(week))
        for version in client.search_model_versions(f"name = '{model}' AND tags.`week` = '{week}'"):
            client.delete_model_version_tag(model, version.version, "week")

    def promote(self, model: str, week: date, evidence: Mapping[str, str]) -> None:
        """Make the model of `week` the champion, unless a later one is; do nothing if the week has no model.

        Parameters
        ----------
        model, week
            Name of the asset, and the week.
        evidence
            Tags that say what the model was compared with.
        """
        version, champion = self._newest_version(model, "week", str(week)), self._champion(model)
        if version is not None and (champion is None or str(week) >= champion.tags.get("week", "")):
            client = self._client
            for name, text in evidence.items():
                client.set_model_version_tag(model, version.version, name, text)
            client.set_registered_model_alias(model, CHAMPION, version.version)

    def _newest_version(self, model: str, tag: str, value: str) -> "ModelVersion | None":
        versions = self._client.search_model_versions(
            f"name = '{model}' AND tags.`{tag}` = '{value}'", max_results=1, order_by=["version_number DESC"]
        )
        return versions[0] if versions else None

    def _champion(self, model: str) -> "ModelVersion | None":
        from mlflow.exceptions import MlflowException

        try:
            version: ModelVersion = self._client.get_model_version_by_alias(model, CHAMPION)
        except MlflowException as error:
            if error.error_code not in NO_ALIAS:
                raise
            return None
        return version


def dagster_tags(run_id: str) -> dict[str, str]:
    """Return tags that lead from MLflow to a Dagster run."""
    tags = {"dagster_run_id": run_id}
    if address := os.environ.get(DAGSTER_URL):
        tags["dagster_run_url"] = f"{address}/runs/{run_id}"
    return tags
