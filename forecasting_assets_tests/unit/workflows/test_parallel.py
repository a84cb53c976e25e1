"""Weeks worked on side by side: in order, and by other processes only where that pays."""

import os
from datetime import date

from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows import parallel
from forecasting_assets.workflows.parallel import each_week

WEEKS = weeks_between(date(2024, 3, 4), add_weeks(date(2024, 3, 4), 9))


def worker(number: int) -> tuple[int, int]:
    return number, os.getpid()


def shared_out(in_turn: bool = False) -> set[int]:
    done = list(each_week(worker, WEEKS, ((i,) for i in range(len(WEEKS))), in_turn))
    assert [(week, number) for week, (number, _) in done] == [(week, i) for i, week in enumerate(WEEKS)]
    return {process for _, (_, process) in done}


def test_quick_weeks_start_no_process():
    assert shared_out() == {os.getpid()}


def test_long_weeks_are_shared_out_in_order(monkeypatch):
    monkeypatch.setattr(parallel, "_START_UP", 0.0)
    monkeypatch.setattr(parallel, "_STARTED", 0.0)
    assert len(shared_out()) > 1
    assert shared_out(in_turn=True) == {os.getpid()}


def test_arguments_are_made_here_and_only_once_they_are_needed():
    made = []

    def arguments():
        for week in WEEKS:
            made.append(week)
            yield (os.getpid(),)

    results = each_week(worker, WEEKS, arguments())
    assert next(results) == (WEEKS[0], (os.getpid(), os.getpid()))
    assert made == WEEKS[:1]
    assert [week for week, _ in results] == WEEKS[1:]
    assert made == WEEKS
