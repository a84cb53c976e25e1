"""Errors cross process boundaries: weeks are made and checked in other processes."""

import importlib
import pickle
import pkgutil
from datetime import date

import pytest

import forecasting_assets
from forecasting_assets.errors import PicklableError
from forecasting_assets.lake.files import DamagedWeekError, MissingWeeksError
from forecasting_assets.storage import StoreError
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.weeks import WeekError
from forecasting_assets.workflows.parallel import each_week

WEEK = date(2025, 3, 10)
#: Modules that start something when they are imported.
LEFT_OUT = (
    "forecasting_assets.definitions",
    "forecasting_assets.__main__",
    "forecasting_assets.tracking.pyfunc.",
)


def error_classes() -> list[type[Exception]]:
    classes = set()
    for module in pkgutil.walk_packages(forecasting_assets.__path__, "forecasting_assets."):
        if not module.name.startswith(LEFT_OUT):
            for value in vars(importlib.import_module(module.name)).values():
                if (
                    isinstance(value, type)
                    and issubclass(value, Exception)
                    and value.__module__ == module.name
                ):
                    classes.add(value)
    return sorted(classes, key=lambda cls: (cls.__name__, cls.__module__))


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_error_can_be_sent_to_another_process(cls):
    error = cls.__new__(cls, "the message")
    error.__dict__.update(week=WEEK)
    received = pickle.loads(pickle.dumps(error))
    assert type(received) is cls
    assert str(received) == "the message"
    assert vars(received) == {"week": WEEK}


def test_the_classes_are_found():
    assert len(error_classes()) > 15
    assert {DamagedWeekError, PicklableError, StoreError} <= set(error_classes())


@pytest.mark.parametrize(
    "error",
    [
        DamagedWeekError("weekly_demand", WEEK, "data.parquet", "checksum"),
        MissingWeeksError(WEEKLY_DEMAND, [WEEK]),
        StoreError("s3://orders", "missing", "create the bucket", "NoSuchBucket"),
        WeekError("W11", "'W11' is not a valid week"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_message_and_attributes_are_kept(error):
    received = pickle.loads(pickle.dumps(error))
    assert str(received) == str(error)
    assert vars(received) == vars(error)
    assert vars(error)


def fail(week):
    raise DamagedWeekError("weekly_demand", week, "data.parquet", "checksum")


def test_a_week_that_fails_in_another_process_fails_with_its_own_error(monkeypatch):
    monkeypatch.setattr("forecasting_assets.workflows.parallel._worthwhile", lambda durations, left: True)
    for _ in range(2):  # the processes still work after the error
        with pytest.raises(DamagedWeekError) as caught:
            list(each_week(fail, [WEEK], [(WEEK,)]))
        assert caught.value.week == WEEK
