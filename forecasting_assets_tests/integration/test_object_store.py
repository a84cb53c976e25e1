"""Everything in an object store: a real S3 server, with and without what it takes to read it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyspark
import pytest

from devtools.servers import free_port
from forecasting_assets.lake.landing import Landing
from forecasting_assets.storage import StoreError, list_files, read_file
from forecasting_assets.tables import ALLOCATION_PLAN, ORDER_COLUMNS
from forecasting_assets_tests.faults.harness import assert_same_lake, every_table
from forecasting_assets_tests.support.homes import PLANNED, SETTINGS, Home
from forecasting_assets_tests.support.object_store import (
    AT_ONCE,
    ask_for_credentials,
    keys,
    upload,
    use,
    user,
)
from forecasting_assets_tests.support.object_store import server as server
from forecasting_assets_tests.support.object_store import store as store
from forecasting_assets_tests.support.runs import Run, span
from forecasting_assets_tests.support.sensor import tick, weeks_asked
from forecasting_assets_tests.support.spark_cluster import cluster, connect_server

HEADER = "order_id,order_date,part_id,region,quantity,unit_price\n"
NAMES = {name: name for name in ORDER_COLUMNS}
WEEK = PLANNED[-1]
SPARK_HOME = Path(pyspark.__path__[0])
#: Runs commands one after the other in one process; `NAME=value` sets a variable of the environment.
COMMANDS = """
import contextlib, io, json, os, sys
from forecasting_assets.cli import main
results = []
for arguments in json.loads(sys.argv[1]):
    if "=" in arguments[0]:
        name, _, os.environ[name] = arguments[0].partition("=")
        continue
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        code = main(arguments)
    results.append([code, out.getvalue()])
print(json.dumps(results))
"""


@pytest.fixture(autouse=True)
def with_an_order_file(store):
    put(store, "orders/a.csv", "2024-03-04", "2024-03-12")


def put(s3, key: str, *dates: str) -> None:
    rows = "".join(f"o{i},{day},p,EU,5,2\n" for i, day in enumerate(dates))
    s3.put_object(Bucket="shop", Key=key, Body=(HEADER + rows).encode())


@pytest.mark.parametrize("url", ["s3://shop/orders", "s3://shop/orders/", "s3a://shop/orders"])
def test_order_files_of_a_bucket_are_known(store, tmp_path, url):
    put(store, "orders/2024/b.csv", "2024-03-04")
    store.put_object(Bucket="shop", Key="orders/2024/", Body=b"")  # a folder, as consoles make it
    store.put_object(Bucket="shop", Key="orders/c.zip", Body=b"PK")
    store.put_object(Bucket="shop", Key="orders/_SUCCESS", Body=b"")
    landing = Landing.at(tmp_path, url, NAMES)
    assert [(file.name, file.rows, file.error) for file in landing.refresh()] == [
        ("2024/b.csv", 1, None),
        ("a.csv", 2, None),
    ]
    assert landing.unread_files() == ["c.zip"]


def test_an_object_that_is_put_again_is_the_file_it_was(store, tmp_path):
    landing = Landing.at(tmp_path, "s3://shop/orders", NAMES)
    before = landing.refresh()
    store.put_object(Bucket="shop", Key="orders/later.csv", Body=HEADER.encode())
    content = store.get_object(Bucket="shop", Key="orders/a.csv")["Body"].read()
    store.put_object(Bucket="shop", Key="orders/a.csv", Body=content)
    store.delete_object(Bucket="shop", Key="orders/later.csv")
    assert landing.refresh() == before


def test_index_and_quarantine_may_be_in_a_bucket_too(store):
    state = "s3://shop/state"
    store.put_object(Bucket="shop", Key="orders/2024/bad.parquet", Body=b"PAR1")
    landing = Landing("s3://shop/orders", f"{state}/landing.db", f"{state}/quarantine", NAMES)
    files = landing.refresh()
    assert [(file.name, file.error is None) for file in files] == [
        ("2024/bad.parquet", False),
        ("a.csv", True),
    ]
    assert list(list_files(f"{state}/quarantine")) == ["2024__bad.parquet.error.txt"]
    assert landing.files() == landing.refresh() == files  # known from the index
    store.delete_object(Bucket="shop", Key="orders/2024/bad.parquet")
    assert [file.name for file in landing.refresh()] == ["a.csv"]
    assert list(list_files(state)) == ["landing.db"]


def without_bucket(server, monkeypatch) -> str:
    return "s3://nobody/orders"


def without_folder(server, monkeypatch) -> str:
    return "s3://shop/nothing"


def with_wrong_key(server, monkeypatch) -> str:
    ask_for_credentials(server, AT_ONCE)
    return "s3://shop/orders"


def with_wrong_secret(server, monkeypatch) -> str:
    use(monkeypatch, *user(server, "allowed", ["s3:*"])[:1], "wrong")
    ask_for_credentials(server, AT_ONCE)
    return "s3://shop/orders"


def without_permission(server, monkeypatch) -> str:
    use(monkeypatch, *user(server, "refused", []))
    ask_for_credentials(server, AT_ONCE)
    return "s3://shop/orders"


def with_permission_to_list_alone(server, monkeypatch) -> str:
    use(monkeypatch, *user(server, "half", ["s3:ListBucket"]))
    ask_for_credentials(server, AT_ONCE)
    return "s3://shop/orders"


def without_server(server, monkeypatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    return "s3://shop/orders"


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (without_bucket, "missing"),
        (without_folder, "missing"),
        (with_wrong_key, "credentials"),
        (with_wrong_secret, "credentials"),
        (without_permission, "permission"),
        (with_permission_to_list_alone, "permission"),
        (without_server, "unreachable"),
    ],
)
def test_a_store_that_does_not_answer_changes_nothing_that_is_known(
    store, server, monkeypatch, tmp_path, spoil, kind
):
    known = Landing.at(tmp_path, "s3://shop/orders", NAMES).refresh()
    put(store, "orders/new.csv", "2024-03-18")
    spoiled = Landing.at(tmp_path, spoil(server, monkeypatch), NAMES)
    with pytest.raises(StoreError) as caught:
        spoiled.refresh()
    assert (caught.value.kind, caught.value.store) == (kind, spoiled.path)
    assert caught.value.remedy
    assert spoiled.files() == known
    assert not os.path.exists(spoiled.quarantine)


class Result(NamedTuple):
    """What a command returned and printed."""

    code: int
    text: str


def run(*commands: list[str]) -> list[Result]:
    """Run commands in a process of their own: Spark's workers keep the environment in which Spark was started."""
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)], text=True, stdout=subprocess.PIPE
    )
    return [Result(*result) for result in json.loads(done.stdout.splitlines()[-1])]


