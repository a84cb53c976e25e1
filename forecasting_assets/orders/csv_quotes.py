"""Quotes in CSV files: a scan for irregular quotes, and a reader that rejects rows with ambiguous quotes."""

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from forecasting_assets.orders.dates import contains_date
from forecasting_assets.orders.rows import OrderFileError

_QUOTE = ord('"')
_REMEDY = (
    'Double each quote that is part of a text ("" within a quoted cell) or remove it, and land the file again'
)


class QuoteScan:
    """Scan of a file's bytes that determines whether its quotes are regular and no quoted cell holds a line end."""

    def __init__(self, delimiter: str) -> None:
        self._edge = np.zeros(256, bool)  # bytes allowed next to a regular quote
        self._edge[[ord(delimiter), ord("\n"), ord("\r"), _QUOTE]] = True
        self._previous = ord("\n")
        self._inside = self._closed_at_end = self._irregular = False

    def feed(self, block: bytes) -> None:
        """Scan the next bytes of the file, in UTF-8."""
        if not block:
            return
        codes = np.frombuffer(block, np.uint8)
        if self._closed_at_end:
            self._irregular |= not self._edge[codes[0]]
        quotes = np.flatnonzero(codes == _QUOTE)
        opening = (np.arange(len(quotes)) + self._inside) % 2 == 0
        before = np.where(quotes > 0, codes[quotes - 1], self._previous)
        closing = quotes[~opening]
        self._closed_at_end = bool(len(closing)) and int(closing[-1]) == len(codes) - 1
        after = codes[closing[closing < len(codes) - 1] + 1]
        self._irregular |= not (self._edge[before[opening]].all() and self._edge[after].all())
        if len(quotes) or self._inside:
            line_ends = np.flatnonzero((codes == ord("\n")) | (codes == ord("\r")))
            self._irregular |= bool(((np.searchsorted(quotes, line_ends) + self._inside) % 2).any())
        self._inside = bool((len(quotes) + self._inside) % 2)
        self._previous = int(codes[-1])

    def is_regular(self) -> bool:
        """Return whether all bytes fed so far are regular and no quote is open."""
        return not self._irregular and not self._inside


@dataclass(frozen=True)
class Row:
    """The cells of one row, with the problem `ambiguous_quotes` if its quotes can be read in several ways.

    `line` is the line of the file in which it begins, 0 if that is not known.
    """

    cells: list[str]
    problem: str | None = None
    line: int = 0


class CarefulRows:
    """Iterator over the rows of a CSV file, with the header and without blank lines; can be iterated once.

    If a quote is never closed, or is closed by a quote with another purpose, it is unclear which of the lines in
    between are rows. Each of these lines becomes a row with ambiguous quotes, so that it is neither lost nor used.

    Attributes
    ----------
    fault
        Error about the first such place, once it has been read.
    """

    def __init__(self, text: Iterable[str], delimiter: str, path: str) -> None:
        csv.field_size_limit(
            sys.maxsize
        )  # a quote that is never closed is reported however much text follows it
        self.fault: OrderFileError | None = None
        self._lines = _Lines(text)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self._delimiter, self._path = delimiter, path

    @property
    def lines_read(self) -> int:
        """Number of lines of the file read so far."""
        return self._lines.count

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows of the file."""
        width = 0
        while True:
            self._lines.recent.clear()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                yield from self._ambiguous(self._opening_line())
                continue
            if len(self._lines.recent) > 1 and (line := self._swallowing_line(cells, width)):
                yield from self._ambiguous(line)
            elif cells:
                width = width or len(cells)
                yield Row(cells, line=self._first_line())

    def _ambiguous(self, line: int) -> Iterator[Row]:
        """Yield each of the lines read last as a row; `line` is where the quote opens."""
        if self.fault is None:
            self.fault = OrderFileError(
                self._path,
                "a quote opens here and is not closed properly, so that the lines it spans are rejected",
                _REMEDY,
                line,
                kind="quotes",
            )
        recent, first = list(self._lines.recent), self._first_line()
        rows = csv.reader(recent, delimiter=self._delimiter, quoting=csv.QUOTE_NONE)
        for line, cells in enumerate(rows, start=first):
            if cells:
                yield Row(cells, "ambiguous_quotes", line)

    def _first_line(self) -> int:
        """Return the first of the lines that were read last."""
        return self._lines.count - len(self._lines.recent) + 1

    def _opening_line(self) -> int:
        """Return the line with the opening quote that is never closed, or is closed within a text."""
        text, ends = "".join(self._lines.recent), (self._delimiter, "\n", "\r", "")
        first = self._lines.count - len(self._lines.recent) + 1
        opened, position = -1, -1
        while (position := text.find('"', position + 1)) >= 0:
            following = text[position + 1 : position + 2]
            if opened < 0:
                opened = position if position == 0 or text[position - 1] in ends else -1
            elif following == '"':
                position += 1
            elif following in ends:
                opened = -1
            else:
                break
        return (
            first + len(text[: max(opened, 0)].splitlines()) - (opened > 0 and text[opened - 1] not in "\n\r")
        )

    def _swallowing_line(self, cells: list[str], width: int) -> int | None:
        """Return the line where a cell begins that contains text like rows of the file; None if there is none."""
        line = self._first_line()
        for position, cell in enumerate(cells):
            parts = cell.splitlines() or [""]
            if len(parts) > 1:
                texts = [part.split(self._delimiter) for part in parts]
                texts[0] = [*cells[:position], *texts[0]]
                texts[-1] = [*texts[-1], *cells[position + 1 :]]
                like_row = [_looks_like_row(text, width) for text in texts]
                if any(like_row[1:-1]) or (like_row[0] and like_row[-1]):
                    return line
            line += len(parts) - 1
        return None


def _looks_like_row(cells: list[str], width: int) -> bool:
    # Every order line has a date.
    return 3 <= width <= len(cells) and any(map(contains_date, cells))


class _Lines:
    """Iterator over the lines of a text; `recent` holds those read since it was last cleared."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self.count = 0
        self.recent: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self.count += 1
        self.recent.append(line)
        return line
