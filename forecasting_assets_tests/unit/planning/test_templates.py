"""Templates: they can be landed with any number of rows filled in, and only those say something."""

from datetime import date

import pandas as pd
import pytest

from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.planning.templates import (
    covariates_template,
    locks_template,
    overrides_template,
    stock_template,
    work_template,
)
from forecasting_assets.tables.table_files import file_content
from forecasting_assets.weeks import add_weeks

WEEK = date(2026, 11, 16)
DUE = pd.Timestamp(2026, 11, 23)
DEMAND = pd.DataFrame(
    {
        "part_id": ["P1", "P1", "=P2"],
        "part_category": "CNC",
        "region": "EU",
        "due_week": [DUE, DUE + pd.Timedelta(weeks=1), DUE],
        "statistical": [3.14, 4.0, 5.0],
        "booked": 1.0,
        "quantity": [4.0, 4.0, 6.0],
    }
)
PLAN = pd.DataFrame(
    {
        "manufacturer_id": "M1",
        "part_id": ["P1", "P1", "=P2"],
        "part_category": "CNC",
        "region": "EU",
        "production_week": DUE,
        "quantity": [3.0, 2.0, 1.0],
        "locked_quantity": [1.0, 0.0, 0.0],
    }
)
POSITION = pd.DataFrame(
    {"part_id": ["P1", "P3"], "region": "EU", "kind": ["stock", "stock"], "quantity": [7.0, 2.0]}
)
STARTED = pd.DataFrame(
    {
        "manufacturer_id": "M1",
        "part_id": ["P1", "P1"],
        "region": "EU",
        "production_week": pd.Timestamp(WEEK),
        "quantity": [10.0, 20.0],
        "transit": [0, 2],
        "on_time_rate": 0.9,
    }
)
TEMPLATES = {
    "forecast_overrides": (overrides_template(DEMAND, WEEK), "quantity"),
    "locked_allocations": (locks_template(PLAN, WEEK), "quantity"),
    "stock": (stock_template(DEMAND, POSITION, WEEK), "quantity"),
    "work_in_progress": (work_template(STARTED, WEEK), "quantity"),
}


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
@pytest.mark.parametrize("kind", TEMPLATES)
def test_only_the_rows_that_are_filled_in_say_something(tmp_path, kind, file_format):
    rows, column = TEMPLATES[kind]
    for position in range(-1, len(rows)):
        filled = rows.copy()
        filled[column] = [9.0 if label == position else None for label in rows.index]
        (tmp_path / f"{kind}.{file_format}").write_bytes(file_content(filled, file_format))
        found = PlanningFolder(str(tmp_path)).used_by(WEEK, PlanningInput(kind))
        assert found[column].tolist() == ([] if position < 0 else [9.0])
        if position >= 0:
            assert found["part_id"].tolist() == [rows["part_id"][position]]


def test_the_plan_of_a_template_of_covariates_is_not_older_than_the_week(tmp_path):
    rows = covariates_template(DEMAND.assign(unit_price=9.5), WEEK)
    (tmp_path / "known_covariates.csv").write_bytes(file_content(rows, "csv"))
    of = PlanningInput("known_covariates", ahead=8, since=date(2024, 1, 1))
    folder = PlanningFolder(str(tmp_path))
    assert len(folder.used_by(WEEK, of)) == len(DEMAND)
    assert not len(folder.used_by(add_weeks(WEEK, -1), of))


def test_what_is_expected_is_beside_the_empty_cells():
    overrides, locks, stock, work = (rows for rows, _ in TEMPLATES.values())
    assert overrides.loc[overrides["part_id"] == "P1", ["forecast", "planned"]].to_numpy().tolist() == [
        [3.1, 4.0],
        [4.0, 4.0],
    ]
    assert locks.set_index("part_id")["planned"].to_dict() == {"P1": 5.0, "=P2": 1.0}
    assert stock.set_index("part_id")["expected"].to_dict() == {"P1": 7.0, "=P2": 0.0, "P3": 2.0}
    # Units on time without transit have arrived; the late tenth and what is two weeks on its way have not.
    expected = {
        pd.Timestamp(2026, 11, 23): 1.0,
        pd.Timestamp(2026, 11, 30): 18.0,
        pd.Timestamp(2026, 12, 7): 2.0,
    }
    assert work.set_index("ready_week")["expected"].to_dict() == expected
