"""Running assets from the command line: one Dagster run in this process, recorded where the UI finds it."""

import os
import time
import warnings
from collections.abc import Sequence
from datetime import date
from importlib import resources
from pathlib import Path

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.storage.tags import PARTITION_NAME_TAG

from forecasting_assets.assets.lineage import OVERRIDE
from forecasting_assets.assets.planning import plan_costs
from forecasting_assets.automation.jobs import WEEKLY_PLAN
from forecasting_assets.automation.sensors import RANGE_END, RANGE_START
from forecasting_assets.definitions import build_defs
from forecasting_assets.reporting import summary
from forecasting_assets.resources.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import BACKTEST_REPORT, BUSINESS_IMPACT


class SelectionError(ValueError):
    """An asset selection that cannot be read or selects nothing."""


def prepare_home(home: Path) -> Path:
    """Make DAGSTER_HOME in `home` with its dagster.yaml, unless they are there; the folder."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dagster.yaml"
    if not config.exists():
        config.write_text((resources.files("forecasting_assets.resources") / "dagster.yaml").read_text())
    return folder


def materialize(
    settings: Settings, weeks: Sequence[date], select: str | None = None, override: Sequence[str] = ()
) -> bool:
    """Materialize the selected assets (all by default) for the range of `weeks` in one run; whether it succeeded.

    `select` is in Dagster's selection syntax; SelectionError if it cannot be read or nothing matches.
    `override` names checks (`asset/check`) whose failure is to hold nothing back.
    """
    defs = build_defs(settings)
    # Heavy run logs belong to the UI; here one line a step is enough.
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    first, last = str(weeks[0]), str(weeks[-1])
    tags = {PARTITION_NAME_TAG: first} if first == last else {RANGE_START: first, RANGE_END: last}
    if override:
        tags[OVERRIDE] = ",".join(override)
    job = defs.resolve_job_def(WEEKLY_PLAN)
    if keys := _selected(defs, select):
        job = job.get_subset(asset_selection=set(keys))
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings.home))
    with dg.DagsterInstance.get() as instance:
        # `execute_in_process` would take an executor of its own, with which one bad week stops the others.
        run = instance.create_run_for_job(
            job_def=job, run_config=quiet, tags=tags, asset_selection=frozenset(keys) if keys else None
        )
        instance.add_event_listener(run.run_id, _Progress())
        return execute_run(InMemoryJob(job), run, instance).success


def _selected(defs: dg.Definitions, select: str | None) -> list[dg.AssetKey] | None:
    if select is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            selection = dg.AssetSelection.from_string(select)
        keys = selection.resolve(defs.resolve_asset_graph())
    except Exception as error:
        raise SelectionError(f"--select {select!r} cannot be read: {error}") from None
    if not keys:
        raise SelectionError(f"--select {select!r} selects no asset")
    print("Assets: " + ", ".join(sorted(key.to_user_string() for key in keys)), flush=True)
    return sorted(keys)


def summarise(settings: Settings, weeks: Sequence[date]) -> str:
    """What the newest of `weeks` says, for a planner: accuracy, worth of the plans, reports."""
    lake = Lake(path=settings.lake_path)
    newest = weeks[-1]
    costs = plan_costs(lake, newest)
    folder = settings.reports_path / f"week={newest}"
    return summary(
        lake.read_pandas(BACKTEST_REPORT, [newest]),
        lake.read_pandas(BUSINESS_IMPACT, weeks),
        costs,
        [str(folder / name) for name in ("backtest.html", "plan.html")],
        "make dev, then http://127.0.0.1:3000",
    )


class _Progress:
    """Prints a line when a step starts and how long it took, and why it failed if it did."""

    def __init__(self) -> None:
        self.started: dict[str, float] = {}

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        step = event.step_key or ""
        if event.event_type == dg.DagsterEventType.STEP_START:
            self.started[step] = time.monotonic()
            print(f"  {step} …", flush=True)
        elif event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            print(f"  {step}: {time.monotonic() - self.started[step]:.1f} s", flush=True)
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            print(f"  {step} FAILED\n{_reason(event.step_failure_data)}", flush=True)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found = event.asset_check_evaluation_data
            if not found.passed:
                print(
                    f"  {found.severity.value}: {found.asset_key.to_user_string()} {found.partition}: "
                    f"{found.check_name}: {found.description}",
                    flush=True,
                )


def _reason(failure) -> str:
    error = failure.error
    while error.cause is not None:
        error = error.cause
    return "    " + error.message.strip().replace("\n", "\n    ")
