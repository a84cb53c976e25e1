"""The DAGs of deploy/airflow, run by a real Airflow in an environment of its own: make test-airflow."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from devtools.dev_server import dev_server, query
from forecasting_assets.tables import ALLOCATION_PLAN
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.integration.test_dev_server import RUNS, states
from forecasting_assets_tests.support.homes import PLANNED, Home, written_at

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "deploy" / "airflow"
AIRFLOW = Path(os.environ.get("AIRFLOW_VENV", ROOT / ".venv-airflow")) / "bin"
pytestmark = [
    pytest.mark.spark,
    pytest.mark.matrix,
    pytest.mark.skipif(not (AIRFLOW / "airflow").exists(), reason="no Airflow: make test-airflow"),
]

WEEK = PLANNED[-1]
#: Rules that no plan can keep: the plan is made, and its check `rules_kept` fails.
CONTRADICTION = '[allocation.minimum_load]\nM02 = 0.9\n[allocation.maximum_share]\n"CNC machining" = 0.01\n'
#: Kills the task `planning` while its command runs.
KILL = """
import os, sys, threading, time
from datetime import datetime
sys.path.insert(0, {dags!r})
from forecasting_by_command import WeekOperator
operator = WeekOperator(task_id="any", select="group:planning")
errors = []
def execute():
    try:
        type(operator).execute.__wrapped__(operator, {{"data_interval_end": datetime({day})}})
    except Exception as error:
        errors.append(error)
thread = threading.Thread(target=execute)
thread.start()
while not os.path.exists({plan!r}) and thread.is_alive():
    time.sleep(0.02)
assert operator._process.poll() is None
operator.on_kill()
thread.join(60)
print("exit code", operator._process.returncode, errors)
"""


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a database of its own."""

    folder: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program of Airflow's environment; output and errors are in `stdout`."""
        mine = {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "0",
            "FORECASTING_PROGRAM": str(Path(sys.executable).parent / "forecasting-assets"),
            "NO_COLOR": "1",
        }
        return subprocess.run(
            [str(AIRFLOW / arguments[0]), *arguments[1:]],
            env={**os.environ, **mine, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def test_dag(self, name: str, week: date = WEEK, **environment: str) -> str:
        """Run a DAG as on the Monday after a week, and return what it logged."""
        day, file = str(add_weeks(week, 1)), str(DAGS / f"{name}.py")
        return self.run("airflow", "dags", "test", name, day, "--dagfile-path", file, **environment).stdout

    def states(self) -> dict[str, str]:
        """Return the state of each task of the newest run."""
        rows = self._query(
            "SELECT task_id, state FROM task_instance WHERE run_id = "
            "(SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1)"
        )
        return dict(rows)

    def results(self) -> dict[str, dict]:
        """Return what each task of the newest run has returned."""
        rows = self._query(
            "SELECT task_id, value FROM xcom WHERE key = 'return_value' AND run_id = "
            "(SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1)"
        )
        values = ((task, json.loads(value)) for task, value in rows)
        return {task: json.loads(value) if isinstance(value, str) else value for task, value in values}

    def _query(self, text: str) -> list[tuple]:
        with sqlite3.connect(self.folder / "airflow.db") as database:
            return database.execute(text).fetchall()


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Provide an Airflow with an empty database."""
    started = Airflow(tmp_path_factory.mktemp("airflow"))
    migrated = started.run("airflow", "db", "migrate")
    assert migrated.returncode == 0, migrated.stdout
    return started


def unmake_plan(home: Home) -> None:
    for table in ("allocation_plan", "business_impact"):
        shutil.rmtree(home.path / "lake" / table / f"week={WEEK}")


def test_the_newest_closed_week_is_planned_by_command_and_once(airflow, home_copy):
    environment = {"FORECASTING_HOME": str(home_copy.path)}
    unmake_plan(home_copy)
    log = airflow.test_dag("forecasting_by_command", **environment)
    assert airflow.states() == dict.fromkeys(("orders", "forecasts", "planning"), "success"), log
    results = airflow.results()
    assert results["orders"]["weeks"] == []  # nothing was missing
    assert (results["planning"]["weeks"], results["planning"]["succeeded"]) == ([str(WEEK)], True)
    assert states(home_copy, "business_impact", [WEEK]) == ["fresh"]

    written = written_at(home_copy, ALLOCATION_PLAN, WEEK)
    log = airflow.test_dag("forecasting_by_command", **environment)
    assert airflow.states() == dict.fromkeys(("orders", "forecasts", "planning"), "success"), log
    assert log.count("Nothing to do") == 3
    assert written_at(home_copy, ALLOCATION_PLAN, WEEK) == written


def test_a_failed_check_fails_the_task_with_its_name(airflow, home_copy):
    unmake_plan(home_copy)
    with (home_copy.path / "forecasting.toml").open("a") as settings:
        settings.write(CONTRADICTION)
    log = airflow.test_dag("forecasting_by_command", FORECASTING_HOME=str(home_copy.path))
    assert airflow.states()["planning"] != "success"
    errors = [line for line in log.splitlines() if "AirflowException" in line]
    assert any(f"allocation_plan {WEEK}" in line and "rules_kept" in line for line in errors), log


def test_a_wrong_home_is_not_tried_again(airflow, tmp_path):
    log = airflow.test_dag("forecasting_by_command", FORECASTING_HOME=str(tmp_path / "nowhere"))
    assert airflow.states()["orders"] == "failed", log  # not up for retry
    assert f"no home at {tmp_path / 'nowhere'}" in log


def test_marking_a_task_as_failed_ends_its_run(airflow, home_copy):
    unmake_plan(home_copy)
    day = add_weeks(WEEK, 1)
    # Once the plan is written, its checks and business_impact are still to be made.
    plan = str(home_copy.path / "lake" / "allocation_plan" / f"week={WEEK}")
    program = KILL.format(dags=str(DAGS), day=f"{day.year}, {day.month}, {day.day}", plan=plan)
    done = airflow.run("python", "-c", program, FORECASTING_HOME=str(home_copy.path))
    assert "exit code 130" in done.stdout, done.stdout
    assert states(home_copy, "business_impact", [WEEK]) == ["missing"]


def test_a_running_dagster_is_driven_by_its_api(airflow, home_copy, tmp_path):
    with dev_server(home_copy.path, tmp_path) as address:
        log = airflow.test_dag("forecasting_by_dagster", FORECASTING_DAGSTER_URL=address)
        assert airflow.states() == {"weekly_plan": "success"}, log
        result = airflow.results()["weekly_plan"]
        assert result["week"] == str(WEEK)
        (run,) = query(address, RUNS)["results"][:1]
        assert (run["runId"], run["status"]) == (result["run"], "SUCCESS")

        with (home_copy.path / "forecasting.toml").open("a") as settings:
            settings.write(CONTRADICTION)
        log = airflow.test_dag("forecasting_by_dagster", FORECASTING_DAGSTER_URL=address)
        assert airflow.states()["weekly_plan"] != "success"
        assert f"allocation_plan {WEEK}: rules_kept" in log
