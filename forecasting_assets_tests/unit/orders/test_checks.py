import pandas as pd
import pytest

from forecasting_assets.orders.checks import check_line_numbers, check_names, check_rejections
from forecasting_assets.tables import ORDER_COLUMNS

NAMES = {name: name for name in ORDER_COLUMNS}


def summary(rows: int, rejected: int, units: float = 100.0, rejected_units: float = 0.0) -> pd.DataFrame:
    values = {"rows": rows, "rejected_rows": rejected, "units": units, "rejected_units": rejected_units}
    return pd.DataFrame(
        [
            {"source_file": "a.csv", **values},
            {"source_file": "b.csv", **values, "rejected_rows": 0, "rejected_units": 0.0},
        ]
    )


def rejected(*reasons: str) -> pd.DataFrame:
    rows = [
        {
            "source_file": "a.csv",
            "source_row": n,
            "reason": reason,
            "quantity": f"{n},000",
            "order_date": "soon",
        }
        for n, reason in enumerate(reasons, start=1)
    ]
    return pd.DataFrame(rows, columns=["source_file", "source_row", "reason", "quantity", "order_date"])


@pytest.mark.parametrize(
    ("facts", "passed"),
    [
        (summary(1000, 0), True),
        (summary(1000, 40), True),
        (summary(1000, 90), False),
        (summary(4, 1), True),
        (summary(4, 3), False),
        # Large orders are written in another way than small ones.
        (summary(1000, 10, units=500.0, rejected_units=400.0), False),
        (summary(1000, 10, units=500.0, rejected_units=5.0), True),
        (summary(50, 1, units=200.0, rejected_units=12_500.0), False),
        (summary(12, 1, units=120.0, rejected_units=10.0), True),
    ],
)
def test_files_with_many_rejected_rows_or_units_are_named(facts, passed):
    finding = check_rejections(facts, rejected("bad_quantity", "bad_quantity", "bad_date"), NAMES, 0.05)
    assert finding.passed == passed
    assert ("a.csv" in finding.description) != passed
    assert "b.csv" not in finding.description


def test_the_most_common_reasons_come_with_an_example():
    rows = rejected(
        "bad_quantity", "bad_quantity", "bad_date", "missing_part", "duplicate", "duplicate", "duplicate"
    )
    text = check_rejections(summary(7, 4), rows, NAMES, 0.05).description
    assert "bad_quantity in 2 rows (such as '1,000' in row 1)" in text
    assert "bad_date in 1 row (such as 'soon' in row 3)" in text
    assert "duplicate" not in text


def test_a_week_without_files_has_no_rejections():
    assert check_rejections(summary(0, 0).iloc[:0], rejected(), NAMES, 0.05).passed


def test_names_that_differ_by_case_or_white_space_are_listed():
    finding = check_names({"region": ["EU", "eu", "US"], "part_id": ["P 1", "P  1", "P1"]})
    assert not finding.passed
    assert "region 'EU' / 'eu'" in finding.description
    assert "part_id 'P  1' / 'P 1'" in finding.description
    assert "US" not in finding.description
    assert check_names({"region": ["EU", "US"]}).passed
    zeros = check_names({"part_id": ["4711", "00004711", "0", "00", "A1", "0A1"]})
    assert "part_id '00004711' / '4711'" in zeros.description
    assert zeros.metadata["names"] == 2


def test_order_lines_replaced_by_one_for_another_part_are_named():
    rows = pd.DataFrame(
        {
            "source_file": ["a.csv", "a.csv"],
            "source_row": [1, 2],
            "replaced_by": ["b.csv row 7", "b.csv row 8"],
            "replaced_in": [None, "region"],
        }
    )
    finding = check_line_numbers(rows)
    assert (finding.passed, finding.metadata["order_lines"]) == (False, 1)
    assert "a.csv row 2 by b.csv row 8" in finding.description
    assert check_line_numbers(rows[:1]).passed
