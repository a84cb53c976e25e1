"""MLflow tracking: one parent run for each Dagster run, one nested run for each model and week in it.

Built on dagster-mlflow, whose run stays open after runs of the UI and whose parameters collide when a run
covers several weeks; here every run is closed with the outcome it had, and a week has a run of its own.
"""

import json
import logging
import os
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import dagster as dg
from dagster import _check as dg_check
from pydantic import PrivateAttr

from forecasting_assets.orchestration.run_tags import weeks_of_run
from forecasting_assets.tables import Table
from forecasting_assets.weeks import add_weeks, format_weeks

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

EXPERIMENT = "forecasting-assets"
#: Alias of the newest model whose forecasts were better than seasonal naive.
CHAMPION = "champion"
#: Environment variable with the address of Dagster's UI, where `forecasting-assets dev` serves it.
DAGSTER_URL = "FORECASTING_DAGSTER_URL"
#: Weeks back from the newest that have an alias of their own, so that aliases do not grow without end. Models of
#: earlier weeks are found by their tag `week`.
ALIAS_WEEKS = 60
#: MLflow's code of an error about a model that is not registered, and those about an alias that it does not have.
_NO_MODEL = "RESOURCE_DOES_NOT_EXIST"
_NO_ALIAS = (_NO_MODEL, "NOT_FOUND", "INVALID_PARAMETER_VALUE")
#: Seconds that an MLflow server has to answer.
_PATIENCE = 10
#: Metrics that an MLflow server takes in one request.
_METRICS_AT_ONCE = 1000


class TrackingUnreachable(ValueError):
    """An MLflow server that does not answer."""


@dataclass(frozen=True)
class DataUsed:
    """Rows of the lake that a model learnt from or predicted with.

    Attributes
    ----------
    table
        Name of the table.
    digest
        Identifies the content of its weeks.
    source
        Where it lies.
    weeks
        The weeks, as text.
    """

    table: str
    digest: str
    source: str
    weeks: str


