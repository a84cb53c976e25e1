"""Random order files compared with the lines written into them: no row is lost, and clean rows have correct values.

The writer knows the values of each row and whether the row is valid. Cleaning must give the same result for every
file format, delimiter, encoding, quoting, and notation of dates and numbers.
"""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.orders.cleaning import CleaningRules, clean_week
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.landing import rows_of_weeks, scan_order_file
from forecasting_assets.orders.rows import Source
from forecasting_assets.tables import CLEAN_ORDERS, ORDER_COLUMNS, RAW_ORDERS
from forecasting_assets_tests.support.order_files import source_of

NAMES = {name: name for name in ORDER_COLUMNS}
HEADER = [
    "order_id",
    "line_id",
    "order_date",
    "part_id",
    "region",
    "quantity",
    "unit_price",
    "due_date",
    "note",
]
WEEK = date(2025, 3, 3)
FORMATS = st.builds(
    OrderFormat,
    date=st.sampled_from(["iso", "day_first", "month_first"]),
    decimal=st.just("."),
    thousands=st.sampled_from(["", ","]),
    currency=st.sampled_from(["", "$"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "cp1252", "utf-16"]),
) | st.builds(
    OrderFormat,
    date=st.just("day_first"),
    decimal=st.just(","),
    thousands=st.sampled_from(["", ".", " "]),
    currency=st.sampled_from(["", "€"]),
    delimiter=st.sampled_from([";", "\t"]),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
)


@dataclass
class Line:
    """An order line: its values, and the fault of its row, if any."""

    number: int
    day: date
    part: str
    quantity: float
    price: float
    due: date | None
    note: str
    fault: str | None

    def cells(self, order_format: OrderFormat) -> list[str]:
        cells = [
            f"o{self.number}",
            "1",
            written_date(self.day, order_format),
            self.part,
            "EU",
            written_number(self.quantity, order_format, ""),
            written_number(self.price, order_format, order_format.currency),
            written_date(self.due, order_format) if self.due else "",
            self.note,
        ]
        if self.fault == "surplus_cells":
            return [*cells, "more"]
        if self.fault == "missing_cells":
            return cells[:-1]
        if self.fault == "trailing":
            return [*cells, "", " "]
        if self.fault == "bad_quantity":
            cells[5] = "1'2.3,4"
        if self.fault == "bad_date":
            cells[2] = "31/31/2025"
        if self.fault == "bad_due_date":
            cells[7] = "asap"
        return cells

    @property
    def reason(self) -> str | None:
        return None if self.fault in (None, "trailing", "spaces") else self.fault


def written_date(day: date, order_format: OrderFormat) -> str:
    if order_format.date == "iso":
        return str(day)
    first, second = (day.day, day.month) if order_format.date == "day_first" else (day.month, day.day)
    return f"{first}/{second}/{day.year}"


def written_number(value: float, order_format: OrderFormat, currency: str) -> str:
    text = f"{value:,.2f}".replace(",", "_").replace(".", order_format.decimal)
    return currency + text.replace("_", order_format.thousands)


LINES = st.lists(
    st.builds(
        Line,
        number=st.integers(0, 10**6),
        day=st.integers(0, 6).map(lambda n: WEEK + timedelta(days=n)),
        part=st.sampled_from(
            ["P1", "007", "4006381333931", "Böden", "a b", 'with "quotes"', "semi;colon", "x,y"]
        ),
        quantity=st.integers(1, 10**9).map(lambda cents: cents / 100),
        price=st.integers(1, 10**6).map(lambda cents: cents / 100),
        due=st.none() | st.integers(-20, 90).map(lambda n: WEEK + timedelta(days=n)),
        note=st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), max_size=8)
        | st.sampled_from(["two\nlines", 'say "hi"', "a;b,c|d", '""']),
        fault=st.sampled_from(
            [
                None,
                None,
                None,
                "trailing",
                "surplus_cells",
                "missing_cells",
                "bad_quantity",
                "bad_date",
                "bad_due_date",
            ]
        ),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda line: line.number,
)


def csv_bytes(lines: list[Line], order_format: OrderFormat, quoting: int, line_end: str) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=order_format.delimiter, quoting=quoting, lineterminator=line_end)  # type: ignore[arg-type]
    writer.writerow(HEADER)
    writer.writerows(line.cells(order_format) for line in lines)
    return buffer.getvalue().encode(order_format.encoding)


