"""Files that go both ways, SQL and scenarios, on a home with plans."""

import json
import re
from pathlib import Path

import click
import pandas as pd
import pyarrow.parquet as pq
import pytest

from forecasting_assets.cli import files, main
from forecasting_assets.lake.home import open_home
from forecasting_assets.lake.sql import lake_tables, run_query
from forecasting_assets.orchestration.assets.planning import manufacturer_network
from forecasting_assets.orchestration.checks.planning import plan_findings
from forecasting_assets.tables import ALLOCATION_PLAN, DEMAND_PLAN, PLANNING_FILES, SUPPLY_POSITION, TEMPLATES
from forecasting_assets.tables.table_files import file_content
from forecasting_assets.workflows.demand import plan_demand_of_week
from forecasting_assets.workflows.exports import EXPORT_KINDS, Export, read_export, write_exports
from forecasting_assets.workflows.planning import plan_week
from forecasting_assets_tests.support.documentation import DOCS, snippets
from forecasting_assets_tests.support.homes import PLANNED

pytestmark = pytest.mark.spark
WEEK = PLANNED[-1]
GUIDE = DOCS / "how-to" / "files-and-scenarios.md"
LOCKED = ["part_id", "region", "production_week"]


@pytest.fixture
def at_home(home, monkeypatch, tmp_path):
    monkeypatch.setenv("FORECASTING_HOME", str(home.path))
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def at_copy(home_copy, monkeypatch, tmp_path):
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    monkeypatch.chdir(tmp_path)
    return home_copy


def busiest_manufacturer(home) -> str:
    plan = home.lake.read_pandas(ALLOCATION_PLAN, [WEEK])
    return str(plan.groupby("manufacturer_id")["quantity"].sum().idxmax())


def test_exports_are_new_files_in_the_format_of_their_ending(at_home, tmp_path, capsys):
    assert main(["export", "plan", "--to", "plan.parquet"]) == 0
    table = pq.read_table(tmp_path / "plan.parquet").to_pandas()
    assert table["quantity"].sum() == at_home.lake.read_pandas(ALLOCATION_PLAN, [WEEK])["quantity"].sum()
    assert main(["export", "forecast", "--week", str(PLANNED[0]), "--json"]) == 0
    written = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert written == {"format": "csv", "file": f"forecast-{PLANNED[0]}.csv"}
    assert len(pd.read_csv(written["file"])) == at_home.lake.rows(DEMAND_PLAN, PLANNED[0])
    assert main(["export", "shortages", "--format", "xlsx"]) == 0
    assert main(["export", "plan", "--to", "plan.parquet"]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "manufacturer"], "Name the manufacturer"),
        (["export", "plan", "M01"], "Name the manufacturer"),
        (["export", "manufacturer", "M99"], "'M99' is not a manufacturer: there are M01"),
        (["export", "plan", "--to", "plan.docx"], ".csv, .xlsx or .parquet"),
        (["export", "plan", "--week", "2020-01-06"], "has not been materialized"),
        (["sql", "select nothing from allocation_plan"], "nothing"),
        (["scenarios", "compare", "none"], "there is no scenario 'none'"),
        (["check-planning", "none.csv"], "forecast_overrides*.csv"),
        (["what-if", "--week", str(WEEK), "--covariate", "price=1"], "PART/REGION:unit_price=-10%"),
        (["what-if", "--week", str(WEEK), "--covariate", "*/*:price=1"], "no covariate 'price' is known"),
        (["what-if", "--week", str(WEEK), "--covariate", "*/*:price=1", "--save", "x"], "known_covariates"),
    ],
)
def test_what_cannot_be_done_is_one_line(at_home, tmp_path, capsys, arguments, said):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_commands_offer_what_there_is():
    assert files.EXPORTS == EXPORT_KINDS
    (kinds,) = (param.type for param in files.template.params if param.name == "kind")
    assert isinstance(kinds, click.Choice)
    assert tuple(kinds.choices) == TEMPLATES
    assert {"promises", *TEMPLATES} == set(PLANNING_FILES)


def test_a_sheet_that_is_confirmed_and_landed_stands_in_the_plan(at_copy, capsys):
    manufacturer = busiest_manufacturer(at_copy)
    assert main(["export", "manufacturer", manufacturer, "--to", "locked_allocations-confirmed.csv"]) == 0
    sheet = pd.read_csv("locked_allocations-confirmed.csv", parse_dates=["production_week", "entered"])
    # One quantity is raised, and another beyond all hours.
    sheet["quantity"] += [7, 1e7, *[0] * (len(sheet) - 2)]
    Path("locked_allocations-confirmed.csv").write_bytes(file_content(sheet, "csv"))
    capsys.readouterr()
    assert main(["check-planning", "locked_allocations-confirmed.csv"]) == 0
    assert "no problems" in capsys.readouterr().out
    landed = at_copy.path / "landing" / "planning" / "locked_allocations-confirmed.csv"
    Path("locked_allocations-confirmed.csv").rename(landed)
    plan_week(at_copy.settings, at_copy.lake, WEEK)
    plan = at_copy.lake.read_pandas(ALLOCATION_PLAN, [WEEK])
    mine = plan[plan["manufacturer_id"] == manufacturer].groupby(LOCKED)["locked_quantity"].sum()
    raised = sheet.loc[0]
    assert mine[tuple(raised[LOCKED])] == raised["quantity"] + raised["already_locked"]
    finding = plan_findings(at_copy.settings, at_copy.lake, WEEK)["locks_kept"]
    assert not finding.passed
    assert "the hours left at" in finding.description


