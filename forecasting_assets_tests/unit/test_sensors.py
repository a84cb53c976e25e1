"""What the sensor asks for when files land, and what the schedule asks for when a week closes."""

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from forecasting_assets.definitions import build_defs, lineage_of
from forecasting_assets.orders.landing import scan_order_file
from forecasting_assets.provenance import Record, fingerprint
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks

HEADER = "order_id,order_date,part_id,region,quantity,unit_price\n"


@pytest.fixture
def zone(tmp_path):
    (tmp_path / "forecasting.toml").write_text("[calendar]\nfirst_week = 2024-03-04\n")
    landing = tmp_path / "landing" / "orders"
    landing.mkdir(parents=True)
    return landing


def land(zone: Path, name: str, *days: str) -> None:
    file = zone / name
    before = file.stat().st_mtime if file.exists() else 0.0
    file.write_text(HEADER + "".join(f"o{i},{day},p,r,1,2\n" for i, day in enumerate(days)))
    os.utime(file, (before + 10, before + 10))


def tick(zone: Path, cursor: str | None = None):
    defs = build_defs(load_settings(zone.parents[1]))
    sensor = defs.resolve_sensor_def("new_orders_sensor")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance,
            cursor=cursor,
            resources={name: defs.resources[name] for name in ("landing", "lake")},
        )
        return sensor(context)


def arrived(zone: Path, cursor: str | None = None):
    """What the sensor says once files that have landed are known to be whole: at the second tick."""
    first = tick(zone, cursor)
    assert ranges(first) == []
    return tick(zone, first.cursor)


def ranges(result) -> list[tuple[str, str]]:
    tags = [request.tags for request in result.run_requests or []]
    return [(t["dagster/asset_partition_range_start"], t["dagster/asset_partition_range_end"]) for t in tags]


def test_contiguous_weeks_are_one_range_however_many_files_touch_them(zone):
    for i in range(10):
        land(zone, f"{i}.csv", "2024-03-05", "2024-03-12")
    assert ranges(arrived(zone)) == [("2024-03-04", "2024-03-11")]


def test_what_has_been_asked_for_is_not_asked_again(zone):
    land(zone, "a.csv", "2024-03-05")
    first = arrived(zone)
    assert ranges(arrived(zone, first.cursor)) == []
    land(zone, "b.csv", "2024-03-12")
    assert ranges(arrived(zone, first.cursor)) == [("2024-03-11", "2024-03-11")]


def test_a_changed_file_asks_for_the_weeks_it_touches_and_touched(zone):
    land(zone, "a.csv", "2024-03-05")
    first = arrived(zone)
    land(zone, "a.csv", "2024-03-12")
    assert ranges(arrived(zone, first.cursor)) == [("2024-03-04", "2024-03-11")]


def test_a_file_that_is_still_growing_waits(zone):
    land(zone, "a.csv", "2024-03-05")
    first = tick(zone)
    land(zone, "a.csv", "2024-03-05", "2024-03-12")
    second = tick(zone, first.cursor)
    assert ranges(second) == []
    assert second.skip_reason.skip_message == "Waiting until 1 files are whole."
    third = tick(zone, second.cursor)
    assert ranges(third) == [("2024-03-04", "2024-03-11")]


def test_a_long_file_is_one_range_and_other_weeks_are_others(zone):
    land(zone, "long.csv", *(f"{add_weeks(date(2024, 3, 4), i)}" for i in range(60)))
    first = arrived(zone)
    assert ranges(first) == [("2024-03-04", "2025-04-21")]
    land(zone, "b.csv", "2024-03-12", "2024-05-07", "2024-05-14")
    assert ranges(arrived(zone, first.cursor)) == [("2024-03-11", "2024-03-11"), ("2024-05-06", "2024-05-13")]


