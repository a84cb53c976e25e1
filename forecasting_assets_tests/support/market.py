"""Demand of a few series for tests: a small synthetic market, and rows of orders from an array of demand."""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.weeks import add_weeks

FIRST = date(2022, 1, 3)


def market(weeks: int = 90, seed: int = 0, series: int = 12) -> pd.DataFrame:
    """Generate smooth, seasonal, intermittent and recently started series.

    Returns
    -------
    pandas.DataFrame
        Weekly demand with the columns part_id, part_category, region, week and quantity; weeks without orders are
        left out.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(weeks)
    rows = []
    for i in range(series):
        level = 20.0 * (1 + i) * (1 + 0.3 * np.sin(2 * np.pi * t / 52)) * rng.lognormal(0, 0.2, weeks)
        if i % 4 == 2:
            level *= rng.random(weeks) < 0.25
        if i % 4 == 3:
            level[: weeks - 5 * (i // 4 + 1)] = 0
        quantity = np.round(level)
        quantity[-3 * (i % 3) - 1] = max(quantity[-3 * (i % 3) - 1], 1.0)
        rows += [
            (f"P{i // 2:02}", f"C{i % 2}", f"R{i % 2}", add_weeks(FIRST, int(w)), quantity[w])
            for w in np.flatnonzero(quantity)
        ]
    table = pd.DataFrame(rows, columns=["part_id", "part_category", "region", "week", "quantity"])
    return table.assign(week=table["week"].astype("datetime64[ns]"))


def table_of(demand: np.ndarray, region: str = "x", parts: list[str] | None = None) -> pd.DataFrame:
    """Build part_id, part_category, region, week, quantity from `demand` (series, weeks).

    Every series is a part of one category, unless `parts` names its part.
    """
    parts = parts or [f"P{i:03}" for i in range(len(demand))]
    weeks = pd.date_range(str(FIRST), periods=demand.shape[1], freq="7D")
    wide = pd.DataFrame(demand, index=pd.Index(parts, name="part_id"), columns=weeks.rename("week"))
    long = pd.DataFrame({"quantity": wide.stack()}).reset_index()
    return long[long["quantity"] > 0].assign(region=region, part_category="C")