@dataclass(frozen=True)
class WeekRun:
    """The open MLflow run of one model and week."""

    mlflow: "MlFlow"
    run_id: str
    model: str
    week: date
    url: str | None

    def log(
        self, params: Mapping[str, Any], metrics: Mapping[str, float], data: Sequence[DataUsed] = ()
    ) -> None:
        """Log parameters, metrics and what data the model used."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        self.mlflow.log_params(dict(params))
        self.mlflow.log_metrics(_known(metrics))
        inputs = [
            DatasetInput(
                Dataset(used.table, used.digest, "lake", json.dumps({"path": used.source})),
                [InputTag("mlflow.data.context", "training"), InputTag("weeks", used.weeks)],
            )
            for used in data
        ]
        if inputs:
            self.mlflow.tracking.MlflowClient().log_inputs(self.run_id, inputs)

    def log_model(self, code: Path, artifacts: Mapping[str, Path], takes: Table, fit: str | None) -> str:
        """Register the pyfunc model whose source is `code`.

        The model is logged from its source and plain files, never as a pickle.

        Parameters
        ----------
        takes
            The table whose columns it takes.
        fit
            What `Tracking.find` finds it by, if anything.

        Returns
        -------
        str
            Its URI, `models:/<model>@week-YYYY-MM-DD`.
        """
        from mlflow.exceptions import MlflowException

        with warnings.catch_warnings():
            # An example would be run through the model each time; the signature says what it takes.
            warnings.filterwarnings(
                "ignore", message=".*input example was not provided", category=UserWarning
            )
            info = self.mlflow.pyfunc.log_model(
                name="model",
                python_model=str(code),
                artifacts={name: str(path) for name, path in artifacts.items()},
                # Given, as working it out takes MLflow longer than all the rest.
                pip_requirements=["forecasting-assets"],
                signature=_signature(takes),
            )
        client = self.mlflow.tracking.MlflowClient()
        tags = {"week": str(self.week)} | ({"fit": fit} if fit else {})
        # A server takes no version that does not name the logged model that it is of.
        version_of = {
            "name": self.model,
            "source": info.model_uri,
            "run_id": self.run_id,
            "tags": tags,
            "model_id": info.model_id,
        }
        # To ask for the model first would load its versions of all weeks.
        try:
            version = client.create_model_version(**version_of)
        except MlflowException as error:
            if error.error_code != _NO_MODEL:
                raise
            client.create_registered_model(self.model)
            version = client.create_model_version(**version_of)
        alias = _alias(self.week)
        client.set_registered_model_alias(self.model, alias, version.version)
        _delete_alias(client, self.model, _alias(add_weeks(self.week, -ALIAS_WEEKS)))
        return f"models:/{self.model}@{alias}"


class Tracking(dg.ConfigurableResource):
    """MLflow at `tracking_uri`; nothing is imported or opened before the first week is tracked.

    Attributes
    ----------
    artifacts
        Where models are kept, as a URI, if `tracking_uri` is a database; a server has a place of its own.
    """

    tracking_uri: str
    artifacts: str | None

    _context: Any = PrivateAttr(default=None)
    _mlflow: Any = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._context = context

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._mlflow is None:
            return
        instance, run_id = dg_check.not_none(context.instance), dg_check.not_none(context.run).run_id
        failed = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        self._mlflow.end_run("FAILED" if failed else "FINISHED")
        self._mlflow = None

    def _open(self) -> "MlFlow":
        if self._mlflow is None:
            _quiet()
            self._prepare_store()
            config = {
                "experiment_name": EXPERIMENT,
                "mlflow_tracking_uri": self.tracking_uri,
                "extra_tags": self._run_tags(),
            }
            with warnings.catch_warnings():
                # dagster-mlflow as a whole is in beta; requirements.lock pins the version that works.
                warnings.simplefilter("ignore", dg.BetaWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                from dagster_mlflow.resources import MlFlow

                self._mlflow = MlFlow(self._context.replace_config(config))
        return self._mlflow

    def _run_tags(self) -> dict[str, str]:
        """Tags of the run that all weeks of a Dagster run are nested in; its name says which weeks."""
        run = self._context.run
        tags = dict(_dagster_link(run.run_id if run else ""))
        if run and (weeks := format_weeks(weeks_of_run(run.tags))):
            tags |= {"weeks": weeks, "mlflow.runName": f"{run.job_name.strip('_')} {weeks}"}
        return tags

    def _prepare_store(self) -> None:
        from mlflow import MlflowClient

        own_file = Path(self.tracking_uri.removeprefix("sqlite:///"))
        if self.artifacts and self.tracking_uri.startswith("sqlite:///") and not own_file.exists():
            self._create_database(own_file, self.artifacts)
            return
        self._require_server()
        client = MlflowClient(self.tracking_uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment and self.artifacts and experiment.artifact_location != self.artifacts:
            # A copied home must not write into the one it was copied from.
            client.rename_experiment(
                experiment.experiment_id, f"{EXPERIMENT} (models in {experiment.artifact_location})"
            )
            experiment = None
        if experiment is None:
            client.create_experiment(EXPERIMENT, artifact_location=self.artifacts)

    def _create_database(self, file: Path, artifacts: str) -> None:
        """MLflow's own database, put into place whole: one that a killed run had left half made could not be
        opened again, nor one that two runs had made at once."""
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

    def _require_server(self) -> None:
        """Ask an MLflow server once: its own client would try for minutes, for each week, before it gives up."""
        url = urlsplit(self.tracking_uri)
        if url.scheme not in ("http", "https"):
            return
        shown = url._replace(netloc=url.netloc.rpartition("@")[2])  # without a password
        try:
            urlopen(shown._replace(path=f"{url.path.rstrip('/')}/health").geturl(), timeout=_PATIENCE).close()
        except HTTPError:
            pass  # it answers, if only to ask for a password
        except OSError as error:
            raise TrackingUnreachable(
                f"MLflow does not answer at {shown.geturl()} ({getattr(error, 'reason', error)}): start it, or "
                "change [mlflow] tracking_uri (FORECASTING__MLFLOW__TRACKING_URI); then materialize again"
            ) from None

    @contextmanager
    def week(self, model: str, week: date, dagster_run_id: str) -> Iterator[WeekRun]:
        """An open nested run for one model and week; closed as failed if the block raises."""
        mlflow = self._open()
        tags = {"asset": model, "week": str(week), **_dagster_link(dagster_run_id)}
        with mlflow.start_run(run_name=f"{model} {week}", nested=True, tags=tags) as run:
            yield WeekRun(mlflow, run.info.run_id, model, week, self._url_of(run))

    def _url_of(self, run: "Run") -> str | None:
        """Where the UI shows a run; None if nothing is known to serve it."""
        if not self.tracking_uri.startswith(("http://", "https://")):
            return None
        return (
            f"{self.tracking_uri.rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        )

    def log_judgement(
        self, name: str, week: date, dagster_run_id: str, metrics: Mapping[str, Mapping[int, float]]
    ) -> str:
        """A run of its own for forecasts that no single model makes, as the combination of all.

        Parameters
        ----------
        metrics
            Name -> step (horizon, 0 for all together) -> value.

        Returns
        -------
        str
            Its id.
        """
        with self.week(name, week, dagster_run_id) as run:
            self._log_steps(run.run_id, metrics)
        return run.run_id

    def find(self, model: str, fit: str) -> str | None:
        """URI of the registered model that was logged with this `fit`; None if there is none."""
        version = self._newest_version(model, "fit", fit)
        return f"models:/{model}/{version.version}" if version is not None else None

    @contextmanager
    def files(self, uri: str) -> Iterator[Path]:
        """A folder with the files that a model was logged with, for as long as the block lasts."""
        artifacts = self._open().artifacts
        with TemporaryDirectory() as folder:
            yield Path(artifacts.download_artifacts(uri, dst_path=folder)) / "artifacts"

    def _newest_version(self, model: str, tag: str, value: str) -> "ModelVersion | None":
        client = self._open().tracking.MlflowClient()
        versions = client.search_model_versions(
            f"name = '{model}' AND tags.`{tag}` = '{value}'", max_results=1, order_by=["version_number DESC"]
        )
        return versions[0] if versions else None

    def _champion(self, model: str) -> "ModelVersion | None":
        from mlflow.exceptions import MlflowException

        try:
            return self._open().tracking.MlflowClient().get_model_version_by_alias(model, CHAMPION)
        except MlflowException as error:
            if error.error_code not in _NO_ALIAS:
                raise
            return None

    def forget(self, model: str, week: date) -> None:
        """Take back the model of `week`: its forecasts were made without one this time."""
        client = self._open().tracking.MlflowClient()
        _delete_alias(client, model, _alias(week))
        for version in client.search_model_versions(f"name = '{model}' AND tags.`week` = '{week}'"):
            client.delete_model_version_tag(model, version.version, "week")

    def add_metrics(self, model: str, week: date, metrics: Mapping[str, Mapping[int, float]]) -> None:
        """Add metrics, as `log_judgement` takes them, to the run that made the model of `week`, if there is one."""
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
        client = self._open().tracking.MlflowClient()
        for begin in range(0, len(values), _METRICS_AT_ONCE):
            client.log_batch(run_id, metrics=values[begin : begin + _METRICS_AT_ONCE])

    def promote(self, model: str, week: date, proof: Mapping[str, str]) -> None:
        """Make the model of `week` the champion, unless that of a later week is; nothing if it has no model.

        Parameters
        ----------
        proof
            Tags that say what it was compared with.
        """
        version, champion = self._newest_version(model, "week", str(week)), self._champion(model)
        if version is not None and (champion is None or str(week) >= champion.tags.get("week", "")):
            client = self._open().tracking.MlflowClient()
            for name, text in proof.items():
                client.set_model_version_tag(model, version.version, name, text)
            client.set_registered_model_alias(model, CHAMPION, version.version)


def _dagster_link(run_id: str) -> dict[str, str]:
    link = {"dagster_run_id": run_id}
    if address := os.environ.get(DAGSTER_URL):
        link["dagster_run_url"] = f"{address}/runs/{run_id}"
    return link


def _delete_alias(client: Any, model: str, alias: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.delete_registered_model_alias(model, alias)
    except MlflowException as error:
        if error.error_code not in _NO_ALIAS:
            raise


def _signature(table: Table) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    types = {
        "string": DataType.string,
        "double": DataType.double,
        "long": DataType.long,
        "date": DataType.datetime,
    }
    return ModelSignature(
        Schema([ColSpec(types[c.type], c.name, required=not c.nullable) for c in table.columns])
    )


def _known(metrics: Mapping[str, float]) -> dict[str, float]:
    """`metrics` but for those that are NaN."""
    return {name: value for name, value in metrics.items() if value == value}


def _alias(week: date) -> str:
    return f"week-{week}"


def _quiet() -> None:
    """Migrations, progress bars and the absence of pip are no news to whoever reads the log of a run; and a server
    that goes away is told of after seconds, not after minutes for each week."""
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
