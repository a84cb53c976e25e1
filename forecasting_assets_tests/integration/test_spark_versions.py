"""What older versions of Spark lack gives the same rows as what newer ones have."""

from datetime import date

import pyarrow as pa
import pytest

from forecasting_assets.settings import SparkSettings
from forecasting_assets.spark_versions import arrow_schema_of, cogroup_by_id, to_arrow
from forecasting_assets_tests.support.spark import spark_session

pytestmark = pytest.mark.spark

DDL = "id INT, part STRING, week DATE, units DOUBLE, lines BIGINT"
ROWS = [
    (0, "a", date(2024, 1, 1), 1.5, 3),
    (1, None, None, None, None),
    (2, "ü", date(1969, 12, 31), 1e-300, -(2**60)),
    (2, "b", date(2024, 1, 8), 0.1 + 0.2, 2**53),
]


@pytest.fixture(scope="module")
def frame():
    return spark_session(SparkSettings(master="local[2]")).createDataFrame(ROWS, DDL)


def without(monkeypatch, an_object, name: str) -> None:
    for owner in type(an_object).__mro__:
        if name in vars(owner):
            monkeypatch.delattr(owner, name)
    assert not hasattr(type(an_object), name)


def sorted_rows(table: pa.Table) -> list[dict]:
    return sorted(table.to_pylist(), key=str)


@pytest.mark.parametrize("condition", ["true", "false"])
def test_rows_are_collected_without_to_arrow(frame, monkeypatch, condition):
    some = frame.filter(condition)
    expected = to_arrow(some)
    without(monkeypatch, some, "toArrow")
    collected = to_arrow(some)
    assert collected.schema == expected.schema == arrow_schema_of(some)
    assert sorted_rows(collected) == sorted_rows(expected)


def joined(left: pa.Table, right: pa.Table) -> pa.Table:
    """The rows of `left`, and how many rows `right` has for the same id."""
    assert left.schema.names == [*DDL.replace(",", "").split()[::2]]
    return left.append_column("others", pa.array([len(right)] * len(left), pa.int64()))


def test_groups_are_joined_without_apply_in_arrow_and_repartition_by_id(frame, monkeypatch):
    others = frame.filter("part IS NOT NULL")
    expected = to_arrow(cogroup_by_id((frame, others), "id", 3, joined, f"{DDL}, others BIGINT"))
    cogroups = frame.groupBy("id").cogroup(others.groupBy("id"))
    without(monkeypatch, frame, "repartitionById")
    without(monkeypatch, cogroups, "applyInArrow")
    made = to_arrow(cogroup_by_id((frame, others), "id", 3, joined, f"{DDL}, others BIGINT"))
    assert sorted_rows(made) == sorted_rows(expected)
    assert [row["others"] for row in sorted_rows(made)] == [1, 0, 2, 2]
