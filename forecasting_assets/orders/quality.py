"""Statistics of clean orders for the checks, computed in Spark's tasks so that order lines stay there."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from typing import TYPE_CHECKING

from forecasting_assets.tables import ROW

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

#: Columns that number an order line.
LINE_NUMBER = ["order_id", "line_id"]
_TEXTS, _POSITIVE = ["part_id", "part_category", "region"], ["quantity", "unit_price"]
#: The columns of `clean_statistics`.
STATISTICS_DDL = (
    "rows BIGINT, lines BIGINT, earliest TIMESTAMP, latest TIMESTAMP, broken BIGINT, "
    "due_before_ordered BIGINT, due_example STRING"
)


@dataclass(frozen=True)
class CleanStatistics:
    """Statistics of one week with orders.

    Attributes
    ----------
    rows
        Number of clean rows.
    lines
        Number of distinct order lines, identified by (order_id, line_id) or, without these, by the landed row.
    earliest, latest
        First and last order date (UTC).
    broken
        Number of rows with a missing or non-positive value.
    due_before_ordered
        Number of rows whose due date is a day before that of the order.
    due_example
        File and row of the first of them; None if there is none.
    """

    rows: int
    lines: int
    earliest: datetime
    latest: datetime
    broken: int
    due_before_ordered: int
    due_example: str | None


def clean_statistics(clean: "ParquetFile", _week: date) -> "pa.Table":
    """Compute CleanStatistics of the clean orders of a week as one row; no row for a week without orders."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = clean.read([*_TEXTS, *_POSITIVE, "order_date", "due_date", *ROW])
    if not len(rows):
        return pa.table({})
    sound = [pc.is_valid(rows[name]) for name in _TEXTS]
    sound += [pc.fill_null(pc.greater(rows[name], 0), False) for name in _POSITIVE]
    dates = pc.min_max(rows["order_date"])
    early = _due_before_ordered(rows)
    statistics = {
        "rows": len(rows),
        "lines": _distinct_lines(clean),
        "earliest": dates["min"],
        "latest": dates["max"],
        "broken": len(rows) - pc.sum(reduce(pc.and_, sound)).as_py(),
        "due_before_ordered": len(early),
    }
    example = "{} row {}".format(*(early[name][0] for name in ROW)) if len(early) else None
    table = pa.table({name: pa.array([value]) for name, value in statistics.items()})
    return table.append_column("due_example", pa.array([example], pa.string()))


def is_numbered(rows: "pa.Table") -> "pa.ChunkedArray":
    """Return which rows have an order and a line number."""
    import pyarrow.compute as pc

    return pc.and_(*(pc.is_valid(rows[name]) for name in LINE_NUMBER))


def _due_before_ordered(rows: "pa.Table") -> "pa.Table":
    import pyarrow.compute as pc

    dated = rows.filter(pc.is_valid(rows["due_date"]))
    due, ordered = (pc.floor_temporal(dated[name], unit="day") for name in ("due_date", "order_date"))
    return dated.filter(pc.less(due, ordered))


def _distinct_lines(clean: "ParquetFile") -> int:
    import pyarrow.compute as pc

    numbers = clean.read(LINE_NUMBER)
    lines = numbers.filter(is_numbered(numbers)).group_by(LINE_NUMBER, use_threads=False).aggregate([])
    others = (
        clean.read(ROW).filter(pc.invert(is_numbered(numbers))).group_by(ROW, use_threads=False).aggregate([])
    )
    return len(lines) + len(others)
