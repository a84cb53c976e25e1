"""The MLflow run of one model and week, and the model that is logged in it."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting_assets.tables import Table
from forecasting_assets.weeks import add_weeks

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow
    from mlflow.models import ModelSignature

#: Weeks back from the newest that have an alias of their own, so that aliases do not grow without end. Models of
#: earlier weeks are found by their tag `week`.
ALIAS_WEEKS = 60
#: MLflow's error code for a model that is not registered, and those for an alias that a model does not have.
NO_MODEL = "RESOURCE_DOES_NOT_EXIST"
NO_ALIAS = (NO_MODEL, "NOT_FOUND", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class DataUsed:
    """Rows of the lake that a model was trained on or predicted with.

    Attributes
    ----------
    table
        Name of the table.
    digest
        Identifies the content of its weeks.
    source
        Where the table is.
    weeks
        The weeks, as text.
    """

    table: str
    digest: str
    source: str
    weeks: str


@dataclass(frozen=True)
class LoggedModel:
    """A model to be logged.

    Attributes
    ----------
    code
        Python file with the pyfunc model.
    artifacts
        Name -> file that the model needs to predict.
    input_table
        Table whose columns it predicts from.
    fit
        What `Tracking.find` finds it by, if anything.
    """

    code: Path
    artifacts: Mapping[str, Path]
    input_table: Table
    fit: str | None


@dataclass(frozen=True)
class WeekRun:
    """The open MLflow run of one model and week.

    Attributes
    ----------
    mlflow
        MLflow, as dagster-mlflow wraps it.
    run_id
        Id of the run.
    model, week
        Name of the asset, and the week.
    url
        Where MLflow's UI shows the run, if that is known.
    """

    mlflow: "MlFlow"
    run_id: str
    model: str
    week: date
    url: str | None

    def log(
        self, params: Mapping[str, Any], metrics: Mapping[str, float], data: Sequence[DataUsed] = ()
    ) -> None:
        """Log parameters, metrics (but for NaN) and what data the model used."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        self.mlflow.log_params(dict(params))
        self.mlflow.log_metrics({name: value for name, value in metrics.items() if value == value})
        inputs = [
            DatasetInput(
                Dataset(used.table, used.digest, "lake", json.dumps({"path": used.source})),
                [InputTag("mlflow.data.context", "training"), InputTag("weeks", used.weeks)],
            )
            for used in data
        ]
        if inputs:
            self.mlflow.tracking.MlflowClient().log_inputs(self.run_id, inputs)

    def log_model(self, model: LoggedModel) -> str:
        """Log a model from its source and plain files, never as a pickle, and register it.

        Returns
        -------
        str
            Its URI, `models:/<model>@week-YYYY-MM-DD`.
        """
        with warnings.catch_warnings():
            # MLflow would run an example through the model each time; the signature says what it takes.
            warnings.filterwarnings(
                "ignore", message=".*input example was not provided", category=UserWarning
            )
            info = self.mlflow.pyfunc.log_model(
                name="model",
                python_model=str(model.code),
                artifacts={name: str(path) for name, path in model.artifacts.items()},
                # Without these MLflow works them out, which takes longer than all the rest.
                pip_requirements=["forecasting-assets"],
                signature=_signature(model.input_table),
            )
        client = self.mlflow.tracking.MlflowClient()
        version = self._register(client, info, {"fit": model.fit} if model.fit else {})
        alias = alias_of(self.week)
        client.set_registered_model_alias(self.model, alias, version)
        delete_alias(client, self.model, alias_of(add_weeks(self.week, -ALIAS_WEEKS)))
        return f"models:/{self.model}@{alias}"

    def _register(self, client: Any, info: Any, tags: Mapping[str, str]) -> str:
        from mlflow.exceptions import MlflowException

        version = {
            "name": self.model,
            "source": info.model_uri,
            "run_id": self.run_id,
            "tags": {"week": str(self.week), **tags},
            "model_id": info.model_id,  # a server refuses a version without it
        }
        # Looking up the model first would load its versions of all weeks.
        try:
            return str(client.create_model_version(**version).version)
        except MlflowException as error:
            if error.error_code != NO_MODEL:
                raise
            client.create_registered_model(self.model)
            return str(client.create_model_version(**version).version)


def alias_of(week: date) -> str:
    """Return the alias of the model of a week."""
    return f"week-{week}"


def delete_alias(client: Any, model: str, alias: str) -> None:
    """Delete an alias of a model, if there is one."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_registered_model_alias(model, alias)
    except MlflowException as error:
        if error.error_code not in NO_ALIAS:
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
