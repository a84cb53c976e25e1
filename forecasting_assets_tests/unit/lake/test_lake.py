import os
import shutil
import time
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from forecasting_assets.lake.files import MissingWeeksError
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import network_contents
from forecasting_assets.lake.records import Record
from forecasting_assets.lake.sql import run_query
from forecasting_assets.tables import PLAN_COST, SARIMAX_MODEL

COSTS = pd.DataFrame({"part": ["total"], "amount": [1.0]})


def test_what_killed_runs_left_is_swept_and_what_others_are_writing_is_not(tmp_path):
    staging = tmp_path / "_staging"
    for name in ("killed", "writing"):
        (staging / name).mkdir(parents=True)
    (staging / "record").write_text("{}")
    long_ago = time.time() - 2 * 86400
    for name in ("killed", "record"):
        os.utime(staging / name, (long_ago, long_ago))
    Lake(path=str(tmp_path)).write_pandas(COSTS, PLAN_COST, date(2024, 3, 4))
    assert [file.name for file in staging.iterdir()] == ["writing"]


def test_a_week_is_replaced_whole(tmp_path):
    lake, week = Lake(path=str(tmp_path)), date(2024, 3, 4)
    lake.write_pandas(pd.concat([COSTS, COSTS]), PLAN_COST, week)
    lake.write_pandas(COSTS, PLAN_COST, week)
    assert lake.rows(PLAN_COST, week) == 1
    assert [f.name for f in Path(tmp_path, "plan_cost", f"week={week}").iterdir()] == ["data.parquet"]


def test_copies_of_weeks_that_people_keep_are_no_weeks(tmp_path):
    lake, week = Lake(path=str(tmp_path)), date(2024, 3, 4)
    lake.write_pandas(COSTS, PLAN_COST, week)
    for copy in (f"week={week}.bak", "week=backup", f"old/week={week}"):
        shutil.copytree(tmp_path / "plan_cost" / f"week={week}", tmp_path / "plan_cost" / copy)
    assert lake.existing_weeks(PLAN_COST) == [week]
    assert len(run_query(lake, {"plan_cost": PLAN_COST}, "select * from plan_cost")) == 1


def test_a_record_is_read_again_once_it_is_another(tmp_path):
    lake, weeks = Lake(path=str(tmp_path)), [date(2024, 3, 4), date(2024, 3, 11)]
    file = tmp_path / "plan_cost" / f"week={weeks[0]}" / "_record.json"
    for version, modified in (("a", 1000), ("b", 2000), ("c", time.time()), ("d", time.time())):
        lake.records.write(PLAN_COST, weeks[0], Record(version))
        os.utime(file, (modified, modified))
        for asked in (None, weeks, weeks[:1]):  # from the file, and as it was read before
            assert lake.records.read(PLAN_COST, asked) == {weeks[0]: Record(version)}
    assert lake.records.read(PLAN_COST, weeks[1:]) == {}


def test_columns_that_weeks_of_earlier_versions_lack_are_empty(tmp_path):
    lake, weeks = Lake(path=str(tmp_path)), [date(2024, 3, 4), date(2024, 3, 11)]
    rows = pd.DataFrame(
        {name: [1.0] for name in SARIMAX_MODEL.names}
        | {"part_id": "P", "region": "EU", "origin_week": pd.Timestamp(weeks[0]), "horizon": 1}
        | {"target_week": pd.Timestamp(weeks[1])}
    )
    for week in weeks:
        lake.write_pandas(rows, SARIMAX_MODEL, week)
    file = tmp_path / "sarimax_model" / f"week={weeks[0]}" / "data.parquet"
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns("without_covariates"), file)
    columns = ["part_id", "without_covariates"]
    assert lake.read_pandas(SARIMAX_MODEL, weeks[:1], columns)["without_covariates"].isna().all()
    both = lake.read_pandas(SARIMAX_MODEL, weeks, columns)
    assert both["without_covariates"].isna().tolist() == [True, False]


def test_weeks_asked_for_are_told_from_those_that_are_missing(tmp_path):
    lake, week, missing = Lake(path=str(tmp_path)), date(2024, 3, 4), date(2024, 3, 11)
    lake.write_pandas(COSTS, PLAN_COST, week)
    assert lake.existing(PLAN_COST, [missing, week]) == lake.existing_weeks(PLAN_COST) == [week]
    assert len(lake.read_pandas(PLAN_COST, [week, missing], missing_ok=True)) == 1
    with pytest.raises(MissingWeeksError, match=f"for {missing}: do that first"):
        lake.read_pandas(PLAN_COST, [week, missing])


def test_a_week_that_is_replaced_within_the_resolution_of_the_clock_is_another(tmp_path):
    lake, week = Lake(path=str(tmp_path)), date(2024, 3, 4)
    file = tmp_path / "plan_cost" / f"week={week}" / "data.parquet"
    lake.write_pandas(COSTS, PLAN_COST, week)
    before, first = file.stat(), lake.records.content_ids(PLAN_COST)
    file.write_bytes(b"x" * before.st_size)
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert lake.records.content_ids(PLAN_COST) != first


def test_what_identifies_a_week_is_remembered_once_its_time_does(tmp_path):
    lake, week = Lake(path=str(tmp_path)), date(2024, 3, 4)
    lake.write_pandas(COSTS, PLAN_COST, week)
    file = tmp_path / "plan_cost" / f"week={week}" / "data.parquet"
    os.utime(file, (1000, 1000))
    contents = lake.records.content_ids(PLAN_COST)
    file.write_bytes(b"x" * file.stat().st_size)
    os.utime(file, (1000, 1000))
    assert lake.records.content_ids(PLAN_COST) == contents


def test_network_files_need_not_be_valid_to_be_compared(tmp_path):
    (tmp_path / "lanes.csv").write_bytes("from_region\nMünchen\n".encode("cp1252"))
    (tmp_path / "kontakte.csv").write_bytes("Müller".encode("cp1252"))
    before = network_contents(tmp_path)
    assert list(before) == ["lanes.csv"]
    (tmp_path / "lanes.csv").write_bytes("from_region\r\nMünchen\r\n".encode("cp1252"))
    assert network_contents(tmp_path) == before
    (tmp_path / "lanes.csv").write_bytes("from_region\nMänchen\n".encode("cp1252"))
    assert network_contents(tmp_path) != before
