"""Which parts have been ordered where, over all weeks of a lake."""

from datetime import date

import pandas as pd

from forecasting_assets.lake.lake import Lake
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.weeks import YEAR_WEEKS

#: Weeks that are read at once.
_READ_WEEKS = YEAR_WEEKS // 4


def ever_ordered(lake: Lake, series: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return those of `series` that have been ordered by the end of `week`.

    Parameters
    ----------
    lake
        The tables.
    series
        part_id and region, or part_id alone.
    week
        The week.

    Returns
    -------
    DataFrame
        Rows of `series`. The newest weeks are read first, and no more than are needed to find all.
    """
    keys = [str(name) for name in series]
    missing, found = series.drop_duplicates(), [series[:0]]
    weeks = [known for known in reversed(lake.existing_weeks(WEEKLY_DEMAND)) if known <= week]
    for begin in range(0, len(weeks), _READ_WEEKS):
        if missing.empty:
            break
        ordered = lake.read_pandas(WEEKLY_DEMAND, weeks[begin : begin + _READ_WEEKS], keys)[keys]
        seen = missing.merge(ordered.drop_duplicates(), how="left", on=keys, indicator=True)["_merge"]
        found.append(missing[(seen == "both").to_numpy()])
        missing = missing[(seen != "both").to_numpy()]
    return pd.concat(found, ignore_index=True)
