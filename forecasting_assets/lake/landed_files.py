"""What is known of order files in the landing zone: descriptions for people, and checks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from forecasting_assets.findings import Finding
from forecasting_assets.orders.file_names import remedy_for
from forecasting_assets.orders.rows import OrderFileError
from forecasting_assets.weeks import add_weeks, newest_closed_week
from forecasting_assets.wording import count, listed


@dataclass(frozen=True)
class FileError:
    """Why an order file cannot be read, and what to do about it."""

    message: str
    reason: str
    remedy: str

    @classmethod
    def of(cls, error: OrderFileError) -> "FileError":
        """Take over what an error says."""
        return cls(str(error), error.reason, error.remedy)

    def __str__(self) -> str:
        """Return the whole message."""
        return self.message


@dataclass(frozen=True)
class LandedFile:
    """An order file.

    Attributes
    ----------
    name
        Its path relative to the landing zone.
    size
        Bytes.
    modified
        Its time of change when its content was first seen: copying or restoring a file does not make it newer.
    fingerprint
        Hash of its content.
    columns
        Its columns as landed.
    weeks
        The weeks it has rows of; of a file that can no longer be read, those it had before.
    rows
        Number of rows.
    careful
        Whether its quotes need the slow reader.
    error
        Why it cannot be read; None if it can.
    fault
        What is wrong with a part of it, whose rows are rejected.
    """

    name: str
    size: int
    modified: datetime
    fingerprint: str
    columns: tuple[str, ...]
    weeks: tuple[date, ...]
    rows: int
    careful: bool
    error: FileError | None
    fault: FileError | None = None


def touching(files: Iterable[LandedFile], weeks: Iterable[date]) -> list[LandedFile]:
    """Return the files with rows in any of `weeks`."""
    wanted = set(weeks)
    return [file for file in files if wanted.intersection(file.weeks)]


def files_by_week(files: Iterable[LandedFile]) -> dict[date, list[LandedFile]]:
    """Return week -> the files with orders of it."""
    weeks: dict[date, list[LandedFile]] = {}
    for file in files:
        for week in file.weeks:
            weeks.setdefault(week, []).append(file)
    return weeks


def outside_calendar(files: Iterable[LandedFile], first_week: date) -> dict[date, list[str]]:
    """Find orders of weeks that are never planned: before `first_week`, or after the current week.

    Returns
    -------
    dict
        Week -> names of the files with orders of it, sorted by week.
    """
    current = add_weeks(newest_closed_week(), 1)
    names: dict[date, list[str]] = {}
    for file in files:
        for week in file.weeks:
            if not first_week <= week <= current:
                names.setdefault(week, []).append(file.name)
    return dict(sorted(names.items()))


def describe_errors(files: Iterable[LandedFile]) -> str:
    """Say what is wrong with files: each fault once, with the number of files that have it."""
    faults: dict[tuple[str, str], list[FileError]] = {}
    for file in files:
        if wrong := file.error or file.fault:
            faults.setdefault((wrong.reason, wrong.remedy), []).append(wrong)
    return "\n".join(
        str(errors[0])
        + (f" ({count(len(errors) - 1, 'more file')} with the same fault)" if len(errors) > 1 else "")
        for errors in faults.values()
    )


def describe_unread(names: Iterable[str]) -> list[str]:
    """Name files that are not read, and what to do about them, one line for each kind."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(remedy_for(name), []).append(name)
    return [f"{listed(of_kind, 10)}: {remedy}" for remedy, of_kind in kinds.items()]


def check_readable(files: Iterable[LandedFile]) -> Finding:
    """Check that every order file can be read as a whole."""
    broken = [file for file in files if file.error or file.fault]
    description = describe_errors(broken) or "every order file can be read"
    return Finding(not broken, description, {"unreadable_files": len(broken)})


def check_recognised(unread: Sequence[str]) -> Finding:
    """Check that every file is an order file or is ignored on purpose, given the names of those that are not read."""
    description = "; ".join(describe_unread(unread)) or "every file is an order file or is ignored on purpose"
    return Finding(not unread, description, {"unread_files": len(unread)})
