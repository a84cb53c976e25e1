"""MLflow tracking: one parent run for each Dagster run, one nested run for each model and week in it.

Built on dagster-mlflow, whose run stays open after runs of the UI and whose parameters collide when a run
covers several weeks; here every run is closed with the outcome it had, and a week has a run of its own.
"""

import logging
import os
import uuid
import warnings
from collections.abc import Iterator, Mapping
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

from forecasting_assets.tables import Table

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

EXPERIMENT = "forecasting-assets"
#: The registered model whose forecasts were better than seasonal naive, newest week.
CHAMPION = "champion"
#: MLflow's code of an error about a model that is not registered, and those about an alias that it does not have.
_NO_MODEL = "RESOURCE_DOES_NOT_EXIST"
_NO_ALIAS = (_NO_MODEL, "NOT_FOUND", "INVALID_PARAMETER_VALUE")
#: Seconds that an MLflow server has to answer.
_PATIENCE = 10


class TrackingUnreachable(ValueError):
    """An MLflow server that does not answer."""


@dataclass(frozen=True)
class WeekRun:
    """The MLflow run of one model and week, open."""

    mlflow: "MlFlow"
    run_id: str
    model: str
    week: date

    def log(self, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        self.mlflow.log_params(dict(params))
        self.mlflow.log_metrics(_known(metrics))

    def log_model(self, code: Path, artifacts: Mapping[str, Path], takes: Table, fit: str | None) -> str:
        """Register the pyfunc model whose source is `code`; its URI `models:/<model>@week-YYYY-MM-DD`.

        The model is logged from its source and plain files, never as a pickle; it takes the columns of `takes`, and
        `find` finds it by `fit`, if given.
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
                # Stated, as working it out takes MLflow longer than all the rest.
                pip_requirements=["forecasting-assets"],
                signature=_signature(takes),
            )
        alias = _alias(self.week)
        client = self.mlflow.tracking.MlflowClient()
        version_of = self.model, info.model_uri, self.run_id, {"week": str(self.week)}
        # To ask for the model first would load its versions of all weeks.
        try:
            version = client.create_model_version(*version_of)
        except MlflowException as error:
            if error.error_code != _NO_MODEL:
                raise
            client.create_registered_model(self.model)
            version = client.create_model_version(*version_of)
        for name in [alias, *([_alias_of_fit(fit)] if fit else [])]:
            client.set_registered_model_alias(self.model, name, version.version)
        return f"models:/{self.model}@{alias}"


class Tracking(dg.ConfigurableResource):
    """MLflow at `tracking_uri`; nothing is imported or opened before the first week is tracked."""

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
                "extra_tags": {},
            }
            with warnings.catch_warnings():
                # dagster-mlflow as a whole is in beta; requirements.lock pins the version that works.
                warnings.simplefilter("ignore", dg.BetaWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                from dagster_mlflow.resources import MlFlow

                self._mlflow = MlFlow(self._context.replace_config(config))
        return self._mlflow

    def _prepare_store(self) -> None:
        from mlflow import MlflowClient

        if self.artifacts:
            self._create_database(Path(self.tracking_uri.removeprefix("sqlite:///")), self.artifacts)
            return
        self._require_server()
        client = MlflowClient(self.tracking_uri)
        if client.get_experiment_by_name(EXPERIMENT) is None:
            client.create_experiment(EXPERIMENT)

    def _create_database(self, file: Path, artifacts: str) -> None:
        """MLflow's own database, put into place whole: one that a killed run had left half made could not be
        opened again, nor one that two runs had made at once."""
        from mlflow import MlflowClient

        if file.exists():
            return
        staged = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        try:
            client = MlflowClient(f"sqlite:///{staged}")
            client.create_experiment(EXPERIMENT, artifact_location=Path(artifacts).as_uri())
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
            pass  # it answers, if only to say that it wants to know who asks
        except OSError as error:
            raise TrackingUnreachable(
                f"MLflow does not answer at {shown.geturl()} ({getattr(error, 'reason', error)}): start it, or "
                "change [mlflow] tracking_uri (FORECASTING__MLFLOW__TRACKING_URI); then materialize again"
            ) from None

    @contextmanager
    def week(self, model: str, week: date, dagster_run_id: str) -> Iterator[WeekRun]:
        """An open nested run for one model and week; closed as failed if the block raises."""
        mlflow = self._open()
        tags = {"dagster_run_id": dagster_run_id, "asset": model, "week": str(week)}
        with mlflow.start_run(run_name=f"{model} {week}", nested=True, tags=tags) as run:
            yield WeekRun(mlflow, run.info.run_id, model, week)

    def find(self, model: str, fit: str) -> str | None:
        """URI of the registered model that was logged with this `fit`; None if there is none."""
        version = self._version(model, _alias_of_fit(fit))
        return f"models:/{model}/{version.version}" if version is not None else None

    @contextmanager
    def files(self, uri: str) -> Iterator[Path]:
        """A folder with the files that a model was logged with, for as long as the block lasts."""
        artifacts = self._open().artifacts
        with TemporaryDirectory() as folder:
            yield Path(artifacts.download_artifacts(uri, dst_path=folder)) / "artifacts"

    def _version(self, model: str, alias: str) -> "ModelVersion | None":
        from mlflow.exceptions import MlflowException

        try:
            return self._open().tracking.MlflowClient().get_model_version_by_alias(model, alias)
        except MlflowException as error:
            if error.error_code not in _NO_ALIAS:
                raise
            return None

    def forget(self, model: str, week: date) -> None:
        """Take back the alias of `week`: its forecasts were made without a model this time."""
        from mlflow.exceptions import MlflowException

        try:
            self._open().tracking.MlflowClient().delete_registered_model_alias(model, _alias(week))
        except MlflowException as error:
            if error.error_code not in _NO_ALIAS:
                raise

    def add_metrics(self, model: str, week: date, metrics: Mapping[str, float]) -> None:
        """Add metrics to the run that made the model of `week`; a week without a model has none to add to."""
        version = self._version(model, _alias(week))
        if version is not None:
            self._open().log_metrics(_known(metrics), run_id=version.run_id)

    def promote(self, model: str, week: date) -> None:
        """Make the model of `week` the champion, unless that of a later week is; nothing if it has no model."""
        version, champion = self._version(model, _alias(week)), self._version(model, CHAMPION)
        if version is not None and (champion is None or str(week) >= champion.tags.get("week", "")):
            client = self._open().tracking.MlflowClient()
            client.set_registered_model_alias(model, CHAMPION, version.version)


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


def _alias_of_fit(fit: str) -> str:
    return f"fit-{fit}"


def _quiet() -> None:
    """Migrations, progress bars and the absence of pip are no news to whoever reads the log of a run; and a server
    that goes away is told of after seconds, not after minutes for each week."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ |= {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    for name in ("alembic", "mlflow.store.db.utils", "mlflow.utils.environment"):
        logging.getLogger(name).setLevel(logging.ERROR)
