"""demand_forecast: the average of the two models, quantile by quantile, weighted by their past losses.

The intervals of the average are then calibrated (`calibration`).

References
----------
Bates and Granger (1969), "The combination of forecasts".
Lichtendahl, Grushka-Cockayne and Winkler (2013), "Is it better to average probabilities or quantiles?" Averaging
quantiles instead of distributions keeps the combination sharp.
"""

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.calibration import widen
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex, forecast_table
from forecasting_assets.forecasting.metrics import SUMS, metrics
from forecasting_assets.tables import SERIES


def combination_weights(
    sarimax: np.ndarray, xgb: np.ndarray, equal: np.ndarray, prior_cells: float
) -> np.ndarray:
    """Return the weight of SARIMAX, from 0 to 1.

    The scaled pinball loss of an average of quantiles is convex in its weight. The weight is the minimum of the
    parabola through the three losses, which is exact for squared errors (Bates and Granger 1969), shrunk towards a
    half.

    Parameters
    ----------
    sarimax, xgb, equal
        Sums over past forecasts of both models and of their plain average, (..., SUMS).
    prior_cells
        Number of forecast cells that the prior of equal weights counts for.

    Returns
    -------
    numpy.ndarray
        (...,).
    """
    a, b, half = (np.nan_to_num(metrics(total)["scaled_pinball"]) for total in (sarimax, xgb, equal))
    at = SUMS.index("scaled_quantile_cells")
    cells = np.minimum(sarimax[..., at], xgb[..., at])
    curvature = a + b - 2 * half
    # Where averaging gains nothing, the better model alone is best.
    best = np.where(
        curvature > 0,
        (3 * b + a - 4 * half) / np.where(curvature > 0, 4 * curvature, 1.0),
        0.5 + 0.5 * np.sign(b - a),
    )
    trust = np.divide(cells, cells + prior_cells, out=np.zeros_like(cells), where=cells > 0)
    weight: np.ndarray = 0.5 + (np.clip(best, 0.0, 1.0) - 0.5) * trust
    return weight


def weighted_average(sarimax: np.ndarray, xgb: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted mean of two forecast arrays (series, horizons, VALUES); where one is NaN, the other.

    `weight` (series, horizons) is that of SARIMAX.
    """
    mixed = weight[..., None] * sarimax + (1 - weight[..., None]) * xgb
    return np.where(np.isnan(sarimax), xgb, np.where(np.isnan(xgb), sarimax, mixed))


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
    sarimax: pd.DataFrame,
    xgb: pd.DataFrame,
    segments: pd.DataFrame,
    report: pd.DataFrame,
    book: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Combine the forecasts of both models from one origin.

    Parameters
    ----------
    sarimax, xgb
        Forecast tables.
    segments
        part_id, region, segment as of the origin.
    report
        The backtest_report of the origin, of which the metrics `weight` and `width` are used.
    book
        part_id, region, due_week, quantity: what is booked at the origin, below which no value lies. None if there is
        no order book.

    Returns
    -------
    pandas.DataFrame
        Rows of demand_forecast: every series and horizon of either forecast table.

    Raises
    ------
    ValueError
        If the tables hold more than one origin, or a weight or width is missing.
    """
    origins = pd.concat([sarimax["origin_week"], xgb["origin_week"]]).unique()
    if len(origins) == 0:
        return forecast_table(sarimax[SERIES], np.empty(0, "datetime64[ns]"), np.empty((0, 1, 8)))
    if len(origins) > 1:
        raise ValueError(
            f"origin_week: {len(origins)} origins ({origins.min()} … {origins.max()}); combine one at a time"
        )
    horizons = int(max(sarimax["horizon"].max(), xgb["horizon"].max()))
    index = SeriesIndex(
        pd.concat([sarimax[SERIES], xgb[SERIES]]).drop_duplicates().sort_values(SERIES, ignore_index=True)
    )
    segment = segment_codes(index, segments)
    average = weighted_average(
        index.forecast_array(sarimax, horizons),
        index.forecast_array(xgb, horizons),
        weights_from_report(report, horizons)[segment],
    )
    booked = index.booked_array(book, pd.Timestamp(origins[0]).date(), horizons)
    values = widen(average, widths_from_report(report)[segment], booked)
    return forecast_table(index.series, np.repeat(origins, len(index)), values)


def weights_from_report(report: pd.DataFrame, horizons: int) -> np.ndarray:
    """Return the weights of SARIMAX in a backtest report, (SEGMENTS, horizons).

    Raises
    ------
    ValueError
        If a weight is missing.
    """
    rows = report[(report["metric"] == "weight") & (report["model"] == "sarimax")]
    table = rows.pivot(index="segment", columns="horizon", values="value")
    weights = table.reindex(index=SEGMENTS, columns=range(1, horizons + 1)).to_numpy(float)
    if np.isnan(weights).any():
        raise ValueError(
            f"{np.isnan(weights).sum()} of {weights.size} weights are missing from the backtest report; "
            "materialize it again"
        )
    return weights


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
