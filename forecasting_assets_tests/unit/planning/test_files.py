"""What is read from the planning folder, what is not, and which weeks a change of it concerns."""

import gzip
import pickle
from datetime import date, datetime

import pandas as pd
import pytest

from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake import planning_files
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.planning.files import read_planning_file
from forecasting_assets.planning.rows import PlanningFileError
from forecasting_assets.weeks import add_weeks

W = date(2026, 9, 21)
OVERRIDES, STOCK = PlanningInput("forecast_overrides"), PlanningInput("stock")
HEADER = "part_id,part_category,region,week_from,week_to,quantity,factor,reason,author,entered\n"
ROW = ",CNC,EU,2026-09-28,2026-10-05,,1.2,fair,Ann,2026-09-23\n"


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")


def rows(folder, of=OVERRIDES, week=W, **options):
    return PlanningFolder(str(folder), **options).used_by(week, of)


def version(folder, of=OVERRIDES, week=W):
    return PlanningFolder(str(folder)).versions(week, [of])


def problems(folder, of=OVERRIDES, week=W):
    with pytest.raises(PlanningFileError) as error:
        rows(folder, of, week)
    assert pickle.loads(pickle.dumps(error.value)).problems == error.value.problems
    return error.value.problems


def test_a_folder_that_does_not_exist_has_no_rows(tmp_path):
    assert rows(tmp_path / "none").empty
    assert version(tmp_path / "none") == {}


def test_all_formats_give_the_same_rows_and_the_same_version(folder):
    frame = pd.DataFrame(
        {
            "counted_on": [datetime(2026, 9, 20), datetime(2026, 9, 20)],
            "part_id": ["P1", "P2"],
            "region": ["EU", "US"],
            "quantity": [12.0, 0.5],
        }
    )
    text = frame.assign(counted_on="2026-09-20").to_csv(index=False).replace("12.0", "12")
    write(folder, "stock.csv", text)
    expected, known = rows(folder, STOCK).drop(columns="file"), version(folder, STOCK)
    assert expected["quantity"].tolist() == [12, 0.5]
    assert expected["counted_on"].tolist() == [pd.Timestamp(2026, 9, 20)] * 2
    for name in ("stock-1.csv.gz", "stock-2.parquet", "STOCK.xlsx"):
        for old in folder.iterdir():
            old.unlink()
        if name.endswith(".gz"):
            (folder / name).write_bytes(gzip.compress(text.encode()))
        elif name.endswith(".parquet"):
            frame.to_parquet(folder / name)
        else:
            frame.to_excel(folder / name, index=False)
        pd.testing.assert_frame_equal(rows(folder, STOCK).drop(columns="file"), expected)
        assert version(folder, STOCK) == known


def test_several_files_of_a_kind_are_one_table_in_the_order_of_their_names(folder):
    write(folder, "forecast_overrides_b.csv", HEADER + ROW.replace("Ann", "Bo"))
    write(folder, "forecast_overrides_a.csv", HEADER + ROW + "\n" + ROW.replace("Ann", "Cy"))
    found = rows(folder)
    assert found["author"].tolist() == ["Ann", "Cy", "Bo"]
    assert found["file"].str[-5].tolist() == ["a", "a", "b"]


def test_names_are_spelled_as_in_the_orders(folder):
    write(folder, "stock.csv", "counted_on,part_id,region,quantity,noted by\n2026-09-20, p1.0 ,e u,3,x\n")
    write(folder, "stock2.csv", "counted_on,part_id,region,quantity\n2026-09-20,123.0, eu ,3\n")
    assert rows(folder, STOCK)[["part_id", "region"]].to_numpy().tolist() == [["p1.0", "e u"], ["123", "eu"]]
    assert rows(folder, STOCK, fold_case=True)["region"].tolist() == ["E U", "EU"]


