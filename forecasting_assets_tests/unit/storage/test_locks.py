"""Locks between processes, on a disk and on an S3 server."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from forecasting_assets.storage import LockLostError, StoreError, exclusive_lock, put_object
from forecasting_assets_tests.support.object_store import keys
from forecasting_assets_tests.support.object_store import server as server
from forecasting_assets_tests.support.object_store import store as store

#: Seconds; the clock of a store has no fractions.
LEASE = 2.0
LAKE = "s3://shop/lake"
QUEUE = "lake/_locks/demand/"


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


@pytest.fixture
def before_put(monkeypatch):
    """Set what happens just before a lock puts a file: a function of its name and of the number of puts before."""
    happens: list[Callable[[str, int], None]] = []
    count = 0

    def put(filesystem, path, content) -> None:
        nonlocal count
        for function in happens:
            function(path.rpartition("/")[2], count)
        count += 1
        put_object(filesystem, path, content)

    monkeypatch.setattr("forecasting_assets.storage.locks.put_object", put)
    return happens.append


def queue(store) -> list[str]:
    return [key.removeprefix(QUEUE) for key in keys(store, QUEUE) if not key.endswith("/")]


def test_a_process_that_was_suspended_while_it_chose_goes_behind_who_came_meanwhile(store, before_put):
    other, waited = "000000000001-other", []

    def suspend(name: str, puts: int) -> None:
        if puts == 1:  # the ticket, after the file of choosing
            store.delete_object(Bucket="shop", Key=QUEUE + queue(store)[0])
            store.put_object(Bucket="shop", Key=QUEUE + other)

    def wait() -> None:
        waited.extend(queue(store))
        store.delete_object(Bucket="shop", Key=QUEUE + other)

    before_put(suspend)
    with exclusive_lock(LAKE, "demand", wait):
        assert [name.partition("-")[0] for name in waited] == ["000000000001", "000000000002"]
        assert queue(store) == waited[1:]
    assert queue(store) == []


def test_a_lock_is_lost_to_a_smaller_number(store):
    def lose_it() -> None:
        with exclusive_lock(LAKE, "demand", lease=LEASE):
            store.put_object(Bucket="shop", Key=f"{QUEUE}000000000000-other")
            time.sleep(0.5 * LEASE)

    with pytest.raises(LockLostError):
        lose_it()


def set_clock(monkeypatch, monotonic: Callable[[], float]) -> None:
    clock = SimpleNamespace(monotonic=monotonic, sleep=time.sleep)
    monkeypatch.setattr("forecasting_assets.storage.locks.time", clock)


def test_a_lock_is_lost_by_a_machine_that_is_suspended_before_it_puts_its_ticket_again(
    store, monkeypatch, before_put
):
    set_clock(monkeypatch, lambda: 0.0)  # the clock of a suspended machine stands still

    def suspend(name: str, puts: int) -> None:
        if puts == 2:
            time.sleep(2.1)
            store.delete_object(Bucket="shop", Key=QUEUE + name)

    before_put(suspend)
    with pytest.raises(LockLostError), exclusive_lock(LAKE, "demand", lease=1.0):
        time.sleep(0.5)
    assert queue(store) == []


def test_a_lock_is_lost_to_a_suspension_of_more_than_its_lease_without_putting_the_ticket_again(
    store, monkeypatch, before_put
):
    put = []
    before_put(lambda name, puts: put.append(name))
    with pytest.raises(LockLostError), exclusive_lock(LAKE, "demand", lease=1.0):
        set_clock(monkeypatch, lambda: time.monotonic() + 2.0)
    assert len(put) == 2


def test_a_lock_is_lost_to_any_error_of_its_renewal(store, before_put):
    def fail(name: str, puts: int) -> None:
        if puts == 2:
            raise RuntimeError("no thread left")

    before_put(fail)
    with pytest.raises(LockLostError) as caught, exclusive_lock(LAKE, "demand", lease=1.0):
        time.sleep(0.5)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_who_stops_waiting_leaves_the_queue(store):
    def cancel() -> None:
        raise KeyboardInterrupt

    store.put_object(Bucket="shop", Key=f"{QUEUE}000000000001-other")
    with pytest.raises(KeyboardInterrupt), exclusive_lock(LAKE, "demand", cancel):
        pass
    assert queue(store) == ["000000000001-other"]


def test_who_fails_to_take_a_ticket_leaves_the_queue(store, before_put):
    def fail(name: str, puts: int) -> None:
        if puts == 1:  # the ticket, after the file of choosing
            raise OSError("AWS Error NETWORK_CONNECTION")

    before_put(fail)
    with pytest.raises(StoreError), exclusive_lock(LAKE, "demand"):
        pass
    assert queue(store) == []
