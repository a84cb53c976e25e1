"""Rows of several weeks in a Spark worker are told apart."""

from datetime import date

import pyarrow as pa
import pytest

from forecasting_assets.lake.spark_tables import _split_by_week

WEEKS = [None, None, date(2024, 3, 4), date(2024, 3, 4), date(2024, 3, 11)]


@pytest.mark.parametrize("rows_in_batch", [1, 2, 3, 5])
def test_rows_without_a_week_are_not_those_of_the_next(rows_in_batch):
    batch = pa.record_batch({"week": pa.array(WEEKS, pa.date32()), "row": range(5)})
    batches = [batch.slice(begin, rows_in_batch) for begin in range(0, 5, rows_in_batch)]
    split = [(week, rows["row"].to_pylist()) for week, rows in _split_by_week(batches)]
    assert split == [(None, [0, 1]), (WEEKS[2], [2, 3]), (WEEKS[4], [4])]


def test_rows_that_are_not_sorted_raise_instead_of_replacing_others_of_their_week():
    days = [date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 1)]
    batches = [pa.RecordBatch.from_pydict({"week": [day], "row": [i]}) for i, day in enumerate(days)]
    with pytest.raises(ValueError, match="2024-01-01"):
        list(_split_by_week(batches))
