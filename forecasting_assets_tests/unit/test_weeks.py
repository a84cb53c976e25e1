from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.weeks import (
    EPOCH_WEEK,
    WeekError,
    add_weeks,
    add_weeks_to_all,
    are_weeks,
    contiguous,
    days_of,
    newest_closed_week,
    parse_week,
    refit_week,
    week_index,
    week_of,
    week_of_year,
    weeks_apart,
    weeks_between,
    weeks_of,
    weeks_since,
)

days = st.dates(date(1971, 1, 1), date(2199, 12, 31))


@given(days)
def test_a_week_is_named_by_its_monday(day):
    week = week_of(day)
    assert week.weekday() == 0
    assert 0 <= (day - week).days < 7
    assert parse_week(str(week)) == week


@given(days, st.integers(1, 26))
def test_refit_weeks_do_not_depend_on_the_range(day, every):
    week = week_of(day)
    refit = refit_week(week, every)
    assert add_weeks(week, -every) < refit <= week
    assert week_index(refit) % every == 0


def test_the_newest_closed_week_ends_on_sunday_midnight_utc():
    assert newest_closed_week(datetime(2025, 3, 9, 23, 59, tzinfo=UTC)) == date(2025, 2, 24)
    assert newest_closed_week(datetime(2025, 3, 10, 0, 0, tzinfo=UTC)) == date(2025, 3, 3)


def test_the_clock_of_another_time_zone_does_not_close_a_week():
    from zoneinfo import ZoneInfo

    monday_in_tokyo = datetime(2025, 3, 10, 8, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert newest_closed_week(monday_in_tokyo) == date(2025, 2, 24)


@pytest.mark.parametrize(("key", "remedy"), [("2025-03-11", "use 2025-03-10"), ("W11", "YYYY-MM-DD")])
def test_an_invalid_key_is_rejected_with_a_remedy(key, remedy):
    with pytest.raises(WeekError, match=remedy) as caught:
        parse_week(key)
    assert caught.value.key == key


def test_contiguous_weeks_become_runs():
    weeks = [*weeks_between(date(2025, 1, 6), date(2025, 1, 20)), date(2025, 3, 3)]
    assert contiguous(reversed(weeks)) == [
        (date(2025, 1, 6), date(2025, 1, 20)),
        (date(2025, 3, 3), date(2025, 3, 3)),
    ]
    assert weeks_between(date(2025, 1, 13), date(2025, 1, 6)) == []


def test_the_days_of_a_week_begin_on_monday():
    assert days_of(date(2024, 12, 30))[0] == date(2024, 12, 30)
    assert days_of(date(2024, 12, 30))[-1] == date(2025, 1, 5)
    assert week_of_year(date(2024, 12, 30)) == 1


@given(st.lists(days, max_size=5), days, st.integers(-300, 300))
def test_array_functions_agree_with_those_of_single_dates(some, first, n):
    first = week_of(first)
    array = np.array(some, dtype="datetime64[D]")
    assert weeks_of(array).tolist() == [week_of(day) for day in some]
    assert weeks_since(first, array).tolist() == [weeks_apart(first, day) for day in some]
    assert weeks_since(array, array).tolist() == [0] * len(some)
    assert are_weeks(array).tolist() == [day.weekday() == 0 for day in some]
    shifted = add_weeks_to_all(array, np.full(len(some), n))
    assert shifted.tolist() == [add_weeks(day, n) for day in some]
    frame = pd.Series(array).astype("datetime64[ns]")
    assert weeks_since(pd.Timestamp(first), frame).tolist() == weeks_since(first, array).tolist()


def test_a_time_after_midnight_and_a_missing_date_are_not_weeks():
    times = pd.Series([pd.Timestamp(EPOCH_WEEK), pd.Timestamp(1970, 1, 5, 10), pd.NaT])
    assert are_weeks(times).tolist() == [True, False, False]


def test_the_week_of_a_missing_day_is_missing():
    found = weeks_of(np.array(["2026-11-29", "NaT", "1960-01-03"], dtype="datetime64[D]"))
    assert found[[0, 2]].astype(str).tolist() == ["2026-11-23", "1959-12-28"]
    assert np.isnat(found[1])
