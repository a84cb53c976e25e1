"""Independent reader of a landing zone: row by row, with the standard library (and PyArrow for Parquet).

It is slow and simple on purpose and shares no code with the generator, so that each can be checked by the other.
"""

import csv
import gzip
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


@dataclass
class Row:
    fields: dict[str, Any]
    age: tuple[int, str, int]
    week: date
    reason: str | None = None


def read_rows(folder: Path) -> list[Row]:
    """Read every row of every file, with the week it belongs to and the reason for rejection, if any."""
    rows: list[Row] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        records = _records(path)
        days = [_day(r["order_date"]) for r in records]
        newest = max(_monday(d) for d in days if d)
        for number, (record, day) in enumerate(zip(records, days, strict=True)):
            age = (path.stat().st_mtime_ns, str(path), number)
            rows.append(Row(record, age, _monday(day) if day else newest, _own_reason(record)))
    _mark_duplicates(rows)
    return rows


def count(rows: list[Row]) -> dict[tuple[date, str], int]:
    return dict(Counter((row.week, row.reason or "clean") for row in rows))


def clean_rows(rows: list[Row]) -> list[tuple[Any, ...]]:
    """Return clean rows as sorted tuples in the order of the columns of GeneratedOrders.truth."""
    return sorted(
        (
            r["order_id"],
            _moment(r["order_date"]),
            r["part_id"],
            r["part_category"],
            r["region"],
            float(r["quantity"]),
            float(r["unit_price"]),
            str(r["line_id"]),
            _due_date(r["due_date"]),
        )
        for r in (row.fields for row in rows if row.reason is None)
    )


def _records(path: Path) -> list[dict[str, Any]]:
    if path.name.endswith(".parquet"):
        return pq.read_table(path).to_pylist()
    text = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    lines = text.decode("utf-8").splitlines()
    if path.name.endswith(".jsonl"):
        return [json.loads(line) for line in lines]
    return list(csv.DictReader(lines, strict=True))


def _own_reason(record: dict[str, Any]) -> str | None:
    """Return the first reason that applies to the row by itself."""
    quantity, price = _number(record["quantity"]), _number(record["unit_price"])
    if _moment(record["order_date"]) is None:
        return "bad_date"
    if record["due_date"] and _due_date(record["due_date"]) is None:
        return "bad_due_date"
    if quantity is None:
        return "bad_quantity"
    if quantity <= 0:
        return "non_positive_quantity"
    if price is None:
        return "bad_price"
    if price <= 0:
        return "non_positive_price"
    if not (record["part_id"] or "").strip():
        return "missing_part"
    if not (record["region"] or "").strip():
        return "missing_region"
    return None


def _mark_duplicates(rows: list[Row]) -> None:
    newest: dict[tuple[date, str, str], Row] = {}
    for row in sorted(rows, key=lambda row: row.age):
        key = (row.week, row.fields["order_id"], str(row.fields["line_id"]))
        if key in newest and newest[key].reason is None:
            newest[key].reason = "duplicate"
        newest[key] = row


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _due_date(value: Any) -> date | None:
    return value if isinstance(value, date) else _day(value or "")


def _day(value: Any) -> date | None:
    moment = _moment(value)
    return moment.date() if moment else None


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
