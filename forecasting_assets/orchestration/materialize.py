"""Weeks of one run kept apart: a week that fails or is held back fails alone, and every week that is made is
recorded with what it was made from.

A step yields the weeks it made as its output and then fails if there were others, so that what is downstream
goes on with the weeks that are there, and the run ends as failed all the same.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date

import dagster as dg

from forecasting_assets.lake.freshness import OVERRIDE, Lineage
from forecasting_assets.lake.landing import Landing
from forecasting_assets.lake.records import Failure, Inputs, Record, fingerprint
from forecasting_assets.orchestration.assets.landing import observations
from forecasting_assets.orchestration.factory import Weekly, add_week_metadata, weeks_of
from forecasting_assets.orchestration.run_tags import weeks_of_run
from forecasting_assets.runtime.lock import exclusive_lock
from forecasting_assets.runtime.orphans import PROCESS, this_process
from forecasting_assets.tables import Table

#: Key of the I/O manager that tells Dagster which weeks of a run were made.
WEEKS_MADE = "weeks_made"
#: So many weeks that fail alone, and the last one with them, mean that the rest would fail as well.
_HOPELESS = 3


class HeldBack(ValueError):
    """A week that is not made as what it needs is missing, failed, or did not pass its checks, or as it would fail
    like those that were tried."""


class InputsChanged(ValueError):
    """What weeks were to be made from has changed since it was looked at: it has to be looked at again."""


class WeeksMade(dg.ConfigurableIOManager):
    """Narrows the materializations of a run to the weeks that were made; stores nothing, assets do."""

    landing: dg.ResourceDependency[Landing]

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        run, instance = context.run, context.instance
        if not run or not instance:
            return
        # The tags of a run that is made again name the process of the one before.
        if run.tags.get(PROCESS) != this_process()[PROCESS]:
            instance.add_run_tags(run.run_id, this_process())
        reads_files = run.asset_selection is None or dg.AssetKey("raw_orders") in run.asset_selection
        if reads_files:
            # Before any step: Dagster notes at its start which version of the files a step reads.
            with suppress(ValueError):  # the asset itself says what is wrong with the landing zone
                for observation in observations(self.landing.refresh(), weeks_of_run(run.tags)):
                    instance.report_runless_asset_event(observation)

    def handle_output(self, context: dg.OutputContext, obj: Sequence[str]) -> None:
        # Dagster would otherwise record a materialization of every week of the run, the failed ones too.
        context._asset_partitions_subset = context.asset_partitions_def.subset_with_partition_keys(obj)

    def load_input(self, context: dg.InputContext) -> None:
        raise NotImplementedError("assets read the lake")


def executor() -> dg.ExecutorDefinition:
    """One process and so one JVM a run; a step starts once what it needs is there, even if a week of it failed."""
    return dg.in_process_executor.configured(
        {"step_dependency_config": {"require_upstream_step_success": False}}, name="one_process"
    )


def week_by_week(
    weekly: Weekly, table: Table, function: Callable[..., None]
) -> Callable[..., Iterator[dg.Output]]:
    """`function(context, weeks, **resources)` as the body of a partitioned asset, week by week."""

    @functools.wraps(function)
    def materialize(context: dg.AssetExecutionContext, **resources) -> Iterator[dg.Output]:
        weeks = weeks_of(context)
        overridden = overridden_checks(context.run.tags)
        waiting = f"Waiting for another run, which is making {table.name}."

        def attempt(weeks: Sequence[date]) -> tuple[Lineage, dict[date, Inputs], dict[date, Exception]]:
            """What the weeks are made from as of now, and why those fail that do."""
            lineage = Lineage(weekly)
            failed: dict[date, Exception] = {}
            ready: list[date] = []
            for week in weeks:
                if obstacles := lineage.obstacles(table.name, week, context.run.run_id, overridden, ready):
                    failed[week] = HeldBack("\n".join(obstacles))
                else:
                    ready.append(week)
            inputs = {week: lineage.inputs(table.name, week) for week in ready}
            failed |= failures_by_week(ready, lambda part: function(context, part, **resources))
            return lineage, inputs, failed

        # A record would otherwise tell of what another run has written meanwhile.
        with exclusive_lock(weekly.settings.home, table.name, lambda: context.log.info(waiting)):
            lineage, inputs, failed = attempt(weeks)
            if again := [week for week, error in failed.items() if isinstance(error, InputsChanged)]:
                lineage, inputs_now, failed_now = attempt(again)
                inputs |= inputs_now
                failed = {week: error for week, error in failed.items() if week not in again} | failed_now
            made = [week for week in weeks if week not in failed]
            # Nothing goes on from a week before its checks have passed, even if this run is killed before them.
            unchecked = weekly.unchecked(table)
            for week in made:
                made_from = {**inputs[week], **lineage.own_inputs(table.name, week)}
                identity = lineage.lake.identity(table, week)
                record = Record(fingerprint(made_from), made_from, *identity, unchecked)
                lineage.keep(table.name, week, record)
                add_week_metadata(context, week, _provenance(record, overridden))
                for companion in lineage.declared(table.name).companions:
                    context.log_event(_materialization(lineage, companion, week))
            for week, error in failed.items():
                note_failure(lineage, table, week, context.run.run_id, str(error))
        if made:
            yield dg.Output([str(week) for week in made])
        _raise(context, table.name, weeks, failed)

    # Dagster reads the resources of an asset from its signature; the weeks are given here.
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "weeks"]
    materialize.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    materialize.__annotations__ = {p.name: p.annotation for p in parameters}
    return materialize


def failures_by_week(weeks: Sequence[date], work: Callable[[list[date]], None]) -> dict[date, Exception]:
    """Do `work` for all `weeks` at once or, where that fails, in ever smaller parts; why the weeks fail that do.

    `work` must stand being done again for a week.
    """
    failed: dict[date, Exception] = {}
    pending = [list(weeks)] if weeks else []
    any_made = False
    while pending:
        part = pending.pop()
        try:
            work(part)
            any_made = True
        except InputsChanged as error:
            failed |= dict.fromkeys(part, error)
        except Exception as error:
            if len(part) > 1:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
                continue
            failed[part[0]] = error
            if any_made or not pending:
                continue
            if len(failed) == _HOPELESS:
                # The first weeks may have in common what is wrong with them. If the last one is not wrong, it is made
                # again in its turn, as it may go on from those before it.
                pending.append(pending[0][-1:])
            elif len(failed) > _HOPELESS:
                untried = HeldBack(f"not tried, as {len(failed)} others failed, one of them with: {error}")
                failed |= {week: untried for rest in pending for week in rest if week not in failed}
                break
    return failed


def overridden_checks(tags: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in tags.get(OVERRIDE, "").split(",") if name.strip()]


def note_failure(lineage: Lineage, table: Table, week: date, run_id: str, reason: str) -> None:
    """Keep why `week` failed beside what is there of it, which stays as it was."""
    record = lineage.lake.records(table, [week]).get(week, Record())
    noted = replace(record, failure=Failure(run_id, reason))
    if record.data and not record.inputs:  # it was published before the failure, and nobody has looked at it
        noted = replace(noted, failed_checks=lineage.weekly.unchecked(table))
    lineage.lake.write_record(table, week, noted)


def _materialization(lineage: Lineage, companion: Table, week: date) -> dg.AssetMaterialization:
    """A week of a table that was written beside that of the asset."""
    rows = {"dagster/partition_row_count": lineage.lake.rows(companion, week)}
    return dg.AssetMaterialization(companion.name, partition=str(week), metadata=rows)


def _provenance(record: Record, overridden: Sequence[str]) -> dict:
    # A window of weeks is told by its fingerprint: the event log holds this for every week of every asset.
    made_from = {
        name: next(iter(items.values())) if len(items) == 1 else f"{len(items)} inputs {fingerprint(items)}"
        for name, items in record.inputs.items()
    }
    told = {"version": record.version, "made_from": dg.MetadataValue.json(made_from)}
    return told | ({"overridden_checks": ", ".join(overridden)} if overridden else {})


def _raise(
    context: dg.AssetExecutionContext, asset: str, weeks: Sequence[date], failed: Mapping[date, Exception]
) -> None:
    if not failed:
        return
    if len(weeks) == 1:
        raise failed[weeks[0]]
    for week, error in failed.items():
        if not isinstance(error, HeldBack):
            context.log.error(f"{asset} {week} failed", exc_info=error)
    reasons = [
        f"{week}: {str(error).strip() or type(error).__name__}" for week, error in sorted(failed.items())
    ]
    raise dg.Failure(
        f"{asset}: {len(failed)} of {len(weeks)} weeks failed, the others are made.\n" + "\n".join(reasons),
        allow_retries=False,
    )
