"""Averages and quantiles of standardised errors, with what is used where there are too few of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

#: Number of errors below which a demand pattern uses the distribution of all series.
MIN_ERRORS = 200
#: Levels at which the distribution of standardised errors is kept; its mean is the mean over these levels.
ERROR_LEVELS = np.arange(1, 100) / 100


def average_error(average: Callable[[np.ndarray], Any], errors: np.ndarray, default: float) -> float:
    """Return the mean or median of the errors that are known, never zero; `default` if none is."""
    known = errors[np.isfinite(errors)]
    return max(float(average(known)), 1e-6) if len(known) else default


def error_quantiles(errors: np.ndarray, of_all: np.ndarray) -> np.ndarray:
    """Return quantiles at ERROR_LEVELS of `errors`, or of the errors of all patterns where these are too few.

    Where both are too few, the quantiles are those of a normal distribution.
    """
    for sample in (errors, of_all):
        known = sample[np.isfinite(sample)]
        if len(known) >= MIN_ERRORS:
            return np.asarray(np.quantile(known, ERROR_LEVELS))
    from scipy.special import ndtri

    normal: np.ndarray = ndtri(ERROR_LEVELS) * np.sqrt(np.pi / 2)  # scaled to a mean absolute value of one
    return normal
