"""Make the weeks of one asset in one step, each on its own, and record what each was made from.

A step yields the weeks that were made as its output and then fails if there were others. So what is downstream goes on
with the weeks that exist, and the run ends as failed all the same.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import dagster as dg

from forecasting_assets.graph import WeeklyAsset
from forecasting_assets.lake.blockers import OVERRIDE, Attempt, blockers
from forecasting_assets.lake.freshness import Freshness
from forecasting_assets.lake.home import Home
from forecasting_assets.lake.publish import publish
from forecasting_assets.lake.records import UNCHECKED, Failure, Inputs, Record, fingerprint
from forecasting_assets.lake.reports import Reports
from forecasting_assets.lake.table_log import PublishError
from forecasting_assets.orchestration.week_metadata import add_week_metadata, preview, week_metadata
from forecasting_assets.runtime.spark import retry_if_server_lost
from forecasting_assets.storage import StoreError, exclusive_lock
from forecasting_assets.workflows.isolation import BlockedWeekError, InputsChangedError, failures_by_week
from forecasting_assets.workflows.week_result import WeekResult, WeekResults


@dataclass(frozen=True)
class WeekFunction:
    """The function of an asset and the resources that it takes, by name."""

    function: Callable[..., WeekResults]
    resources: Collection[str]

    def results(self, context: dg.AssetExecutionContext, weeks: list[date]) -> dict[date, WeekResult]:
        """Call the function for `weeks`; again if the Spark server that it uses is lost meanwhile."""

        def call(**resources: Any) -> dict[date, WeekResult]:
            return dict(self.function(weeks, **resources))

        resources = {name: getattr(context.resources, name) for name in self.resources}
        return retry_if_server_lost(call)(**resources)


@dataclass
class _Step:
    """One step of a run: the weeks of one asset.

    Attributes
    ----------
    home, asset, function, context
        What is made, how, and in which run.
    inputs
        Week -> what it was made from.
    results
        Week -> its result.
    failed
        Week -> why it failed.
    """

    home: Home
    asset: WeeklyAsset
    function: WeekFunction
    context: dg.AssetExecutionContext
    inputs: dict[date, Inputs] = field(default_factory=dict)
    results: dict[date, WeekResult] = field(default_factory=dict)
    failed: dict[date, Exception] = field(default_factory=dict)

    @property
    def overridden(self) -> list[str]:
        """Checks whose failure a person has decided to ignore."""
        return overridden_checks(self.context.run.tags)

    def make(self, weeks: Sequence[date]) -> Freshness:
        """Make `weeks` as far as nothing blocks them; return the view of the home they were made from."""
        freshness = Freshness(self.home)
        ready: list[date] = []
        for week in weeks:
            attempt = Attempt(self.context.run.run_id, self.overridden, ready)
            self.failed.pop(week, None)
            if lines := blockers(freshness, self.asset.name, week, attempt):
                self.failed[week] = BlockedWeekError(*lines)
            else:
                ready.append(week)
        self.inputs |= {week: freshness.inputs(self.asset.name, week) for week in ready}
        self.failed |= failures_by_week(ready, self._call)
        return freshness

    def _call(self, weeks: list[date]) -> None:
        self.results |= self.function.results(self.context, weeks)

    def publish(self, weeks: Sequence[date]) -> None:
        """Publish what was made in the table format of the settings; without that, the weeks have failed."""
        if made := [week for week in weeks if week not in self.failed]:
            try:
                publish(self.home.settings, self.home.lake, [*self.asset.also_writes, self.asset.table])
            except (PublishError, StoreError) as error:
                self.failed |= dict.fromkeys(made, error)

    def record(self, freshness: Freshness, week: date) -> None:
        """Record a week that was made, in the lake and in Dagster."""
        asset, lake = self.asset, self.home.lake
        inputs = {**self.inputs[week], **freshness.own_inputs(asset.name, week)}
        content, seen = lake.records.identity(asset.table, week)
        version = lake.rows_id(asset.table, week) if asset.versioned_by_rows else fingerprint(inputs)
        # Nothing uses new data before its checks have passed, even if this run is killed before they run. The same data
        # from the same inputs keeps its results: another run that is using it must not stop because of this one.
        before = freshness.record(asset.name, week)
        same = (before.data, before.inputs) == (content, inputs)
        checks = before.failed_checks if same else unchecked(asset)
        record = Record(version, inputs, content, seen, checks)
        freshness.keep(asset.name, week, record)
        result = self.results[week]
        reports = Reports.of(self.home.settings)
        metadata = week_metadata(result, week, reports) | preview(lake.first_rows(asset.table, week))
        metadata |= _provenance(record, self.overridden)
        add_week_metadata(self.context, week, metadata)
        for line in result.warnings:
            self.context.log.warning(line)
        for table in asset.also_writes:
            rows = {"dagster/partition_row_count": lake.rows(table, week)}
            shown = rows | preview(lake.first_rows(table, week))
            self.context.log_event(dg.AssetMaterialization(table.name, partition=str(week), metadata=shown))


def materialize_weeks(
    home: Home, asset: WeeklyAsset, function: WeekFunction
) -> Callable[[dg.AssetExecutionContext], Iterator[dg.Output[list[str]]]]:
    """Return the body of a Dagster asset.

    Parameters
    ----------
    home
        The home that weeks are made in.
    asset
        The asset.
    function
        Makes weeks of it.

    Returns
    -------
    Callable
        Yields the partition keys of the weeks that were made, and raises what went wrong with the others.
    """

    def materialize(context: dg.AssetExecutionContext) -> Iterator[dg.Output[list[str]]]:
        weeks = weeks_of(context)
        step = _Step(home, asset, function, context)
        waiting = f"Waiting for another run, which is making {asset.name}."
        # Without the lock a record could describe what another run has written meanwhile.
        with exclusive_lock(home.lake.path, asset.name, lambda: context.log.info(waiting)):
            freshness = step.make(weeks)
            if again := [w for w, error in step.failed.items() if isinstance(error, InputsChangedError)]:
                freshness = step.make(again)
            step.publish(weeks)
            made = [week for week in weeks if week not in step.failed]
            for week in made:
                step.record(freshness, week)
            for week, error in step.failed.items():
                note_failure(home, asset, week, Failure(context.run.run_id, str(error)))
        if made:
            yield dg.Output([str(week) for week in made])
        _raise(context, asset.name, weeks, step.failed)

    return materialize


def weeks_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """Return the weeks that a run materializes, sorted."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def overridden_checks(tags: Mapping[str, str]) -> list[str]:
    """Return the checks that the tags of a run tell to ignore."""
    return [name.strip() for name in tags.get(OVERRIDE, "").split(",") if name.strip()]


