"""demand_forecast: the two models averaged, quantile by quantile, with weights from their past losses.

Averaging quantiles, not distributions, keeps the combination sharp (Lichtendahl, Grushka-Cockayne and Winkler
2013, "Is it better to average probabilities or quantiles?").
"""

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.cube import SeriesIndex, forecast_table
from forecasting_assets.forecasting.metrics import SUMS, metrics
from forecasting_assets.tables import SERIES

#: Demand patterns, in the order of every array that has an axis of them; "all" holds every series.
SEGMENTS = ["all", "smooth", "erratic", "intermittent", "lumpy", "new"]


def combination_weights(
    sarimax: np.ndarray, xgb: np.ndarray, equal: np.ndarray, prior_cells: float
) -> np.ndarray:
    """Weight of SARIMAX, from 0 to 1, from the sums (…, metrics.SUMS) of both models and of their plain average
    over past forecasts.

    The scaled pinball loss of an average of quantiles is convex in its weight; the least of the parabola through
    the three losses is taken (after Bates and Granger 1969, "The combination of forecasts", whose squared errors
    make it exact), and shrunk towards a half as though `prior_cells` cells had spoken for equal weights.
    """
    a, b, half = (np.nan_to_num(metrics(total)["scaled_pinball"]) for total in (sarimax, xgb, equal))
    at = SUMS.index("scaled_quantile_cells")
    cells = np.minimum(sarimax[..., at], xgb[..., at])
    bend = a + b - 2 * half
    # Where averaging gains nothing, the better model alone is best.
    least = np.where(
        bend > 0, (3 * b + a - 4 * half) / np.where(bend > 0, 4 * bend, 1.0), 0.5 + 0.5 * np.sign(b - a)
    )
    trust = np.divide(cells, cells + prior_cells, out=np.zeros_like(cells), where=cells > 0)
    return 0.5 + (np.clip(least, 0.0, 1.0) - 0.5) * trust


def weighted(sarimax: np.ndarray, xgb: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weighted mean of two cubes (series, horizons, 8); where one is NaN, the other.

    `weight` (series, horizons) is that of SARIMAX.
    """
    mixed = weight[..., None] * sarimax + (1 - weight[..., None]) * xgb
    return np.where(np.isnan(sarimax), xgb, np.where(np.isnan(xgb), sarimax, mixed))


def segment_codes(index: SeriesIndex, segments: pd.DataFrame | None) -> np.ndarray:
    """The place in SEGMENTS of each series, 0 (all) where `segments` (part_id, region, segment) has none."""
    codes = np.zeros(len(index), dtype=np.int64)
    if segments is not None:
        row = index.rows(segments)
        code = pd.Categorical(segments["segment"], categories=SEGMENTS).codes
        known = (row >= 0) & (code > 0)
        codes[row[known]] = code[known]
    return codes


def combine(
    sarimax: pd.DataFrame, xgb: pd.DataFrame, segments: pd.DataFrame, report: pd.DataFrame
) -> pd.DataFrame:
    """The rows of demand_forecast for one origin: every series and horizon of either forecast table.

    `segments`: part_id, region, segment as of the origin; `report`: the backtest_report of the origin, of
    which the metric `weight` is used. ValueError if the tables hold more than one origin, or have no weights.
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
    weight = weights_of(report, horizons)[segment_codes(index, segments)]
    values = weighted(index.cube(sarimax, horizons), index.cube(xgb, horizons), weight)
    return forecast_table(index.series, np.repeat(origins, len(index)), values)


def weights_of(report: pd.DataFrame, horizons: int) -> np.ndarray:
    """Weights of SARIMAX (SEGMENTS, horizons) from a backtest report; ValueError if one is absent."""
    rows = report[(report["metric"] == "weight") & (report["model"] == "sarimax")]
    table = rows.pivot(index="segment", columns="horizon", values="value")
    weights = table.reindex(index=SEGMENTS, columns=range(1, horizons + 1)).to_numpy(float)
    if np.isnan(weights).any():
        raise ValueError(
            f"the backtest report lacks {np.isnan(weights).sum()} of {weights.size} weights; make it again"
        )
    return weights
