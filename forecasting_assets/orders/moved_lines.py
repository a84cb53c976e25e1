"""Order lines that are in two weeks, as after a correction of their order date, so that both count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.orders.quality import LINE_NUMBER, is_numbered
from forecasting_assets.tables import ROW

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

#: Weeks before and after a week in which its order lines are looked for.
MOVED_WEEKS = 13
#: Columns of `line_hashes`.
HASHES_DDL = "line BIGINT"
#: Order lines of a week that are named.
_EXAMPLES = 3
#: Where orders are numbered from 1 each month, numbers come again, but hardly ever for the same part.
_LINE = [*LINE_NUMBER, "part_id"]


@dataclass(frozen=True)
class MovedLines:
    """Order lines of a week that are also in another week.

    Attributes
    ----------
    count
        How many there are.
    examples
        Some of them in words, each with both places.
    problem
        Why other weeks could not be looked at; empty if they could.
    """

    count: int = 0
    examples: tuple[str, ...] = ()
    problem: str = ""


def line_hashes(clean: "ParquetFile", _week: date) -> "pa.Table":
    """Return a hash of each order line with an order and a line number, from the clean orders of a week."""
    import pyarrow as pa

    if not {*_LINE} <= {*clean.schema_arrow.names}:  # written by a version that read no line numbers
        return pa.table({"line": pa.array([], pa.int64())})
    rows = clean.read(_LINE)
    return pa.table({"line": _hashes(rows.filter(is_numbered(rows)))})


def lines_in_two_weeks(lines: "pa.Table") -> pd.DataFrame:
    """Find the lines of each week that are also in one other week at most MOVED_WEEKS away.

    Numbers that are in several of these weeks are used again and again, as for calls from one contract.

    Parameters
    ----------
    lines
        week and line of many weeks, of `line_hashes`.

    Returns
    -------
    DataFrame
        week (of date), line and other_week, sorted by week.
    """
    import pyarrow.compute as pc

    weeks, hashes = pc.cast(lines["week"], "int32").to_numpy() // 7, lines["line"].to_numpy()
    order = np.argsort(hashes)
    again = np.flatnonzero(np.diff(hashes[order]) == 0)
    repeated = order[np.union1d(again, again + 1)]
    order = repeated[np.lexsort((weeks[repeated], hashes[repeated]))]
    weeks, hashes = weeks[order].astype(np.int64), hashes[order]
    # Weeks of one line are numbers near each other, and those of another line are far away.
    number = np.cumsum(np.diff(hashes, prepend=hashes[:1]) != 0)
    place = number * (weeks.max(initial=0) + 2 * MOVED_WEEKS + 1) + weeks
    first = np.searchsorted(place, place - MOVED_WEEKS)
    count = np.searchsorted(place, place + MOVED_WEEKS, side="right") - first
    moved = np.flatnonzero(count == 2)
    other = np.where(first[moved] < moved, moved - 1, moved + 1)
    of_week = lines["week"].to_numpy()[order]
    found = pd.DataFrame({"week": of_week[moved], "line": hashes[moved], "other_week": of_week[other]})
    for name in ("week", "other_week"):
        found[name] = pd.to_datetime(found[name]).dt.date
    return found.sort_values(["week", "line"], ignore_index=True)


def examples(found: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of `lines_in_two_weeks` that are named for each week."""
    return found.groupby("week").head(_EXAMPLES)


def places(clean: "ParquetFile", lines: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return line -> its numbers, and its file and row, of those of `lines` in the clean orders of a week."""
    import pyarrow as pa

    rows = clean.read([*_LINE, *ROW])
    hashes = _hashes(rows)
    at = np.flatnonzero(np.isin(hashes, lines))
    return {
        line: (
            f"order {row['order_id']!r} line {row['line_id']!r}",
            f"{row['source_file']} row {row['source_row']}",
        )
        for line, row in zip(hashes[at].tolist(), rows.take(pa.array(at)).to_pylist(), strict=True)
    }


def moved_lines(
    found: pd.DataFrame, named: Mapping[date, Mapping[int, tuple[str, str]]]
) -> dict[date, MovedLines]:
    """Describe the lines of each week that are also in another one.

    Parameters
    ----------
    found
        Result of `lines_in_two_weeks`.
    named
        Week -> `places` of the `examples` in it.
    """
    words: dict[date, list[str]] = {}
    for week, line, other in examples(found).itertuples(index=False):
        in_both = sorted((of, *named[of][line]) for of in (week, other))
        where = " and ".join(f"{place} (week {of})" for of, _, place in in_both)
        words.setdefault(week, []).append(f"{in_both[0][1]}: {where}")
    counts = found.groupby("week").size()
    return {week: MovedLines(int(counts[week]), tuple(lines)) for week, lines in words.items()}


def _hashes(rows: "pa.Table") -> np.ndarray:
    """Return a hash of the order line of each row, (rows,) of int64."""
    import pyarrow.compute as pc

    text = pc.binary_join_element_wise(*(rows[name].combine_chunks() for name in _LINE), "\n")
    hashes: np.ndarray = pd.util.hash_array(text.to_numpy(zero_copy_only=False)).view(np.int64)
    return hashes
