"""Run assets from the command line: one Dagster run in this process, recorded where the UI finds it."""

import os
import time
from collections.abc import Callable, Sequence, Set
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from forecasting_assets.lake.blockers import OVERRIDE
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.orchestration.dagster_internals import execute_here
from forecasting_assets.orchestration.jobs import WEEKLY_PLAN
from forecasting_assets.orchestration.run_tags import tags_of_weeks, weeks_of_run
from forecasting_assets.orchestration.selection import require_checks, select_assets
from forecasting_assets.orchestration.shared import SPARK_POOL
from forecasting_assets.pipeline import build_pipeline
from forecasting_assets.runtime.dagster_home import prepare_home
from forecasting_assets.runtime.orphans import end_orphans, this_process
from forecasting_assets.settings import Settings
from forecasting_assets.workflows.backfill import Cost, duration, measured_cost

#: Seconds since its last heartbeat within which a daemon is at work.
_ALIVE = 60


def prepare_queue(home: Path) -> None:
    """Create the pool of runs that use Spark, and end the runs that a crash has left in it.

    Dagster itself creates a pool with the first runs it dequeues, and does not count these.
    """
    with dg.DagsterInstance.from_config(str(prepare_home(home))) as instance:
        instance.event_log_storage.initialize_concurrency_limit_to_default(SPARK_POOL)
        end_orphans(instance)


def materialize(
    settings: Settings,
    weeks: Sequence[date],
    select: str | None = None,
    override: Sequence[str] = (),
    report: Callable[[str], None] = print,
) -> bool:
    """Materialize assets for a range of weeks in one run.

    Parameters
    ----------
    settings
        Settings of the home.
    weeks
        The range, in order.
    select
        Assets in Dagster's selection syntax; all if None.
    override
        Checks (`asset/check`) whose failure does not block downstream assets.
    report
        Called with each line of progress.

    Returns
    -------
    bool
        Whether the run succeeded.

    Raises
    ------
    SelectionError
        If the selection cannot be parsed or is empty.
    KeyboardInterrupt
        If the run was interrupted, once it is recorded as ended.
    """
    defs = build_defs(settings)
    # Detailed logs are for the UI; here one line a step is enough.
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    tags = tags_of_weeks(weeks[0], weeks[-1]) | this_process()
    if override:
        require_checks(build_pipeline(settings), override)
        tags[OVERRIDE] = ",".join(override)
    job = defs.resolve_job_def(WEEKLY_PLAN)
    if keys := _selected(settings, select, defs):
        report("Assets: " + ", ".join(key.to_user_string() for key in keys))
        job = job.get_subset(asset_selection=set(keys))
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings.home))
    with dg.DagsterInstance.get() as instance:
        end_orphans(instance)
        # Before the run exists: Dagster's daemon fails runs that are not started for some minutes.
        _wait_for_pools(instance, {pool for node in job.nodes for pool in node.definition.pools}, report)
        run = instance.create_run_for_job(
            job_def=job, run_config=quiet, tags=tags, asset_selection=frozenset(keys) if keys else None
        )
        progress = _Progress(report)
        instance.add_event_listener(run.run_id, progress)
        succeeded = execute_here(job, run, instance)
    if progress.interrupted:
        raise KeyboardInterrupt
    selected = {node.name for node in job.nodes}
    assets = (name for name in build_pipeline(settings) if name in selected)
    if not_run := [name for name in assets if name not in progress.started]:
        report(f"Not run: {', '.join(not_run)}")
    return succeeded


def _wait_for_pools(instance: dg.DagsterInstance, pools: Set[str], report: Callable[[str], None]) -> None:
    """Wait until no run of the daemon uses one of `pools`; once the run is started, the daemon waits for it in turn."""
    heartbeats = instance.get_daemon_heartbeats().values()
    if not any(time.time() - heartbeat.timestamp < _ALIVE for heartbeat in heartbeats):
        return
    in_progress = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
    announced = False
    while busy := [other for other in instance.get_runs(in_progress) if pools & _pools_of(other)]:
        if not announced:
            report(
                f"Waiting for run {busy[0].run_id[:8]} to end, which uses the pool {' and '.join(pools)} …"
            )
            announced = True
        time.sleep(1)
        end_orphans(instance)


