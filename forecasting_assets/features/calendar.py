"""What the calendar alone says about a week: place in the year and public holidays."""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd

#: Weeks in a mean Gregorian year.
WEEKS_PER_YEAR = 365.2425 / 7

CALENDAR_COLUMNS = ["week_of_year", "sin_1", "cos_1", "sin_2", "cos_2", "holidays"]


def calendar_features(weeks: Iterable[date], countries: tuple[str, ...] = ()) -> pd.DataFrame:
    """One row a distinct week, sorted: week, week_of_year (ISO), sin_1, cos_1, sin_2, cos_2, holidays.

    The sines and cosines have one and two cycles a year. `holidays` counts the days of the week that are
    a public holiday, summed over `countries` (ISO 3166 codes); ValueError if one is not known.
    """
    days = sorted(set(weeks))
    angle = 2 * np.pi * np.array([day.timetuple().tm_yday / 7 for day in days]) / WEEKS_PER_YEAR
    return pd.DataFrame(
        {
            "week": pd.to_datetime(pd.Series(days, dtype="object")).astype("datetime64[ns]"),
            "week_of_year": np.array([day.isocalendar().week for day in days], dtype=np.int64),
            "sin_1": np.sin(angle),
            "cos_1": np.cos(angle),
            "sin_2": np.sin(2 * angle),
            "cos_2": np.cos(2 * angle),
            "holidays": np.array([_holidays_in(day, countries) for day in days], dtype=np.int64),
        }
    )


def _holidays_in(week: date, countries: tuple[str, ...]) -> int:
    days = [week + timedelta(days=i) for i in range(7)]
    return sum(day in _holiday_dates(country, day.year) for country in countries for day in days)


@lru_cache(maxsize=1024)
def _holiday_dates(country: str, year: int) -> frozenset[date]:
    import holidays

    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        raise ValueError(
            f"countries: no public holidays are known for {country!r}; use an ISO 3166 code such as 'US'"
        ) from None
