"""The calendar: ISO weeks, named by their Monday (`YYYY-MM-DD`).

Week arithmetic only; the Dagster partitions over these weeks are in `assets/weekly.py`, so that the
core can use this module without Dagster.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

ONE_WEEK = timedelta(weeks=1)
#: Weeks after which a season comes round.
YEAR_WEEKS = 52


def week_of(day: date) -> date:
    """The Monday of the ISO week that holds `day`."""
    if isinstance(day, datetime):
        day = day.date()
    return day - timedelta(days=day.weekday())


def parse_week(key: str) -> date:
    """The week a partition key names; ValueError if it is not a Monday in the form YYYY-MM-DD."""
    try:
        day = date.fromisoformat(key)
    except ValueError:
        raise ValueError(f"{key!r} is no week: write its Monday as YYYY-MM-DD") from None
    if day.weekday() != 0:
        raise ValueError(f"{key} is a {day:%A}, and weeks are named by their Monday: use {week_of(day)}")
    return day


def add_weeks(week: date, n: int) -> date:
    return week + n * ONE_WEEK


def weeks_between(first: date, last: date) -> list[date]:
    """Every week from `first` to `last`, both included; empty if `last` is before `first`."""
    return [add_weeks(first, i) for i in range((last - first).days // 7 + 1)]


def newest_closed_week(now: datetime | None = None) -> date:
    """The latest week that is over (in UTC)."""
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    return add_weeks(week_of(today), -1)


def week_index(week: date) -> int:
    """Weeks since 1970-01-05, the first Monday of the epoch: a number that does not depend on the data."""
    return (week - date(1970, 1, 5)).days // 7


def refit_week(week: date, every: int) -> date:
    """The latest week ≤ `week` on the fixed refit calendar, one week in `every`.

    The calendar is counted from the epoch, so that a week has the same refit week however a run is cut.
    """
    return add_weeks(week, -(week_index(week) % every))


def contiguous(weeks: Iterable[date]) -> list[tuple[date, date]]:
    """Sorted (first, last) runs of consecutive weeks."""
    runs: list[tuple[date, date]] = []
    for week in sorted(set(weeks)):
        if runs and week == runs[-1][1] + ONE_WEEK:
            runs[-1] = (runs[-1][0], week)
        else:
            runs.append((week, week))
    return runs


def format_weeks(weeks: Iterable[date]) -> str:
    """`2025-03-10 to 2025-04-07, 2025-05-05`; all of them, as ranges."""
    return ", ".join(
        str(first) if first == last else f"{first} to {last}" for first, last in contiguous(weeks)
    )
