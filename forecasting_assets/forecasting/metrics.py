"""Accuracy metrics, kept as sums that can be added up over series, origins and horizons.

The mean is judged by squared errors and bias, the median by absolute ones, as each is best for its own
(Gneiting 2011, "Making and evaluating point forecasts"). MASE and RMSSE are scaled by the error of the
one-step naive forecast in the history known at the origin (Hyndman and Koehler 2006, "Another look at
measures of forecast accuracy"); RMSSE is the root of the mean over all cells.
"""

import numpy as np

from forecasting_assets.forecasting.cube import LEVELS, VALUES

#: What is summed over the cells (series, origin, horizon).
SUMS = [
    "cells",
    "error",
    "absolute",
    "squared",
    "actual",
    "non_zero",
    "percentage",
    "scaled_cells",
    "scaled_absolute",
    "scaled_squared",
    "quantile_cells",
    "pinball",
    "scaled_quantile_cells",
    "scaled_pinball",
    "inside_80",
    "inside_90",
]
_MEDIAN, _Q05, _Q10, _Q90, _Q95 = (VALUES.index(q) for q in ("q50", "q05", "q10", "q90", "q95"))


def naive_errors(demand: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute and mean squared one-step naive error of each series, NaN if it has less than two weeks.

    `demand` is (series, weeks); the history of series i begins at the column `first[i]`.
    """
    change = np.diff(demand, axis=1)
    change[np.arange(1, demand.shape[1]) <= first[:, None]] = 0.0
    steps = (demand.shape[1] - 1 - first).astype(float)
    steps[steps <= 0] = np.nan
    return np.abs(change).sum(axis=1) / steps, (change**2).sum(axis=1) / steps


def sums(actual: np.ndarray, values: np.ndarray, mae1: np.ndarray, mse1: np.ndarray) -> np.ndarray:
    """(series, horizons, SUMS): what each cell adds; zeros where actual or forecast is NaN.

    `actual` (series, horizons), `values` (series, horizons, 8) with NaN quantiles where a model has only a
    median, `mae1` and `mse1` (series) the scales of `naive_errors`; a series whose scale is NaN or zero is
    left out of the scaled sums.
    """
    cell = np.isfinite(actual) & np.isfinite(values[..., 0]) & np.isfinite(values[..., _MEDIAN])
    error = values[..., 0] - actual
    absolute = np.abs(values[..., _MEDIAN] - actual)
    non_zero = cell & (actual > 0)
    scaled = cell & (mae1 > 0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        percentage = absolute / actual
        scaled_absolute, scaled_squared = absolute / mae1[:, None], error**2 / mse1[:, None]
        quantiles = cell & np.isfinite(values).all(axis=-1)
        gap = actual[..., None] - values[..., 1:]
        pinball = np.maximum(LEVELS * gap, (LEVELS - 1) * gap).mean(axis=-1)
        scaled_pinball = pinball / mae1[:, None]
        inside_80 = (values[..., _Q10] <= actual) & (actual <= values[..., _Q90])
        inside_90 = (values[..., _Q05] <= actual) & (actual <= values[..., _Q95])
    both = scaled & quantiles
    parts = [
        (cell, 1.0),
        (cell, error),
        (cell, absolute),
        (cell, error**2),
        (cell, actual),
        (non_zero, 1.0),
        (non_zero, percentage),
        (scaled, 1.0),
        (scaled, scaled_absolute),
        (scaled, scaled_squared),
        (quantiles, 1.0),
        (quantiles, pinball),
        (both, 1.0),
        (both, scaled_pinball),
        (quantiles, inside_80),
        (quantiles, inside_90),
    ]
    return np.stack([np.where(of, part, 0.0) for of, part in parts], axis=-1)


def metrics(total: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics of each (…, SUMS) of `total`, NaN where there is nothing to divide by.

    mape, mape_left_out (cells with a demand of zero, which mape leaves out), wape, coverage and bias are
    shares: 0.12 is 12 %. rmse and pinball (mean over the levels) are in units; n is the number of cells.
    """
    s = {name: total[..., i] for i, name in enumerate(SUMS)}

    def share(over: np.ndarray, under: np.ndarray) -> np.ndarray:
        return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)

    return {
        "n": s["cells"],
        "rmse": np.sqrt(share(s["squared"], s["cells"])),
        "mape": share(s["percentage"], s["non_zero"]),
        "mape_left_out": share(s["cells"] - s["non_zero"], s["cells"]),
        "wape": share(s["absolute"], s["actual"]),
        "mase": share(s["scaled_absolute"], s["scaled_cells"]),
        "rmsse": np.sqrt(share(s["scaled_squared"], s["scaled_cells"])),
        "pinball": share(s["pinball"], s["quantile_cells"]),
        "scaled_pinball": share(s["scaled_pinball"], s["scaled_quantile_cells"]),
        "coverage_80": share(s["inside_80"], s["quantile_cells"]),
        "coverage_90": share(s["inside_90"], s["quantile_cells"]),
        "bias": share(s["error"], s["actual"]),
    }
