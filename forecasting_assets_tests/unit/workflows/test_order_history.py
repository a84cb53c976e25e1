"""Parts that have ever been ordered: found wherever they were, and not before they were."""

from datetime import date

import pandas as pd

from forecasting_assets.lake.lake import Lake
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows.order_history import ever_ordered

FIRST = date(2024, 1, 1)


def test_series_are_found_in_the_week_they_were_ordered_and_later(tmp_path):
    lake = Lake(path=str(tmp_path))
    for n in range(30):
        row = {"part_id": [f"P{n}"], "region": "EU", "part_category": "c", "quantity": 1.0}
        week = pd.DataFrame(row).assign(order_count=1, unit_price=1.0)
        lake.write_pandas(week, WEEKLY_DEMAND, add_weeks(FIRST, n))
    named = [("P0", "EU"), ("P0", "US"), ("P29", "EU"), ("P14", "EU"), ("typo", "EU"), ("P0", "EU")]
    series = pd.DataFrame(named, columns=["part_id", "region"])
    found = ever_ordered(lake, series, add_weeks(FIRST, 28))
    assert sorted(map(tuple, found.to_numpy())) == [("P0", "EU"), ("P14", "EU")]
    parts = ever_ordered(lake, series[["part_id"]], add_weeks(FIRST, 29))
    assert sorted(parts["part_id"]) == ["P0", "P14", "P29"]
    assert ever_ordered(lake, series[:0], add_weeks(FIRST, 29)).empty
