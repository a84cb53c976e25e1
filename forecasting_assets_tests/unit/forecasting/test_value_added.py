"""Whether overrides helped, beside a count that goes row by row."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.forecasting.backtest import PastForecasts, rolling_backtest
from forecasting_assets.forecasting.forecast_arrays import LEVELS, forecast_table
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.value_added import JudgedOverrides
from forecasting_assets.reporting import backtest_html
from forecasting_assets.reporting.backtest_tables import value_of_overrides
from forecasting_assets.reporting.formats import Money
from forecasting_assets.tables import BACKTEST_REPORT, FORECAST_OVERRIDES
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets_tests.support.market import FIRST, market
from forecasting_assets_tests.unit.reporting import factories

HISTORY = market(weeks=60)
HORIZON = 3
SETTINGS = ForecastingSettings(backtest_weeks=6)
ORIGINS = weeks_between(add_weeks(FIRST, 40), add_weeks(FIRST, 59))
#: Series that had orders before the first origin.
SERIES = HISTORY.loc[
    HISTORY["week"] < str(ORIGINS[0]), ["part_id", "part_category", "region"]
].drop_duplicates(["part_id", "region"])
WEEK = ORIGINS[-1]


def forecasts(model, origin):
    """Both models forecast the same, so that the combined forecast is theirs."""
    if origin not in ORIGINS:
        return None
    level = 10.0 + np.arange(len(SERIES))[:, None] + np.arange(HORIZON)
    values = level[..., None] * np.array([1.0, *(0.5 + LEVELS)])
    table = forecast_table(SERIES, np.full(len(SERIES), np.datetime64(origin)), values)
    return table.assign(without_covariates=np.nan)


def override(**values):
    week_from, week_to = pd.Timestamp(add_weeks(WEEK, -4)), pd.Timestamp(add_weeks(WEEK, -1))
    entered = pd.Timestamp(add_weeks(WEEK, -6))
    row = dict.fromkeys(FORECAST_OVERRIDES.names) | {"week_from": week_from, "week_to": week_to}
    return row | {"entered": entered, "author": "Ann", "reason": "fair", "factor": 2.0} | values


def table(*overrides):
    rows = pd.DataFrame(overrides, columns=FORECAST_OVERRIDES.names)
    return rows.astype({"quantity": float, "factor": float})


def reports(overrides, weeks=(WEEK,)):
    past = PastForecasts(("sarimax", "xgb"), forecasts, lambda origin: None, overrides=overrides)
    results = rolling_backtest(list(weeks), past, HISTORY, HORIZON, SETTINGS)
    return {week: result.report for week, result in results.items()}


def added(report):
    rows = report[report["model"] == "override"]
    return rows.set_index(["segment", "metric"])["value"].to_dict()


def by_hand(factor, covered, entered, week=WEEK):
    """Value added and rows touched by one factor, over the origins and horizons that count for `week`."""
    totals: dict[tuple[date, date], tuple[float, float]] = {}
    touched = 0
    actual = HISTORY.set_index(["part_id", "region", "week"])["quantity"]
    for origin in weeks_between(add_weeks(week, -SETTINGS.backtest_weeks), add_weeks(week, -1)):
        if pd.Timestamp(origin) + timedelta(days=6) < entered:
            continue
        for row in forecasts("xgb", origin).itertuples():
            target = row.target_week.date()
            if target > week or not add_weeks(WEEK, -4) <= target <= add_weeks(WEEK, -1) or not covered(row):
                continue
            units = actual.get((row.part_id, row.region, row.target_week), 0.0)
            forecast, ordered = totals.get((origin, target), (0.0, 0.0))
            totals[origin, target] = forecast + row.mean, ordered + units
            touched += 1
    value = sum(abs(before - ordered) - abs(factor * before - ordered) for before, ordered in totals.values())
    return value, touched


def test_the_error_that_an_override_removed_is_counted_by_author_and_reason():
    part = SERIES["part_id"].iloc[0]
    late = pd.Timestamp(add_weeks(WEEK, -3))
    rows = table(
        override(factor=1.3), override(part_id=part, factor=0.5, author="Bo", reason=None, entered=late)
    )
    report = reports(rows)[WEEK]
    found = added(report)
    value, touched = by_hand(0.5, lambda row: row.part_id == part, late)
    assert touched > 0
    assert found["Bo: no reason", "value_added"] == pytest.approx(value)
    assert found["Bo: no reason", "touched_rows"] == touched
    # Of Ann's the rows that the newer override has taken do not count, from the origin on that knew of it.
    early = pd.Timestamp(add_weeks(WEEK, -6))
    value, touched = by_hand(
        1.3, lambda row: row.part_id != part or row.origin_week + timedelta(days=6) < late, early
    )
    assert found["Ann: fair", "touched_rows"] == touched
    assert found["Ann: fair", "value_added"] == pytest.approx(value)
    assert check_contract(report, BACKTEST_REPORT).passed
    page = backtest_html(WEEK, factories.judged(report), Money())
    assert "Value added by overrides" in page
    assert "Bo: no reason" in page


def test_without_overrides_in_closed_weeks_the_report_is_the_same():
    plain = reports(table())[WEEK]
    coming = override(week_from=pd.Timestamp(add_weeks(WEEK, 1)), week_to=pd.Timestamp(add_weeks(WEEK, 2)))
    unknown = override(entered=pd.Timestamp(WEEK))
    pd.testing.assert_frame_equal(reports(table(coming, unknown))[WEEK], plain)
    assert value_of_overrides(plain).rows == []


def test_a_report_is_the_same_alone_and_in_a_range():
    rows = table(
        override(), override(quantity=90.0, factor=None, region=SERIES["region"].iloc[0], author="Bo")
    )
    weeks = weeks_between(add_weeks(WEEK, -2), WEEK)
    together = reports(rows, weeks)
    assert added(together[WEEK])
    for week in weeks:
        pd.testing.assert_frame_equal(reports(rows, [week])[week], together[week], rtol=1e-9)


def test_a_cut_of_rarely_ordered_parts_to_nothing_removes_no_error():
    rng, origin = np.random.default_rng(0), date(2024, 1, 1)
    demand = rng.poisson(1.0, (1000, 1)).astype(float)
    series = pd.DataFrame(
        {"part_id": [f"P{i}" for i in range(1000)], "part_category": "bolts", "region": "EU"}
    )
    cut = override(
        factor=0.0,
        week_from=pd.Timestamp(add_weeks(origin, 1)),
        week_to=pd.Timestamp(add_weeks(origin, 1)),
        entered=pd.Timestamp(origin),
    )
    sums = JudgedOverrides.of(table(cut)).sums(np.ones((1000, 1)), demand, series, origin)
    value, touched = sums[0, 0]
    assert value == pytest.approx(abs(1000 - demand.sum()) - demand.sum())
    assert touched == 1000
