"""The code location as Dagster loads it, and what its UI shows of every definition."""

import os
import subprocess
import sys

import pytest

from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.orchestration.selection import select_assets
from forecasting_assets.settings import load_settings

#: Seconds each; what needs one of them imports it when it does.
HEAVY = ["cvxpy", "highspy", "matplotlib", "mlflow", "pyspark", "scipy", "statsmodels", "xgboost"]

ASSETS = {
    "raw_orders",
    "clean_orders",
    "order_book",
    "weekly_demand",
    "feature_table",
    "known_covariates",
    "sarimax_model",
    "xgb_model",
    "backtest_report",
    "demand_forecast",
    "manufacturer_network",
    "demand_plan",
    "allocation_plan",
    "business_impact",
}
#: Tables that assets write beside their own.
COMPANIONS = {
    "rejected_orders",
    "order_file_summary",
    "override_use",
    "capabilities",
    "lanes",
    "capacity_overrides",
    "capacity_load",
    "cleaned_points",
    "market_forecast",
    "error_correlations",
    "forecast_errors",
    "part_errors",
    "plan_choice",
    "plan_cost",
    "plan_flows",
    "plan_proof",
    "plan_reasons",
    "plan_rules",
    "plan_shortages",
    "replay_state",
    "supply_ledger",
    "supply_position",
}
#: Landed files, which Dagster observes; it knows neither owners nor columns of such assets.
SOURCES = {"order_files", "network_files", "planning_files"}


def test_loading_the_code_location_imports_nothing_heavy():
    code = "import sys, forecasting_assets.definitions; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(loaded.stdout.split())


IMPORT_ALL = """
import gc, importlib, pkgutil, sys
import forecasting_assets
before = gc.get_threshold()
# Whatever reads settings is the code location or the program; MLflow models register themselves when they are loaded.
left_out = ("forecasting_assets.definitions", "forecasting_assets.__main__", "forecasting_assets.tracking.pyfunc.")
names = [m.name for m in pkgutil.walk_packages(forecasting_assets.__path__, "forecasting_assets.")]
for name in names:
    if not name.startswith(left_out):
        importlib.import_module(name)
assert gc.get_threshold() == before
print(len(names))
"""


def test_importing_the_library_reads_no_settings_and_changes_no_garbage_collection(tmp_path):
    (tmp_path / "forecasting.toml").write_text("[not valid")
    environment = {**os.environ, "FORECASTING_HOME": str(tmp_path)}
    command = [sys.executable, "-c", IMPORT_ALL]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
    assert [file.name for file in tmp_path.iterdir()] == ["forecasting.toml"]


@pytest.fixture(scope="module")
def defs(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "forecasting.toml").write_text("[calendar]\nfirst_week = 2024-03-04\n")
    return build_defs(load_settings(home))


@pytest.fixture(scope="module")
def nodes(defs):
    """The assets of the graph by name."""
    graph = defs.resolve_asset_graph()
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


def test_the_graph_holds_these_assets_and_no_others(nodes):
    assert nodes.keys() == ASSETS | COMPANIONS | SOURCES
    assert {name for name, node in nodes.items() if node.is_materializable} == ASSETS
    assert {name for name, node in nodes.items() if node.is_observable} == SOURCES


@pytest.mark.parametrize("name", sorted(ASSETS | COMPANIONS | SOURCES))
def test_every_asset_is_described_and_in_a_group(nodes, name):
    assert nodes[name].description
    assert nodes[name].group_name not in (None, "default")


@pytest.mark.parametrize("name", sorted(ASSETS | COMPANIONS))
def test_every_table_has_an_owner_its_kinds_and_its_columns(nodes, name):
    node = nodes[name]
    assert node.owners
    assert node.kinds
    assert node.metadata["dagster/column_schema"].columns
    assert node.metadata["dagster/table_name"] == name


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_every_asset_has_checks_that_are_described_and_tell_whether_it_is_up_to_date(defs, nodes, name):
    graph = defs.resolve_asset_graph()
    checks = graph.get_check_keys_for_assets({nodes[name].key})
    assert len(checks) > 1
    assert "up_to_date" in {check.name for check in checks}
    assert all(graph.get(check).description for check in checks)


def test_jobs_schedules_and_sensors_are_described(defs):
    repository = defs.get_repository_def()
    (job,) = (job for job in repository.get_all_jobs() if not job.name.startswith("__"))
    assert job.description
    assert [schedule.name for schedule in repository.schedule_defs if schedule.description] == [
        "weekly_schedule"
    ]
    assert [sensor.name for sensor in repository.sensor_defs if sensor.description] == ["new_orders_sensor"]


def test_a_table_beside_an_asset_is_selected_with_the_asset(tmp_path):
    defs = build_defs(load_settings(tmp_path))
    keys = select_assets(defs, "supply_position,key:demand_plan")
    assert [key.to_user_string() for key in keys] == ["allocation_plan", "demand_plan"]
