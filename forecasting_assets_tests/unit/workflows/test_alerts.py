"""What people are told of."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.lake.records import UNCHECKED, Failure
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import ALLOCATION_PLAN, CLEAN_ORDERS, RAW_ORDERS
from forecasting_assets.workflows.alerts import find_alerts
from forecasting_assets_tests.support.sensor import W1, W2, made
from forecasting_assets_tests.support.sensor import zone as zone

MORNING = datetime(2024, 3, 18, 11, 59, tzinfo=UTC)
NOON = datetime(2024, 3, 18, 12, tzinfo=UTC)


@pytest.fixture
def home(zone):
    """A home in which two weeks are planned: W1 and W2, which closes on 2024-03-18."""
    made(zone, [W1, W2], RAW_ORDERS, CLEAN_ORDERS, ALLOCATION_PLAN)
    return zone.parents[1]


def change(home, asset, week, **values) -> None:
    freshness = freshness_of(load_settings(home))
    freshness.keep(asset, week, replace(freshness.record(asset, week), **values))


def alerts(home, now=MORNING):
    return find_alerts(freshness_of(load_settings(home)), now)


def test_nothing_is_told_where_all_is_well(home):
    assert alerts(home, NOON) == []


def test_a_failed_run_is_one_message_about_its_cause(home):
    for week in (W1, W2):
        change(home, "raw_orders", week, failure=Failure("run-1", "a.csv is damaged"))
        change(home, "clean_orders", week, failure=Failure("run-1", "raw_orders failed in this run"))
    (alert,) = alerts(home)
    assert alert.path == "/runs/run-1"
    assert alert.title == "raw_orders failed for 2024-03-04 to 2024-03-11"
    assert alert.text == "a.csv is damaged\nNot made because of it: clean_orders."


def test_a_failed_check_holds_back_once_it_has_looked(home):
    change(home, "clean_orders", W2, failed_checks={"unique_orders": UNCHECKED})
    assert alerts(home) == []
    change(home, "clean_orders", W2, failed_checks={"unique_orders": "5 lines count twice"})
    (alert,) = alerts(home)
    assert "unique_orders" in alert.title
    assert alert.text.startswith("5 lines count twice")
    assert "override_checks=clean_orders/unique_orders" in alert.text


def test_a_plan_is_missing_from_monday_noon(zone):
    made(zone, [W1], ALLOCATION_PLAN)
    assert alerts(zone.parents[1], MORNING) == []
    (alert,) = alerts(zone.parents[1], NOON)
    assert alert.title == f"There is no plan of the week of {W2}"


def test_a_home_without_any_plan_is_not_late(zone):
    assert alerts(zone.parents[1], NOON) == []