def test_weeks_made_from_the_same_files_are_not_asked_for_after_a_reset(zone):
    land(zone, "a.csv", "2024-03-05", "2024-03-12")
    lineage = lineage_of(load_settings(zone.parents[1]))
    week = date(2024, 3, 4)
    for table in (RAW_ORDERS, CLEAN_ORDERS, WEEKLY_DEMAND):
        empty = pd.DataFrame({c.name: pd.Series(dtype=object) for c in table.columns if c.name != "week"})
        lineage.lake.write_pandas(empty, table, week)
        inputs = lineage_of(lineage.weekly.settings).inputs(table.name, week)
        stamp = lineage.lake.stamp(table, week)
        lineage.lake.write_record(table, week, Record(fingerprint(inputs), inputs, stamp))
    assert ranges(arrived(zone)) == [("2024-03-11", "2024-03-11")]


def test_a_week_that_is_still_open_waits(zone):
    land(zone, "a.csv", "2024-03-05", f"{datetime.now(UTC):%Y-%m-%d}", "2023-01-02")
    assert ranges(arrived(zone)) == [("2024-03-04", "2024-03-04")]


def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(zone):
    land(zone, "a.csv", "2024-03-05")
    (zone / "b.csv").write_bytes(b"")
    first = arrived(zone)
    assert ranges(first) == [("2024-03-04", "2024-03-04")]
    again = arrived(zone, first.cursor)
    assert ranges(again) == []
    assert "b.csv is empty" in again.skip_reason.skip_message
    land(zone, "b.csv", "2024-03-12")
    assert ranges(arrived(zone, again.cursor)) == [("2024-03-11", "2024-03-11")]


def test_a_known_file_that_can_no_longer_be_read_asks_for_nothing_until_it_is_mended(zone):
    land(zone, "a.csv", "2024-03-05")
    first = arrived(zone)
    (zone / "a.csv").write_bytes(b"")
    broken = arrived(zone, first.cursor)
    assert ranges(broken) == []
    land(zone, "a.csv", "2024-03-05", "2024-03-06")
    assert ranges(arrived(zone, broken.cursor)) == [("2024-03-04", "2024-03-04")]


def test_the_weeks_of_a_file_that_is_gone_are_asked_for(zone):
    land(zone, "a.csv", "2024-03-05")
    land(zone, "b.csv", "2024-03-12")
    first = arrived(zone)
    (zone / "b.csv").unlink()
    assert ranges(tick(zone, first.cursor)) == [("2024-03-11", "2024-03-11")]


def test_a_week_without_orders_is_asked_for_with_those_after_it(zone):
    land(zone, "a.csv", "2024-03-12", "2024-03-26")
    first = arrived(zone)
    assert ranges(first) == [("2024-03-04", "2024-03-25")]
    land(zone, "b.csv", "2024-04-02")
    assert ranges(arrived(zone, first.cursor)) == [("2024-04-01", "2024-04-01")]


def test_the_schedule_plans_the_week_that_has_just_closed(zone):
    schedule = build_defs(load_settings(zone.parents[1])).resolve_schedule_def("weekly_schedule")
    when = datetime(2025, 3, 10, 3, 0, tzinfo=UTC)
    request = schedule(dg.build_schedule_context(scheduled_execution_time=when))
    assert request.partition_key == "2025-03-03"


def test_a_tick_over_10_000_known_files_opens_the_new_ones_alone(zone, monkeypatch, capsys):
    opened = []

    def counted(filesystem, path, *arguments):
        opened.append(path)
        return scan_order_file(filesystem, path, *arguments)

    monkeypatch.setattr("forecasting_assets.resources.landing.scan_order_file", counted)
    for i in range(10_000):
        land(zone, f"{i:05}.csv", f"{add_weeks(date(2024, 3, 4), i % 100)}")
    known = arrived(zone)
    opened.clear()
    for i in range(5):
        land(zone, f"new-{i}.csv", "2024-03-05")
    begin = time.perf_counter()
    first = tick(zone, known.cursor)
    seconds = time.perf_counter() - begin
    assert len(opened) == 5
    begin = time.perf_counter()
    assert ranges(tick(zone, first.cursor)) == [("2024-03-04", "2024-03-04")]
    with capsys.disabled():
        print(
            f"\n10,000 known files and 5 new: ticks of {seconds:.2f} s and {time.perf_counter() - begin:.2f} s"
        )
    assert len(opened) == 5