def typed_rows(lines: list[Line], order_format: OrderFormat) -> list[dict]:
    """Rows for typed formats, in which every row has the same columns."""
    rows = []
    for line in lines:
        row: dict[str, Any] = dict(zip(HEADER, line.cells(order_format), strict=False))
        if line.fault != "bad_quantity":
            row["quantity"] = line.quantity
        rows.append({**row, "unit_price": line.price, "note": line.note})
    return rows


def write(folder: Path, kind: str, lines: list[Line], order_format: OrderFormat, draw) -> Path:
    file = folder / f"orders.{kind}"
    if kind in ("csv", "csv.gz"):
        quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        content = csv_bytes(lines, order_format, quoting, draw(st.sampled_from(["\n", "\r\n"])))
        file.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
    elif kind == "parquet":
        columns = {name: [row[name] for row in typed_rows(lines, order_format)] for name in HEADER}
        columns["quantity"] = [value if isinstance(value, float) else None for value in columns["quantity"]]
        pq.write_table(pa.table(columns), file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in typed_rows(lines, order_format)), "utf-8")
    return file


def raw_rows(source: Source, careful: bool, weeks: tuple[date, ...], columns: tuple[str, ...]) -> pa.Table:
    """Read raw_orders of the file as the asset writes it."""
    parts = []
    read = Source(source.filesystem, source.path, source.order_format, careful=careful)
    for batch, _ in rows_of_weeks(read, weeks, "order_date", weeks):
        count = len(batch.numbers)
        landed = dict(zip(batch.rows.schema.names, batch.rows.columns, strict=True))
        table = {name: landed.get(name, pa.nulls(count, pa.string())) for name in columns}
        own = {
            "source_file": pa.repeat(pa.scalar("orders"), count),
            "source_row": pa.array(batch.numbers),
            "source_modified": pa.repeat(
                pa.scalar(datetime(2025, 4, 1, tzinfo=UTC), pa.timestamp("us", "UTC")), count
            ),
            "row_problem": batch.problems,
            "surplus_cells": batch.surplus,
        }
        parts.append(pa.table(table | own))
    assert set(RAW_ORDERS.names) <= set(parts[0].schema.names)
    return pa.concat_tables(parts)


@settings(deadline=None, max_examples=150)
@given(st.data(), LINES, FORMATS, st.sampled_from(["csv", "csv.gz", "jsonl", "parquet"]))
def test_every_row_is_clean_with_its_values_or_rejected_with_the_right_reason(
    tmp_path_factory, data, lines, order_format, kind
):
    if kind in ("jsonl", "parquet"):
        lines = [line for line in lines if line.fault not in ("surplus_cells", "missing_cells", "trailing")]
    if not any(line.fault != "bad_date" for line in lines):
        return  # a file without a date is not read at all
    file = write(tmp_path_factory.mktemp("orders"), kind, lines, order_format, data.draw)
    source = source_of(file, order_format)
    content = scan_order_file(source, NAMES)
    assert (content.rows, content.weeks, content.fault) == (len(lines), (WEEK,), None)
    raw = raw_rows(source, content.careful, content.weeks, content.columns)
    result = clean_week(raw, WEEK, CleaningRules(NAMES, order_format))
    assert len(lines) == len(raw) == len(result.clean) + len(result.rejected)
    expected = dict(enumerate((line.reason for line in lines), start=1))
    reasons = {row["source_row"]: row["reason"] for row in result.rejected.to_pylist()}
    assert reasons == {row: reason for row, reason in expected.items() if reason}
    clean = {row["source_row"]: row for row in result.clean.select(CLEAN_ORDERS.names).to_pylist()}
    for number, line in enumerate(lines, start=1):
        if line.reason is None:
            row = clean[number]
            assert row["part_id"] == line.part
            assert row["order_date"].date() == line.day
            assert (row["due_date"] and row["due_date"].date()) == line.due
            assert (row["quantity"], row["unit_price"]) == (
                pytest.approx(line.quantity, rel=1e-12),
                pytest.approx(line.price, rel=1e-12),
            )
