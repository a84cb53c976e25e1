"""Assets are functions that can be called with any lake, by themselves or through Dagster."""

from datetime import date

import dagster as dg
import pytest
from pyiceberg.catalog import load_catalog

from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import read_network
from forecasting_assets.lake.records import UNCHECKED
from forecasting_assets.orchestration.assets.planning import manufacturer_network
from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.settings import LakeSettings, load_settings
from forecasting_assets.tables import MANUFACTURER_NETWORK

WEEK = date(2024, 3, 4)
FILES = {
    "manufacturers.csv": "manufacturer_id,region,capacity_hours_per_week,overtime_hours_per_week,"
    "overtime_premium,on_time_rate,activation_cost\nM1,north,40,8,0.25,0.95,0\n",
    "capabilities.csv": "manufacturer_id,part_category,hours_per_unit,unit_cost\nM1,cnc,0.5,12\n",
    "lanes.csv": "from_region,to_region,unit_cost,transit_weeks\nnorth,north,1,0\n",
}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    home = tmp_path / "home"
    network = home / "landing" / "network"
    network.mkdir(parents=True)
    for name, text in FILES.items():
        (network / name).write_text(text)
    # Dagster keeps what it stores for a test there.
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return load_settings(home)


def test_an_asset_is_a_function_of_weeks_settings_and_lake(settings, tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    ((week, result),) = manufacturer_network([WEEK], settings, lake)
    assert (week, result.rows, result.metadata) == (
        WEEK,
        1,
        {"manufacturers": 1, "unused_manufacturers": "", "lanes": 1},
    )
    assert read_network(lake, WEEK).capabilities["unit_cost"].tolist() == [12.0]


def test_the_lake_that_definitions_are_given_is_the_one_that_runs_use(settings, tmp_path):
    lake = Lake(str(tmp_path / "elsewhere"))
    defs = build_defs(settings, lake=lake)
    with dg.DagsterInstance.ephemeral() as instance:
        assert (
            defs.resolve_job_def("weekly_plan")
            .get_subset(asset_selection={dg.AssetKey("manufacturer_network")})
            .execute_in_process(instance=instance, partition_key=str(WEEK))
            .success
        )
    record = lake.records.read(MANUFACTURER_NETWORK)[WEEK]
    assert record.inputs["network files"].keys() == FILES.keys()
    assert record.failed_checks == {}
    assert not (settings.home / "lake").exists()


def test_a_week_made_again_from_the_same_files_with_the_same_rows_stays_checked(settings):
    lake = Lake(str(settings.home / "lake"))
    job = build_defs(settings).resolve_job_def("weekly_plan")
    asset = {dg.AssetKey("manufacturer_network")}

    def checks_after(checked: bool) -> set[str]:
        subset = job.get_subset(asset_selection=asset, asset_check_selection=None if checked else set())
        with dg.DagsterInstance.ephemeral() as instance:
            assert subset.execute_in_process(instance=instance, partition_key=str(WEEK)).success
        return set(lake.records.read(MANUFACTURER_NETWORK)[WEEK].failed_checks.values())

    assert [checks_after(checked) for checked in (False, True, False)] == [{UNCHECKED}, set(), set()]
    file = settings.home / "landing" / "network" / "lanes.csv"
    file.write_text(file.read_text().replace("north,north,1,0", "north,north,2,0"))
    assert checks_after(False) == {UNCHECKED}


def test_a_week_that_cannot_be_published_has_failed_and_is_made_again(settings):
    def materialize(catalog: str | None) -> bool:
        place = LakeSettings(format="iceberg", catalog=catalog)
        defs = build_defs(settings.model_copy(update={"lake": place}))
        job = defs.resolve_job_def("weekly_plan")
        selected = job.get_subset(asset_selection={dg.AssetKey("manufacturer_network")})
        with dg.DagsterInstance.ephemeral() as instance:
            run = selected.execute_in_process(
                instance=instance, partition_key=str(WEEK), raise_on_error=False
            )
        return bool(run.success)

    records = Lake(settings.lake_path).records
    assert not materialize("nowhere")
    failed = records.read(MANUFACTURER_NETWORK)[WEEK]
    assert failed.inputs == {}
    assert failed.failure is not None
    assert "cannot be published" in failed.failure.reason
    assert materialize(None)
    made = records.read(MANUFACTURER_NETWORK)[WEEK]
    assert (made.failure, made.inputs.keys()) == (None, {"network files", "settings"})
    published = load_catalog("home", type="sql", uri=f"sqlite:///{settings.home}/iceberg.db")
    tables = {name for _, name in published.list_tables("forecasting_assets")}
    assert tables == {"manufacturer_network", "capabilities", "lanes", "capacity_overrides"}
    rows = published.load_table("forecasting_assets.manufacturer_network").scan().to_arrow()
    assert rows.select(["manufacturer_id", "week"]).to_pylist() == [{"manufacturer_id": "M1", "week": WEEK}]
