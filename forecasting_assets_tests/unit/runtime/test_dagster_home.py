"""DAGSTER_HOME: which dagster.yaml is written, replaced and left alone."""

import pytest
import yaml

from forecasting_assets.runtime.dagster_home import prepare_home

#: dagster.yaml as written before its first line held a checksum.
FORMER = """# Written to DAGSTER_HOME if there is none; change it there.
# Dagster's own storage of events is slow over many weeks; `storage` takes another database, as of Postgres.
instance_class:
  module: forecasting_assets.resources.event_log
  class: Instance
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    # A run whose assets need Spark opens a session of its own, and takes the machine with it: one at a time.
    granularity: run
    default_limit: 1
run_queue:
  # A click would otherwise wait for up to five seconds.
  dequeue_interval_seconds: 1
run_monitoring:
  enabled: true
"""


@pytest.fixture
def current(tmp_path) -> str:
    return (prepare_home(tmp_path / "new") / "dagster.yaml").read_text()


def prepared(home, text: str) -> str:
    config = home / "dagster" / "dagster.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    prepare_home(home)
    return config.read_text()


def test_a_new_home_names_classes_that_can_be_imported(tmp_path):
    import dagster as dg

    from forecasting_assets.runtime.event_log import Instance

    with dg.DagsterInstance.from_config(str(prepare_home(tmp_path))) as instance:
        assert isinstance(instance, Instance)
        assert instance.run_monitoring_enabled
        assert instance.run_launcher.supports_check_run_worker_health


def test_a_prepared_home_stays_as_it_is(tmp_path, current):
    assert prepared(tmp_path, current) == current
    assert [path.name for path in (tmp_path / "dagster").iterdir()] == ["dagster.yaml"]


def test_an_unchanged_file_of_an_earlier_version_is_replaced(tmp_path, current):
    assert prepared(tmp_path, FORMER) == current


def test_an_unchanged_file_of_a_version_with_checksum_is_replaced(tmp_path, current, monkeypatch):
    from forecasting_assets.runtime import dagster_home

    with monkeypatch.context() as patch:
        earlier = "telemetry:\n  enabled: false\n"
        patch.setattr(
            dagster_home,
            "_current",
            lambda: dagster_home._HEADER.format(dagster_home._checksum(earlier)) + earlier,
        )
        prepare_home(tmp_path)
    assert "run_monitoring" not in (tmp_path / "dagster" / "dagster.yaml").read_text()
    prepare_home(tmp_path)
    assert (tmp_path / "dagster" / "dagster.yaml").read_text() == current


def test_in_a_changed_file_only_moved_modules_are_renamed(tmp_path):
    changed = FORMER.replace("max_concurrent_runs: 2", "max_concurrent_runs: 5") + "# my own words\n"
    text = prepared(tmp_path, changed)
    assert text == changed.replace("forecasting_assets.resources", "forecasting_assets.runtime")
    assert yaml.safe_load(text)["instance_class"]["module"] == "forecasting_assets.runtime.event_log"


def test_a_changed_file_with_checksum_is_left_alone(tmp_path, current):
    changed = current.replace("max_concurrent_runs: 2", "max_concurrent_runs: 5")
    assert changed != current
    assert prepared(tmp_path, changed) == changed
