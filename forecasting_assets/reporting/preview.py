"""Tables and numbers as Dagster's UI shows them beside an asset."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from forecasting_assets.reporting.formats import MISSING, number, shorten

#: The UI shows Markdown in place if it is shorter than 1,000 characters, else on a click.
_LONGEST = 980
#: Significant digits of numbers.
_DIGITS = 4
_WIDTH = 16


def rounded(value: float) -> float:
    """Round to whole numbers, or to four significant digits if that is finer."""
    if not math.isfinite(value) or not value:
        return value
    return round(value, max(0, _DIGITS - 1 - math.floor(math.log10(abs(value)))))


def first_rows(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return rows as a Markdown table, with as many rows and columns as the UI shows in place.

    Parameters
    ----------
    columns
        Column -> its values in the first rows.
    """
    cells = [[name, *map(_cell, values)] for name, values in columns.items()]
    height = len(cells[0])
    for rows in range(height, 1, -1):
        shown = [column[:rows] for column in cells]
        while len(text := _markdown(shown)) > _LONGEST and len(shown) > _fewest(cells):
            shown.pop()
        if len(text) <= _LONGEST:
            return text + ("\n\n… and more columns" if len(shown) < len(cells) else "")
    return ""


def _fewest(cells: Sequence[Sequence[str]]) -> int:
    """Return how many columns a table has at least before rows are left out to keep it short."""
    return min(len(cells), 6)


def _markdown(columns: Sequence[Sequence[str]]) -> str:
    heading, *rows = zip(*columns, strict=True)
    lines = [heading, ["---"] * len(columns), *rows]
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, float):
        short = rounded(value)
        return number(short, 0 if short == int(short) else max(0, 3 - math.floor(math.log10(abs(short)))))
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    # What an order file calls a part must not become markup.
    return "".join(c if c.isalnum() or c in " -_.,:/" else f"&#{ord(c)};" for c in shorten(value, _WIDTH))
