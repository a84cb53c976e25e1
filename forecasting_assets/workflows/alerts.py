"""What people are told of when it happens: weeks that fail or are held back, and plans that are missing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from forecasting_assets.lake.freshness import Freshness
from forecasting_assets.lake.records import UNCHECKED
from forecasting_assets.weeks import add_weeks, format_weeks, newest_closed_week
from forecasting_assets.wording import count

#: By this time of Monday, in UTC, the week that has closed should be planned.
PLAN_DUE = time(12)


@dataclass(frozen=True)
class Alert:
    """One message about one cause.

    Attributes
    ----------
    key
        Identifies the cause: while it lasts, no other message about it is sent.
    title
        What has happened, in one line.
    text
        Why, and what to do.
    path
        Page of Dagster that shows it, as a path below the address of the UI.
    """

    key: str
    title: str
    text: str
    path: str


def find_alerts(freshness: Freshness, now: datetime) -> list[Alert]:
    """Return what the lake says that people should know.

    Parameters
    ----------
    freshness
        The home as it is now.
    now
        The time, with its zone.
    """
    return [*_failures(freshness), *_held_back(freshness), *_missing_plan(freshness, now)]


def _failures(freshness: Freshness) -> Iterator[Alert]:
    """Yield an alert for each run with weeks that failed: for the first asset that did, which is the cause."""
    runs: dict[str, dict[str, dict[date, str]]] = {}
    for asset in freshness.pipeline:
        for week, record in freshness.records(asset).items():
            if record.failure:
                failed = runs.setdefault(record.failure.run_id, {}).setdefault(asset, {})
                failed[week] = record.failure.reason
    for run_id, assets in runs.items():
        asset, weeks = next(iter(assets.items()))
        following = [name for name in assets if name != asset]
        lines = [weeks[max(weeks)].strip() or "The log of the run says why."]
        if following:
            lines.append(f"Not made because of it: {', '.join(following)}.")
        yield Alert(
            f"failed/{run_id}",
            f"{asset} failed for {format_weeks(sorted(weeks))}",
            "\n".join(lines),
            f"/runs/{run_id}",
        )


def _held_back(freshness: Freshness) -> Iterator[Alert]:
    """Yield an alert for each blocking check that failed, and holds back what is made from its weeks."""
    for asset in freshness.pipeline:
        found: dict[str, dict[date, str]] = {}
        for week, record in freshness.records(asset).items():
            for check, result in record.failed_checks.items():
                if result != UNCHECKED:
                    found.setdefault(check, {})[week] = result
        for check, weeks in found.items():
            newest = max(weeks)
            yield Alert(
                f"blocked/{asset}/{check}/{newest}",
                f"{asset} of {format_weeks(sorted(weeks))} is held back: the check {check} failed",
                f"{weeks[newest]}\nCorrect the cause and materialize the week again, or ignore the check with the run "
                f"tag forecasting/override_checks={asset}/{check}.",
                asset_path(asset, "checks"),
            )


def _missing_plan(freshness: Freshness, now: datetime) -> Iterator[Alert]:
    week = newest_closed_week(now)
    due = datetime.combine(add_weeks(week, 1), PLAN_DUE, UTC)
    records = freshness.records("allocation_plan")
    if now >= due and records and week not in [w for w, record in records.items() if record.data]:
        hours = (now - due) // timedelta(hours=1)
        late = f"{count(hours, 'hour')} ago" if hours else "just now"
        yield Alert(
            f"no plan/{week}",
            f"There is no plan of the week of {week}",
            f"It was due on {due:%Y-%m-%d at %H:%M} UTC, {late}. Look for runs that failed, for order files "
            "that did not arrive, and whether the sensor and the schedule are on.",
            asset_path("allocation_plan", "partitions"),
        )


def asset_path(asset: str, view: str) -> str:
    """Return the path of a view of an asset in Dagster's UI."""
    return f"/assets/{asset}?view={view}"


def as_text(alert: Alert, dagster_url: str) -> str:
    """Return the message without its title."""
    return f"{alert.text}\n\n{dagster_url.rstrip('/')}{alert.path}"
