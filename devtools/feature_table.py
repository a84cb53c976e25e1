"""The feature table in plain numpy, without Spark."""

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import NEW_WEEKS
from forecasting_assets.features.window import ACTIVE_WEEKS, LOOKBACK_WEEKS, feature_lags


def features(history: pd.DataFrame, horizon: int = 8) -> pd.DataFrame:
    """Compute the rows that `features.build` computes of `history` with Spark."""
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
        alive = np.flatnonzero((recent > 0).any(axis=1))
        known = np.where(np.arange(w + 1) >= born[alive, None], demand[alive, : w + 1], np.nan)
        table = wide.index[alive].to_frame(index=False)
        table["part_category"] = category.reindex(wide.index[alive]).to_numpy()
        table["week"], table["quantity"] = week, demand[alive, w]
        table["age_weeks"] = np.minimum(w + 1 - born[alive], LOOKBACK_WEEKS)
        table["weeks_since_order"] = (recent[alive, ::-1] > 0).argmax(axis=1)
        table["order_weeks_52"] = (recent[alive] > 0).sum(axis=1)
        for k in feature_lags(horizon):
            table[f"lag_{k}"] = known[:, w - k] if w >= k else np.nan
        for k in (4, 13, 26, 52):
            table[f"mean_{k}"] = np.nanmean(known[:, -k:], axis=1)
        for k in (13, 52):
            table[f"std_{k}"] = np.nanstd(known[:, -k:], axis=1)
        ordered = np.where(recent[alive] > 0, recent[alive], np.nan)
        table["adi"] = np.minimum(table["age_weeks"], 52) / table["order_weeks_52"]
        table["cv2"] = (np.nanstd(ordered, axis=1) / np.nanmean(ordered, axis=1)) ** 2
        patterns = np.where(
            table["adi"] < 1.32,
            np.where(table["cv2"] < 0.49, "smooth", "erratic"),
            np.where(table["cv2"] < 0.49, "intermittent", "lumpy"),
        )
        table["segment"] = np.where(table["age_weeks"] < NEW_WEEKS, "new", patterns)
        table["price_ratio"] = 1.0
        for group, column in (("category", "part_category"), ("region", "region")):
            total = table.groupby(column)
            table[f"{group}_quantity"] = total["quantity"].transform("sum")
            table[f"{group}_mean_13"] = total["mean_13"].transform("sum")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
