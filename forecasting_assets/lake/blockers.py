"""Blockers: why a week must not be made now."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from forecasting_assets.graph import ORDER_FILES, Upstream
from forecasting_assets.lake.files import missing_weeks_message
from forecasting_assets.lake.freshness import Freshness
from forecasting_assets.lake.records import UNCHECKED, Record

#: Run tag that names checks (`asset/check`, separated by commas) whose failure is to hold nothing back.
OVERRIDE = "forecasting/override_checks"


@dataclass(frozen=True)
class Attempt:
    """A run that is about to make weeks of an asset.

    Attributes
    ----------
    run_id
        The run.
    overridden
        Checks (`asset/check`) whose failure a person has decided to ignore.
    weeks
        Weeks of the asset that the run makes before the one in question.
    """

    run_id: str
    overridden: Collection[str] = ()
    weeks: Collection[date] = ()


def blockers(freshness: Freshness, asset: str, week: date, attempt: Attempt) -> list[str]:
    """Return why `week` of `asset` must not be made; empty if nothing blocks it."""
    lines = []
    for source in freshness.pipeline[asset].upstream:
        lines += _upstream_blockers(freshness, asset, source, week, attempt)
    if freshness.pipeline[asset].files == ORDER_FILES:
        lines += [
            f"{file.error}. This week was made with rows of it, which would be lost"
            for file in freshness.lost_files(asset, week)
        ]
    return list(dict.fromkeys(lines))


def _upstream_blockers(
    freshness: Freshness, asset: str, source: Upstream, week: date, attempt: Attempt
) -> list[str]:
    lines = []
    records = freshness.records(source.asset)
    window = freshness.window(asset, source.asset, week)
    if source.asset == asset:
        window = [w for w in window if w not in attempt.weeks]
    missing = [w for w in window if w not in records or not records[w].data]
    if missing and not source.optional:
        lines.append(missing_weeks_message(freshness.pipeline[source.asset].table, missing))
    for w in window:
        record = records.get(w, Record())
        if w == week and record.failed_in(attempt.run_id):
            lines.append(f"{source.asset} {w} failed in this run")
        for check, result in record.failed_checks.items():
            if (name := f"{source.asset}/{check}") not in attempt.overridden:
                lines.append(_failed_check(source.asset, w, name, result))
    return lines


def _failed_check(asset: str, week: date, name: str, result: str) -> str:
    remedy = (
        "another run has just made that week, or was interrupted: wait for it or materialize that week again"
        if result == UNCHECKED
        else "correct the cause and materialize that week again"
    )
    return (
        f"the check {name.rpartition('/')[2]} of {asset} {week} failed ({result}): {remedy}, or ignore the failure "
        f"with the run tag {OVERRIDE}={name}"
    )
