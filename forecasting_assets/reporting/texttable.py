"""Tables of a report, with every cell formatted as text for the template."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd

from forecasting_assets.reporting.formats import MISSING, number
from forecasting_assets.reporting.style import label
from forecasting_assets.wording import count

ROWS_SHOWN = 200


@dataclass(frozen=True)
class Link:
    """A cell that leads to another page, or to another place on this one."""

    text: str
    href: str


@dataclass(frozen=True)
class Command:
    """A cell with a command that can be pasted into a shell."""

    code: str


#: A cell as the template shows it.
Cell: TypeAlias = str | Link | Command

#: Columns to show: name -> (heading, function that formats a cell).
Columns: TypeAlias = Mapping[Any, tuple[str, Callable[[Any], Cell]]]


@dataclass(frozen=True)
class TextTable:
    """Heading and cells as text.

    Attributes
    ----------
    title, note
        Title, and an explanation below it.
    heading
        Name of each column.
    numeric
        Whether each column holds numbers, which are aligned to the right.
    rows
        Cells of each row.
    empty
        What is said if there are no rows.
    anchors
        Id of each row, for links to it; empty for none.
    classes
        Style of each cell: `beyond`, `full`, `over` or empty; empty for no styles.
    folded
        Whether the rows are shown on a click only, so that what follows is near.
    """

    title: str
    note: str
    heading: list[str]
    numeric: list[bool]
    rows: list[list[Cell]]
    empty: str = "Nothing to show for this week."
    anchors: Sequence[str] = ()
    classes: Sequence[Sequence[str]] = ()
    folded: bool = False


def text(value: object) -> str:
    """Format a name."""
    return MISSING if pd.api.types.is_scalar(value) and pd.isna(value) else str(value)  # type: ignore[call-overload]


def day(value: object) -> str:
    """Format a date as YYYY-MM-DD."""
    return MISSING if pd.isna(value) else f"{pd.Timestamp(value):%Y-%m-%d}"  # type: ignore[call-overload,arg-type]


def table(title: str, frame: pd.DataFrame, columns: Columns, note: str = "") -> TextTable:
    """Format those of `columns` that `frame` has; columns of numbers that are not formatted as names are numeric."""
    shown = {name: column for name, column in columns.items() if name in frame.columns}
    cells = [_formatted(frame[name], form) for name, (_, form) in shown.items()]
    return TextTable(
        title,
        note,
        [heading for heading, _ in shown.values()],
        [
            pd.api.types.is_numeric_dtype(frame[name]) and form not in (text, day, label)
            for name, (_, form) in shown.items()
        ],
        [list(row) for row in zip(*cells, strict=True)],
    )


def _formatted(values: pd.Series, form: Callable[[Any], Cell]) -> list[Cell]:
    """Format a column; equal values are formatted once, as columns of names and weeks have few."""
    codes, unique = pd.factorize(values, use_na_sentinel=False)
    cells = [form(value) for value in unique]
    return [cells[code] for code in codes.tolist()]


def largest(
    title: str, frame: pd.DataFrame, columns: Columns, size: str, unit: str, note: str = ""
) -> TextTable:
    """Format the first 200 rows of a table and add to its note what is not shown.

    Parameters
    ----------
    title
        Title of the table.
    frame
        The rows, largest first.
    columns
        Columns to show.
    size, unit
        Column that the rows are sorted by, and what it counts.
    note
        Explanation of the table.
    """
    rest = frame.iloc[ROWS_SHOWN:]
    if len(rest):
        note += (
            f" Shown: the {number(ROWS_SHOWN)} largest of {number(len(frame))} rows. Not shown:"
            f" {count(len(rest), 'row')} with {number(rest[size].sum())} of {number(frame[size].sum())} {unit}."
        )
    return table(title, frame.iloc[:ROWS_SHOWN], columns, note.strip())


def aligned(rows: list[list[str]]) -> list[str]:
    """Lay out rows for a terminal, the first column left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
