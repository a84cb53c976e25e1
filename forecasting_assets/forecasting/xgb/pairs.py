"""Pairs of an origin and a horizon: the rows that the trees are trained on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import week_numbers
from forecasting_assets.forecasting.xgb.baseline import Baseline
from forecasting_assets.weeks import EPOCH_WEEK


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs of a row of the feature table and a horizon.

    Attributes
    ----------
    row
        Row of the feature table.
    horizon
        Horizon in weeks, from 1.
    target
        Column of the panel of the week that is forecast.
    rank
        Hash of the part, region, week and horizon, to sample by.
    """

    row: np.ndarray
    horizon: np.ndarray
    target: np.ndarray
    rank: np.ndarray

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.row)

    def sample(self, n: int) -> "TrainingPairs":
        """Return the `n` pairs of lowest rank, in their order."""
        if n >= len(self):
            return self
        return self.where(np.sort(np.argpartition(self.rank, n)[:n]))

    def where(self, keep: np.ndarray) -> "TrainingPairs":
        """Return some of the pairs, by a mask or by position."""
        return TrainingPairs(self.row[keep], self.horizon[keep], self.target[keep], self.rank[keep])


def closed_pairs(features: pd.DataFrame, base: Baseline, with_season: bool = False) -> TrainingPairs:
    """Return every pair of a row of `features` and a horizon whose target week has closed.

    With `with_season`, these are only the pairs whose target week has a season.
    """
    series, column = base.locate(features)
    closed = np.isfinite(base.rolling.error[series, column])
    if with_season:
        closed &= base.rolling.season[series, column] != 0
    row, h = np.nonzero(closed)
    key = pd.util.hash_array(features["part_id"].to_numpy(object)) * np.uint64(31) + pd.util.hash_array(
        features["region"].to_numpy(object)
    )
    week = week_numbers(features["week"].iloc[row], EPOCH_WEEK)
    rank = _mix(key[row] ^ _mix((week * 64 + h + 1).astype("uint64")))
    return TrainingPairs(row, h + 1, column[row] + h + 1, rank)


def _mix(x: np.ndarray) -> np.ndarray:
    """Hash 64-bit integers bijectively, by the finaliser of splitmix64.

    References
    ----------
    Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return x
