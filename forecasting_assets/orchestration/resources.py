"""What Dagster hands to assets and checks: the parts of an open home, and tracking for the length of a run."""

import gc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from forecasting_assets.lake.landing import Landing
from forecasting_assets.orchestration.assets.landing import observations
from forecasting_assets.orchestration.dagster_internals import narrow_to_partitions
from forecasting_assets.orchestration.run_tags import WEEKS_TAG, weeks_of_run
from forecasting_assets.runtime.orphans import PROCESS, this_process
from forecasting_assets.tracking.client import Tracking, dagster_tags
from forecasting_assets.tracking.store import EXPERIMENT, prepare_store, silence_mlflow
from forecasting_assets.weeks import format_weeks

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow

#: Key of the I/O manager that tells Dagster which weeks of a run were made.
WEEKS_MADE = "weeks_made"


class WeeksMade(dg.ConfigurableIOManager):
    """Narrows the materializations of a run to the weeks that were made; stores nothing, as assets write the lake."""

    landing: dg.ResourceDependency[Landing]

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Prepare this process for a run, and record which version of the order files the run reads."""
        # A run imports and keeps some 800,000 objects: looking through them for garbage took 2 of the 22 seconds of a
        # week.
        gc.set_threshold(50_000, 5, 5)
        run, instance = context.run, context.instance
        if not run or not instance:
            return
        # The tags of a run that is repeated name the process of the earlier run.
        if run.tags.get(PROCESS) != this_process()[PROCESS]:
            instance.add_run_tags(run.run_id, this_process())
        if weeks := format_weeks(weeks_of_run(run.tags)):
            instance.add_run_tags(run.run_id, {WEEKS_TAG: weeks})
        if run.asset_selection is None or dg.AssetKey("raw_orders") in run.asset_selection:
            # Before any step: at its start Dagster notes which version of the files a step reads.
            with suppress(ValueError):  # the asset itself says what is wrong with the landing zone
                for observation in observations(self.landing.refresh(), weeks_of_run(run.tags)):
                    instance.report_runless_asset_event(observation)

    def handle_output(self, context: dg.OutputContext, obj: Sequence[str]) -> None:
        """Have Dagster record a materialization of the weeks in `obj` alone."""
        narrow_to_partitions(context, obj)

    def load_input(self, context: dg.InputContext) -> None:
        """Refuse: assets read the lake."""
        raise NotImplementedError("assets read the lake")


def tracking_resource(tracking_uri: str, artifacts: str | None) -> dg.ResourceDefinition:
    """Return the resource that tracks a run in MLflow, built on dagster-mlflow.

    dagster-mlflow leaves its run open after runs of the UI, and its parameters collide when a run covers several weeks.
    Here every run is closed with the outcome it had, and each week has a run of its own.

    Parameters
    ----------
    tracking_uri
        MLflow server or database.
    artifacts
        Where models are kept, as a URI, if `tracking_uri` is a database; a server knows that itself.
    """

    @dg.resource(description="MLflow")
    def tracking(context: dg.InitResourceContext) -> Iterator[Tracking]:
        run_id = context.run.run_id if context.run else ""
        tracker = Tracking(tracking_uri, run_id, partial(_open_mlflow, context, tracking_uri, artifacts))
        yield tracker
        failed = context.instance and context.instance.all_logs(
            run_id, of_type=dg.DagsterEventType.STEP_FAILURE
        )
        tracker.close("FAILED" if failed else "FINISHED")

    return tracking


def _open_mlflow(context: dg.InitResourceContext, tracking_uri: str, artifacts: str | None) -> "MlFlow":
    silence_mlflow()
    prepare_store(tracking_uri, artifacts)
    config = {
        "experiment_name": EXPERIMENT,
        "mlflow_tracking_uri": tracking_uri,
        "extra_tags": _mlflow_tags(context.run),
    }
    with warnings.catch_warnings():
        # dagster-mlflow as a whole is in beta; requirements.lock pins the version that works.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        from dagster_mlflow.resources import MlFlow

        return MlFlow(context.replace_config(config))


def _mlflow_tags(run: dg.DagsterRun | None) -> dict[str, Any]:
    """Return tags of the MLflow run of a Dagster run; its name says which weeks."""
    tags = dagster_tags(run.run_id if run else "")
    if run and (weeks := format_weeks(weeks_of_run(run.tags))):
        tags |= {"weeks": weeks, "mlflow.runName": f"{run.job_name.strip('_')} {weeks}"}
    return tags