def unchecked(asset: WeeklyAsset) -> dict[str, str]:
    """Return the results of the blocking checks of a week that they have not looked at."""
    return dict.fromkeys(asset.blocking_checks, UNCHECKED)


def note_failure(home: Home, asset: WeeklyAsset, week: date, failure: Failure) -> None:
    """Keep why `week` failed beside what exists of it, which stays as it was."""
    records = home.lake.records
    record = records.read(asset.table, [week]).get(week, Record())
    noted = replace(record, failure=failure)
    if (
        record.data and not record.inputs
    ):  # it was published before the failure, and no check has looked at it
        noted = replace(noted, failed_checks=unchecked(asset))
    records.write(asset.table, week, noted)


def _provenance(record: Record, overridden: Sequence[str]) -> dict[str, Any]:
    # A window of weeks is shown by its fingerprint: the event log holds this for every week of every asset.
    made_from = {
        name: next(iter(items.values())) if len(items) == 1 else f"{len(items)} inputs {fingerprint(items)}"
        for name, items in record.inputs.items()
    }
    provenance = {"version": record.version, "made_from": made_from}
    return {"provenance": dg.MetadataValue.json(provenance)} | (
        {"overridden_checks": ", ".join(overridden)} if overridden else {}
    )


def _raise(
    context: dg.AssetExecutionContext, asset: str, weeks: Sequence[date], failed: Mapping[date, Exception]
) -> None:
    if not failed:
        return
    if len(weeks) == 1:
        raise failed[weeks[0]]
    for week, error in failed.items():
        if not isinstance(error, BlockedWeekError):
            context.log.error(f"{asset} {week} failed", exc_info=error)
    reasons = [
        f"{week}: {str(error).strip() or type(error).__name__}" for week, error in sorted(failed.items())
    ]
    raise dg.Failure(
        f"{asset}: {len(failed)} of {len(weeks)} weeks failed, the others are made.\n" + "\n".join(reasons),
        allow_retries=False,
    )
