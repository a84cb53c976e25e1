"""demand_forecast: the average of all models, quantile by quantile, weighted by their past losses (`weights`).

Square roots are averaged and squared, so that a model that is far too high counts less than in an average of units,
and one that expects no demand counts less than in an average of logarithms. The average is then reconciled with
forecasts of whole markets (`reconciliation`), and its intervals are calibrated (`calibration`).

References
----------
Lichtendahl, Grushka-Cockayne and Winkler (2013), "Is it better to average probabilities or quantiles?" Averaging
quantiles instead of distributions keeps the combination sharp.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.calibration import widen
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex, forecast_table
from forecasting_assets.forecasting.reconciliation import reconcile
from forecasting_assets.tables import MARKET, SERIES, WITHOUT_COVARIATES


def weighted_average(forecasts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted average of forecast arrays on the scale of square roots, of the models that have a forecast.

    Parameters
    ----------
    forecasts
        (models, series, horizons, VALUES), in units, not negative; NaN where a model has no forecast.
    weights
        (models, series, horizons), above zero.

    Returns
    -------
    numpy.ndarray
        (series, horizons, VALUES), in units; NaN where no model has a forecast.
    """
    weights = np.where(np.isfinite(forecasts[..., 0]), weights, 0.0)
    total = weights.sum(axis=0)[..., None]
    roots = np.einsum("m...,m...v->...v", weights, np.sqrt(np.nan_to_num(forecasts)))
    mean: np.ndarray = np.divide(roots, total, out=np.full_like(roots, np.nan), where=total > 0)
    return mean**2


def plain_average(forecasts: np.ndarray) -> np.ndarray:
    """Return the `weighted_average` with equal weights of forecasts (models, series, horizons, VALUES)."""
    return weighted_average(forecasts, np.ones(forecasts.shape[:-1]))


def segment_codes(index: SeriesIndex, segments: pd.DataFrame | None) -> np.ndarray:
    """Return the position in SEGMENTS of each series of `index`.

    A series without a row in `segments` (part_id, region, segment) has the code 0 (all).
    """
    codes = np.zeros(len(index), dtype=np.int64)
    if segments is not None:
        row = index.rows(segments)
        code = pd.Categorical(segments["segment"], categories=SEGMENTS).codes
        known = (row >= 0) & (code > 0)
        codes[row[known]] = code[known]
    return codes


def combine(
    forecasts: Mapping[str, pd.DataFrame],
    segments: pd.DataFrame,
    report: pd.DataFrame,
    book: pd.DataFrame | None = None,
    markets: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Combine the forecasts of all models from one origin.

    Parameters
    ----------
    forecasts
        Name of each model to its forecast table, with `without_covariates` where a model may use covariates.
    segments
        part_id, region, segment as of the origin, with part_category if there are `markets`.
    report
        The backtest_report of the origin, of which the metrics `weight` and `width` are used.
    book
        part_id, region, due_week, quantity: what is booked at the origin, below which no value lies. None if there is
        no order book.
    markets
        Rows of MARKET_FORECAST of the origin. None if the average is not to be reconciled with them.

    Returns
    -------
    pandas.DataFrame
        Rows of demand_forecast: every series and horizon of any forecast table.

    Raises
    ------
    ValueError
        If the tables hold more than one origin, or a weight or width is missing.
    """
    rows = pd.concat([table[[*SERIES, "origin_week", "horizon"]] for table in forecasts.values()])
    origins = rows["origin_week"].unique()
    if len(origins) == 0:
        return forecast_table(rows[SERIES], np.empty(0, "datetime64[ns]"), np.empty((0, 1, 8)))
    if len(origins) > 1:
        raise ValueError(
            f"origin_week: {len(origins)} origins ({origins.min()} … {origins.max()}); combine one at a time"
        )
    horizons = int(rows["horizon"].max())
    index = SeriesIndex.of(rows)
    segment = segment_codes(index, segments)
    average = weighted_average(
        np.stack([index.forecast_array(table, horizons) for table in forecasts.values()]),
        weights_from_report(report, list(forecasts), horizons)[:, segment],
    )
    booked = index.booked_array(book, pd.Timestamp(origins[0]).date(), horizons)
    if markets is not None:
        of_market = index.series.merge(segments[[*SERIES, "part_category"]], how="left", on=SERIES)[MARKET]
        planned = _planned(index, list(forecasts.values()), horizons)
        average = reconcile(average, of_market, markets, planned, booked)
    values = widen(average, widths_from_report(report)[segment], booked)
    return forecast_table(index.series, np.repeat(origins, len(index)), values)


def _planned(index: SeriesIndex, tables: Sequence[pd.DataFrame], horizons: int) -> np.ndarray:
    """Return whether any forecast table of one origin used known covariates, (series, horizons)."""
    name = WITHOUT_COVARIATES.name
    planned = np.zeros((len(index), horizons), dtype=bool)
    for table in tables:
        if name in table:
            planned |= np.isfinite(index.forecast_array(table, horizons, [name])[..., 0])
    return planned


def weights_from_report(report: pd.DataFrame, models: Sequence[str], horizons: int) -> np.ndarray:
    """Return the weight of each of `models` in a backtest report, (models, SEGMENTS, horizons).

    Raises
    ------
    ValueError
        If a weight is missing.
    """
    rows = report[report["metric"] == "weight"]
    table = rows.pivot(index=["model", "segment"], columns="horizon", values="value")
    keys = pd.MultiIndex.from_product([list(models), SEGMENTS])
    weights = table.reindex(index=keys, columns=range(1, horizons + 1)).to_numpy(float)
    if np.isnan(weights).any():
        raise ValueError(
            f"{np.isnan(weights).sum()} of {weights.size} weights are missing from the backtest report; "
            "materialize it again"
        )
    return weights.reshape(len(models), len(SEGMENTS), horizons)


def widths_from_report(report: pd.DataFrame) -> np.ndarray:
    """Return the factors of the interval widths in a backtest report, (SEGMENTS,).

    Raises
    ------
    ValueError
        If a factor is missing.
    """
    rows = report[(report["metric"] == "width") & (report["model"] == "combined")]
    widths = rows.set_index("segment")["value"].reindex(SEGMENTS).to_numpy(float)
    if np.isnan(widths).any():
        raise ValueError(
            f"{np.isnan(widths).sum()} of {widths.size} interval widths are missing from the backtest report; "
            "materialize it again"
        )
    return widths
