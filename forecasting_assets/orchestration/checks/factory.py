"""Dagster checks from the graph: one step for all checks of an asset, recorded week by week."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import dagster as dg

from forecasting_assets.findings import Finding
from forecasting_assets.graph import Check, WeeklyAsset
from forecasting_assets.lake.freshness import Freshness, by_state
from forecasting_assets.lake.home import Home
from forecasting_assets.lake.records import Record
from forecasting_assets.orchestration.materialize import weeks_of
from forecasting_assets.orchestration.shared import SPARK_POOL, resource_names, weekly_partitions
from forecasting_assets.storage import StoreError, exclusive_lock
from forecasting_assets.weeks import format_weeks, newest_closed_week
from forecasting_assets.workflows.isolation import failures_by_week
from forecasting_assets.workflows.parallel import each_week

#: Name of a check -> what it found.
Findings = Mapping[str, Finding]
#: A check of all weeks of an asset together, not of those of a run.
UP_TO_DATE = "up_to_date"


@dataclass(frozen=True)
class CheckFunction:
    """How the checks of an asset are evaluated.

    Attributes
    ----------
    find
        `find(settings, lake, week, *more)` returns name of check -> finding, for every check of the asset.
        It is a function of a module: weeks are checked side by side, in other processes.
    gather
        `gather(weeks, …)` returns week -> `more`, what can be read for many weeks at once. It takes resources by name.
    """

    find: Callable[..., Findings]
    gather: Callable[..., Mapping[date, tuple[Any, ...]]] | None = None

    @property
    def resources(self) -> set[str]:
        """Names of the resources that `gather` takes."""
        return resource_names(self.gather) if self.gather else set()

    def findings(self, home: Home, weeks: list[date], resources: Mapping[str, Any]) -> dict[date, Findings]:
        """Return the findings of each week."""
        more = self.gather(weeks, **resources) if self.gather else dict.fromkeys(weeks, ())
        tasks = ((home.settings, home.lake, week, *more[week]) for week in weeks)
        return dict(each_week(self.find, weeks, tasks))


def weekly_checks(home: Home, asset: WeeklyAsset, how: CheckFunction) -> dg.AssetChecksDefinition:
    """Return the Dagster checks of a node of the graph.

    Parameters
    ----------
    home
        The home that its weeks are made in.
    asset
        The node.
    how
        The functions that check its weeks.
    """
    key = dg.AssetKey(asset.name)
    specs = [
        dg.AssetCheckSpec(
            check.name,
            asset=key,
            description=check.description,
            blocking=check.blocking,
            partitions_def=weekly_partitions(home.settings),
        )
        for check in asset.checks
    ]
    specs.append(
        dg.AssetCheckSpec(UP_TO_DATE, asset=key, description="No week is missing, failed or out of date.")
    )

    @dg.multi_asset_check(
        name=f"{asset.name}_checks",
        specs=specs,
        required_resource_keys=how.resources,
        pool=SPARK_POOL if "spark" in how.resources else None,
    )
    def evaluate(
        context: dg.AssetCheckExecutionContext,
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[Any]]:
        records = _records_to_check(home, asset, context)
        resources = {name: getattr(context.resources, name) for name in how.resources}
        findings = _findings(home, asset, how, list(records), resources)
        for week, found in findings.items():
            for check in asset.checks:
                # Yielded as an evaluation, as a check result of a range of weeks would belong to none of them.
                yield _evaluation(key, check, week, found[check.name])
        _keep_failures(home, asset, records, findings)
        yield up_to_date(Freshness(home), asset.name)
        for name in sorted(context.op_execution_context.selected_output_names):
            yield dg.Output(None, name)

    return evaluate


def _records_to_check(
    home: Home, asset: WeeklyAsset, context: dg.AssetCheckExecutionContext
) -> dict[date, Record]:
    """Return the weeks of a run that have data: one that failed in this run has nothing new to check."""
    records = home.lake.records.read(asset.table, weeks_of(context))
    return {
        week: record
        for week, record in records.items()
        if record.data and not record.failed_in(context.run.run_id)
    }


def _findings(
    home: Home, asset: WeeklyAsset, how: CheckFunction, weeks: list[date], resources: Mapping[str, Any]
) -> dict[date, Findings]:
    """Return the findings of each of `weeks`; a week whose check raises an error fails all checks.

    Raises
    ------
    StoreError
        If the store fails.
    """
    findings: dict[date, Findings] = {}

    def look(part: list[date]) -> None:
        findings.update(how.findings(home, part, resources))

    for week, error in failures_by_week(weeks, look).items():
        if isinstance(error, StoreError):  # it says nothing about the week, whose checks remain to be run
            raise error
        failed = Finding(False, f"could not be checked: {error}")
        findings[week] = {check.name: failed for check in asset.checks}
    return {week: findings[week] for week in weeks}


def _keep_failures(
    home: Home,
    asset: WeeklyAsset,
    checked: Mapping[date, Record],
    findings: Mapping[date, Findings],
) -> None:
    """Keep failed blocking checks with the data, so that they hold back what is downstream in later runs too."""
    records = home.lake.records
    with exclusive_lock(home.lake.path, asset.name):
        for week, record in records.read(asset.table, checked).items():
            if record.data == checked[week].data:  # no other run has made it again meanwhile
                failed = {
                    name: findings[week][name].description
                    for name in asset.blocking_checks
                    if not findings[week][name].passed
                }
                records.write(asset.table, week, replace(record, failed_checks=failed))


def up_to_date(freshness: Freshness, asset: str) -> dg.AssetCheckEvaluation:
    """Return which weeks of `asset` are fresh now and which are not, as an evaluation of the check UP_TO_DATE."""
    weeks = freshness.states(asset)
    states = by_state(weeks)
    description = "; ".join(f"{name}: {format_weeks(found)}" for name, found in states.items() if found)
    counts = {f"weeks {name}": len(found) for name, found in states.items()}
    newest = {"newest week": str(max(states["fresh"], default="none"))}
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset),
        check_name=UP_TO_DATE,
        passed=len(states["fresh"]) == len(weeks),
        description=description or "no week of orders has closed",
        metadata=counts | newest | {"newest closed week": str(newest_closed_week())},
        severity=dg.AssetCheckSeverity.WARN,
    )


def _evaluation(key: dg.AssetKey, check: Check, week: date, finding: Finding) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=check.name,
        passed=finding.passed,
        description=finding.description,
        metadata=finding.metadata,
        severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
        blocking=check.blocking,
        partition=str(week),
    )