#: Assets that read and write in all the ways there are.
SOME = "+key:feature_table or key:demand_plan or key:allocation_plan"
_MADE = (
    "raw_orders",
    "clean_orders",
    "order_book",
    "weekly_demand",
    "feature_table",
    "demand_plan",
    "allocation_plan",
)


def moved(home: Home, store, path: Path, without: Callable[[str], bool]) -> Home:
    """A home with everything of `home` in the bucket, but without the newest week of some tables."""
    upload(store, home.path / "landing", "landing")
    for folder in (home.path / "lake").glob("*/week=*"):
        if not (folder.name == f"week={WEEK}" and without(folder.parent.name)):
            upload(store, folder, f"lake/{folder.parent.name}/{folder.name}")
    path.mkdir()
    shutil.copy(home.path / "landing.db", path)  # which of two files with the same order was landed last
    places = {
        "orders": 'landing = "s3a://shop/landing/orders"',
        "network": 'path = "s3://shop/landing/network"',
        "planning": 'path = "s3://shop/landing/planning/"',
        "lake": 'path = "s3a://shop/lake"',
        "reports": 'path = "s3://shop/reports"',
    }
    text = "".join(f"[{section}]\n{place}\n" for section, place in places.items())
    (path / "forecasting.toml").write_text(SETTINGS + text)
    return Home(path, home.known)