def _pools_of(run: dg.DagsterRun) -> set[str]:
    return set(run.run_op_concurrency.all_pools or ()) if run.run_op_concurrency else set()


def weeks_not_fresh(settings: Settings, weeks: Sequence[date] | None, select: str | None) -> list[date]:
    """Return those of `weeks`, or of all expected weeks if they are None, in which a selected asset is not fresh."""
    freshness = freshness_of(settings)
    keys = _selected(settings, select)
    assets = [key.to_user_string() for key in keys] if keys else list(freshness.pipeline)
    if weeks is None:
        stale = freshness.stale()
        return sorted({week for asset in assets for week in stale.get(asset, ())})
    return [w for w in weeks if any(freshness.state(asset, w).state != "fresh" for asset in assets)]


def past_cost(settings: Settings, select: str | None) -> Cost:
    """Measure what past runs of the same assets took, from Dagster's records of them."""
    keys = _selected(settings, select)
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings.home))
    successful = dg.RunsFilter(job_name=WEEKLY_PLAN, statuses=[dg.DagsterRunStatus.SUCCESS])
    with dg.DagsterInstance.get() as instance:
        records = instance.get_run_records(successful, limit=100)
    measured = []
    for record in records:
        run = record.dagster_run
        if (
            run.asset_selection == (frozenset(keys) if keys else None)
            and record.start_time
            and record.end_time
        ):
            measured.append((len(weeks_of_run(run.tags)), record.end_time - record.start_time))
    return measured_cost(measured)


def backfill(
    settings: Settings,
    runs: Sequence[Sequence[date]],
    select: str | None,
    cost: Cost,
    report: Callable[[str], None] = print,
) -> bool:
    """Materialize several runs one after the other in one JVM, and print progress.

    A run that fails does not stop those after it.

    Parameters
    ----------
    settings
        Settings of the home.
    runs
        Weeks of each run.
    select
        Assets in Dagster's selection syntax; all if None.
    cost
        Expected time of runs, for the estimate of the time left.
    report
        Called with each line of progress.

    Returns
    -------
    bool
        Whether all runs succeeded.
    """
    done, succeeded, begin = 0, True, time.monotonic()
    total = sum(map(len, runs))
    for number, weeks in enumerate(runs, 1):
        left = sum(cost.of(len(rest)) for rest in runs[number - 1 :])
        if done:  # the pace so far is a better estimate than past runs
            left = (time.monotonic() - begin) / done * (total - done)
        report(
            f"Run {number} of {len(runs)}: {weeks[0]} to {weeks[-1]}; "
            f"{done} of {total} weeks done, about {duration(left)} left"
        )
        succeeded &= materialize(settings, weeks, select, report=report)
        done += len(weeks)
    return succeeded


def _selected(
    settings: Settings, select: str | None, defs: dg.Definitions | None = None
) -> list[dg.AssetKey] | None:
    return None if select is None else select_assets(defs or build_defs(settings), select)


class _Progress:
    """Event listener that prints when a step starts, how long it took, and why it failed if it did."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report = report
        self.started: dict[str, float] = {}
        self.interrupted = False

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        step = event.step_key or ""
        if event.event_type == dg.DagsterEventType.STEP_START:
            self.started[step] = time.monotonic()
            self.report(f"  {step} …")
        elif event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            self.report(f"  {step}: {time.monotonic() - self.started[step]:.1f} s")
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            # Either Dagster or Spark's client notices an interrupt first.
            names = {error.cls_name for error in _chain(event.step_failure_data)}
            self.interrupted |= bool(names & {"DagsterExecutionInterruptedError", "KeyboardInterrupt"})
            self.report(f"  {step} FAILED\n{_reason(event.step_failure_data)}")
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            # Checks of all weeks together are for the UI; on the command line `status` shows them.
            if not check.passed and check.partition:
                self.report(
                    f"  {check.severity.value}: {check.asset_key.to_user_string()} {check.partition}: "
                    f"{check.check_name}: {check.description}"
                )


def _chain(failure: Any) -> list[Any]:
    """Return the error of a step and its causes, innermost last."""
    errors = [failure.error] if failure.error else []
    while errors and errors[-1].cause is not None:
        errors.append(errors[-1].cause)
    return errors


def _reason(failure: Any) -> str:
    errors = _chain(failure)
    return "    " + (errors[-1].message.strip() if errors else "interrupted").replace("\n", "\n    ")
