"""Planning files are checked before they are landed, together with what is in the folder."""

from datetime import date

import pandas as pd
import pytest

from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.tables import ALLOCATION_PLAN, DEMAND_PLAN, MANUFACTURER_NETWORK, WEEKLY_DEMAND, Table
from forecasting_assets.workflows.planning_check import PlanningFileNameError, check_planning_file

WEEK = date(2026, 11, 16)
LOCKS = "manufacturer_id,part_id,region,production_week,quantity,entered\n"
STOCK = "counted_on,part_id,region,quantity\n"


def one_row(table: Table, **values: object) -> pd.DataFrame:
    defaults = {"string": "x", "double": 1.0, "long": 1, "date": pd.Timestamp(2026, 11, 23)}
    return pd.DataFrame([{c.name: values.get(c.name, defaults[c.type]) for c in table.columns}])


@pytest.fixture
def lake(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    lake.write_pandas(
        one_row(DEMAND_PLAN, part_id="P0001", part_category="CNC", region="EU"), DEMAND_PLAN, WEEK
    )
    lake.write_pandas(one_row(MANUFACTURER_NETWORK, manufacturer_id="M03"), MANUFACTURER_NETWORK, WEEK)
    lake.write_pandas(one_row(ALLOCATION_PLAN), ALLOCATION_PLAN, WEEK)
    return lake


def check(tmp_path, lake, name, text):
    file = tmp_path / name
    file.write_text(text)
    return check_planning_file(PlanningFolder(str(tmp_path / "planning")), lake, file)


def test_a_file_that_can_be_landed_has_no_problems(tmp_path, lake):
    found = check(
        tmp_path, lake, "locked_allocations-M03.csv", LOCKS + "M03,P0001,EU,2026-11-30,5,2026-11-22\n"
    )
    assert (found.kind, found.rows, found.problems, found.warnings) == ("locked_allocations", 1, [], [])
    assert not (tmp_path / "planning").exists()


def test_problems_name_row_and_column(tmp_path, lake):
    found = check(tmp_path, lake, "stock.csv", STOCK + "2026-11-22,P0001,EU,\n22.11.2026,P0001,EU,many\n")
    assert (found.rows, found.unfilled) == (1, 1)
    assert [(p.kind, p.row, p.column) for p in found.problems] == [
        ("bad_date", 3, "counted_on"),
        ("not_a_number", 3, "quantity"),
    ]


def test_rows_that_change_nothing_are_warnings_with_the_name_that_is_near(tmp_path, lake):
    found = check(tmp_path, lake, "locked_allocations.csv", LOCKS + "M3,P0001,Eu,2026-11-16,5,2026-11-22\n")
    assert found.problems == []
    assert [warning.split(":")[0] for warning in found.warnings] == [
        "row 2, column region",
        "row 2, column manufacturer_id",
        "row 2, column production_week",
    ]
    assert "did you mean 'M03'" in found.warnings[1]


def test_a_row_that_the_folder_has_already_is_a_problem_unless_its_file_is_replaced(tmp_path, lake):
    (tmp_path / "planning").mkdir()
    (tmp_path / "planning" / "stock.csv").write_text(STOCK + "2026-11-22,P0001,EU,5\n")
    (tmp_path / "planning" / "stock-other.csv").write_text(STOCK + "2026-11-22,P0001,US,many\n")
    assert check(tmp_path, lake, "stock.csv", STOCK + "2026-11-22,P0001,EU,6\n").problems == []
    again = check(tmp_path, lake, "stock-again.csv", STOCK + "2026-11-22,P0001,EU,6\n")
    assert [(p.kind, p.row, p.file) for p in again.problems] == [("repeated_key", 2, "stock-again.csv")]


def test_known_covariates_of_any_name_are_checked(tmp_path, lake):
    text = (
        "part_id,region,week,promotion,fair\nP0001,,2026-11-23,1,2\n,,2026-11-24,1,\nP0001,,2026-11-30,,big\n"
    )
    found = check(tmp_path, lake, "known_covariates.csv", text)
    problems = [(p.kind, p.row, p.column) for p in found.problems]
    assert problems == [("bad_week", 3, "week"), ("not_a_number", 4, "fair")]


def test_two_values_of_a_covariate_published_on_the_same_day_are_a_problem(tmp_path, lake):
    header, row = "part_id,region,week,unit_price,published\n", "P0001,EU,2026-11-23,{},2026-11-02\n"
    found = check(tmp_path, lake, "known_covariates.csv", header + row.format(10) + row.format(11))
    assert [(p.kind, p.row, p.column) for p in found.problems] == [
        ("two_values", 2, "unit_price"),
        ("two_values", 3, "unit_price"),
    ]
    (tmp_path / "planning").mkdir()
    (tmp_path / "planning" / "known_covariates-list.csv").write_text(header + row.format(10))
    assert check(tmp_path, lake, "known_covariates.csv", header + row.format(10)).problems == []
    other = check(tmp_path, lake, "known_covariates.csv", header + row.format(11))
    assert [(p.row, p.file) for p in other.problems] == [(2, "known_covariates.csv")]


def test_a_predecessor_may_be_a_part_that_is_no_longer_ordered(tmp_path, lake):
    old = one_row(WEEKLY_DEMAND, part_id="P0000", part_category="CNC", region="EU")
    lake.write_pandas(old, WEEKLY_DEMAND, date(2025, 1, 6))
    header = "part_id,successor_id,region,from_week,share,reason,author,entered\n"
    row = "{},P0001,EU,2026-11-23,,new revision,Ann,2026-11-20\n"
    assert check(tmp_path, lake, "successors.csv", header + row.format("P0000")).warnings == []
    [warning] = check(tmp_path, lake, "successors.csv", header + row.format("P9999")).warnings
    assert "'P9999' is not known" in warning


@pytest.mark.parametrize("name", ["overrides.csv", "stock.txt"])
def test_a_file_of_no_kind_is_refused(tmp_path, lake, name):
    with pytest.raises(PlanningFileNameError, match=r"forecast_overrides\*\.csv") as error:
        check(tmp_path, lake, name, STOCK)
    assert error.value.file == name
