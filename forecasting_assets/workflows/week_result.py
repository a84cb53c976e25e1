"""The result of making one week of an asset."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class WeekResult:
    """What is shown of a week that has been made.

    Attributes
    ----------
    rows
        Number of rows of the asset's table.
    metadata
        Name -> value: a number, a text, a list or mapping (shown as JSON), or a `Link`.
    pictures
        Name -> PNG.
    report
        Path of the report written for the week, if any.
    warnings
        Lines for the log of the run.
    """

    rows: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    report: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """Metadata that is the address of a web page."""

    url: str


#: What the function of an asset returns: each week with its result, in the order of the weeks.
WeekResults = Iterator[tuple[date, WeekResult]]
