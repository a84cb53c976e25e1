"""Scenarios on disk, and what adopting one writes: whole files, once."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import override_capacity
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.lake.scenarios import (
    Outcome,
    Scenario,
    ScenarioError,
    read_scenario,
    read_scenarios,
    save_scenario,
)
from forecasting_assets.settings import Settings
from forecasting_assets.tables import ALLOCATION_PLAN
from forecasting_assets.workflows import scenarios
from forecasting_assets.workflows.scenarios import adopt

WEEK = date(2026, 11, 16)
OUTCOME = Outcome({"total": 10.0}, 0.9, 0.0, {"M1": 5.0})
FAIR = Scenario(
    "fair",
    str(WEEK),
    ["M1@2026-11-30=5h"],
    ["CNC/EU=+20%"],
    [],
    "id",
    OUTCOME,
    OUTCOME,
    hours=[{"manufacturer_id": "M1", "week": "2026-11-30", "capacity_hours": 5.0}],
    overrides=[
        {
            "part_category": "CNC",
            "region": "EU",
            "week_from": "2026-11-23",
            "week_to": "2027-01-11",
            "factor": 1.2,
            "entered": "2026-11-22",
        }
    ],
    obstacles=[],
)
OVERRIDES = (
    "manufacturer_id,week,capacity_hours,note\nM1,2026-11-30,7.50,stocktaking\nM2,2026-11-30,0012.0,\n"
)


@pytest.fixture
def home(tmp_path):
    """A home with network files and a plan of WEEK."""
    network = tmp_path / "landing" / "network"
    network.mkdir(parents=True)
    names = "manufacturer_id,region,capacity_hours_per_week"
    (network / "manufacturers.csv").write_text(f"{names}\nM1,EU,10\nM2,EU,10\n")
    (network / "capabilities.csv").write_text(
        "manufacturer_id,part_category,hours_per_unit,unit_cost\nM1,CNC,1,1\n"
    )
    (network / "lanes.csv").write_text("from_region,to_region,unit_cost,transit_weeks\nEU,EU,0,0\n")
    (network / "capacity_overrides.csv").write_text(OVERRIDES)
    settings = Settings(home=tmp_path)
    types = {"string": "x", "double": 1.0, "long": 1, "date": pd.Timestamp(2026, 11, 23)}
    plan = pd.DataFrame([{c.name: types[c.type] for c in ALLOCATION_PLAN.columns}])
    Lake(settings.lake_path).write_pandas(plan, ALLOCATION_PLAN, WEEK)
    return settings


def saved(settings, **changes) -> None:
    """Save FAIR with changes, of the plan that the home has."""
    plan_id = Lake(settings.lake_path).rows_id(ALLOCATION_PLAN, WEEK)
    save_scenario(settings.home, replace(FAIR, **{"plan_id": plan_id, **changes}))


def enter(settings, name="fair", author="Ann", reason="=trade fair"):
    return adopt(settings, Lake(settings.lake_path), name, author, reason)


def kind_of_error(call, *arguments) -> str:
    with pytest.raises(ScenarioError) as error:
        call(*arguments)
    return error.value.kind


def test_a_scenario_is_read_back_as_it_was_saved(tmp_path):
    later = replace(FAIR, name="Other-1", week="2026-11-23", capacity=[], hours=[])
    save_scenario(tmp_path, FAIR)
    save_scenario(tmp_path, later)
    assert read_scenario(tmp_path, "fair") == FAIR
    assert read_scenarios(tmp_path) == [later, FAIR]


def test_names_that_cannot_be_are_refused(tmp_path):
    save_scenario(tmp_path, FAIR)
    assert kind_of_error(save_scenario, tmp_path, replace(FAIR, week="2026-11-23")) == "exists"
    assert read_scenario(tmp_path, "fair") == FAIR
    for name in ("../fair", "", "a b", ".hidden", "x" * 61):
        assert kind_of_error(save_scenario, tmp_path, replace(FAIR, name=name)) == "bad_name"
        assert kind_of_error(read_scenario, tmp_path, name) == "missing"
    (tmp_path / "scenarios" / "torn.json").write_text('{"name": "torn"')
    assert kind_of_error(read_scenario, tmp_path, "torn") == "damaged"


def test_adopting_enters_overrides_and_hours_with_author_and_reason(home):
    saved(home)
    adoption = enter(home)
    (row,) = PlanningFolder.of(home).used_by(WEEK, PlanningInput("forecast_overrides")).to_dict("records")
    assert (row["part_category"], row["region"], row["factor"]) == ("CNC", "EU", 1.2)
    assert (row["author"], row["reason"]) == ("Ann", "=trade fair")
    # Others are as they were; the row of that manufacturer and week is replaced, and nothing runs as a formula.
    assert (Path(home.network_path) / "capacity_overrides.csv").read_text() == (
        "manufacturer_id,week,capacity_hours,note,author,reason\n"
        "M2,2026-11-30,0012.0,,,\n"
        "M1,2026-11-30,5,,Ann,'=trade fair\n"
    )
    assert read_scenario(home.home, "fair").adopted == adoption
    assert len(adoption.files) == 2


def test_adopting_twice_is_refused_and_changes_nothing(home):
    saved(home)
    enter(home)
    before = {file: file.read_bytes() for file in home.home.rglob("*.*") if file.is_file()}
    assert kind_of_error(enter, home) == "adopted"
    assert {file: file.read_bytes() for file in home.home.rglob("*.*") if file.is_file()} == before


def test_an_adoption_that_was_interrupted_is_completed(home, monkeypatch):
    saved(home)
    with monkeypatch.context() as broken:
        broken.setattr(scenarios, "mark_adopted", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            enter(home)
    written = {file: file.read_bytes() for file in (home.home / "landing").rglob("*.csv")}
    assert not read_scenario(home.home, "fair").adopted
    # Another reason would be another file.
    assert kind_of_error(enter, home, "fair", "Ann", "other") == "exists"
    enter(home)
    assert {f: f.read_bytes() for f in (home.home / "landing").rglob("*.csv")} == written
    assert read_scenario(home.home, "fair").adopted


def test_what_cannot_be_adopted_writes_nothing(home):
    saved(home, week="2026-11-09")
    saved(home, name="without", obstacles=["remove M1 by hand"])
    before = sorted(home.home.rglob("*"))
    assert kind_of_error(enter, home) == "other_week"
    assert kind_of_error(enter, home, "without") == "not_adoptable"
    assert kind_of_error(enter, home, "unknown") == "missing"
    (Path(home.network_path) / "lanes.csv").write_text("nothing\n")
    saved(home, name="broken")
    with pytest.raises(ValueError, match="lanes"):
        enter(home, "broken")
    assert not list(home.home.rglob("forecast_overrides*"))
    made = {file for file in set(home.home.rglob("*")) - set(before) if file.is_file()}
    assert {file for file in made if "_locks" not in file.parts} == {home.home / "scenarios" / "broken.json"}


def test_a_network_without_overrides_gets_a_file(tmp_path):
    rows = pd.DataFrame(
        {
            "manufacturer_id": ["M1"],
            "week": pd.Timestamp(2026, 11, 30),
            "capacity_hours": [0.1 + 0.2],
            "author": "Ann",
            "reason": "fair",
        }
    )
    file = override_capacity(tmp_path, rows)
    assert json.loads(pd.read_csv(file).to_json(orient="records")) == [
        {
            "manufacturer_id": "M1",
            "week": "2026-11-30",
            "capacity_hours": 0.3,
            "author": "Ann",
            "reason": "fair",
        }
    ]


def test_a_scenario_of_a_plan_that_was_made_again_is_refused(home):
    saved(home, plan_id="of the plan before")
    assert kind_of_error(enter, home) == "other_plan"


def test_a_copied_scenario_has_the_name_of_its_file(home):
    saved(home)
    folder = home.home / "scenarios"
    (folder / "copy.json").write_bytes((folder / "fair.json").read_bytes())
    assert [scenario.name for scenario in read_scenarios(home.home)] == ["copy", "fair"]


def test_scenarios_that_are_adopted_at_the_same_time_lose_no_hours(home, monkeypatch):
    saved(home)
    other = [{"manufacturer_id": "M2", "week": "2026-11-30", "capacity_hours": 6.0}]
    saved(home, name="other", hours=other, overrides=[])
    both = threading.Barrier(2)

    def slow(*arguments):
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return read_scenario(*arguments)

    monkeypatch.setattr(scenarios, "read_scenario", slow)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: enter(home, name), ["fair", "other"]))
    hours = pd.read_csv(Path(home.network_path) / "capacity_overrides.csv")
    assert sorted(hours["capacity_hours"]) == [5.0, 6.0]
