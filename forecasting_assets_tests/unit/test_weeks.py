from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.weeks import (
    add_weeks,
    contiguous,
    newest_closed_week,
    parse_week,
    refit_week,
    week_index,
    week_of,
    weeks_between,
)

days = st.dates(date(1971, 1, 1), date(2199, 12, 31))


@given(days)
def test_a_week_is_named_by_its_monday(day):
    week = week_of(day)
    assert week.weekday() == 0
    assert 0 <= (day - week).days < 7
    assert parse_week(str(week)) == week


@given(days, st.integers(1, 26))
def test_refit_weeks_are_the_same_however_a_range_is_cut(day, every):
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


@pytest.mark.parametrize(("key", "said"), [("2025-03-11", "use 2025-03-10"), ("W11", "YYYY-MM-DD")])
def test_what_is_no_monday_is_refused_with_the_remedy(key, said):
    with pytest.raises(ValueError, match=said):
        parse_week(key)


def test_contiguous_weeks_become_runs():
    weeks = [*weeks_between(date(2025, 1, 6), date(2025, 1, 20)), date(2025, 3, 3)]
    assert contiguous(reversed(weeks)) == [
        (date(2025, 1, 6), date(2025, 1, 20)),
        (date(2025, 3, 3), date(2025, 3, 3)),
    ]
    assert weeks_between(date(2025, 1, 13), date(2025, 1, 6)) == []
