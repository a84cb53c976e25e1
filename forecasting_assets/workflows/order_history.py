"""Which parts have been ordered where, over all weeks of a lake."""

from collections.abc import Collection
from datetime import date

import pandas as pd

from forecasting_assets.lake.lake import Lake
from forecasting_assets.tables import SERIES, WEEKLY_DEMAND


def ordered_series(lake: Lake, parts: Collection[str], week: date) -> pd.DataFrame:
    """Return part_id and region of all series of some parts that have been ordered by the end of `week`."""
    if not parts:
        return pd.DataFrame(columns=SERIES, dtype=object)
    weeks = [known for known in lake.existing_weeks(WEEKLY_DEMAND) if known <= week]
    batches = lake.batches(WEEKLY_DEMAND, weeks, SERIES)
    found = [batch.loc[batch["part_id"].isin(parts), SERIES].drop_duplicates() for batch in batches]
    return pd.concat(found).drop_duplicates(ignore_index=True)
