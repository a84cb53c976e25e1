"""A table of a report: every cell formatted to text, ready for the template."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from forecasting_assets.reporting.formats import MISSING, number
from forecasting_assets.reporting.style import label

ROWS_SHOWN = 200


@dataclass(frozen=True)
class TextTable:
    """Heading and cells as text; `numeric` says which columns are numbers, which stand to the right."""

    title: str
    note: str
    heading: list[str]
    numeric: list[bool]
    rows: list[list[str]]


def text(value: object) -> str:
    return MISSING if pd.isna(value) else str(value)  # type: ignore[call-overload]


def day(value: object) -> str:
    return MISSING if pd.isna(value) else f"{pd.Timestamp(value):%Y-%m-%d}"  # type: ignore[call-overload,arg-type]


def table(
    title: str, frame: pd.DataFrame, columns: dict[str, tuple[str, Callable]], note: str = ""
) -> TextTable:
    """The `columns` of `frame` that it has, as text: name -> (heading, how to format a cell)."""
    shown = {c: how for c, how in columns.items() if c in frame.columns}
    cells = [[how(v) for v in frame[c]] for c, (_, how) in shown.items()]
    return TextTable(
        title,
        note,
        [heading for heading, _ in shown.values()],
        [how not in (text, day, label) for _, how in shown.values()],
        [list(row) for row in zip(*cells, strict=True)],
    )


def largest(
    title: str,
    frame: pd.DataFrame,
    columns: dict[str, tuple[str, Callable]],
    size: str,
    unit: str,
    note: str = "",
) -> TextTable:
    """The first 200 rows of `frame`, which falls by `size`; the note says what is left out."""
    rest = frame.iloc[ROWS_SHOWN:]
    if len(rest):
        note += (
            f" The {number(ROWS_SHOWN)} largest of {number(len(frame))} rows; the {number(len(rest))} left"
            f" out hold {number(rest[size].sum())} of {number(frame[size].sum())} {unit}."
        )
    return table(title, frame.iloc[:ROWS_SHOWN], columns, note.strip())


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows with the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
