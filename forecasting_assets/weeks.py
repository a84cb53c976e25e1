"""The calendar: ISO weeks, each named by its Monday (`YYYY-MM-DD`).

All week arithmetic is here, for single dates and for arrays of dates side by side. The Dagster partitions over
these weeks are defined in `orchestration`, so that the core can use this module without Dagster.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from forecasting_assets.errors import PicklableError

if TYPE_CHECKING:
    import pandas as pd

    #: Anything that numpy can turn into an array of dates.
    Dates: TypeAlias = pd.Series | pd.DatetimeIndex | np.ndarray

ONE_WEEK = timedelta(weeks=1)
#: Weeks after which a season repeats.
YEAR_WEEKS = 52
#: The first Monday after 1970-01-01, from which weeks are numbered independently of the data.
EPOCH_WEEK = date(1970, 1, 5)


class WeekError(PicklableError, ValueError):
    """A partition key that does not name a week; `key` is the key."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def week_of(day: date) -> date:
    """Return the Monday of the ISO week that contains `day`."""
    if isinstance(day, datetime):
        day = day.date()
    return day - timedelta(days=day.weekday())


def weeks_of(days: "Dates") -> np.ndarray:
    """Return the Monday of the week of each of `days`, as datetime64[D]: the array form of `week_of`; NaT stays NaT."""
    dates = np.asarray(days, dtype="datetime64[D]")
    weekday = (dates - np.datetime64(EPOCH_WEEK)).astype(np.int64) % 7
    mondays: np.ndarray = dates - weekday.astype("timedelta64[D]")
    return mondays


def parse_week(key: str) -> date:
    """Return the week that a partition key names.

    Raises
    ------
    WeekError
        If `key` is not a Monday in the form YYYY-MM-DD.
    """
    try:
        day = date.fromisoformat(key)
    except ValueError:
        raise WeekError(key, f"{key!r} is not a valid week: use a Monday as YYYY-MM-DD") from None
    if day.weekday() != 0:
        raise WeekError(key, f"{key} is a {day:%A}, but weeks are named by their Monday: use {week_of(day)}")
    return day


def add_weeks(week: date, n: int) -> date:
    """Return the week `n` weeks after `week`, or before it if `n` is negative."""
    return week + n * ONE_WEEK


def add_weeks_to_all(weeks: np.ndarray | np.datetime64, n: np.ndarray) -> np.ndarray:
    """Return `weeks` (datetime64) shifted by `n` weeks, element by element: the array form of `add_weeks`."""
    shifted: np.ndarray = weeks + n * np.timedelta64(7, "D")
    return shifted


def weeks_apart(first: date, last: date) -> int:
    """Return the number of whole weeks from `first` to `last`, negative if `last` is earlier."""
    return (last - first).days // 7


def weeks_since(first: "date | np.datetime64 | Dates", weeks: "Dates") -> np.ndarray:
    """Return the whole weeks from `first` to each of `weeks`: the array form of `weeks_apart`.

    Parameters
    ----------
    first
        One date for all of `weeks`, or a date for each.
    weeks
        Dates.

    Returns
    -------
    numpy.ndarray
        Whole weeks, int64; negative where a week is before `first`.
    """
    days = np.asarray(weeks, dtype="datetime64[D]") - np.asarray(first, dtype="datetime64[D]")
    since: np.ndarray = days.astype(np.int64) // 7
    return since


def are_weeks(dates: "Dates") -> np.ndarray:
    """Return whether each of `dates` is a Monday at midnight; False where a date is missing."""
    since = np.asarray(dates, dtype="datetime64[ns]") - np.datetime64(EPOCH_WEEK, "ns")
    return np.asarray(since % np.timedelta64(7, "D") == np.timedelta64(0, "ns"))


def weeks_between(first: date, last: date) -> list[date]:
    """Return every week from `first` to `last`, both included; empty if `last` is before `first`."""
    return [add_weeks(first, i) for i in range(weeks_apart(first, last) + 1)]


def days_of(week: date) -> list[date]:
    """Return the seven days of a week, Monday first."""
    return [week + timedelta(days=i) for i in range(7)]


def week_of_year(week: date) -> int:
    """Return the ISO number of a week within its year, from 1 to 53."""
    return week.isocalendar().week


def newest_closed_week(now: datetime | None = None) -> date:
    """Return the latest week that is over in UTC at the time `now`, by default the current time."""
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    return add_weeks(week_of(today), -1)


def week_index(week: date) -> int:
    """Return the weeks since EPOCH_WEEK, a number that does not depend on the data."""
    return weeks_apart(EPOCH_WEEK, week)


def refit_week(week: date, every: int) -> date:
    """Return the latest week up to `week` on which models are refitted, once in `every` weeks.

    The refit calendar is counted from EPOCH_WEEK, so that a week has the same refit week in every run, whatever
    range of weeks the run covers.
    """
    return add_weeks(week, -(week_index(week) % every))


def contiguous(weeks: Iterable[date]) -> list[tuple[date, date]]:
    """Group weeks into sorted (first, last) runs of consecutive weeks."""
    runs: list[tuple[date, date]] = []
    for week in sorted(set(weeks)):
        if runs and week == runs[-1][1] + ONE_WEEK:
            runs[-1] = (runs[-1][0], week)
        else:
            runs.append((week, week))
    return runs


def format_weeks(weeks: Iterable[date]) -> str:
    """Format weeks as a list of ranges: `2025-03-10 to 2025-04-07, 2025-05-05`."""
    return ", ".join(
        str(first) if first == last else f"{first} to {last}" for first, last in contiguous(weeks)
    )
