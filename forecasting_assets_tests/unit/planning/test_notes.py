"""Demand corrections and successors in planning files: which rows a week uses, and what is wrong with others."""

from datetime import date

import pandas as pd
import pytest

from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.pipeline import CORRECTIONS, SUCCESSIONS
from forecasting_assets.planning.checks import check_notes
from forecasting_assets.planning.rows import PlanningFileError
from forecasting_assets.planning.templates import corrections_template, successors_template
from forecasting_assets.tables.table_files import file_content
from forecasting_assets.weeks import add_weeks

WEEK = date(2026, 9, 21)
CORRECTION = (
    "part_id,region,week,action,reason,author,entered\nP1,EU,2026-08-03,exclude,fair,Ada,2026-09-27\n"
)
SUCCESSOR = "part_id,successor_id,region,from_week,share,entered\nP1,P2,,2026-10-05,,2026-09-27\n"
FILES = {"demand_corrections": (CORRECTION, CORRECTIONS), "successors": (SUCCESSOR, SUCCESSIONS)}
ACTIVE = pd.DataFrame({"part_id": ["P1", "P3"], "region": "EU", "mean": 5.0})
#: Predecessors that have ever been ordered.
NEVER, P8 = pd.DataFrame({"part_id": []}), pd.DataFrame({"part_id": ["P8"]})


def read(path, kind: str, text: str, week: date = WEEK) -> pd.DataFrame:
    (path / f"{kind}.csv").write_text(text)
    return PlanningFolder(str(path)).used_by(week, PlanningInput(kind))


@pytest.mark.parametrize("kind", FILES)
def test_a_week_uses_what_was_entered_by_its_end_and_all_later_weeks_do(tmp_path, kind):
    text, of = FILES[kind]
    used = [len(read(tmp_path, kind, text, add_weeks(WEEK, weeks))) for weeks in (-1, 0, 60)]
    assert used == [0, 1, 1]
    folder = PlanningFolder(str(tmp_path))
    assert folder.versions(add_weeks(WEEK, -1), [of]) == {}
    assert set(folder.versions(WEEK, [of])) == {kind}


