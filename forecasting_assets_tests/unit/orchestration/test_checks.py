"""Every check passes what is right and fails what is wrong."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.forecasting.checks import check_beats_naive, check_forecast
from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.checks.orders import gather_volumes
from forecasting_assets.orders.checks import (
    check_calendar,
    check_conservation,
    check_dates,
    check_due_dates,
    check_not_due,
    check_present,
    check_unique,
    check_volume,
)
from forecasting_assets.orders.quality import CleanStatistics
from forecasting_assets.tables import DEMAND_FORECAST, ORDER_BOOK, QUANTILES, WEEKLY_DEMAND
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.weeks import add_weeks

WEEK = date(2025, 3, 10)
MONDAY = datetime(2025, 3, 10, tzinfo=UTC)


def statistics(**changes) -> CleanStatistics:
    inside = {"earliest": MONDAY, "latest": MONDAY + timedelta(days=7, microseconds=-1)}
    return CleanStatistics(
        **{"rows": 10, "lines": 10, "broken": 0, "due_before_ordered": 0, "due_example": None}
        | inside
        | changes
    )


def test_conservation():
    assert check_conservation(10, 7, 3).passed
    assert "1 row lost" in check_conservation(10, 7, 2).description
    assert not check_conservation(10, 8, 3).passed


def test_unique():
    assert check_unique(statistics()).passed
    assert check_unique(None).passed
    assert not check_unique(statistics(lines=9)).passed


def test_dates():
    assert check_dates(statistics(), WEEK).passed
    assert not check_dates(statistics(latest=MONDAY + timedelta(days=7)), WEEK).passed
    assert not check_dates(statistics(earliest=MONDAY - timedelta(hours=1)), WEEK).passed


def test_present():
    assert check_present(statistics()).passed
    assert not check_present(statistics(broken=1)).passed


def test_due_dates():
    assert check_due_dates(statistics()).passed
    assert check_due_dates(None).passed
    finding = check_due_dates(statistics(due_before_ordered=3))
    assert (finding.passed, finding.metadata) == (False, {"order_lines": 3})


def test_not_due():
    book = pd.DataFrame({"due_week": pd.to_datetime(["2025-03-17", "2025-03-24"]), "quantity": [2.0, 3.0]})
    assert check_not_due(book, WEEK).passed
    finding = check_not_due(book, date(2025, 3, 17))
    assert (finding.passed, finding.metadata) == (False, {"units": 2.0})


def volumes(*units) -> pd.Series:
    weeks = pd.date_range(end=pd.Timestamp(WEEK), periods=len(units), freq="7D")
    return pd.Series(units, index=weeks, dtype=float)


def test_volume():
    usual = [100, 110, 90, 105, 95, 100, 102, 98, 101, 99]
    assert check_volume(volumes(*usual, 104), WEEK, 4.0).passed
    assert not check_volume(volumes(*usual, 300), WEEK, 4.0).passed
    assert not check_volume(volumes(*usual, 0), WEEK, 4.0).passed
    # One outlier of the past does not hide the next, as it would in a standard deviation.
    assert not check_volume(volumes(*usual, 10_000, 300), WEEK, 4.0).passed
    assert check_volume(volumes(1, 2, 1000), WEEK, 4.0).passed  # too little history to judge


@pytest.fixture
def forecast() -> pd.DataFrame:
    horizons = np.arange(1, 5)
    rows = pd.DataFrame(
        {
            "part_id": "p",
            "region": "r",
            "origin_week": pd.Timestamp(WEEK),
            "target_week": pd.Timestamp(WEEK) + pd.to_timedelta(7 * horizons, unit="D"),
            "horizon": horizons,
            "mean": 5.0,
        }
    )
    return rows.assign(**{name: 10 * level for name, level in QUANTILES.items()})


ALIVE = pd.DataFrame({"part_id": ["p"], "region": ["r"]})


def test_a_forecast_that_is_whole(forecast):
    assert check_forecast(forecast, ALIVE, DEMAND_FORECAST, 4).passed
    assert check_forecast(forecast.head(0), ALIVE.head(0), DEMAND_FORECAST, 4).passed


@pytest.mark.parametrize(
    "broken",
    [
        lambda f: f.drop(index=2),
        lambda f: f.head(0),
        lambda f: f.assign(mean=np.inf),
        lambda f: f.assign(q50=np.nan),
        lambda f: f.assign(mean=-1.0),
        lambda f: f.assign(q25=f["q75"] + 1),
        lambda f: pd.concat([f, f.head(1)]),
        lambda f: f.drop(columns="q05"),
        lambda f: f.assign(horizon=f["horizon"] + 1),
    ],
)
def test_a_forecast_that_is_not(forecast, broken):
    assert not check_forecast(broken(forecast), ALIVE, DEMAND_FORECAST, 4).passed


def report(**wape) -> pd.DataFrame:
    rows = [(model, "all", 0, "wape", value) for model, value in wape.items()]
    return pd.DataFrame(rows, columns=["model", "segment", "horizon", "metric", "value"])


def test_beats_naive():
    assert check_beats_naive(report(combined=0.3, seasonal_naive=0.4)).passed
    assert not check_beats_naive(report(combined=0.4, seasonal_naive=0.4)).passed
    assert check_beats_naive(report()).passed


def test_contract():
    good = pd.DataFrame(
        {
            "part_id": ["p", "q"],
            "part_category": "c",
            "region": "r",
            "quantity": 1.0,
            "order_count": 1,
            "unit_price": 2.0,
        }
    )
    assert check_contract(good, WEEKLY_DEMAND).passed
    for bad in (
        good.drop(columns="region"),
        good.assign(region=None),
        good.assign(part_id="p"),
        good.assign(unit_price=np.inf),
        good.assign(quantity=0.0),
    ):
        assert not check_contract(bad, WEEKLY_DEMAND).passed


def test_orders_of_weeks_that_no_partition_holds_are_named():
    first = date(2024, 1, 1)
    assert check_calendar({}, first, "").passed
    strays = {date(1970, 1, 5): ["a.csv"], date(2205, 3, 4): ["a.csv", "b.csv"]}
    found = check_calendar(strays, first, "1970-01-05, 2205-03-04")
    assert not found.passed
    assert "a.csv, b.csv: orders of 1970-01-05, 2205-03-04" in found.description


def test_names_of_a_week_are_those_up_to_it_and_of_the_order_book_whatever_the_run(tmp_path):
    lake, following = Lake(path=str(tmp_path)), add_weeks(WEEK, 1)
    row = {"part_id": ["Bolt"], "part_category": "c", "region": "Süd", "quantity": 1.0, "order_count": 1}
    demand = pd.DataFrame(row).assign(unit_price=1.0)
    lake.write_pandas(demand, WEEKLY_DEMAND, WEEK)
    lake.write_pandas(demand.assign(part_id="BOLT"), WEEKLY_DEMAND, following)
    book = demand.assign(region="SÜD", due_week=pd.Timestamp(add_weeks(WEEK, 9)))
    lake.write_pandas(book, ORDER_BOOK, WEEK)
    for weeks in ([WEEK], [WEEK, following]):
        names = gather_volumes(weeks, lake)[WEEK][1]
        assert (names["part_id"], names["region"]) == (["Bolt"], ["Süd"])
    names = gather_volumes([following], lake)[following][1]
    assert (names["part_id"], names["region"]) == (["BOLT", "Bolt"], ["SÜD", "Süd"])
