"""What all asset checks share: one step for the checks of an asset, evaluated and recorded week by week.

Definitions only; what is checked stands in the other modules, as functions that return a Finding.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from forecasting_assets.assets.weekly import Weekly, weeks_of
from forecasting_assets.findings import Finding


@dataclass(frozen=True)
class Check:
    """A check of one week. `blocking` holds back what is downstream; a check that is not is a warning."""

    name: str
    description: str
    find: Callable[[Any, date], Finding]
    blocking: bool = True


def weekly_checks(
    weekly: Weekly,
    asset: str,
    checks: Sequence[Check],
    load: Callable[[Any, Sequence[date]], Any],
    resources: set[str],
) -> dg.AssetChecksDefinition:
    """The checks of `asset`; `load(resources, weeks)` reads once what each `find(loaded, week)` looks at."""
    key = dg.AssetKey(asset)
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

    @dg.multi_asset_check(name=f"{asset}_checks", specs=specs, required_resource_keys=resources)
    def evaluate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckEvaluation | dg.Output]:
        weeks = weeks_of(context)
        loaded = load(context.resources, weeks)
        for week in weeks:
            for check in checks:
                # Recorded as an evaluation, as a result of a range run would belong to no week.
                yield _evaluation(key, check, week, check.find(loaded, week))
        for name in sorted(context.op_execution_context.selected_output_names):
            yield dg.Output(None, name)

    return evaluate


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
