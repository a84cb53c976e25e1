"""MLflow tracking: one parent run for each Dagster run, one nested run for each model and week in it.

Built on dagster-mlflow, whose run stays open after runs of the UI and whose parameters collide when a run
covers several weeks; here every run is closed with the outcome it had, and a week has a run of its own.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow

EXPERIMENT = "forecasting-assets"


@dataclass(frozen=True)
class WeekRun:
    """The MLflow run of one model and week, open."""

    mlflow: "MlFlow"
    run_id: str
    model: str
    week: date

    def log(self, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        self.mlflow.log_params(dict(params))
        self.mlflow.log_metrics({name: value for name, value in metrics.items() if value == value})

    def log_model(self, code: Path, artifacts: Mapping[str, Path]) -> str:
        """Register the pyfunc model whose source is `code`; its URI `models:/<model>@week-YYYY-MM-DD`.

        The model is logged from its source and plain files, never as a pickle.
        """
        info = self.mlflow.pyfunc.log_model(
            name="model",
            python_model=str(code),
            artifacts={name: str(path) for name, path in artifacts.items()},
            # Stated, as working it out takes MLflow longer than all the rest.
            pip_requirements=["forecasting-assets"],
            registered_model_name=self.model,
        )
        alias = f"week-{self.week}"
        client = self.mlflow.tracking.MlflowClient()
        client.set_registered_model_alias(self.model, alias, info.registered_model_version)
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
        failed = context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        self._mlflow.end_run("FAILED" if failed else "FINISHED")
        self._mlflow = None

    def _open(self) -> "MlFlow":
        if self._mlflow is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", dg.BetaWarning)
                from dagster_mlflow.resources import MlFlow
            _quiet()
            self._prepare_store()
            config = {
                "experiment_name": EXPERIMENT,
                "mlflow_tracking_uri": self.tracking_uri,
                "extra_tags": {},
            }
            self._mlflow = MlFlow(self._context.replace_config(config))
        return self._mlflow

    def _prepare_store(self) -> None:
        from mlflow import MlflowClient

        client = MlflowClient(self.tracking_uri)
        if client.get_experiment_by_name(EXPERIMENT) is None:
            location = Path(self.artifacts).as_uri() if self.artifacts else None
            client.create_experiment(EXPERIMENT, artifact_location=location)

    @contextmanager
    def week(self, model: str, week: date, dagster_run_id: str) -> Iterator[WeekRun]:
        """An open nested run for one model and week; closed as failed if the block raises."""
        mlflow = self._open()
        tags = {"dagster_run_id": dagster_run_id, "asset": model, "week": str(week)}
        with mlflow.start_run(run_name=f"{model} {week}", nested=True, tags=tags) as run:
            yield WeekRun(mlflow, run.info.run_id, model, week)


def _quiet() -> None:
    """Database migrations and model registration are no news to whoever reads the log of a run."""
    for name in (
        "alembic",
        "mlflow.store.db.utils",
        "mlflow.tracking._model_registry",
        "mlflow.models.model",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
