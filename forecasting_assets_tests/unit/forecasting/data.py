"""A small synthetic market and the rows of the feature table that the forecasting core reads."""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import pattern_names
from forecasting_assets.features.window import ACTIVE_WEEKS, feature_lags
from forecasting_assets.weeks import add_weeks

FIRST = date(2022, 1, 3)


def market(weeks: int = 90, seed: int = 0, series: int = 12) -> pd.DataFrame:
    """Generate smooth, seasonal, intermittent and late-starting series.

    The columns are part_id, part_category, region, week, quantity.
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


def features(history: pd.DataFrame, horizon: int = 8) -> pd.DataFrame:
    """Compute what features.build computes from `history`, in plain numpy."""
    wide = history.pivot_table(index=["part_id", "region"], columns="week", values="quantity", aggfunc="sum")
    weeks = pd.date_range(wide.columns.min(), wide.columns.max(), freq="7D")
    wide = wide.reindex(columns=weeks).fillna(0.0)
    demand, born = wide.to_numpy(), (wide.to_numpy() > 0).argmax(axis=1)
    category = history.drop_duplicates(["part_id", "region"]).set_index(["part_id", "region"])[
        "part_category"
    ]
    tables = []
    for w, week in enumerate(weeks):
        recent = demand[:, max(0, w - ACTIVE_WEEKS + 1) : w + 1]
        active = np.flatnonzero((recent > 0).any(axis=1))
        known = np.where(np.arange(w + 1) >= born[active, None], demand[active, : w + 1], np.nan)
        table = wide.index[active].to_frame(index=False)
        table["part_category"] = category.reindex(wide.index[active]).to_numpy()
        table["week"], table["quantity"] = week, demand[active, w]
        table["age_weeks"] = w + 1 - born[active]
        table["weeks_since_order"] = (recent[active, ::-1] > 0).argmax(axis=1)
        table["order_weeks_52"] = (recent[active] > 0).sum(axis=1)
        for k in feature_lags(horizon):
            table[f"lag_{k}"] = known[:, w - k] if w >= k else np.nan
        for k in (4, 13, 26, 52):
            table[f"mean_{k}"] = np.nanmean(known[:, -k:], axis=1)
        for k in (13, 52):
            table[f"std_{k}"] = np.nanstd(known[:, -k:], axis=1)
        ordered = np.where(recent[active] > 0, recent[active], np.nan)
        table["adi"] = np.minimum(table["age_weeks"], 52) / table["order_weeks_52"]
        table["cv2"] = (np.nanstd(ordered, axis=1) / np.nanmean(ordered, axis=1)) ** 2
        table["segment"] = pattern_names(*table[["age_weeks", "adi", "cv2"]].to_numpy().T)
        table["price_ratio"] = 1.0
        for group, column in (("category", "part_category"), ("region", "region")):
            total = table.groupby(column)
            table[f"{group}_quantity"] = total["quantity"].transform("sum")
            table[f"{group}_mean_13"] = total["mean_13"].transform("sum")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
