"""What is handed out as files: the plan's own numbers, and sheets that the planning folder accepts."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.reporting.exports import manufacturer_export, shortages_export
from forecasting_assets.tables.table_files import FILE_FORMATS, file_content

WEEK = date(2026, 11, 16)
MONDAYS = [pd.Timestamp(2026, 11, 23), pd.Timestamp(2026, 11, 30), pd.Timestamp(2026, 12, 7)]

rows = st.tuples(
    st.sampled_from(["M1", "=M2"]),
    st.sampled_from(["P1", "=P2", "-3"]),
    st.sampled_from(["EU", "+US"]),
    st.sampled_from(MONDAYS),
    st.sampled_from(MONDAYS),
    st.integers(0, 500),
    st.floats(0, 1),
)


def plan_of(drawn):
    columns = ["manufacturer_id", "part_id", "region", "production_week", "due_week", "quantity", "share"]
    plan = pd.DataFrame(drawn, columns=columns).assign(part_category="CNC")
    return plan.assign(locked_quantity=(plan["quantity"] * plan["share"]).round())


@given(st.lists(rows, min_size=1, max_size=12), st.sampled_from(FILE_FORMATS))
@settings(max_examples=15)
def test_a_sheet_that_is_landed_locks_exactly_what_was_not_locked(tmp_path_factory, drawn, file_format):
    plan, folder = plan_of(drawn), tmp_path_factory.mktemp("planning")
    expected: dict[tuple, float] = {}
    for manufacturer in plan["manufacturer_id"].unique():
        content = file_content(manufacturer_export(plan, manufacturer, WEEK), file_format)
        (folder / f"locked_allocations-{manufacturer}.{file_format}").write_bytes(content)
    for row in plan.to_dict("records"):
        key = (row["manufacturer_id"], row["part_id"], row["region"], row["production_week"])
        expected[key] = expected.get(key, 0.0) + row["quantity"] - row["locked_quantity"]
    locks = PlanningFolder(str(folder)).used_by(WEEK, PlanningInput("locked_allocations"))
    columns = ["manufacturer_id", "part_id", "region", "production_week"]
    assert locks.set_index(columns)["quantity"].to_dict() == pytest.approx(expected)
    assert len(locks) == len(expected)


def test_a_shortage_has_the_category_of_its_part_and_its_reason():
    short = pd.DataFrame(
        {"part_id": ["P2", "P1"], "region": "EU", "due_week": MONDAYS[0], "quantity": [3.0, 4.0], "cost": 1.0}
    )
    # In the US, the part has not been ordered since it was classified anew.
    demand = pd.DataFrame(
        {
            "part_id": ["P1", "P1", "P1", "P2"],
            "region": ["US", "EU", "EU", "EU"],
            "part_category": ["Milling", "CNC", "CNC", "Casting"],
        }
    )
    reasons = pd.DataFrame(
        {
            "kind": ["short", "late"],
            "part_category": "CNC",
            "region": "EU",
            "due_week": MONDAYS[0],
            "reason": ["no hours", "late"],
        }
    )
    found = shortages_export(short, demand, reasons)
    assert found["part_id"].tolist() == ["P1", "P2"]
    assert found["part_category"].tolist() == ["CNC", "Casting"]
    assert found["reason"].fillna("").tolist() == ["no hours", ""]