@pytest.mark.spark
def test_everything_is_in_a_bucket(home, store, tmp_path):
    there = moved(home, store, tmp_path / "home", _MADE.__contains__)
    week, new, plan = ["--from", str(WEEK), "--to", str(WEEK)], tmp_path / "new", tmp_path / "plan.csv"
    lines = home.lake.read_pandas(ALLOCATION_PLAN, [WEEK])
    line = lines.iloc[0]
    inquiry = ["--part", line["part_id"], "--region", line["region"], "--quantity", "1"]
    nobody, initialised, copied, made, resumed, stale, status, total, exported, tried, held, offline = run(
        [f"FORECASTING_HOME={new}"],
        ["init", "--orders", "s3://nobody/orders"],
        ["init", "--orders", "s3a://shop/orders", "--network", "s3://shop/landing/network"],
        [f"FORECASTING_HOME={there.path}"],
        ["stale"],
        ["materialize", *week, "--select", SOME],
        ["backfill", *week, "--resume"],
        ["stale"],
        ["status"],
        ["sql", f"SELECT round(sum(quantity)) AS units FROM allocation_plan WHERE week = '{WEEK}'"],
        ["export", "plan", "--to", str(plan)],
        ["what-if", "--week", str(WEEK), "--remove", line["manufacturer_id"]],
        ["promise", *inquiry, "--hold", "30"],
        [f"AWS_ENDPOINT_URL=http://127.0.0.1:{free_port()}"],
        ["status"],
    )
    assert (nobody.code, "check the name of the bucket" in nobody.text) == (2, True)
    assert (initialised.code, (new / "forecasting.toml").exists()) == (0, True)
    # What was copied is fresh; of the newest week only what is missing has to be made.
    assets = [text for text in copied.text.splitlines() if not text.startswith(" ")]
    assert all(text.endswith(f": 1 week, {WEEK}") for text in assets)
    assert copied.text.count(f"  missing ({WEEK})") == len(_MADE)
    assert made.code == 0, made.text
    assert (resumed.code, "every week is fresh" in resumed.text) == (0, True)
    assert (stale.text, status.code) == ("Nothing is out of date.\n", 0)
    assert f"{lines['quantity'].sum():,.0f}" in total.text
    assert (exported.code, len(pd.read_csv(plan))) == (0, len(lines))
    page = tried.text.rpartition("s3://shop/reports/")[2].strip()
    assert b"<!doctype html>" in read_file("s3://shop/reports", page)
    promises = held.text.rpartition("s3://shop/landing/planning/")[2].strip()
    assert promises in list_files("s3://shop/landing/planning")
    assert (offline.code, offline.text.count("\n")) == (2, 1)
    assert "check the network and the endpoint" in offline.text

    assert_same_lake(home, there, [WEEK], every_table(home))
    assert f"week={WEEK}/plan.html" in list_files("s3://shop/reports")
    assert {name for name in keys(store) if name.endswith("/") and "/_locks/" not in name} == set()
    assert {name.rpartition("/")[2] for name in keys(store, f"lake/raw_orders/week={WEEK}")} == {
        "data.parquet",
        "_record.json",
    }


@pytest.mark.spark
@pytest.mark.matrix
def test_a_killed_run_in_a_bucket_is_resumed_and_all_assets_are_those_of_a_disk(home, store, tmp_path):
    there, week = moved(home, store, tmp_path / "home", lambda table: True), span([WEEK])
    killed = Run(there, ["materialize", *week])
    killed.wait_for_step("feature_table")
    killed.kill(everything=True)
    resumed, stale = run([f"FORECASTING_HOME={there.path}"], ["backfill", *week, "--resume"], ["stale"])
    assert resumed.code == 0, resumed.text
    assert stale.text == "Nothing is out of date.\n"
    assert_same_lake(home, there, [WEEK], every_table(home))


@pytest.mark.spark
@pytest.mark.matrix
@pytest.mark.parametrize("spark", ["cluster", "Spark Connect"])
def test_other_machines_read_and_write_the_bucket(home, store, tmp_path, spark):
    there = moved(home, store, tmp_path / "home", _MADE.__contains__)
    week = ["--from", str(WEEK), "--to", str(WEEK)]
    with ExitStack() as servers:
        if spark == "cluster":
            master = servers.enter_context(
                cluster(SPARK_HOME, tmp_path, PYSPARK_PYTHON=sys.executable)
            ).master
            setting = f"FORECASTING__SPARK__MASTER={master}"
        else:
            remote = servers.enter_context(
                connect_server(SPARK_HOME, tmp_path, PYSPARK_PYTHON=sys.executable)
            )
            setting = f"FORECASTING__SPARK__REMOTE={remote}"
        (made,) = run(
            [f"FORECASTING_HOME={there.path}"],
            [setting],
            ['FORECASTING__SPARK__CONF={"spark.sql.shuffle.partitions": "4"}'],
            ["materialize", *week, "--select", SOME],
        )
    assert made.code == 0, made.text
    assert_same_lake(home, there, [WEEK], every_table(home))


def test_the_sensor_requests_weeks_whose_orders_arrive_in_a_bucket(store, tmp_path):
    text = '[calendar]\nfirst_week = 2024-03-04\n[orders]\nlanding = "s3://shop/orders"\n'
    (tmp_path / "forecasting.toml").write_text(text + '[lake]\npath = "s3://shop/lake"\n')
    zone = tmp_path / "landing" / "orders"  # by which `tick` finds the home
    first = tick(zone)
    assert weeks_asked(first) == []
    assert [str(week) for week in weeks_asked(tick(zone, first.cursor))] == ["2024-03-04", "2024-03-11"]
