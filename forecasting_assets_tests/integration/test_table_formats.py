"""Published tables among processes, in a bucket and as Spark writes the lake."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest
from pyiceberg.catalog import load_catalog

from devtools.postgresql import postgresql, programs
from devtools.servers import answers, free_port, wait_until
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.publish import publish
from forecasting_assets.lake.sql import lake_tables
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.pipeline import build_pipeline
from forecasting_assets.settings import LakeSettings, Settings
from forecasting_assets.storage import StoreError
from forecasting_assets.tables import ALLOCATION_PLAN, PLAN_COST
from forecasting_assets_tests.support import published
from forecasting_assets_tests.support.homes import PLANNED
from forecasting_assets_tests.support.object_store import keys
from forecasting_assets_tests.support.object_store import store as store
from forecasting_assets_tests.support.published import FORMATS, files, read, versions
from forecasting_assets_tests.support.spark import spark_session

pytestmark = pytest.mark.matrix
WEEKS = [date(2024, 3, 4) + timedelta(weeks=i) for i in range(3)]
#: Writes one week five times and publishes each, beginning together with another process.
WRITER = """
import json, sys, time
from datetime import date
from pathlib import Path
import pandas as pd
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.publish import publish
from forecasting_assets.settings import LakeSettings, Settings
from forecasting_assets.tables import PLAN_COST
home, name = Path(sys.argv[1]), sys.argv[2]
settings = Settings(home=home, lake=LakeSettings(**json.loads(sys.argv[3])))
lake = Lake(settings.lake_path)
(home.parent / f"{name}.ready").touch()
while len(list(home.parent.glob("*.ready"))) < 2:
    time.sleep(0.01)
for i in range(5):
    lake.write_pandas(pd.DataFrame({"part": [name], "amount": [float(i)]}), PLAN_COST, date(2024, 3, 4))
    publish(settings, lake, [PLAN_COST])
