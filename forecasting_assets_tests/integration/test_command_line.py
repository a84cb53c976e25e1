"""What every command does alike: help, JSON, exit codes, errors and how it ends."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from forecasting_assets.cli import main
from forecasting_assets.lake.lake import Lake
from forecasting_assets.pipeline import build_pipeline
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.weeks import newest_closed_week
from forecasting_assets_tests.support.homes import PLANNED

COMMANDS = [
    "init",
    "demo",
    "materialize",
    "backfill",
    "status",
    "stale",
    "what-if",
    "scenarios",
    "promise",
    "export",
    "template",
    "check-planning",
    "sql",
    "dev",
    "mlflow",
]
PROGRAM = [sys.executable, "-m", "forecasting_assets"]


@pytest.fixture
def at_home(home, monkeypatch):
    monkeypatch.setenv("FORECASTING_HOME", str(home.path))
    return home


def test_the_version_is_the_package_s(capsys):
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"forecasting-assets {version('forecasting-assets')}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_says_nothing_of_python(command, capsys):
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: forecasting-assets")
    assert len(said.splitlines()) > 4


@pytest.mark.spark
def test_the_demo_makes_all_assets_and_shows_a_summary(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_HOME", str(tmp_path))
    monkeypatch.setattr("forecasting_assets.cli.start.DEMO_WEEKS", 20)
    monkeypatch.setattr("forecasting_assets.cli.start.DEMO_PLANNED_WEEKS", 2)
    assert main(["demo"]) == 0
    assert "FAILED" not in capsys.readouterr().out
    settings = load_settings(tmp_path)
    lake = Lake(settings.lake_path)
    for asset in build_pipeline(settings).values():
        assert lake.existing(asset.table, [newest_closed_week()]), asset.name


@pytest.mark.parametrize(
    "arguments", [["status"], ["stale"], ["materialize"], ["what-if", "--week", "2025-03-03"]]
)
def test_a_misspelt_home_is_an_error_and_nothing_is_created(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_HOME", str(tmp_path / "misspelt"))
    more = ["--remove", "M01"] if arguments[0] == "what-if" else []
    assert main([*arguments, *more]) == 2
    assert f"no home at {tmp_path / 'misspelt'}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spark
def test_status_and_stale_are_json_for_programs(at_home, capsys):
    assert main(["status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["assets"]["allocation_plan"]["fresh"] == [str(week) for week in PLANNED]
    assert status["assets"]["allocation_plan"]["failed"] == []
    assert main(["stale", "--json"]) == 0
    stale = json.loads(capsys.readouterr().out)
    assert stale["allocation_plan"] == {}


@pytest.mark.spark
def test_status_check_is_for_cron(home_copy, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    assert main(["status", "--check"]) == 0
    (home_copy.path / "lake" / WEEKLY_DEMAND.name / f"week={PLANNED[-1]}" / "data.parquet").unlink()
    assert main(["status", "--check"]) == 1
    assert main(["stale", "--check"]) == 1
    assert f"weekly_demand missing: {PLANNED[-1]}" in capsys.readouterr().out


@pytest.mark.spark
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--select", "raw_order"], "Did you mean raw_orders"),
        (["--select", "raw_orders,key:clean_order"], "Did you mean clean_orders"),
        (["--select", "group:nothing"], "selects no asset"),
        (["--override", "clean_orders/conservatio"], "Did you mean clean_orders/conservation"),
    ],
)
def test_unknown_names_are_answered_with_near_ones(at_home, capsys, arguments, said):
    assert main(["materialize", "--from", str(PLANNED[-1]), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.spark
def test_json_keeps_progress_off_standard_output(home_copy, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    week = str(PLANNED[-1])
    arguments = ["--from", week, "--select", "manufacturer_network,allocation_plan", "--json"]
    assert main(["materialize", *arguments]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["succeeded"] is True
    assert "allocation_plan" in printed.err
    assert main(["backfill", "--from", week, "--to", week, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == [{"first": week, "last": week, "weeks": 1}]


@pytest.mark.spark
def test_open_writes_the_index_and_prints_its_path_without_a_browser(home_copy, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    index = Path(home_copy.settings.reports_path) / "index.html"
    index.unlink()
    assert main(["open"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(index)
    assert f"week={PLANNED[-1]}/plan.html" in index.read_text()
    assert "Fresh" in index.read_text()


def test_output_into_a_pipe_has_no_colour_and_the_pipe_may_close(at_home):
    environment = {**os.environ, "FORECASTING_HOME": str(at_home.path)}
    piped = subprocess.run([*PROGRAM, "status"], env=environment, capture_output=True, text=True, timeout=120)
    assert piped.returncode == 0
    assert "\x1b[" not in piped.stdout
    assert re.search(r"allocation_plan +8 +0 +0 +0 ", piped.stdout)
    closed = subprocess.run(
        ["sh", "-c", f"{' '.join(PROGRAM)} status | true"],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in closed.stderr


def test_shells_can_complete_commands(monkeypatch):
    environment = {**os.environ, "_FORECASTING_ASSETS_COMPLETE": "bash_source"}
    program = Path(sys.executable).parent / "forecasting-assets"
    script = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60)
    assert "complete" in script.stdout
