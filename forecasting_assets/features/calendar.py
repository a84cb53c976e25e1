"""Features that follow from the calendar alone: the time of the year and public holidays."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

import numpy as np
import pandas as pd

from forecasting_assets.weeks import days_of, week_of_year

#: Weeks in a mean Gregorian year.
WEEKS_PER_YEAR = 365.2425 / 7

CALENDAR_COLUMNS = ["week_of_year", "sin_1", "cos_1", "sin_2", "cos_2", "holidays"]


def calendar_features(weeks: Iterable[date], countries: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the calendar features of some weeks.

    Parameters
    ----------
    weeks
        Mondays, in any order; duplicates are allowed.
    countries
        ISO 3166 codes of the countries whose public holidays are counted.

    Returns
    -------
    pandas.DataFrame
        A row for each distinct week, sorted: week, week_of_year (ISO), sin_1, cos_1 (one cycle a year), sin_2,
        cos_2 (two cycles a year), holidays (public holidays in the week, summed over `countries`).

    Raises
    ------
    ValueError
        If the public holidays of a country are not known.
    """
    mondays = sorted(set(weeks))
    angle = 2 * np.pi * np.array([day.timetuple().tm_yday / 7 for day in mondays]) / WEEKS_PER_YEAR
    return pd.DataFrame(
        {
            "week": pd.to_datetime(pd.Series(mondays, dtype="object")).astype("datetime64[ns]"),
            "week_of_year": np.array([week_of_year(day) for day in mondays], dtype=np.int64),
            "sin_1": np.sin(angle),
            "cos_1": np.cos(angle),
            "sin_2": np.sin(2 * angle),
            "cos_2": np.cos(2 * angle),
            "holidays": np.array([_holidays_in(day, countries) for day in mondays], dtype=np.int64),
        }
    )


def _holidays_in(week: date, countries: tuple[str, ...]) -> int:
    days = days_of(week)
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
