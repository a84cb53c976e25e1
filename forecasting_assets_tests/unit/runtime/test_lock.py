"""Locks between processes."""

import multiprocessing
from pathlib import Path

from forecasting_assets.runtime.lock import exclusive_lock


def hold(home: Path, held, release) -> None:
    with exclusive_lock(home, "demand"):
        held.set()
        release.wait(60)


def test_the_second_process_reports_that_it_waits_and_continues_when_the_first_ends(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    held, release, reports = spawn.Event(), spawn.Event(), []
    first = spawn.Process(target=hold, args=(tmp_path, held, release))
    first.start()
    assert held.wait(60)

    def waiting() -> None:
        reports.append("waiting")
        release.set()

    with exclusive_lock(tmp_path, "forecast", waiting):
        assert reports == []
    with exclusive_lock(tmp_path, "demand", waiting):
        assert reports == ["waiting"]
    first.join(60)
    assert first.exitcode == 0
