"""Forecasts as arrays and as the rows of a forecast table.

A forecast array has the axes (series, horizon, value), where the values are the mean and the quantiles (VALUES).
Arithmetic is done on arrays; the lake stores tables.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import ForecastDataError
from forecasting_assets.tables import QUANTILES, SERIES, WITHOUT_COVARIATES
from forecasting_assets.weeks import add_weeks_to_all, weeks_since

#: The last axis of a forecast array.
VALUES = ["mean", *QUANTILES]
#: Position of the median in VALUES.
MEDIAN = VALUES.index("q50")
#: Levels of the quantiles in VALUES.
LEVELS = np.array(list(QUANTILES.values()))
FORECAST_COLUMNS = [*SERIES, "origin_week", "target_week", "horizon", *VALUES]


def make_valid(values: np.ndarray) -> np.ndarray:
    """Return forecasts that are at least zero and whose quantiles do not cross.

    Crossing quantiles are sorted, which never increases their loss.

    Parameters
    ----------
    values
        (..., VALUES).

    Raises
    ------
    ForecastDataError
        If a value is not finite.

    References
    ----------
    Chernozhukov, Fernández-Val and Galichon (2010), "Quantile and probability curves without crossing".
    """
    if not np.isfinite(values).all():
        raise ForecastDataError(f"{(~np.isfinite(values)).sum()} forecast values are not finite")
    valid: np.ndarray = np.maximum(values, 0.0)
    valid[..., 1:].sort(axis=-1)
    return valid


def forecast_table(series: pd.DataFrame, origins: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """Build the rows of a forecast table; the horizons of one series and origin are consecutive.

    Parameters
    ----------
    series
        part_id and region of each forecast, n rows.
    origins
        Origin of each forecast, (n,) datetime64.
    values
        (n, horizons, VALUES), in units.

    Returns
    -------
    pandas.DataFrame
        FORECAST_COLUMNS, n times horizons rows.
    """
    n, horizons, _ = values.shape
    origin = np.repeat(origins.astype("datetime64[ns]"), horizons)
    horizon = np.tile(np.arange(1, horizons + 1), n)
    flat = make_valid(values).reshape(n * horizons, len(VALUES))
    return pd.DataFrame(
        {
            **{c: np.repeat(series[c].to_numpy(), horizons) for c in SERIES},
            "origin_week": origin,
            "target_week": add_weeks_to_all(origin, horizon),
            "horizon": horizon,
            **{c: flat[:, i] for i, c in enumerate(VALUES)},
        }
    )


def table_with_covariates(
    series: pd.DataFrame,
    origins: np.ndarray,
    without_covariates: np.ndarray,
    with_covariates: np.ndarray,
    covariates_known: np.ndarray,
) -> pd.DataFrame:
    """Build the rows of a forecast table that uses covariates where they are known.

    Parameters
    ----------
    series, origins
        As for `forecast_table`.
    without_covariates, with_covariates
        Forecasts of both kinds, (n, horizons, VALUES), in units.
    covariates_known
        Whether all covariates of a week are known at the origin, (n, horizons).

    Returns
    -------
    pandas.DataFrame
        FORECAST_COLUMNS, and `without_covariates`: the median without covariates where they are used, else NaN.
    """
    known = covariates_known
    median = np.full(known.shape, np.nan)
    median[known] = make_valid(without_covariates[known])[..., MEDIAN]
    values = np.where(known[..., None], with_covariates, without_covariates)
    return forecast_table(series, origins, values).assign(**{WITHOUT_COVARIATES.name: median.ravel()})


class SeriesIndex:
    """Finds the row number of a series by part and region, so that many tables can share one numbering.

    Parameters
    ----------
    series
        part_id and region, distinct; the row number of a series is its position here.
    """

    def __init__(self, series: pd.DataFrame) -> None:
        self.series = series.reset_index(drop=True)
        self._parts = pd.Index(series["part_id"].unique())
        self._regions = pd.Index(series["region"].unique())
        code = self._code(self.series)
        self._order = np.argsort(code)
        self._sorted = code[self._order]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "SeriesIndex":
        """Return the index of the series of `rows` (part_id, region and more), sorted by part_id and region."""
        return cls(rows[SERIES].drop_duplicates().sort_values(SERIES))

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self.series)

    def _code(self, keys: pd.DataFrame) -> np.ndarray:
        part, region = _codes(keys["part_id"], self._parts), _codes(keys["region"], self._regions)
        return np.where((part < 0) | (region < 0), -1, part * len(self._regions) + region)

    def rows(self, keys: pd.DataFrame) -> np.ndarray:
        """Return the row number of each of `keys` (part_id, region), -1 for a series that is not in the index."""
        if not len(self):
            return np.full(len(keys), -1)
        code = self._code(keys)
        at = np.minimum(np.searchsorted(self._sorted, code), len(self) - 1)
        return np.where(self._sorted[at] == code, self._order[at], -1)

    def forecast_array(
        self, forecasts: pd.DataFrame | None, horizons: int, values: Sequence[str] = VALUES
    ) -> np.ndarray:
        """Arrange columns of a forecast table of one origin as (series, horizons, values), NaN where it has none."""
        array = np.full((len(self), horizons, len(values)), np.nan)
        if forecasts is not None:
            row, h = self.rows(forecasts), forecasts["horizon"].to_numpy()
            known = (row >= 0) & (h <= horizons)
            array[row[known], h[known] - 1] = forecasts[list(values)].to_numpy(float)[known]
        return array

    def booked_array(self, book: pd.DataFrame | None, origin: date, horizons: int) -> np.ndarray:
        """Arrange the order book of one origin as units booked, (series, horizons).

        `book` has part_id, region, due_week and quantity; None if there is no order book.
        """
        array = np.zeros((len(self), horizons))
        if book is not None and len(book):
            row, h = self.rows(book), weeks_since(origin, book["due_week"])
            known = (row >= 0) & (h >= 1) & (h <= horizons)
            array[row[known], h[known] - 1] = book["quantity"].to_numpy(float)[known]
        return array


def _codes(values: pd.Series, known: pd.Index) -> np.ndarray:
    codes, distinct = pd.factorize(values)
    # A missing value has the code -1, which takes the last position.
    positions = np.append(known.get_indexer(pd.Index(distinct)), -1)
    return np.asarray(positions[codes])