@pytest.mark.parametrize(
    ("old", "new", "kind", "column", "remedy"),
    [
        ("2026-09-28", "2026-09-29", "bad_week", "week_from", "2026-09-28"),
        ("2026-09-28", "28.09.2026", "bad_week", "week_from", "YYYY-MM-DD"),
        ("2026-09-28", "2026-10-12", "reversed_weeks", "", "swap"),
        ("2026-10-05", "", "bad_week", "week_to", "YYYY-MM-DD"),
        (",1.2,", ",twice,", "not_a_number", "factor", "decimal point"),
        (",1.2,", ",-1,", "out_of_bounds", "factor", "0 or more"),
        (",1.2,", ",inf,", "not_a_number", "factor", "decimal point"),
        (",,1.2,", ",,,", "either_or", "", "either quantity or factor"),
        (",,1.2,", ",5,1.2,", "either_or", "", "either quantity or factor"),
        ("2026-09-23", "23 September", "bad_date", "entered", "YYYY-MM-DD"),
        ("2026-09-23", "9999-12-31", "bad_date", "entered", "1678 to 2261"),
        ("2026-09-23", "20260923", "bad_date", "entered", "YYYY-MM-DD"),
        ("2026-10-05", "20261005", "bad_week", "week_to", "YYYY-MM-DD"),
        ("2026-10-05", "9999-12-27", "bad_date", "week_to", "1678 to 2261"),
        ("2026-09-23", "2026-09-23,more", "cells", "", "quotes"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(folder, old, new, kind, column, remedy):
    write(folder, "forecast_overrides.csv", HEADER + ROW + ROW.replace(old, new, 1))
    (problem,) = problems(folder)
    assert (problem.kind, problem.column) == (kind, column)
    assert (problem.file, problem.row) == ("forecast_overrides.csv", 3)
    assert remedy in problem.message


def test_every_problem_is_named_at_once(folder):
    write(folder, "stock.csv", "counted_on,part_id,region,quantity\n2026-09-20,,EU,-3\n2026-09-20,P,EU,x\n")
    found = problems(folder, STOCK)
    assert [(p.kind, p.row, p.column) for p in found] == [
        ("empty", 2, "part_id"),
        ("out_of_bounds", 2, "quantity"),
        ("not_a_number", 3, "quantity"),
    ]


def test_a_count_that_occurs_twice_is_named_across_files(folder):
    for name in ("stock-a.csv", "stock-b.csv"):
        write(folder, name, "counted_on,part_id,region,quantity\n2026-09-20,P,EU,1\n")
    (problem,) = problems(folder, STOCK)
    assert (problem.kind, problem.file, problem.row) == ("repeated_key", "stock-b.csv", 2)


def test_a_lock_has_a_part_or_a_category(folder):
    header = "manufacturer_id,part_id,part_category,region,production_week,quantity,entered\n"
    write(folder, "locked_allocations.csv", header + "M1,P1,CNC,EU,2026-09-28,5,2026-09-20\n")
    (problem,) = problems(folder, PlanningInput("locked_allocations"))
    assert problem.kind == "either_or"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("stock.csv", b"counted_on,part_id,quantity\n2026-09-20,P,1\n", "missing_column"),
        ("stock.csv", b"", "unreadable_file"),
        ("stock.csv", b"counted_on,part_id,region,quantity\n2026-09-20,\xff,EU,1\n", "unreadable_file"),
        ("stock.parquet", b"PAR1", "unreadable_file"),
        ("stock.xlsx", b"PK", "unreadable_file"),
    ],
)
def test_a_file_that_cannot_be_read_is_identified_by_its_content(folder, name, content, kind):
    (folder / name).write_bytes(content)
    (problem,) = problems(folder, STOCK)
    assert (problem.kind, problem.file) == (kind, name)
    before = version(folder, STOCK)
    assert before
    (folder / name).write_bytes(content + b"\n")
    assert version(folder, STOCK) != before
    assert any(name in line for line in PlanningFolder(str(folder)).describe())


def test_a_row_concerns_the_weeks_from_its_entry_until_it_is_over(folder):
    before = {week: version(folder, week=add_weeks(W, week)) for week in range(-2, 4)}
    write(folder, "forecast_overrides.csv", HEADER + ROW)
    changed = [week for week, known in before.items() if version(folder, week=add_weeks(W, week)) != known]
    # Entered in week 0 for the weeks 1 and 2: week 2 has nothing left to forecast.
    assert changed == [0, 1]
    # A mistake in it concerns the same weeks.
    write(folder, "forecast_overrides.csv", HEADER + ROW.replace("1.2", "x"))
    assert len(problems(folder, week=W)) == 1
    assert rows(folder, week=add_weeks(W, -1)).empty
    assert rows(folder, week=add_weeks(W, 2)).empty


def test_an_override_that_was_too_late_is_seen_by_the_week_in_which_it_was_entered(folder):
    write(folder, "forecast_overrides.csv", HEADER + ROW.replace("2026-09-23", "2026-10-07"))
    seen = [week for week in range(6) if len(rows(folder, week=add_weeks(W, week)))]
    assert seen == [2]


def test_looking_back_uses_all_rows_that_earlier_weeks_knew(folder):
    write(folder, "forecast_overrides.csv", HEADER + ROW)
    past = PlanningInput("forecast_overrides", past=True)
    assert rows(folder, past).empty
    assert [len(rows(folder, past, add_weeks(W, week))) for week in (1, 9)] == [1, 1]


def test_counts_are_used_by_all_weeks_since(folder):
    write(folder, "stock.csv", "counted_on,part_id,region,quantity\n2026-09-27,P,EU,1\n")
    assert [len(rows(folder, STOCK, add_weeks(W, week))) for week in (-1, 0, 1, 9)] == [0, 1, 1, 1]
    recent = PlanningInput("stock", weeks=2)
    assert [len(rows(folder, recent, add_weeks(W, week))) for week in (-1, 0, 1, 2)] == [0, 1, 1, 0]


def test_files_of_no_kind_are_named_and_those_of_other_programs_are_not(folder):
    for name in (
        "stocks.txt",
        "override.csv",
        "known_covariates_prices.csv",
        ".stock.csv.swp",
        "~$stock.xlsx",
    ):
        write(folder, name, "")
    assert PlanningFolder(str(folder)).unrecognised() == ["override.csv", "stocks.txt"]


def test_a_file_that_may_not_be_opened_is_a_problem_and_no_failure(folder):
    # As a file that was removed between listing and reading.
    write(folder, "stock.csv", "counted_on,part_id,region,quantity\n2026-09-20,P,EU,1\n")
    planning = PlanningFolder(str(folder))
    assert planning.states().keys() == {"stock.csv"}
    (folder / "stock.csv").unlink()
    assert planning.versions(W, [STOCK])
    with pytest.raises(PlanningFileError) as error:
        planning.used_by(W, STOCK)
    assert [p.kind for p in error.value.problems] == ["unreadable_file"]


def test_rows_of_a_template_that_are_not_filled_in_say_nothing(folder):
    untouched = "P1,CNC,EU,2026-09-28,2026-10-05,,,,,2026-09-23\n"
    write(folder, "forecast_overrides.csv", HEADER + untouched + ROW + untouched)
    assert rows(folder)["row"].tolist() == [3]
    write(folder, "forecast_overrides.csv", HEADER + untouched.replace(",,,,", ",,,fair,"))
    (problem,) = problems(folder)
    assert problem.kind == "either_or"


def test_text_that_an_export_has_escaped_is_read_as_it_was(folder):
    write(folder, "stock.csv", "counted_on,part_id,region,quantity\n2026-09-20,'=P1,''+EU,3\n")
    assert rows(folder, STOCK)[["part_id", "region"]].to_numpy().tolist() == [["=P1", "'+EU"]]


def test_rows_are_named_by_their_line_in_the_file(folder):
    wrong = ROW.replace("1.2", "twice")
    spread = '"a\n\nnote"'
    write(
        folder,
        "forecast_overrides.csv",
        f"\n{HEADER}\n{ROW}\n\n{ROW.replace('fair', spread)}{wrong}\n{wrong}",
    )
    assert [problem.row for problem in problems(folder)] == [10, 12]


@pytest.mark.parametrize(
    ("separator", "said"), [(";", "separated by semicolons"), ("\t", "separated by tabs")]
)
def test_a_file_with_another_separator_is_named_with_the_remedy(folder, separator, said):
    write(folder, "forecast_overrides.csv", (HEADER + ROW).replace(",", separator))
    (problem,) = problems(folder)
    assert problem.kind == "missing_column"
    assert said in problem.message


def test_files_are_parsed_again_only_if_their_content_is_another(folder, monkeypatch):
    parsed, parse = [], read_planning_file

    def counted(filesystem, path, name, table):
        parsed.append(name)
        return parse(filesystem, path, name, table)

    monkeypatch.setattr(planning_files, "read_planning_file", counted)
    write(folder, "forecast_overrides.csv", HEADER + ROW)
    first = rows(folder)
    pd.testing.assert_frame_equal(rows(folder), first)
    assert parsed == ["forecast_overrides.csv"]
    write(folder, "forecast_overrides.csv", HEADER + ROW.replace("1.2", "1.3"))  # of the same size
    assert rows(folder)["factor"].tolist() == [1.3]
    write(folder, "forecast_overrides-2.csv", HEADER + ROW)
    assert len(rows(folder)) == 2
    (folder / "forecast_overrides-2.csv").unlink()
    assert rows(folder)["factor"].tolist() == [1.3]