def test_every_plan_is_exported_where_that_is_set(at_copy):
    file = at_copy.path / "forecasting.toml"
    file.write_text(file.read_text() + '\n[reports]\nexport = ["csv", "parquet"]\n')
    folder = Path(at_copy.settings.reports_path) / f"week={WEEK}" / "export"
    folder.mkdir(parents=True)
    (folder / "locked_allocations-M99.csv").write_text("of an earlier plan")
    written = write_exports(at_copy.settings, at_copy.lake, WEEK)
    busy = at_copy.lake.read_pandas(ALLOCATION_PLAN, [WEEK])["manufacturer_id"].unique()
    names = [*("plan", "forecast", "shortages"), *(f"locked_allocations-{name}" for name in busy)]
    expected = {f"{name}-{WEEK}.{ending}" for name in names for ending in ("csv", "parquet")}
    assert {Path(file).name for file in written} == {file.name for file in folder.iterdir()} == expected
    sheets = [read_export(at_copy.lake, Export("manufacturer", WEEK, str(name))) for name in busy]
    planned = at_copy.lake.read_pandas(ALLOCATION_PLAN, [WEEK])["quantity"].sum()
    assert sum(sheet["planned_quantity"].sum() for sheet in sheets) == pytest.approx(planned)


def test_templates_can_be_landed_as_they_are(at_home, capsys):
    kinds = ["forecast_overrides", "locked_allocations", "stock", "work_in_progress", "known_covariates"]
    for kind in kinds:
        assert main(["template", kind]) == 0
    assert main(["check-planning", *(f"{kind}-{WEEK}.csv" for kind in kinds), "--json"]) == 0
    checks = json.loads(capsys.readouterr().out.split("\n", len(kinds))[-1])
    assert [(check["kind"], check["problems"], check["warnings"]) for check in checks] == [
        (kind, [], []) for kind in kinds
    ]
    assert [check["rows"] > 0 for check in checks] == [kind == "known_covariates" for kind in kinds]
    # What is expected on its way is what the platform itself carries forward.
    work = pd.read_csv(f"work_in_progress-{WEEK}.csv")
    position = at_home.lake.read_pandas(SUPPLY_POSITION, [WEEK])
    arriving = position.loc[position["kind"] == "arriving", "quantity"].sum()
    assert work["expected"].sum() == pytest.approx(arriving, rel=0.01)


def test_the_queries_of_the_guide_have_answers(at_home, capsys):
    queries = snippets(GUIDE, "sql")
    opened = open_home(at_home.settings)
    answers = [run_query(opened.lake, lake_tables(opened.pipeline), query) for query in queries]
    assert len(answers) == 5
    assert all(len(answer) for answer in answers)
    assert (
        main(
            [
                "sql",
                "select week, sum(quantity) as units from allocation_plan group by week",
                "--format",
                "json",
            ]
        )
        == 0
    )
    rows = json.loads(capsys.readouterr().out)
    assert {row["week"] for row in rows} == {str(week) for week in PLANNED}
    assert main(["sql", "select * from clean_orders"]) == 0
    assert "more rows: add a limit" in capsys.readouterr().out


def test_a_scenario_is_saved_compared_and_adopted(at_copy, capsys):
    week = str(WEEK)
    manufacturer = busiest_manufacturer(at_copy)
    plan = at_copy.lake.read_pandas(ALLOCATION_PLAN, [WEEK])
    first = plan["production_week"].min()
    hours = ["--capacity", f"{manufacturer}@{first:%Y-%m-%d}=1h"]
    assert main(["what-if", "--week", week, *hours, "--demand", "*/*=+10%", "--save", "more"]) == 0
    assert main(["what-if", "--week", week, "--remove", manufacturer, "--save", "without"]) == 0
    assert main(["what-if", "--week", week, *hours, "--save", "more"]) == 2
    capsys.readouterr()
    assert main(["scenarios", "compare", "more", "without"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"plan +more +without", said)
    assert f"Hours of {manufacturer}" in said
    adopt = ["--author", "Ann", "--reason", "trade fair"]
    assert main(["scenarios", "adopt", "without", *adopt]) == 2
    assert main(["scenarios", "adopt", "more", *adopt]) == 0
    assert main(["scenarios", "adopt", "more", *adopt]) == 2
    assert main(["scenarios", "list", "--json"]) == 0
    said = capsys.readouterr().out
    saved = {row["name"]: row for row in json.loads(said[said.index("[\n") :])}
    assert saved["more"]["adopted"]["author"] == "Ann"
    # The plan that is made again is the scenario, but for booked units, which an override does not multiply.
    list(manufacturer_network([WEEK], at_copy.settings, at_copy.lake))
    plan_demand_of_week(at_copy.settings, at_copy.lake, WEEK)
    plan_week(at_copy.settings, at_copy.lake, WEEK)
    demand = at_copy.lake.read_pandas(DEMAND_PLAN, [WEEK])
    free = demand["override"].notna() & (demand["held"] == 0) & (demand["booked"] < demand["override"])
    assert free.any()
    assert set(demand.loc[free, "reason"]) == {"trade fair"}
    load = run_query(
        at_copy.lake,
        lake_tables(open_home(at_copy.settings).pipeline),
        f"select capacity_hours from capacity_load where week = '{week}' "
        f"and manufacturer_id = '{manufacturer}' and production_week = '{first:%Y-%m-%d}'",
    )
    assert load["capacity_hours"].tolist() == [1.0]
