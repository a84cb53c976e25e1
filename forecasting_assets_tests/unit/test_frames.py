import pandas as pd

from forecasting_assets.tables.frames import category_of, stack

WITHOUT_TYPES = pd.DataFrame(columns=["part_id", "quantity"])
ROWS = pd.DataFrame({"part_id": ["A", "B"], "quantity": [1.0, 2.0]}, index=[7, 7])


def test_rows_are_numbered_anew_and_keep_their_types():
    stacked = stack([WITHOUT_TYPES, ROWS, WITHOUT_TYPES, ROWS[:1]])
    assert stacked.to_dict("list") == {"part_id": ["A", "B", "A"], "quantity": [1.0, 2.0, 1.0]}
    assert stacked.index.tolist() == [0, 1, 2]
    assert stacked["quantity"].dtype == float


def test_the_first_of_empty_frames_is_returned():
    stacked = stack([ROWS[:0], WITHOUT_TYPES])
    assert stacked.empty
    assert stacked["quantity"].dtype == float


def test_a_category_is_that_of_the_part_in_the_region_or_else_of_the_part():
    known = pd.DataFrame(
        [("A", "north", "cnc"), ("A", "south", "sheet"), ("A", "south", "sheet"), ("B", "north", "wire")],
        columns=["part_id", "region", "part_category"],
    )
    asked = [("A", "south"), ("A", "north"), ("A", "west"), ("B", "west"), ("C", "north")]
    series = pd.DataFrame(asked, columns=["part_id", "region"], index=[3, 1, 4, 1, 5])
    found = category_of(series, known)
    assert found.fillna("").tolist() == ["sheet", "cnc", "cnc", "wire", ""]
    assert found.index.tolist() == series.index.tolist()
    unknown = category_of(series, known[:0])
    assert unknown.isna().all()
    assert unknown.dtype == object
    assert category_of(series[:0], known).empty
