"""Freshness in words, for the command line."""

from datetime import date

from forecasting_assets.lake.freshness import STATES, Freshness, WeekState, by_state
from forecasting_assets.lake.landed_files import describe_errors, describe_unread, outside_calendar
from forecasting_assets.weeks import format_weeks
from forecasting_assets.wording import count

#: Reasons that are listed for one asset.
_MOST_REASONS = 10


def describe_weeks(freshness: Freshness) -> list[str]:
    """List the weeks of each asset that are not fresh, and why failed weeks failed."""
    lines = []
    for asset, weeks in freshness.status().items():
        states = by_state(weeks)
        lines += [f"{asset} {state}: {format_weeks(states[state])}" for state in STATES[1:] if states[state]]
        lines += [f"  {week}: {reason}" for week in states["failed"] for reason in weeks[week].reasons]
    return lines


def describe_stale(freshness: Freshness) -> str:
    """List every week that is not fresh, by asset and reason."""
    lines: list[str] = []
    for asset, weeks in freshness.stale().items():
        if weeks:
            lines += [f"{asset}: {count(len(weeks), 'week')}, {format_weeks(weeks)}", *_reasons(weeks)]
    return "\n".join([*(lines or ["Nothing is out of date."]), *describe_files(freshness)])


def _reasons(weeks: dict[date, WeekState]) -> list[str]:
    by_reason: dict[str, list[date]] = {}
    for week, found in weeks.items():
        for reason in found.reasons or (found.state,):
            by_reason.setdefault(reason, []).append(week)
    lines = [f"  {reason} ({format_weeks(where)})" for reason, where in by_reason.items()]
    if left := lines[_MOST_REASONS:]:
        return [*lines[:_MOST_REASONS], f"  and {count(len(left), 'more reason')}"]
    return lines


def describe_files(freshness: Freshness) -> list[str]:
    """Name files that are not read, and orders that are not planned, with the reasons."""
    lines = []
    outside = outside_calendar(freshness.files, freshness.first_week)
    if freshness.store_error:
        lines.append(f"{freshness.store_error}. Order files are listed as they were known before.")
    lines += [f"Not read: {line}" for line in describe_errors(freshness.files).splitlines()]
    lines += [f"Not read: {line}" for line in describe_unread(freshness.home.landing.unread_files())]
    lines += [f"Not used: {line}" for line in freshness.planning.describe()]
    if outside:
        names = {name for files in outside.values() for name in files}
        lines.append(
            f"Not planned: orders of {format_weeks(outside)} in {count(len(names), 'file')} "
            f"([calendar] first_week is {freshness.first_week})"
        )
    return lines