@pytest.mark.parametrize(
    ("kind", "old", "new", "problem", "column"),
    [
        ("demand_corrections", "exclude", "ignore", "not_allowed", "action"),
        ("demand_corrections", "exclude", "", "empty", "action"),
        ("demand_corrections", "2026-08-03", "2026-08-04", "bad_week", "week"),
        ("demand_corrections", ",EU,", ",,", "empty", "region"),
        ("successors", ",P2,", ",P1,", "own_successor", ""),
        ("successors", "05,,", "05,1.5,", "out_of_bounds", "share"),
        ("successors", "05,,", "05,0,", "out_of_bounds", "share"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, kind, old, new, problem, column):
    with pytest.raises(PlanningFileError) as error:
        read(tmp_path, kind, FILES[kind][0].replace(old, new))
    assert [(p.kind, p.row, p.column) for p in error.value.problems] == [(problem, 2, column)]


def test_a_part_and_its_successor_are_written_once(tmp_path):
    """The newer of two rows would change what earlier weeks of a range knew."""
    later = "P1,P2,,2026-11-02,0.5,2026-10-04\n"
    with pytest.raises(PlanningFileError) as error:
        read(tmp_path, "successors", SUCCESSOR + later, add_weeks(WEEK, 60))
    assert [(p.kind, p.row) for p in error.value.problems] == [("repeated_key", 3)]


@pytest.mark.parametrize(
    ("rows", "taken"),
    [
        ("P1,P4,,2026-11-02,,2026-10-04\n", "2"),
        ("P1,P4,EU,2026-11-02,0.25,2026-10-04\n", "1.25"),
        ("P1,P2,EU,2026-10-05,0.7,2026-09-27\nP1,P4,,2026-11-02,0.5,2026-10-04\n", "1.5"),
    ],
)
def test_successors_may_not_take_more_than_all_of_the_demand(tmp_path, rows, taken):
    later = add_weeks(WEEK, 60)
    with pytest.raises(PlanningFileError, match=f"part 'P1' take {taken} times its demand") as error:
        read(tmp_path, "successors", SUCCESSOR + rows, later)
    assert [p.kind for p in error.value.problems] == ["shares_above_one"]
    assert len(read(tmp_path, "successors", SUCCESSOR + rows)) == 1 + rows.count("2026-09-27")


def test_shares_of_a_region_take_the_place_of_those_for_all(tmp_path):
    rows = "P1,P2,EU,2026-10-05,0.4,2026-09-27\nP1,P4,EU,2026-10-05,0.6,2026-09-27\nP5,P2,,2026-10-05,,2026-09-27\n"
    assert len(read(tmp_path, "successors", SUCCESSOR + rows)) == 4


def test_names_that_nobody_orders_are_found_but_a_successor_may_wait_for_its_first_order():
    entered = pd.Timestamp(WEEK)
    corrections = pd.DataFrame({"part_id": ["P1", "P1"], "region": ["EU", "US"], "entered": entered})
    corrections["action"] = "keep"
    successors = pd.DataFrame({"part_id": ["P3", "P9", "P8"], "successor_id": ["P4", "P4", "P3"]})
    found = check_notes(corrections, successors, ACTIVE, P8, WEEK)
    assert not found.passed
    assert found.metadata["unknown_series"] == 2
    assert found.metadata["successors_not_ordered_yet"] == 1
    assert "'P1' in region 'US'" in found.description
    assert "part 'P9'" in found.description
    waiting = check_notes(corrections[:1], successors[:1], ACTIVE, NEVER, WEEK)
    assert waiting.passed
    assert "not ordered yet: part 'P4'" in waiting.description
    # What has ended since is no mistake.
    assert check_notes(corrections, successors[2:], ACTIVE, P8, add_weeks(WEEK, 60)).passed
    # A predecessor that nobody has ever ordered is one.
    typo = check_notes(corrections[:1], successors[2:], ACTIVE, NEVER, WEEK)
    assert "part 'P8'" in typo.description


def test_a_series_without_an_order_that_counts_is_named():
    [part, region] = ACTIVE[["part_id", "region"]].iloc[0]
    rows = {"part_id": part, "region": region, "action": ["exclude"], "entered": pd.Timestamp(WEEK)}
    corrections = pd.DataFrame(rows)
    successors = pd.DataFrame(columns=["part_id", "successor_id"])
    assert check_notes(corrections, successors, ACTIVE, NEVER, WEEK).passed
    found = check_notes(corrections, successors, ACTIVE.assign(mean=0.0), NEVER, WEEK)
    assert not found.passed
    assert found.metadata["series_without_orders"] == 1
    assert f"as zero, as no order that counts is left: part '{part}'" in found.description
    assert check_notes(
        corrections.assign(action="keep"), successors, ACTIVE.assign(mean=0.0), NEVER, WEEK
    ).passed


def test_the_templates_list_what_is_left_out_and_what_may_have_ended(tmp_path):
    points = pd.DataFrame(
        {
            "part_id": ["P1", "P2", "P3"],
            "region": "EU",
            "demand_week": pd.Timestamp(2026, 8, 3),
            "quantity": [5.0, 1e6, 7.0],
            "usual": 2.04,
            "reason": ["outlier", "outlier", "excluded"],
        }
    )
    corrections = corrections_template(points, WEEK)
    assert corrections["part_id"].tolist() == ["P2", "P1"]
    assert corrections["usual"].tolist() == [2.0, 2.0]
    parts = pd.DataFrame(
        {
            "part_id": ["P1", "P1", "P2"],
            "part_category": "C",
            "weeks_since_order": [9, 30, 12],
        }
    )
    successors = successors_template(parts, WEEK)
    assert successors[["part_id", "weeks_since_order"]].to_numpy().tolist() == [["P2", 12], ["P1", 9]]
    for kind, rows, column, value in (
        ("demand_corrections", corrections, "action", "keep"),
        ("successors", successors, "successor_id", "P7"),
    ):
        rows[column] = rows[column].astype(object)
        rows.loc[0, column] = value
        used = read(tmp_path, kind, file_content(rows, "csv").decode())
        assert used[["part_id", column]].to_numpy().tolist() == [["P2", value]]
