"""Rules for single rows: a row without a valid number, date or part is rejected with its reason."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from forecasting_assets.orders.cleaning import CleaningRules, CleanWeek, clean_week
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.tables import (
    CLEAN_ORDERS,
    ORDER_COLUMNS,
    ORDER_FILE_SUMMARY,
    RAW_ORDERS,
    REJECTED_ORDERS,
)
from forecasting_assets.tables.arrow import arrow_schema
from forecasting_assets_tests.support.order_files import ORDER

WEEK = date(2024, 3, 4)
NAMES = {name: name for name in ORDER_COLUMNS}
BROKEN: dict[str, list[dict[str, Any]]] = {
    "surplus_cells": [{"row_problem": "surplus_cells", "surplus_cells": '["x"]', "quantity": "none"}],
    "missing_cells": [{"row_problem": "missing_cells", "unit_price": None}],
    "ambiguous_quotes": [{"row_problem": "ambiguous_quotes"}],
    "bad_date": [
        {"order_date": text}
        for text in (
            None,
            "",
            "soon",
            "05/03/2024",
            "2024-02-30",
            "2024-03-11",
            "2024-03-10T23:30-02:00",
            "2024",
        )
    ],
    "bad_due_date": [
        {"due_date": text} for text in ("soon", "05/03/2024", "2024-02-30", "9999-12-31", "0001-01-01", "10")
    ],
    "bad_quantity": [
        {"quantity": text} for text in (None, "", "1d", "NaN", "Infinity", "1e400", "1,5", "12 pcs")
    ],
    "non_positive_quantity": [{"quantity": text} for text in ("0", "-1", "-.5e1", "1e-400")],
    "bad_price": [{"unit_price": "free"}, {"unit_price": None}, {"unit_price": "$3"}],
    "non_positive_price": [{"unit_price": "-0"}],
    "missing_part": [{"part_id": " "}, {"part_id": "\u200b"}],
    "missing_region": [{"region": None}],
    "rounded_id": [{"part_id": "4.00638E+12"}, {"order_id": "1.2e+15"}],
}
SOUND: dict[str, dict[str, Any]] = {
    "quantity": {" 2 ": 2.0, "+.5": 0.5, "1e3": 1000.0, "007": 7.0},
    "order_date": {
        " 2024-03-04 ": datetime(2024, 3, 4, tzinfo=UTC),
        "2024-03-10 23:59:59.5Z": datetime(2024, 3, 10, 23, 59, 59, 500000, tzinfo=UTC),
        "2024-03-11T01:00+05:30": datetime(2024, 3, 10, 19, 30, tzinfo=UTC),
    },
    "due_date": {
        "": None,
        " ": None,
        "2024-03-04": datetime(2024, 3, 4, tzinfo=UTC),
        "2023-01-31": datetime(2023, 1, 31, tzinfo=UTC),
        "2024-05-06T12:00+02:00": datetime(2024, 5, 6, 10, tzinfo=UTC),
    },
    "part_category": {"": "default", " milling": "milling"},
    "order_id": {" ": None, "7.0": "7", "007": "007"},
    "part_id": {"EU\u00a0": "EU", "4006381333931.0": "4006381333931"},
    "region": {"north\t": "north"},
}


def cleaned(orders: list[dict], rules: CleaningRules | None = None) -> CleanWeek:
    """Clean orders that were landed as rows 0, 1, … of one file."""
    texts = [pa.field(name, pa.string()) for name in ORDER_COLUMNS]
    schema = pa.schema([*texts, *arrow_schema(RAW_ORDERS)])
    own = {"source_file": "a.csv", "source_modified": datetime(2024, 3, 12, tzinfo=UTC)}
    rows = [order | own | {"source_row": number} for number, order in enumerate(orders)]
    return clean_week(pa.Table.from_pylist(rows, schema), WEEK, rules or CleaningRules(NAMES))


def test_every_row_is_clean_or_rejected_for_the_first_rule_it_violates():
    broken = [(reason, change) for reason, changes in BROKEN.items() for change in changes]
    sound = [(name, text, value) for name, values in SOUND.items() for text, value in values.items()]
    orders = [ORDER | change for _, change in broken]
    orders += [ORDER | {"quantity": "none", "order_date": "never"}]
    orders += [ORDER | {name: text} for name, text, _ in sound]
    # Every line has a different number, except the last two.
    orders = [order | {"line_id": str(number)} for number, order in enumerate(orders)] + [ORDER, ORDER]
    result = cleaned(orders)
    reasons = {row["source_row"]: row["reason"] for row in result.rejected.to_pylist()}
    expected = [*(reason for reason, _ in broken), "bad_date"]
    # Line 1 is the second broken one.
    assert reasons == dict(enumerate(expected)) | {len(orders) - 2: "duplicate"}
    clean = {row["source_row"]: row for row in result.clean.to_pylist()}
    assert clean.keys() == set(range(len(orders))) - reasons.keys()
    values = [clean[row][name] for row, (name, _, _) in enumerate(sound, start=len(expected))]
    assert values == [value for _, _, value in sound]


def test_the_tables_have_the_declared_columns_also_without_rows():
    for orders in ([], [ORDER]):
        result = cleaned(orders)
        assert result.clean.schema.remove_metadata() == arrow_schema(CLEAN_ORDERS)
        assert result.summary.schema == arrow_schema(ORDER_FILE_SUMMARY)
        assert set(REJECTED_ORDERS.names) | set(ORDER_COLUMNS) == set(result.rejected.schema.names)


def test_a_duplicate_names_the_line_that_replaced_it_and_the_differences():
    result = cleaned([ORDER, ORDER | {"region": "south"}, ORDER | {"part_id": "P2", "region": "east"}])
    rows = result.rejected.select(["source_row", "reason", "replaced_by", "replaced_in"]).to_pylist()
    assert rows == [
        {
            "source_row": 0,
            "reason": "duplicate",
            "replaced_by": "a.csv row 2",
            "replaced_in": "part_id, region",
        },
        {
            "source_row": 1,
            "reason": "duplicate",
            "replaced_by": "a.csv row 2",
            "replaced_in": "part_id, region",
        },
    ]
    assert cleaned([ORDER, ORDER]).rejected["replaced_in"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("newer", "reasons"),
    [
        # A correction that cannot be used leaves the line as it was.
        ({"quantity": "2O"}, {1: "bad_quantity"}),
        ({"quantity": "-3"}, {1: "non_positive_quantity"}),
        ({"quantity": "3", "region": ""}, {1: "missing_region"}),
        ({"quantity": "3"}, {0: "duplicate"}),
        # The quantity zero cancels the line, whatever its other cells.
        ({"quantity": "0"}, {0: "duplicate", 1: "cancelled"}),
        ({"quantity": "0.0", "part_id": "", "unit_price": ""}, {0: "duplicate", 1: "cancelled"}),
        ({"quantity": "0", "line_id": "9"}, {1: "non_positive_quantity"}),
        ({"quantity": "0", "order_date": "soon"}, {1: "bad_date"}),
    ],
)
def test_a_newer_line_replaces_or_cancels_an_older_one_only_if_it_can_be_used(newer, reasons):
    result = cleaned([ORDER, ORDER | newer])
    found = {row["source_row"]: row["reason"] for row in result.rejected.to_pylist()}
    assert found == reasons
    intended = {"duplicate", "cancelled"}
    assert result.summary["rejected_rows"].to_pylist() == [len(set(reasons.values()) - intended)]


def test_a_cancellation_that_is_landed_twice_or_taken_back_is_no_fault():
    zero = ORDER | {"quantity": "0"}
    result = cleaned([ORDER, zero, zero, ORDER | {"line_id": "2"}, zero | {"line_id": "2"}])
    assert result.clean.num_rows == 0
    assert sorted(result.rejected["reason"].to_pylist()) == ["cancelled"] * 3 + ["duplicate"] * 2
    # Zeros alone cancel nothing, however often they are landed.
    assert sorted(cleaned([zero, zero]).rejected["reason"].to_pylist()) == ["non_positive_quantity"] * 2
    # Nor does a zero that was corrected.
    corrected = cleaned([zero, ORDER])
    assert corrected.rejected["reason"].to_pylist() == ["non_positive_quantity"]
    assert corrected.clean.num_rows == 1
    again = cleaned([ORDER, zero, ORDER | {"quantity": "7"}])
    assert again.clean["quantity"].to_pylist() == [7.0]
    assert again.summary["rejected_rows"].to_pylist() == [0]


def test_names_that_differ_by_case_are_merged_only_with_fold_case():
    orders = [
        ORDER | {"line_id": str(n), "region": name} for n, name in enumerate(["EU", "eu ", "E U", "e  u"])
    ]
    assert cleaned(orders).clean["region"].to_pylist() == ["EU", "eu", "E U", "e  u"]
    folded = cleaned(orders, CleaningRules(NAMES, fold_case=True)).clean
    assert folded["region"].to_pylist() == ["EU", "EU", "E U", "E U"]
    assert folded["part_id"].unique().to_pylist() == ["P1"]


def test_a_format_is_used_for_dates_quantities_and_prices():
    order = ORDER | {"order_date": "05.03.2024 8:00", "quantity": "1.234,5", "unit_price": "10,50 €"}
    rules = CleaningRules(NAMES, OrderFormat(date="day_first", decimal=",", thousands=".", currency="€"))
    (row,) = cleaned([order], rules).clean.to_pylist()
    assert (row["quantity"], row["unit_price"]) == (1234.5, 10.5)
    assert row["order_date"] == datetime(2024, 3, 5, 8, tzinfo=UTC)


def test_the_summary_has_rejected_rows_and_units_of_each_file():
    orders = [
        ORDER | {"line_id": "1", "quantity": "5"},
        ORDER | {"line_id": "1", "quantity": "5"},
        ORDER | {"line_id": "2", "quantity": "1,234.50"},
        ORDER | {"line_id": "3", "quantity": "many"},
    ]
    (row,) = cleaned(orders).summary.to_pylist()
    expected = {"source_file": "a.csv", "rows": 4, "rejected_rows": 2, "units": 5.0, "rejected_units": 1234.5}
    assert row == expected


@pytest.mark.parametrize("landed", [{"order_id": "Invoice No", "quantity": "source_row"}])
def test_columns_are_found_by_their_landed_names(landed):
    schema = [
        pa.field({**NAMES, **landed}[name], pa.string()) for name in ORDER_COLUMNS if name != "quantity"
    ]
    schema = pa.schema([*schema, pa.field("landed_source_row", pa.string()), *arrow_schema(RAW_ORDERS)])
    row: dict[str, Any] = {
        {**NAMES, **landed}[name]: text for name, text in ORDER.items() if name != "quantity"
    }
    row |= {"landed_source_row": "8", "source_file": "a.csv", "source_row": 1}
    result = clean_week(pa.Table.from_pylist([row], schema), WEEK, CleaningRules({**NAMES, **landed}))
    (clean,) = result.clean.to_pylist()
    assert (clean["order_id"], clean["quantity"]) == ("1", 8.0)
