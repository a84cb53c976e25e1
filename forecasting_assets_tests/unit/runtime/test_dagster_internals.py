"""Canary for Dagster's private API: fails, with the name, where a new version of Dagster lacks what we use."""

import ast
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

import forecasting_assets
from forecasting_assets.orchestration.dagster_internals import narrow_to_partitions
from forecasting_assets.runtime import event_log

PACKAGE = Path(forecasting_assets.__file__).parent


def private_imports() -> dict[tuple[str, str], set[str]]:
    """Modules of the package by the private name of Dagster that they import."""
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dagster._"):
                for alias in node.names:
                    users[node.module, alias.name].add(file.relative_to(PACKAGE).as_posix())
    return users


IMPORTS = private_imports()


def test_the_imports_are_found():
    assert ("dagster._core.storage.event_log", "SqliteEventLogStorage") in IMPORTS


@pytest.mark.parametrize(("module", "name"), sorted(IMPORTS))
def test_dagster_still_has_what_is_imported(module, name):
    users = ", ".join(sorted(IMPORTS[module, name]))
    assert hasattr(import_module(module), name), (
        f"Dagster {dg.__version__} has no {module}.{name}: adapt {users}"
    )


def test_each_private_name_is_imported_by_one_module_only():
    assert {name: users for name, users in IMPORTS.items() if len(users) > 1} == {}


@pytest.mark.parametrize(
    ("owner", "attribute"),
    [
        (SqliteEventLogStorage, "_connect"),
        (SqliteEventLogStorage, "_initdb"),
        (SqliteEventLogStorage, "conn_string_for_shard"),
        (SqliteEventLogStorage, "has_table"),
        (SqliteEventLogStorage, "initialize_concurrency_limit_to_default"),
        (DagsterSqliteStorage, "from_local"),
        (InstanceRef, "config_defaults"),
        (dg.DefaultRunLauncher, "_instance"),
        (dg.DefaultRunLauncher, "check_run_worker_health"),
        (dg.DefaultRunLauncher, "supports_check_run_worker_health"),
    ],
)
def test_classes_still_have_the_attributes_that_are_used_or_overridden(owner, attribute):
    assert hasattr(owner, attribute), f"Dagster {dg.__version__}: {owner.__name__} has no {attribute}"


def test_storages_still_have_the_attributes_that_are_used(tmp_path):
    storage = DagsterSqliteStorage.from_local(str(tmp_path))
    log = storage._event_log_storage
    assert Path(log._base_dir).is_dir()
    with log._db_lock:
        assert INDEX_SHARD_NAME == event_log._INDEX


@pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`")  # as in orchestration.build
def test_outputs_still_have_the_partitions_that_are_narrowed():
    # Weeks that failed are taken out of this attribute.
    partitions = dg.StaticPartitionsDefinition(["a", "b"])
    seen = []

    class Stored(dg.ConfigurableIOManager):
        def handle_output(self, context: dg.OutputContext, obj: int) -> None:
            seen.append(hasattr(context, "_asset_partitions_subset"))
            narrow_to_partitions(context, ["a"])

        def load_input(self, context: dg.InputContext) -> None:
            raise NotImplementedError

    @dg.asset(partitions_def=partitions, backfill_policy=dg.BackfillPolicy.single_run())
    def counted() -> int:
        return 1

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(
            [counted],
            instance=instance,
            resources={"io_manager": Stored()},
            tags={"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "b"},
        )
        assert seen == [True]
        assert set(instance.get_materialized_partitions(counted.key)) == {"a"}
