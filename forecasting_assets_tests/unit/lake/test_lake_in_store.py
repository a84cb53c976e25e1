"""The lake on an S3 server: the same as on a disk, and a server that fails is no damage."""

import threading
from datetime import date, timedelta

import pandas as pd
import pytest

from devtools.servers import free_port
from forecasting_assets.lake.files import DamagedWeekError, MissingWeeksError
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import Record
from forecasting_assets.storage import StoreError
from forecasting_assets.tables import PLAN_COST
from forecasting_assets_tests.support.object_store import keys
from forecasting_assets_tests.support.object_store import server as server
from forecasting_assets_tests.support.object_store import store as store

WEEKS = [date(2024, 3, 4) + timedelta(weeks=i) for i in range(8)]


def costs(amounts: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"part": [f"p{i}" for i in range(len(amounts))], "amount": amounts})


def test_weeks_and_records_are_those_of_a_disk(store, tmp_path):
    there, here = Lake("s3a://shop/lake/"), Lake(str(tmp_path))
    for i, week in enumerate(WEEKS[:-1]):
        for lake in (there, here):
            lake.write_pandas(costs([1.5 * i] * i), PLAN_COST, week)
            content, seen = lake.records.identity(PLAN_COST, week)
            lake.records.write(PLAN_COST, week, Record(f"v{i}", {"settings": {}}, content, seen))
    for some in (WEEKS[:2], WEEKS):  # asked for one by one, and listed
        assert there.existing(PLAN_COST, some) == here.existing(PLAN_COST, some)
        read = {lake: lake.read_pandas(PLAN_COST, some, missing_ok=True) for lake in (there, here)}
        pd.testing.assert_frame_equal(read[there], read[here])
        records = [lake.records.read(PLAN_COST, some) for lake in (there, here)]
        assert [r.version for r in records[0].values()] == [r.version for r in records[1].values()]
    assert there.existing_weeks(PLAN_COST) == WEEKS[:-1]
    assert there.records.content_ids(PLAN_COST) == here.records.content_ids(PLAN_COST)
    assert [there.rows(PLAN_COST, week) for week in WEEKS[:3]] == [0, 1, 2]
    assert there.rows_id(PLAN_COST, WEEKS[2]) == here.rows_id(PLAN_COST, WEEKS[2])
    with pytest.raises(MissingWeeksError):
        there.read_pandas(PLAN_COST, WEEKS[-1:])
    assert keys(store, f"lake/plan_cost/week={WEEKS[0]}") == [
        f"lake/plan_cost/week={WEEKS[0]}/_record.json",
        f"lake/plan_cost/week={WEEKS[0]}/data.parquet",
    ]
    assert [key for key in keys(store) if key.endswith("/")] == []


def test_a_lake_that_is_copied_elsewhere_is_as_fresh(store, tmp_path):
    here, week = Lake(str(tmp_path)), WEEKS[0]
    here.write_pandas(costs([1.0]), PLAN_COST, week)
    content, seen = here.records.identity(PLAN_COST, week)
    record = Record("v", {"settings": {}}, content, seen)
    here.records.write(PLAN_COST, week, record)
    for file in tmp_path.rglob("week=*/*"):
        store.put_object(Bucket="shop", Key=f"copy/{file.relative_to(tmp_path)}", Body=file.read_bytes())
    assert Lake("s3://shop/copy").records.read(PLAN_COST) == {week: record}


def test_a_reader_during_rewrites_sees_whole_weeks(store):
    lake, week = Lake("s3://shop/lake"), WEEKS[0]
    versions = [costs([1.0]), costs([2.0] * 20_000), costs([3.0] * 50)]
    lake.write_pandas(versions[0], PLAN_COST, week)
    done, seen = threading.Event(), set()

    def rewrite() -> None:
        for i in range(25):
            lake.write_pandas(versions[i % 3], PLAN_COST, week)
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not done.is_set():
        rows = lake.read_pandas(PLAN_COST, [week])
        seen.add((len(rows), *rows["amount"].unique()))
    writer.join()
    assert seen <= {(1, 1.0), (20_000, 2.0), (50, 3.0)}
    assert len(seen) > 1


def test_a_damaged_object_is_damage_and_a_server_that_fails_is_not(store, monkeypatch):
    lake, week = Lake("s3://shop/lake"), WEEKS[0]
    lake.write_pandas(costs([1.0]), PLAN_COST, week)
    store.put_object(Bucket="shop", Key=f"lake/plan_cost/week={WEEKS[1]}/data.parquet", Body=b"PAR1")
    with pytest.raises(DamagedWeekError) as damaged:
        lake.read_pandas(PLAN_COST, WEEKS[1:2])
    assert (damaged.value.table, damaged.value.week) == ("plan_cost", WEEKS[1])
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("forecasting_assets.storage.filesystems._ATTEMPTS", 1)
    offline = Lake("s3://shop/lake")
    for work in (
        lambda: offline.read_pandas(PLAN_COST, [week]),
        lambda: offline.rows(PLAN_COST, week),
        lambda: offline.write_pandas(costs([2.0]), PLAN_COST, week),
    ):
        with pytest.raises(StoreError) as failed:
            work()
        assert failed.value.kind == "unreachable"
