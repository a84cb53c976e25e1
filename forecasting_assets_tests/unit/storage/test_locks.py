"""Locks between processes, on a disk and on an S3 server."""

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from forecasting_assets.storage import LockLostError, exclusive_lock
from forecasting_assets_tests.support.object_store import keys
from forecasting_assets_tests.support.object_store import server as server
from forecasting_assets_tests.support.object_store import store as store

#: Seconds; the clock of a store has no fractions.
LEASE = 2.0
LAKE = "s3://shop/lake"


def hold(folder: str, held, release) -> None:
    with exclusive_lock(folder, "demand", lease=LEASE):
        held.set()
        release.wait(60)


@pytest.fixture(params=["disk", "store"])
def lake(request, tmp_path) -> str:
    if request.param == "store":
        request.getfixturevalue("store")
        return LAKE
    return str(tmp_path)


def test_the_second_process_reports_that_it_waits_and_continues_when_the_first_ends(lake):
    spawn = multiprocessing.get_context("spawn")
    held, release, reports = spawn.Event(), spawn.Event(), []
    first = spawn.Process(target=hold, args=(lake, held, release))
    first.start()
    assert held.wait(60)

    def waiting() -> None:
        reports.append("waiting")
        release.set()

    with exclusive_lock(lake, "forecast", waiting):
        assert reports == []
    with exclusive_lock(lake, "demand", waiting):
        assert reports == ["waiting"]
    first.join(60)
    assert first.exitcode == 0


def test_what_a_killed_process_holds_is_free_after_its_lease_and_not_before(store):
    spawn = multiprocessing.get_context("spawn")
    held, never = spawn.Event(), spawn.Event()
    first = spawn.Process(target=hold, args=(LAKE, held, never))
    first.start()
    assert held.wait(60)
    waited_for = threading.Event()

    def wait_for_it() -> None:
        with exclusive_lock(LAKE, "demand", waited_for.set, lease=LEASE):
            pass

    second = threading.Thread(target=wait_for_it)
    second.start()
    assert waited_for.wait(60)
    second.join(1.5 * LEASE)
    assert second.is_alive()  # the first renews its lease
    first.kill()
    second.join(60)
    assert not second.is_alive()
    assert [key for key in keys(store, "lake/_locks/demand/") if not key.endswith("/")] == []


def test_of_many_one_at_a_time_holds_it(store, monkeypatch):
    monkeypatch.setattr("forecasting_assets.storage.locks._PAUSE", 0.02)
    inside, most, turns = 0, 0, 0

    def work(_: int) -> None:
        nonlocal inside, most, turns
        with exclusive_lock(LAKE, "demand"):
            inside += 1
            most = max(most, inside)
            before = turns
            time.sleep(0.02)
            turns = before + 1  # a second one inside would count from the same number
            inside -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert (most, turns) == (1, 12)


def test_a_lock_that_was_taken_over_is_an_error_of_its_holder(store):
    def lose_it() -> None:
        with exclusive_lock(LAKE, "demand", lease=1.0):
            (ticket,) = keys(store, "lake/_locks/demand/0")
            store.delete_object(Bucket="shop", Key=ticket)
            time.sleep(1.0)

    with pytest.raises(LockLostError) as caught:
        lose_it()
    assert caught.value.lock == f"{LAKE}/_locks/demand"
