"""Accuracy metrics, kept as sums that can be added up over series, origins and horizons.

The mean forecast is evaluated by squared errors and bias, the median by absolute errors, as each minimises its own
measure. MASE and RMSSE are scaled by the error of the one-step naive forecast in the history known at the origin;
RMSSE is the root of the mean over all cells. A cell is a series, an origin and a horizon.

References
----------
Gneiting (2011), "Making and evaluating point forecasts".
Hyndman and Koehler (2006), "Another look at measures of forecast accuracy".
Koenker and Bassett (1978), "Regression quantiles" (the pinball loss).
"""

from dataclasses import dataclass

import numpy as np

from forecasting_assets.forecasting.forecast_arrays import LEVELS, MEDIAN, VALUES

#: Contributions of a cell that are summed; the names that begin with "scaled" use the scales of `naive_errors`.
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
_Q05, _Q10, _Q90, _Q95 = (VALUES.index(q) for q in ("q05", "q10", "q90", "q95"))


@dataclass(frozen=True)
class NaiveErrors:
    """Mean absolute and mean squared error (series) of the one-step naive forecast, NaN where unknown."""

    absolute: np.ndarray
    squared: np.ndarray


def naive_errors(demand: np.ndarray, first: np.ndarray) -> NaiveErrors:
    """Compute the one-step naive errors of each series, NaN if it has less than two weeks.

    Parameters
    ----------
    demand
        (series, weeks), in units.
    first
        Column in which the history of each series begins.
    """
    change = np.diff(demand, axis=1)
    change[np.arange(1, demand.shape[1]) <= first[:, None]] = 0.0
    steps = (demand.shape[1] - 1 - first).astype(float)
    steps[steps <= 0] = np.nan
    return NaiveErrors(np.abs(change).sum(axis=1) / steps, (change**2).sum(axis=1) / steps)


def error_sums(actual: np.ndarray, values: np.ndarray, scale: NaiveErrors) -> np.ndarray:
    """Compute what each cell contributes to the sums of the metrics.

    Parameters
    ----------
    actual
        Demand, (series, horizons), in units; NaN where the week has not closed.
    values
        Forecasts, (series, horizons, VALUES), in units; NaN quantiles where a model has only a mean and a median.
    scale
        Scales of the scaled errors. A series whose scale is NaN or zero is left out of the scaled sums.

    Returns
    -------
    numpy.ndarray
        (series, horizons, SUMS); zeros where the demand or the forecast is NaN.
    """
    cell = np.isfinite(actual) & np.isfinite(values[..., 0]) & np.isfinite(values[..., MEDIAN])
    error = values[..., 0] - actual
    absolute = np.abs(values[..., MEDIAN] - actual)
    non_zero = cell & (actual > 0)
    scaled = cell & (scale.absolute > 0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        percentage = absolute / actual
        scaled_absolute, scaled_squared = (
            absolute / scale.absolute[:, None],
            error**2 / scale.squared[:, None],
        )
        quantiles = cell & np.isfinite(values).all(axis=-1)
        pinball = pinball_loss(actual, values[..., 1:])
        scaled_pinball = pinball / scale.absolute[:, None]
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
    return np.stack([np.where(counted, part, 0.0) for counted, part in parts], axis=-1)


def pinball_loss(actual: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Return the mean pinball loss over LEVELS of `quantiles` (..., LEVELS) for the demand `actual` (...)."""
    gap = actual[..., None] - quantiles
    loss: np.ndarray = np.maximum(LEVELS * gap, (LEVELS - 1) * gap).mean(axis=-1)
    return loss


def metrics(total: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metrics from sums.

    Parameters
    ----------
    total
        (..., SUMS), sums of `error_sums`.

    Returns
    -------
    dict
        Name to values (...), NaN where the denominator is zero. mape, mape_left_out (the share of cells with zero
        demand, which mape leaves out), wape, coverage and bias are shares: 0.12 is 12 %. rmse and pinball (mean over
        the levels) are in units; n is the number of cells.
    """
    s = {name: total[..., i] for i, name in enumerate(SUMS)}

    def share(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.full_like(numerator, np.nan)
        np.divide(numerator, denominator, out=result, where=denominator > 0)
        return result

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
