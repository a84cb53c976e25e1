from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.orders.duplicates import older_duplicates
from forecasting_assets.tables import RAW_ORDERS
from forecasting_assets_tests.unit.orders.parquet import week_file

NAMES = ["order.no", "line"]
LANDED = [*NAMES, "note"]
MODIFIED = {"a.csv": 2, "b.csv": 1, "ö.csv": 2}


def row(file: str, number: int, *landed: str | None) -> dict:
    modified = datetime(2025, 1, MODIFIED[file], tzinfo=UTC)
    own = {"source_file": file, "source_row": number, "source_modified": modified}
    return own | dict(zip(LANDED, landed, strict=False))


def older(rows: list[dict], *landed: str) -> set[tuple[str, int]]:
    found = older_duplicates(week_file(RAW_ORDERS, rows, *landed), *NAMES).to_pylist()
    assert len({tuple(row.values()) for row in found}) == len(found)
    return {(row["source_file"], row["source_row"]) for row in found}


text = st.sampled_from([None, "", " ", "1", " 1 ", "2", "1\n1", "\t1"])
lines = st.lists(st.tuples(st.sampled_from(list(MODIFIED)), text, text, text), max_size=12)


@given(lines, st.sampled_from([3, 2, 1, 0]))
def test_all_but_the_newest_of_equal_lines_are_older(lines, n_landed):
    columns = LANDED[:n_landed]
    rows = [row(file, number, *landed[:n_landed]) for number, (file, *landed) in enumerate(lines)]
    equal: dict[tuple, list[dict]] = {}
    for one in rows:
        order, line = ((one.get(name) or "").strip(" ") for name in NAMES)
        said = (order, line) if order and line else (None, *(one[name] for name in columns))
        equal.setdefault(said, []).append(one)
    newest = [
        max(of, key=lambda one: (one["source_modified"], one["source_file"].encode(), one["source_row"]))
        for of in equal.values()
    ]
    kept = {(one["source_file"], one["source_row"]) for one in newest}
    assert older(rows, *columns) == {(one["source_file"], one["source_row"]) for one in rows} - kept


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1", "1\n1", "x"), ("1\n1", "1", "x")),
        (("1", None, "x"), ("1", None, "y")),
        (("1", "", "x"), ("1", None, "x")),
    ],
)
def test_lines_that_differ_are_both_kept(one, other):
    assert older([row("a.csv", 1, *one), row("b.csv", 1, *other)], *LANDED) == set()
