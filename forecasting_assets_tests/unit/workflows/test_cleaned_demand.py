"""What models leave out of demand, and forecasts of markets, from a lake into the lake."""

from datetime import timedelta

import pandas as pd
import pytest

from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import CLEANED_POINTS, MARKET, MARKET_FORECAST, ORDER_BOOK, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows import cleaned_demand
from forecasting_assets.workflows.cleaned_demand import write_cleaned_demand
from forecasting_assets_tests.support.market import FIRST, market

WEEKS = weeks_between(FIRST, add_weeks(FIRST, 89))
LAST = WEEKS[-1]
FITTED = add_weeks(LAST, -3)
DEMAND = market(len(WEEKS)).assign(order_count=1, unit_price=1.0)
ORIGINS = {FITTED: [FITTED, add_weeks(LAST, -1), LAST]}


@pytest.fixture
def home(tmp_path):
    """Settings and the lake of a home with demand and an empty order book."""
    (tmp_path / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {FIRST}\nhorizon_weeks = 4\n")
    (tmp_path / "landing" / "planning").mkdir(parents=True)
    lake = Lake(str(tmp_path / "lake"))
    write_demand(lake, DEMAND)
    nothing = DEMAND[:0].assign(due_week=pd.Timestamp(LAST))
    for week in WEEKS:
        lake.write_pandas(nothing, ORDER_BOOK, week)
    return load_settings(tmp_path), lake


def write_demand(lake, demand):
    for week in WEEKS:
        lake.write_pandas(demand[demand["week"] == str(week)], WEEKLY_DEMAND, week)


def enter(settings, text):
    (settings.home / "landing" / "planning" / "demand_corrections.csv").write_text(
        f"part_id,region,week,action,entered\n{text}\n"
    )


def written(lake, week):
    forecast = lake.read_pandas(MARKET_FORECAST, [week]).drop(columns="week")
    return lake.read_pandas(CLEANED_POINTS, [week]), forecast.sort_values(
        [*MARKET, "horizon"], ignore_index=True
    )


def test_several_groups_of_parts_give_the_same(home, monkeypatch):
    settings, lake = home
    enter(settings, f"P00,R0,{add_weeks(LAST, -20)},exclude,{add_weeks(LAST, -10)}")
    write_cleaned_demand(settings, lake, ORIGINS)
    points, forecast = written(lake, LAST)
    assert points["reason"].tolist() == ["excluded"]
    assert len(forecast) == 4 * DEMAND.groupby(MARKET).ngroups
    monkeypatch.setattr(cleaned_demand, "_ROWS_AT_ONCE", len(DEMAND) // 3)
    write_cleaned_demand(settings, lake, ORIGINS)
    for before, now in zip((points, forecast), written(lake, LAST), strict=True):
        pd.testing.assert_frame_equal(now, before, rtol=1e-9)


def test_a_correction_counts_from_the_week_it_is_entered_in_and_a_range_is_as_its_weeks(home):
    settings, lake = home
    write_cleaned_demand(settings, lake, ORIGINS)
    before = {week: written(lake, week)[1] for week in ORIGINS[FITTED]}
    cells = [f"P04,R0,{add_weeks(LAST, -n)},exclude,{LAST + timedelta(days=2)}" for n in range(4, 9)]
    enter(settings, "\n".join(cells))
    counts = write_cleaned_demand(settings, lake, ORIGINS)
    assert [of_week["left_out/excluded"] for of_week in counts.values()] == [0, 0, 5]
    now = {week: written(lake, week)[1] for week in ORIGINS[FITTED]}
    for week in ORIGINS[FITTED][:2]:
        pd.testing.assert_frame_equal(now[week], before[week], rtol=1e-9)
    assert not now[LAST]["mean"].equals(before[LAST]["mean"])
    write_cleaned_demand(settings, lake, {FITTED: [LAST]})
    pd.testing.assert_frame_equal(written(lake, LAST)[1], now[LAST], rtol=1e-9)


def test_a_part_counts_with_all_of_its_demand_where_it_was_ordered_last(home):
    settings, lake = home
    of_part = DEMAND["part_id"] == "P04"

    def forecast(since, category_of_book):
        """Forecast with an order that is still open and the category of the part since a week."""
        moved = of_part & (DEMAND["week"] >= str(since))
        write_demand(lake, DEMAND.assign(part_category=DEMAND["part_category"].where(~moved, "new")))
        book = DEMAND[of_part & (DEMAND["week"] == str(FITTED))].assign(part_category=category_of_book)
        book = book.assign(due_week=pd.Timestamp(add_weeks(LAST, -1)), quantity=1e4)
        lake.write_pandas(book, ORDER_BOOK, FITTED)
        write_cleaned_demand(settings, lake, {FITTED: [FITTED]})
        return written(lake, FITTED)[1]

    found = forecast(FITTED, "C0")
    assert set(found.loc[found["q05"] >= 1e4, "part_category"]) == {"new"}
    pd.testing.assert_frame_equal(found, forecast(FIRST, "new"), rtol=1e-9)


def test_a_home_whose_history_begins_later_has_no_rows(home):
    settings, lake = home
    write_demand(lake, DEMAND[:0])
    assert write_cleaned_demand(settings, lake, {FITTED: [LAST]}) == {
        LAST: {"left_out/outlier": 0, "left_out/interruption": 0, "left_out/excluded": 0}
    }
    assert all(table.empty for table in written(lake, LAST))
