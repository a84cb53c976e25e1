"""Forecasts as arrays and as the rows of a forecast table.

A cube is an array (series, horizon, value) whose last axis is the mean and the quantiles; arithmetic is done
on cubes, tables are what the lake holds.
"""

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import DemandError
from forecasting_assets.tables import QUANTILES, SERIES

VALUES = ["mean", *QUANTILES]
LEVELS = np.array(list(QUANTILES.values()))
FORECAST_COLUMNS = [*SERIES, "origin_week", "target_week", "horizon", *VALUES]


def proper(values: np.ndarray) -> np.ndarray:
    """`values` (…, 8) at least zero and with quantiles that do not cross.

    Crossing quantiles are sorted, which never worsens their loss (Chernozhukov et al. 2010, "Quantile and
    probability curves without crossing"). Raises DemandError if a value is not finite.
    """
    if not np.isfinite(values).all():
        raise DemandError(f"{(~np.isfinite(values)).sum()} forecast values are not finite")
    out = np.maximum(values, 0.0)
    out[..., 1:].sort(axis=-1)
    return out


def forecast_table(series: pd.DataFrame, origins: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """Rows of a forecast table, horizons of one series and origin next to each other.

    `series` (m rows: part_id, region), `origins` (m, datetime64) and `values` (m, horizons, 8) go together.
    """
    m, horizons, _ = values.shape
    origin = np.repeat(origins.astype("datetime64[ns]"), horizons)
    horizon = np.tile(np.arange(1, horizons + 1), m)
    flat = proper(values).reshape(m * horizons, len(VALUES))
    return pd.DataFrame(
        {
            **{c: np.repeat(series[c].to_numpy(), horizons) for c in SERIES},
            "origin_week": origin,
            "target_week": origin + horizon * np.timedelta64(7, "D"),
            "horizon": horizon,
            **{c: flat[:, i] for i, c in enumerate(VALUES)},
        }
    )


class SeriesIndex:
    """Finds series by integer codes, so that many tables can be laid on one numbering of series."""

    def __init__(self, series: pd.DataFrame) -> None:
        """`series`: part_id, region, distinct."""
        self.series = series.reset_index(drop=True)
        self._parts = pd.Index(series["part_id"].unique())
        self._regions = pd.Index(series["region"].unique())
        code = self._code(self.series)
        self._order = np.argsort(code)
        self._sorted = code[self._order]

    def __len__(self) -> int:
        return len(self.series)

    def _code(self, keys: pd.DataFrame) -> np.ndarray:
        part, region = _codes(keys["part_id"], self._parts), _codes(keys["region"], self._regions)
        return np.where((part < 0) | (region < 0), -1, part * len(self._regions) + region)

    def rows(self, keys: pd.DataFrame) -> np.ndarray:
        """The number of each of `keys` (part_id, region), -1 for a series that is not in the index."""
        if not len(self):
            return np.full(len(keys), -1)
        code = self._code(keys)
        at = np.minimum(np.searchsorted(self._sorted, code), len(self) - 1)
        return np.where(self._sorted[at] == code, self._order[at], -1)

    def cube(self, forecasts: pd.DataFrame | None, horizons: int) -> np.ndarray:
        """(series, horizons, 8) from a forecast table of one origin; NaN where it has no forecast."""
        out = np.full((len(self), horizons, len(VALUES)), np.nan)
        if forecasts is not None:
            row, h = self.rows(forecasts), forecasts["horizon"].to_numpy()
            known = (row >= 0) & (h <= horizons)
            out[row[known], h[known] - 1] = forecasts[VALUES].to_numpy(float)[known]
        return out


def _codes(values: pd.Series, known: pd.Index) -> np.ndarray:
    codes, distinct = pd.factorize(values)
    return known.get_indexer(pd.Index(distinct))[codes]
