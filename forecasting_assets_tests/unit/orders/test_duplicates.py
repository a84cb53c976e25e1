from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.orders.duplicates import newest_equal
from forecasting_assets.orders.text import normalise_ids
from forecasting_assets.tables import RAW_ORDERS
from forecasting_assets.tables.arrow import arrow_schema

NAMES = ["order.no", "line"]
LANDED = [*NAMES, "note"]
MODIFIED = {"a.csv": 2, "b.csv": 1, "ö.csv": 2}


def row(file: str, number: int, *landed: str | None) -> dict:
    modified = datetime(2025, 1, MODIFIED[file], tzinfo=UTC)
    own = {"source_file": file, "source_row": number, "source_modified": modified}
    return own | dict(zip(LANDED, landed, strict=False))


def replacements(rows: list[dict], columns: list[str], preferred: list[bool] | None = None) -> dict[int, int]:
    """Position of a row -> position of the newer one that replaces it; all rows are preferred by default."""
    schema = pa.schema([*arrow_schema(RAW_ORDERS), *(pa.field(name, pa.string()) for name in columns)])
    raw = pa.Table.from_pylist(rows, schema)
    missing = pa.nulls(len(raw), pa.string())
    order_ids, line_ids = (normalise_ids(raw[name]) if name in columns else missing for name in NAMES)
    of_rows = pa.array([True] * len(rows) if preferred is None else preferred, pa.bool_())
    newest = newest_equal(raw, order_ids, line_ids, columns, of_rows).to_pylist()
    return {position: place for position, place in enumerate(newest) if place is not None}


text = st.sampled_from([None, "", " ", "1", " 1 ", "2", "1\n1", "\t1", "1.0"])
lines = st.lists(st.tuples(st.booleans(), st.sampled_from(list(MODIFIED)), text, text, text), max_size=12)


@given(lines, st.sampled_from([3, 2, 1, 0]))
def test_each_row_is_replaced_by_the_newest_preferred_one_that_is_equal(lines, n_landed):
    columns = LANDED[:n_landed]
    rows = [row(file, number, *landed[:n_landed]) for number, (_, file, *landed) in enumerate(lines)]
    preferred = [is_preferred for is_preferred, *_ in lines]
    equal: dict[tuple, list[int]] = {}
    for position, one in enumerate(rows):
        order, line = ((one.get(name) or "").strip().removesuffix(".0") for name in NAMES)
        key = (order, line) if order and line else (None, *(one[name] for name in columns))
        equal.setdefault(key, []).append(position)

    def newness(position: int) -> tuple:
        one = rows[position]
        return one["source_modified"], one["source_file"].encode(), one["source_row"]

    expected: dict[int, int] = {}
    for group in equal.values():
        newest = max([p for p in group if preferred[p]] or group, key=newness)
        expected |= {p: newest for p in group if newness(p) < newness(newest)}
    assert replacements(rows, columns, preferred) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1", "1\n1", "x"), ("1\n1", "1", "x")),
        (("1", None, "x"), ("1", None, "y")),
        (("1", "", "x"), ("1", None, "x")),
    ],
)
def test_lines_that_differ_are_both_kept(one, other):
    assert replacements([row("a.csv", 1, *one), row("b.csv", 1, *other)], LANDED) == {}
