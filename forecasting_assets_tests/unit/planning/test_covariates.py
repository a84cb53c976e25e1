"""Known covariates in planning files: which value counts, when it becomes known, and the checks."""

from datetime import date

import pandas as pd
import pytest

from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.planning.covariates import (
    TRACKED_WEEKS,
    check_covariates,
    check_names_known,
    check_plan_complete,
    covariate_rows,
)
from forecasting_assets.planning.rows import PlanningFileError
from forecasting_assets.weeks import add_weeks, weeks_between

FIRST, WEEK, HORIZON = date(2024, 1, 1), date(2024, 3, 4), 3
COVARIATES = PlanningInput("known_covariates", ahead=HORIZON, since=FIRST)


def folder_with(path, **files: str) -> PlanningFolder:
    for name, rows in files.items():
        (path / f"known_covariates_{name}.csv").write_text(rows)
    return PlanningFolder(str(path))


def test_every_row_is_used_in_the_one_week_in_which_it_becomes_known(tmp_path):
    rows = [
        ("2024-01-08", ""),  # before forecasts reach back as far: the first week of history
        ("2024-03-25", ""),  # always known, so three weeks ahead
        ("2024-03-18", "2024-03-10"),  # published on the Sunday of the week
        ("2024-03-18", "2024-03-11"),
        ("2024-06-03", "2024-03-06"),  # not before forecasts reach its week
    ]
    text = "part_id,region,week,promotion,published\n"
    text += "".join(f"P{i},EU,{week},1,{published}\n" for i, (week, published) in enumerate(rows))
    folder = folder_with(tmp_path, a=text)
    used = {
        week: sorted(folder.used_by(week, COVARIATES)["part_id"])
        for week in weeks_between(FIRST, date(2024, 6, 3))
    }
    assert {str(week): parts for week, parts in used.items() if parts} == {
        "2024-01-01": ["P0"],
        "2024-03-04": ["P1", "P2"],
        "2024-03-11": ["P3"],
        "2024-05-13": ["P4"],
    }


def test_a_file_with_other_columns_leaves_the_weeks_of_others_as_they_were(tmp_path):
    prices = "part_id,region,week,unit_price\nP1,EU,2024-03-25,9.5\n"
    before = folder_with(tmp_path, prices=prices).versions(WEEK, [COVARIATES])
    fairs = "part_id,region,week,fair\n,EU,2024-04-01,1\n"
    after = folder_with(tmp_path, fairs=fairs)
    assert after.versions(WEEK, [COVARIATES]) == before
    assert after.versions(add_weeks(WEEK, 1), [COVARIATES]) != {}
    changed = folder_with(tmp_path, prices=prices.replace("9.5", "9.4"))
    assert changed.versions(WEEK, [COVARIATES]) != before


def rows_of(tmp_path, text: str) -> pd.DataFrame:
    return covariate_rows(folder_with(tmp_path, a=text).used_by(WEEK, COVARIATES))


def test_the_value_published_last_counts_and_empty_cells_say_nothing(tmp_path):
    header = "part_id,region,week,unit_price,promotion,published\n"
    lines = ["P1,,2024-03-11,8,,2024-03-07", "P1,,2024-03-11,7,,2024-03-05", "P1,,2024-03-11,,1,2024-03-06"]
    found = rows_of(tmp_path, header + "\n".join(lines) + "\n")
    assert found[["covariate", "value"]].to_dict("split")["data"] == [["promotion", 1.0], ["unit_price", 8.0]]
    assert check_covariates(found, WEEK, HORIZON).passed


def test_two_values_of_one_day_are_an_error_that_names_the_row(tmp_path):
    text = "part_id,region,week,promotion\nP1,EU,2024-03-25,1\nP1,EU,2024-03-25,1\nP1,EU,2024-03-25,0\n"
    with pytest.raises(PlanningFileError) as error:
        rows_of(tmp_path, text)
    assert [(p.kind, p.row, p.column) for p in error.value.problems] == [("two_values", 4, "promotion")]


@pytest.mark.parametrize("price", ["0", "-1"])
def test_a_price_that_is_not_above_zero_is_an_error_that_names_the_row(tmp_path, price):
    with pytest.raises(PlanningFileError) as error:
        rows_of(tmp_path, f"part_id,region,week,unit_price,change\nP1,EU,2024-03-25,{price},{price}\n")
    assert [(p.kind, p.row, p.column) for p in error.value.problems] == [("out_of_bounds", 2, "unit_price")]


@pytest.mark.parametrize("name", ["value", "covariate", "target_week", "known", "file", "row"])
def test_a_covariate_with_the_name_of_a_column_of_the_platform_is_an_error_that_says_so(tmp_path, name):
    with pytest.raises(PlanningFileError) as error:
        rows_of(tmp_path, f"part_id,region,week,{name}\nP1,EU,2024-03-25,1\n")
    (problem,) = error.value.problems
    assert (problem.kind, problem.file, problem.column) == (
        "reserved_column",
        "known_covariates_a.csv",
        name,
    )
    assert f"known_covariates_a.csv: column {name} " in problem.message
    assert problem.message.endswith("rename it")


def known(*rows: tuple[str | None, str | None, int, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["part_id", "region", "target_week", "covariate"])
    weeks = pd.DatetimeIndex([pd.Timestamp(add_weeks(WEEK, ahead)) for ahead in table["target_week"]])
    return table.assign(target_week=weeks, value=1.0, published=pd.Series(pd.NaT, table.index))


def test_a_plan_that_ends_early_is_found():
    whole = [("P1", None, ahead, "promotion") for ahead in range(4)]
    fairs = [(None, "EU", ahead, "fair") for ahead in range(3)]
    assert check_plan_complete(known(), WEEK, HORIZON).passed
    assert check_plan_complete(known(*whole), WEEK, HORIZON).passed
    finding = check_plan_complete(known(*whole, *fairs), WEEK, HORIZON)
    assert not finding.passed
    assert finding.metadata["values_missing"] == 1
    assert finding.description.startswith("1 value of the next 3 weeks missing, for 1 row")
    assert "fair of all parts in EU" in finding.description


def test_rows_for_all_parts_go_on_from_those_of_a_part_and_a_plan_that_has_ended_is_found():
    of_part = [("P1", "EU", ahead, "promotion") for ahead in (-2, 0, 1)]
    for_all = [(None, None, ahead, "promotion") for ahead in (2, 3)]
    assert check_plan_complete(known(*of_part, *for_all), WEEK, HORIZON).passed
    assert check_plan_complete(known(*of_part[:1], *for_all), WEEK, HORIZON).metadata["values_missing"] == 1
    ended = known(("P1", "EU", 1 - TRACKED_WEEKS, "promotion"))
    assert check_plan_complete(ended, WEEK, HORIZON).metadata["values_missing"] == HORIZON
    assert check_plan_complete(known(("P1", "EU", -TRACKED_WEEKS, "promotion")), WEEK, HORIZON).passed


def test_values_outside_the_weeks_ahead_and_unknown_names_are_found():
    active = pd.DataFrame({"part_id": ["P1"], "region": ["EU"]})
    assert check_covariates(known(("P1", "EU", 3, "fair")), WEEK, HORIZON).passed
    assert check_covariates(known(("P1", "EU", 4, "fair")), WEEK, HORIZON).metadata["rows_outside"] == 1
    assert check_names_known(known(("P1", None, 1, "fair"), (None, None, 1, "fair")), active).passed
    assert check_names_known(known(("P2", "eu", 1, "fair")), active).metadata["unknown_names"] == 2
