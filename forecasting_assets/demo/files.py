"""Files of the landing zone: in which files the orders of a week arrive, and how each format is written.

The same rows give the same bytes: there are no time stamps in headers, and file times follow from the calendar.
"""

import gzip
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet


@dataclass(frozen=True)
class OrderFile:
    """File of a week with the days since the previous file.

    Attributes
    ----------
    closing_day
        Last day of the file; 1 is Monday.
    format
        Ending of its name.
    """

    closing_day: int
    format: str

    def path(self, week: date) -> str:
        """Return the path of the file below `landing/orders`."""
        last_day = week + timedelta(days=self.closing_day - 1)
        return f"{week.year}/orders-{last_day}.{self.format}"

    def modified(self, week: date) -> datetime:
        """Return the file's time: two hours after its last day, so that later files are newer."""
        return datetime(week.year, week.month, week.day, 2, tzinfo=UTC) + timedelta(days=self.closing_day)


_WEEKLY = (OrderFile(7, "csv.gz"),)
_DAILY = tuple(OrderFile(day, "csv") for day in range(1, 8))
_TYPED_AND_REST = (OrderFile(5, "parquet"), OrderFile(7, "csv"))
_JSON = (OrderFile(7, "jsonl"),)
_MIDWEEK = (OrderFile(3, "csv.gz"), OrderFile(7, "jsonl"))
_PLANS = (_WEEKLY, _JSON, _WEEKLY, _TYPED_AND_REST, _WEEKLY, _DAILY, _WEEKLY, _MIDWEEK)

#: Formats with typed columns, which cannot hold unreadable numbers or dates.
TYPED = {"parquet"}


def file_plan(week: int) -> tuple[OrderFile, ...]:
    """Return the files of week number `week` in the order of their time; the last one is never typed."""
    return _PLANS[week % len(_PLANS)]


def write_file(rows: pd.DataFrame, path: Path, modified: datetime) -> None:
    """Write rows of text in the format that the file's name ends with, and set the file's time.

    Parameters
    ----------
    rows
        Columns of text.
    path
        File to write.
    modified
        Time of change to set.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_WRITERS[path.name.partition(".")[2]](rows))
    os.utime(path, (modified.timestamp(), modified.timestamp()))


def _csv(rows: pd.DataFrame) -> bytes:
    """Write CSV with quotes only where a text needs them."""
    return rows.drop(columns="sales_channel").to_csv(index=False, lineterminator="\n").encode()


def _gzipped_csv(rows: pd.DataFrame) -> bytes:
    """Write CSV with every text in quotes, as databases export it."""
    buffer = io.BytesIO()
    table = pa.Table.from_pandas(rows.drop(columns="sales_channel"), preserve_index=False)
    pa.csv.write_csv(table, buffer, pa.csv.WriteOptions(quoting_style="needed"))
    return gzip.compress(buffer.getvalue(), compresslevel=5, mtime=0)


def _parquet(rows: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    typed = rows.assign(
        line_id=rows["line_id"].astype("int64"),
        order_date=pd.to_datetime(rows["order_date"], format="ISO8601", utc=True),
        quantity=rows["quantity"].astype("int64"),
        unit_price=rows["unit_price"].astype("float64"),
    )
    if "due_date" in rows:
        days = pd.to_datetime(rows["due_date"].replace("", None), format="ISO8601")
        typed["due_date"] = [
            day.date() if known else None for day, known in zip(days, days.notna(), strict=True)
        ]
    table = pa.Table.from_pandas(typed, preserve_index=False)
    pa.parquet.write_table(table, buffer, coerce_timestamps="us")
    return buffer.getvalue()


def _jsonl(rows: pd.DataFrame) -> bytes:
    """Write readable numbers as JSON numbers, and everything else as text."""
    quantity = pd.to_numeric(rows["quantity"], errors="coerce").astype("Int64").astype(object)
    price = pd.to_numeric(rows["unit_price"], errors="coerce").astype(object)
    mixed = rows.assign(
        line_id=rows["line_id"].astype("int64"),
        quantity=quantity.where(quantity.notna(), rows["quantity"]),
        unit_price=price.where(price.notna(), rows["unit_price"]),
    )
    return mixed.to_json(orient="records", lines=True, force_ascii=False).encode()


_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": _csv,
    "csv.gz": _gzipped_csv,
    "parquet": _parquet,
    "jsonl": _jsonl,
}
