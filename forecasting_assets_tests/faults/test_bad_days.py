"""Outages and damage: a clear error or a correct result, what was there before stays, and a later run repairs."""

import gzip
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, SARIMAX_MODEL, WEEKLY_DEMAND
from forecasting_assets_tests.faults.harness import TALLY, assert_same_lake, half_weeks, lake, unmake
from forecasting_assets_tests.support.homes import PLANNED, WEEKS, Home
from forecasting_assets_tests.support.runs import Run, run, span

pytestmark = pytest.mark.spark
WEEK = PLANNED[-1]
DEMAND = ["--select", "+key:weekly_demand"]


def state(home: Home, asset: str, week=WEEK) -> str:
    return freshness_of(home.settings).state(asset, week).state


def data_file(home: Home, table, week) -> Path:
    return lake(home) / table.name / f"week={week}" / "data.parquet"


def damage_a_page(file: Path) -> None:
    """Change one byte of a value, as a failing disk does: size, footer and time of change stay as they are."""
    column = pq.read_metadata(file).row_group(0).column(0)
    content, at = bytearray(file.read_bytes()), file.stat()
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 0x55
    file.write_bytes(content)
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))


# ---------------------------------------------------------------------- MLflow


class _FallsOver(BaseHTTPRequestHandler):
    """Says that it is well, and nothing more."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self.send_response(200)
            self.end_headers()

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def dead_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]  # bound, and nobody listens


@pytest.fixture
def silent_server():
    server = HTTPServer(("127.0.0.1", 0), _FallsOver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("server", ["dead_port", "silent_server"])
def test_mlflow_is_down(home, home_copy, request, monkeypatch, capsys, server):
    TALLY.outages.append(f"MLflow: {server}")
    uri = f"http://127.0.0.1:{request.getfixturevalue(server)}"
    unmake(home_copy, [WEEK])
    monkeypatch.setenv("FORECASTING__MLFLOW__TRACKING_URI", uri)
    begin = time.monotonic()
    assert not materialize(home_copy.settings, [WEEK])
    assert time.monotonic() - begin < 150
    said = capsys.readouterr().out
    assert uri.removeprefix("http://127.0.0.1:") in said
    if server == "dead_port":
        assert f"MLflow does not answer at {uri}" in said
        assert "change [mlflow] tracking_uri (FORECASTING__MLFLOW__TRACKING_URI)" in said
    assert state(home_copy, "feature_table") == "fresh"
    assert state(home_copy, "sarimax_model") == "failed"
    assert not half_weeks(home_copy)
    monkeypatch.delenv("FORECASTING__MLFLOW__TRACKING_URI")
    assert materialize(home_copy.settings, [WEEK])
    assert_same_lake(home, home_copy)


# ---------------------------------------------------------------------- disk


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, text=True
    )
    if not mounted or mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr if mounted else 'no command mount'}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_the_disk_is_full(home, home_copy, small_disk, monkeypatch, capsys):
    TALLY.outages.append("disk full")
    weeks = WEEKS[:16]
    monkeypatch.setenv("FORECASTING__LAKE__PATH", str(small_disk))
    assert not materialize(home_copy.settings, weeks, "+key:weekly_demand")
    assert "No space left on device" in capsys.readouterr().out
    assert not half_weeks(home_copy)
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert materialize(home_copy.settings, weeks, "+key:weekly_demand")
    assert_same_lake(home, home_copy, weeks)


# ---------------------------------------------------------------------- damaged files


@pytest.mark.parametrize(
    ("table", "reader"),
    [(RAW_ORDERS, "clean_orders"), (CLEAN_ORDERS, "weekly_demand"), (SARIMAX_MODEL, "demand_forecast")],
)
def test_a_file_in_the_lake_is_damaged(home, home_copy, capsys, table, reader):
    TALLY.corruptions.append(f"a byte of {table.name}")
    file = data_file(home_copy, table, WEEK)
    damage_a_page(file)
    assert not materialize(home_copy.settings, PLANNED[-2:], f"key:{reader}")
    said = capsys.readouterr().out
    assert f"{table.name} {WEEK} is damaged, {file} cannot be read (" in said
    assert f"forecasting-assets materialize --from {WEEK} --to {WEEK}" in said
    assert [state(home_copy, reader, week) for week in PLANNED[-2:]] == ["fresh", "failed"]
    assert materialize(home_copy.settings, [WEEK])
    assert_same_lake(home, home_copy)


def test_a_landed_file_is_cut_short(home, home_copy, capsys):
    TALLY.corruptions.append("a landed .csv.gz cut short, known and new")
    orders, quarantine = home_copy.path / "landing" / "orders", home_copy.path / "landing" / "quarantine"
    known = next(file for file in sorted(orders.rglob("*.csv.gz")))
    freshness = freshness_of(home_copy.settings)
    held = next(file.weeks for file in freshness.files if file.name == str(known.relative_to(orders)))
    other = next(week for week in WEEKS if week not in held)
    whole, at = known.read_bytes(), known.stat()
    known.write_bytes(whole[: len(whole) // 2])
    new = gzip.compress(
        b"order_id,order_date,part_id,region,quantity,unit_price\n" + b"x,2024-01-01,p,EU,1,2\n" * 50
    )
    (orders / "new.csv.gz").write_bytes(new[:-12])
    weeks = sorted({*held, other})
    for week in weeks:  # the other week's files go on
        assert materialize(home_copy.settings, [week], "+key:weekly_demand") is (week == other)
    assert "Land it again in full, or remove it" in capsys.readouterr().out
    listed = {file.name: file.read_text() for file in quarantine.iterdir()}
    assert set(listed) == {
        f"{str(known.relative_to(orders)).replace('/', '__')}.error.txt",
        "new.csv.gz.error.txt",
    }
    assert all("cannot be read" in said for said in listed.values())
    assert [state(home_copy, "raw_orders", week) for week in held] == ["failed"] * len(held)
    assert not half_weeks(home_copy)
    known.write_bytes(whole)
    os.utime(
        known, ns=(at.st_atime_ns, at.st_mtime_ns)
    )  # of an order line landed twice the newest file counts
    (orders / "new.csv.gz").unlink()
    for week in weeks:
        assert materialize(home_copy.settings, [week], "+key:weekly_demand")
    assert not list(quarantine.iterdir())
    assert_same_lake(home, home_copy)


# ---------------------------------------------------------------------- processes and clocks


def executors(run: Run) -> list[int]:
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "-s", str(run.process.pid)], capture_output=True, text=True
    )
    backends = [line for line in listed.stdout.splitlines() if "CoarseGrainedExecutorBackend" in line]
    return [int(line.split()[0]) for line in backends if "spark-class" not in line]


def test_a_spark_executor_is_lost(home, home_copy):
    TALLY.outages.append("a Spark executor lost")
    unmake(home_copy, PLANNED[-4:])
    going = Run(
        home_copy,
        ["materialize", *span(PLANNED[-4:]), *DEMAND],
        FORECASTING__SPARK__MASTER="local-cluster[2,1,1024]",
    )
    going.wait_for_step("clean_orders")
    assert not going.ends_within(1.0), going.output
    lost = executors(going)
    assert len(lost) == 2, going.output
    os.kill(lost[0], 9)
    code, said = going.end()
    assert code == 0, said
    assert_same_lake(home, home_copy, PLANNED[-4:], [RAW_ORDERS, CLEAN_ORDERS, WEEKLY_DEMAND])


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_clock_of_another_time_zone(home, home_copy, zone):
    TALLY.outages.append(f"clock of {zone}")
    unmake(home_copy, [WEEK])
    code, said = run(home_copy, "materialize", *span([WEEK]), TZ=zone)
    assert code == 0, said
    assert_same_lake(home, home_copy)


def test_two_processes_write_the_same_weeks(home, home_copy):
    TALLY.outages.append("two processes writing the same weeks")
    unmake(home_copy, PLANNED[-4:])
    both = [Run(home_copy, ["materialize", *span(PLANNED[-4:])]) for _ in range(2)]
    ended = [going.end() for going in both]
    assert 0 in [code for code, _ in ended], ended
    for code, said in ended:
        # What the other has made anew between the checks and the next asset holds this one back, and nothing else.
        assert code == 0 or "another run has just made that week" in said, said
    assert not half_weeks(home_copy)
    assert_same_lake(home, home_copy)
