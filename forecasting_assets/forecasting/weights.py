"""Weights of the models in their average, from the losses of each model and of the plain average of each pair.

References
----------
Bates and Granger (1969), "The combination of forecasts".
Stock and Watson (2004), "Combination forecasts of output growth in a seven-country data set" (weights inverse to the
squared error, which are hard to beat as they ignore how errors are correlated).
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from forecasting_assets.forecasting.metrics import SUMS, metrics

#: Number of past origins, the latest counting as one, that the prior weights count for. The errors of overlapping
#: origins are correlated, and the better model changes with the season, so that few origins say little of how models
#: complement each other.
PRIOR_ORIGINS = 20.0
#: Models whose loss is less than so many times the least one have the same prior weight: which of them is better
#: changes with the season.
TOLERANCE = 1.3
#: A loss below this share of the largest one counts as this share.
MIN_LOSS = 0.01


def pairs(models: int) -> list[tuple[int, int]]:
    """Return the positions of the two models of each pair, for a number of models."""
    return list(combinations(range(models), 2))


def combination_weights(
    single: np.ndarray, pair: np.ndarray, origins: np.ndarray | float, prior_cells: float
) -> np.ndarray:
    """Return the weight of each model, which are not negative and add up to one.

    The scaled pinball loss of an average of quantiles is convex in its weights. It is approximated by the quadratic
    function that equals the loss of each model and of the plain average of each pair, which is exact for squared errors
    (Bates and Granger 1969). The weights are its minimum, shrunk towards prior weights that are equal for models that
    are about as good (`TOLERANCE`), and inverse to the square of the loss for others (Stock and Watson 2004).

    Parameters
    ----------
    single
        Sums over past forecasts of each model, (models, ..., SUMS).
    pair
        Sums of the plain average of each pair, (pairs, ..., SUMS), in the order of `pairs`.
    origins
        Number of past origins that the sums come from, where older ones may count less, (...).
    prior_cells
        Number of forecast cells at which prior weights are inverse to losses beyond the tolerance; with fewer they are
        closer to equal, with many inverse to the squares.

    Returns
    -------
    numpy.ndarray
        (models, ...).
    """
    n, shape = len(single), single.shape[1:-1]
    alone = np.nan_to_num(metrics(single)["scaled_pinball"]).reshape(n, -1).T
    gain = np.zeros((len(alone), n, n))
    if len(pair):
        together = np.nan_to_num(metrics(pair)["scaled_pinball"]).reshape(len(pair), -1)
        for (i, j), loss in zip(pairs(n), together, strict=True):
            gain[:, i, j] = gain[:, j, i] = 2 * (alone[:, i] + alone[:, j]) - 4 * loss
    cells = single[..., SUMS.index("scaled_quantile_cells")].min(axis=0)
    enough = np.divide(cells, cells + prior_cells, out=np.zeros_like(cells), where=cells > 0)
    trust = (enough * origins / (origins + PRIOR_ORIGINS)).reshape(-1, 1)
    prior = _prior_weights(alone, enough.reshape(-1, 1))
    weights: np.ndarray = prior + (_least(alone, gain) - prior) * trust
    return weights.T.reshape(n, *shape)


def _prior_weights(loss: np.ndarray, enough: np.ndarray) -> np.ndarray:
    """Return weights inverse to the squares of losses (problems, models) beyond the tolerance, and equal within it.

    They are equal where `enough` (problems, 1), which says whether there are enough forecasts, is zero instead of one.
    """
    # A few weeks without any error, as of a part that is hardly ever ordered, do not make a model infinitely better.
    floored = np.maximum(loss, MIN_LOSS * loss.max(axis=1, keepdims=True))
    least = floored.min(axis=1, keepdims=True)
    inverse = np.divide(TOLERANCE * least, floored, out=np.ones_like(loss), where=floored > 0)
    inverse = np.minimum(inverse, 1.0) ** (2 * enough)
    weights: np.ndarray = inverse / inverse.sum(axis=1, keepdims=True)
    return weights


def _least(alone: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Minimise w·alone - w·gain·w / 2 over weights w that are not negative and add up to one.

    The least value lies where the gradient along some face of the simplex vanishes, so every face is tried; there are
    few, as there are few models.

    Parameters
    ----------
    alone
        Loss of each model, (problems, models).
    gain
        What averaging a pair gains, (problems, models, models).

    Returns
    -------
    numpy.ndarray
        (problems, models).
    """
    best, least = np.full_like(alone, 1 / alone.shape[1]), np.full(len(alone), np.inf)
    for weights, feasible in _stationary_points(alone, gain):
        loss = (weights * alone).sum(axis=1) - np.einsum("pi,pij,pj->p", weights, gain, weights) / 2
        better = feasible & (loss < least)
        best[better], least[better] = weights[better], loss[better]
    normalised: np.ndarray = best / best.sum(axis=1, keepdims=True)
    return normalised


def _stationary_points(alone: np.ndarray, gain: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the stationary point of every face, largest faces first, and whether its weights are feasible."""
    problems, n = alone.shape
    for size in range(n, 0, -1):
        for face in map(list, combinations(range(n), size)):
            system = np.zeros((problems, size + 1, size + 1))
            system[:, :size, :size] = -gain[np.ix_(range(problems), face, face)]
            system[:, :size, size], system[:, size, :size] = -1.0, 1.0
            right = np.concatenate([-alone[:, face], np.ones((problems, 1))], axis=1)
            # The inverse does not exist where averaging gains nothing; then any solution will do.
            solution = np.einsum("pij,pj->pi", np.linalg.pinv(system), right)[:, :size]
            weights = np.zeros((problems, n))
            weights[:, face] = np.maximum(solution, 0.0)
            yield weights, (solution >= -1e-9).all(axis=1) & (np.abs(solution.sum(axis=1) - 1) < 1e-9)
