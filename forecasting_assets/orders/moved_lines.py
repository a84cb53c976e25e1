"""Order lines that are in two weeks, as after a correction of their order date, so that both count."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.tables import ROW

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

#: Weeks before and after a week in which its order lines are looked for.
MOVED_WEEKS = 13
#: Columns of `line_hashes`.
HASHES_DDL = "line BIGINT"
#: Order lines that a check names.
EXAMPLES = 3
_NUMBER = ["order_id", "line_id"]
#: Where orders are numbered anew each month, numbers come again, but hardly ever for the same part.
_LINE = [*_NUMBER, "part_id"]


@dataclass(frozen=True)
class MovedLines:
    """Order lines of a week that are also in another week.

    Attributes
    ----------
    count
        How many there are.
    examples
        Some of them in words, with all places.
    """

    count: int
    examples: tuple[str, ...]


def line_hashes(clean: "ParquetFile", _week: date) -> "pa.Table":
    """Return a hash of each order line with an order and a line number, from the clean orders of a week."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = clean.read(_LINE)
    rows = rows.filter(pc.and_(*(pc.is_valid(rows[name]) for name in _NUMBER)))
    return pa.table({"line": _hashes(rows)})


def lines_in_two_weeks(lines: "pa.Table") -> pd.DataFrame:
    """Find the lines of each week that are also in another week at most MOVED_WEEKS away.

    Parameters
    ----------
    lines
        week and line of many weeks, of `line_hashes`.

    Returns
    -------
    DataFrame
        week (of date), line and other_week, a row for each pair of weeks.
    """
    import pyarrow as pa

    numbers = lines["line"].to_numpy()
    order = np.argsort(numbers, kind="stable")
    equal = np.diff(numbers[order]) == 0
    repeated = order[np.union1d(np.flatnonzero(equal), np.flatnonzero(equal) + 1)]
    found = lines.select(["week", "line"]).take(pa.array(repeated)).to_pandas()
    pairs = found.merge(found.rename(columns={"week": "other_week"}), on="line")
    longest = timedelta(weeks=MOVED_WEEKS)
    near = [0 < abs(days.days) <= longest.days for days in pairs["week"] - pairs["other_week"]]
    found_near: pd.DataFrame = pairs.iloc[np.flatnonzero(near)].reset_index(drop=True)
    return found_near


def places(clean: "ParquetFile", week: date, lines: np.ndarray) -> dict[int, tuple[str, str]]:
    """Return line -> its numbers and its place in words, of those of `lines` in the clean orders of a week."""
    import pyarrow as pa

    rows = clean.read([*_LINE, *ROW])
    hashes = _hashes(rows)
    at = np.flatnonzero(np.isin(hashes, lines))
    return {
        line: (
            f"order {row['order_id']!r} line {row['line_id']!r}",
            f"{row['source_file']} row {row['source_row']} (week {week})",
        )
        for line, row in zip(hashes[at].tolist(), rows.take(pa.array(at)).to_pylist(), strict=True)
    }


def _hashes(rows: "pa.Table") -> np.ndarray:
    """Return a hash of the order line of each row, (rows,) of int64."""
    import pyarrow.compute as pc

    text = pc.binary_join_element_wise(*(rows[name].combine_chunks() for name in _LINE), "\n")
    hashes: np.ndarray = pd.util.hash_array(text.to_numpy(zero_copy_only=False)).view(np.int64)
    return hashes
