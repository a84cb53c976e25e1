"""Comparison of two forecasts: whether one is more accurate than the other by more than chance."""

from dataclasses import dataclass

import numpy as np

#: Fewest origins that a comparison says anything about.
FEWEST = 6
#: Probability that the interval of a comparison holds the true difference.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Comparison:
    """Mean difference of two losses over successive origins, with what chance can do.

    Attributes
    ----------
    origins
        Number of origins compared.
    difference
        Mean of the differences, in the unit of the losses.
    low, high
        The 95 % interval of the true difference.
    p_value
        Probability of a mean at least as far from zero if both forecasts are equally accurate.
    """

    origins: int
    difference: float
    low: float
    high: float
    p_value: float


def compare_losses(difference: np.ndarray) -> Comparison | None:
    """Test whether the loss differences of successive origins have the mean zero (Diebold and Mariano).

    Forecasts of several weeks ahead from successive origins share target weeks, so that the differences depend on each
    other, and there are few of them. The variance of the mean is therefore the average of the periodogram at its
    lowest frequencies, and the test statistic is compared with Student's t with two degrees of freedom for each of
    these (fixed-smoothing asymptotics), which keeps the rate of false alarms near its nominal value in small samples.

    Parameters
    ----------
    difference
        Loss of one forecast minus loss of the other, (origins,), in the order of the origins.

    Returns
    -------
    Comparison or None
        None for fewer than FEWEST origins.

    References
    ----------
    Diebold and Mariano (1995), "Comparing predictive accuracy".
    Coroneo and Iacone (2020), "Comparing predictive accuracy in small samples using fixed-smoothing asymptotics".
    """
    from scipy.special import stdtr, stdtrit

    n = len(difference)
    if n < FEWEST:
        return None
    frequencies = int(np.cbrt(n) + 1e-9)
    periodogram = np.abs(np.fft.fft(difference)[1 : frequencies + 1]) ** 2 / n
    mean, error = float(difference.mean()), float(np.sqrt(periodogram.mean() / n))
    freedom = 2 * frequencies
    reach = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    statistic = float("inf") if mean else 0.0
    if error > 0:
        statistic = abs(mean) / error
    p_value = float(2 * stdtr(freedom, -statistic))
    return Comparison(n, mean, mean - reach, mean + reach, p_value)
