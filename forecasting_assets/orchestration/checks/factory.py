"""What all asset checks share: one step for the checks of an asset, evaluated and recorded week by week.

Definitions only; what is checked stands in the other modules, as functions that return findings.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import dagster as dg

from forecasting_assets.findings import Finding
from forecasting_assets.lake.freshness import Lineage, by_state
from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.factory import SPARK_POOL, Weekly, weeks_of
from forecasting_assets.orchestration.materialize import failures_by_week
from forecasting_assets.runtime.lock import exclusive_lock
from forecasting_assets.tables import Table
from forecasting_assets.weeks import format_weeks, newest_closed_week
from forecasting_assets.workflows.parallel import each_week

#: A check of all weeks of an asset together, not of those of a run.
UP_TO_DATE = "up_to_date"


@dataclass(frozen=True)
class Check:
    """A check of one week. `blocking` holds back what is downstream; a check that is not is a warning."""

    name: str
    description: str
    blocking: bool = True


def weekly_checks(
    weekly: Weekly,
    table: Table,
    checks: Sequence[Check],
    find: Callable[..., Sequence[Finding]],
    arguments: Callable[[Any, Sequence[date]], Mapping[date, tuple]] | None = None,
    resources: frozenset[str] = frozenset(),
) -> dg.AssetChecksDefinition:
    """The checks of the asset that writes `table`.

    `find(settings, week)` looks at a week and returns a finding for each of `checks`, in their order; it is
    called for many weeks side by side. What else it is called with comes from `arguments(resources, weeks)`.
    """
    key = dg.AssetKey(table.name)
    weekly.blocking[table.name] = [check.name for check in checks if check.blocking]
    specs = [
        dg.AssetCheckSpec(
            check.name,
            asset=key,
            description=check.description,
            blocking=check.blocking,
            partitions_def=weekly.partitions,
        )
        for check in checks
    ]

    specs.append(
        dg.AssetCheckSpec(UP_TO_DATE, asset=key, description="No week is missing, failed or out of date.")
    )

    @dg.multi_asset_check(
        name=f"{table.name}_checks",
        specs=specs,
        required_resource_keys=set(resources),
        pool=SPARK_POOL if "spark" in resources else None,
    )
    def evaluate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckEvaluation | dg.Output]:
        lake = Lake(path=weekly.settings.lake_path)
        records = lake.records(table, weeks_of(context))
        # A week that failed in this run has nothing new to check, nor has one that was never made.
        weeks = [
            week
            for week, record in records.items()
            if record.data and not record.failed_in(context.run.run_id)
        ]
        found: dict[date, Sequence[Finding]] = {}

        def look(part: list[date]) -> None:
            more = arguments(context.resources, part) if arguments else dict.fromkeys(part, ())
            tasks = {week: (weekly.settings, week, *more[week]) for week in part}
            found.update(each_week(find, tasks, tasks.values()))

        for week, error in failures_by_week(weeks, look).items():
            found[week] = [Finding(False, f"could not be checked: {error}")] * len(checks)
        for week in weeks:
            for check, finding in zip(checks, found[week], strict=True):
                # Recorded as an evaluation, as a result of a range run would belong to no week.
                yield _evaluation(key, check, week, finding)
        # Kept with the data, so that it holds back what is downstream in later runs too.
        with exclusive_lock(weekly.settings.home, table.name):
            for week, record in lake.records(table, weeks).items():
                if record.data == records[week].data:  # no other run has made it again meanwhile
                    lake.write_record(
                        table, week, replace(record, failed_checks=_failed(checks, found[week]))
                    )
        yield up_to_date(Lineage(weekly), table.name)
        for name in sorted(context.op_execution_context.selected_output_names):
            yield dg.Output(None, name)

    return evaluate


def _failed(checks: Sequence[Check], found: Sequence[Finding]) -> dict[str, str]:
    """The blocking checks that failed, and what they found."""
    return {
        check.name: finding.description
        for check, finding in zip(checks, found, strict=True)
        if check.blocking and not finding.passed
    }


def up_to_date(lineage: Lineage, asset: str) -> dg.AssetCheckEvaluation:
    """Which weeks of `asset` are fresh and which are not, as of now."""
    weeks = lineage.states(asset)
    states = by_state(weeks)
    said = "; ".join(f"{name}: {format_weeks(found)}" for name, found in states.items() if found)
    counts = {f"weeks {name}": len(found) for name, found in states.items()}
    newest = {"newest week": str(max(states["fresh"], default="none"))}
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset),
        check_name=UP_TO_DATE,
        passed=len(states["fresh"]) == len(weeks),
        description=said or "no week of orders has closed",
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
