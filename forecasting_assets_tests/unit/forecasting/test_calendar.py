from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.features.calendar import CALENDAR_COLUMNS, calendar_features
from forecasting_assets.weeks import week_of


def test_holidays_are_counted_over_week_and_countries():
    christmas, plain = date(2023, 12, 25), date(2023, 3, 6)
    table = calendar_features([christmas, plain, plain], ("US", "DE"))
    assert list(table.columns) == ["week", *CALENDAR_COLUMNS]
    assert table["week"].tolist() == [pd.Timestamp(plain), pd.Timestamp(christmas)]
    # Christmas Day in both and 26 December in Germany; New Year's Day is in the next week.
    assert table["holidays"].tolist() == [0, 3]
    assert calendar_features([christmas])["holidays"].tolist() == [0]


def test_a_country_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="'XX'"):
        calendar_features([date(2023, 3, 6)], ("XX",))


@given(st.dates(date(2000, 1, 3), date(2050, 1, 1)))
def test_the_season_comes_back_after_a_year(day):
    week = week_of(day)
    later = week_of(date(week.year + 1, week.month, min(week.day, 28)))
    table = calendar_features([week, later])
    for name in ("sin_1", "cos_1"):
        assert table[name].diff().abs().iloc[1] < 0.2
    assert table["week_of_year"].tolist() == [week.isocalendar().week, later.isocalendar().week]
    assert (table["sin_2"] ** 2 + table["cos_2"] ** 2).tolist() == pytest.approx([1, 1])


def test_no_weeks_no_rows():
    assert calendar_features([]).empty