"""


def settings_of(home: Path, format: str, lake: str = "lake") -> Settings:
    return Settings(home=home, lake=LakeSettings(path=lake, format=format))


def write(lake: Lake, week: date, amounts: list[float]) -> None:
    lake.write_pandas(pd.DataFrame({"part": ["p"] * len(amounts), "amount": amounts}), PLAN_COST, week)


def rows(settings: Settings, version: int | None = None) -> list[tuple[date, float]]:
    found = read(settings, PLAN_COST, version).to_pylist()
    return [(row["week"], row["amount"]) for row in found]


def run_both(homes: list[Path], lake: LakeSettings) -> None:
    """Run a writer in each of the homes at the same time."""
    arguments = [
        [str(home), name, lake.model_dump_json()] for home, name in zip(homes, ("one", "two"), strict=True)
    ]
    both = [
        subprocess.Popen([sys.executable, "-c", WRITER, *each], stderr=subprocess.PIPE, text=True)
        for each in arguments
    ]
    for process in both:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error


def assert_in_turn(settings: Settings) -> None:
    """Every version has one file of the week, and the newest is that of the lake."""
    last = Lake(settings.lake_path).read_pandas(PLAN_COST, [date(2024, 3, 4)])
    made = versions(settings, PLAN_COST)
    assert read(settings, PLAN_COST).to_pandas()[["part", "amount"]].equals(last[["part", "amount"]])
    assert 2 <= len(made) <= 10
    for version in made:
        assert read(settings, PLAN_COST, version).num_rows == 1


@pytest.mark.parametrize("format", FORMATS)
def test_two_processes_that_write_a_week_publish_it_in_turn(tmp_path, format):
    home = tmp_path / "home"
    home.mkdir()
    run_both([home, home], LakeSettings(format=format))
    assert_in_turn(settings_of(home, format))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Provide an S3 server in a process of its own: delta-rs keeps Python from running while it waits for one."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("moto_server")), "--host", "127.0.0.1", "--port", str(port)]
    with (
        (tmp_path / "moto.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: answers(f"{address}/moto-api/data.json"), 60, "the S3 server answers")
            yield address
        finally:
            process.terminate()


@pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")
@pytest.mark.parametrize("format", FORMATS)
def test_two_machines_publish_a_week_of_a_bucket_in_turn(store, server, tmp_path, monkeypatch, format):
    homes = [tmp_path / name for name in ("here", "there")]
    for home in homes:
        home.mkdir()
    with postgresql(["catalog"]) as database:
        plant = {
            "type": "sql",
            "uri": database.url("catalog"),
            "s3.endpoint": server,
            "s3.region": "us-east-1",
        }
        for name, value in plant.items():
            variable = f"PYICEBERG_CATALOG__PLANT__{name}".replace(".", "__").replace("-", "_").upper()
            monkeypatch.setenv(variable, value)
        load_catalog("plant", **plant)  # makes its tables
        shared = LakeSettings(path="s3://shop/lake", format=format, catalog="plant")
        run_both(homes, shared)
        monkeypatch.setattr(published, "catalog", lambda *_: load_catalog("plant", **plant))
        assert_in_turn(Settings(home=homes[0], lake=shared))


@pytest.mark.parametrize("format", FORMATS)
def test_a_bucket_holds_the_same(store, tmp_path, format):
    settings = settings_of(tmp_path, format, "s3a://shop/lake/")
    lake = Lake(settings.lake_path)
    for i, week in enumerate(WEEKS[:3]):
        write(lake, week, [1.0] * i)
    publish(settings, lake, [PLAN_COST])
    write(lake, WEEKS[0], [5.0])
    publish(settings, lake, [PLAN_COST])
    settings = settings_of(tmp_path, format, "s3://shop/lake")
    assert rows(settings) == [(WEEKS[0], 5.0), (WEEKS[1], 1.0), (WEEKS[2], 1.0), (WEEKS[2], 1.0)]
    first, _ = versions(settings, PLAN_COST)
    assert rows(settings, first) == [(WEEKS[1], 1.0), (WEEKS[2], 1.0), (WEEKS[2], 1.0)]
    assert [key for key in keys(store) if key.endswith("/")] == []
    with pytest.raises(StoreError) as caught:
        publish(
            settings_of(tmp_path / "other", format, "s3://no-such-bucket/lake"),
            Lake("s3://no-such-bucket/lake"),
            [PLAN_COST],
        )
    assert caught.value.kind == "missing"


@pytest.mark.spark
@pytest.mark.parametrize("format", FORMATS)
def test_a_week_of_all_assets_is_published_as_it_is_in_the_lake(home_copy, format):
    week, settings_file = PLANNED[-1], home_copy.path / "forecasting.toml"
    settings_file.write_text(f'{settings_file.read_text()}[lake]\nformat = "{format}"\n')
    settings, lake = home_copy.settings, home_copy.lake
    tables = list(lake_tables(build_pipeline(settings)).values())
    assert materialize(settings, [week])
    for table in tables:
        published = read(settings, table)
        assert len(versions(settings, table)) == 1, table.name
        for there in lake.existing_weeks(table):
            found = published.filter(pc.equal(published["week"], there)).drop_columns(["week"])
            with lake.open_parquet(table, there) as file:
                written = file.read(found.column_names)
            assert found.to_pylist() == written.to_pylist(), (table.name, there)
    assert materialize(settings, [week], "allocation_plan")  # the same rows
    assert len(versions(settings, ALLOCATION_PLAN)) == 1
    plan = read(settings, ALLOCATION_PLAN)
    session = spark_session(settings.spark)
    assert session.read.parquet(*files(settings, ALLOCATION_PLAN)).count() == plan.num_rows
    assert session.createDataFrame(plan).where(f"week = '{week}'").count() == lake.rows(ALLOCATION_PLAN, week)
