"""Weights of the models in their average, from their losses at past origins.

References
----------
Stock and Watson (2004), "Combination forecasts of output growth in a seven-country data set": weights inverse to the
squared error ignore how errors are correlated, and are hard to beat.
Smith and Wallis (2009), "A simple explanation of the forecast combination puzzle": estimated weights of models that are
about as good do worse than equal ones.
"""

import numpy as np

from forecasting_assets.forecasting.metrics import SUMS, metrics

#: Models whose loss is below TOLERANCE times the smallest one have equal weights: which of them is better changes with
#: the season.
TOLERANCE = 1.3
#: Weight of a model none of whose forecasts can be judged yet, beside models that can be: it counts only for series
#: that no other model forecasts.
UNJUDGED = 1e-6
#: A loss below this share of the largest one counts as this share.
MIN_LOSS = 0.01


def combination_weights(sums: np.ndarray, prior_cells: float) -> np.ndarray:
    """Return the weight of each model, which are not negative and add up to one.

    Models that are about as good as the best one (`TOLERANCE`) have equal weights. Those of others are inverse to the
    square of their scaled pinball loss. Where only some models can be judged, the others hardly count (`UNJUDGED`).

    Parameters
    ----------
    sums
        Sums over past forecasts of each model, (models, ..., SUMS).
    prior_cells
        Number of forecast cells at which weights are inverse to losses beyond the tolerance; with fewer they are closer
        to equal, with many inverse to the squares.

    Returns
    -------
    numpy.ndarray
        (models, ...).
    """
    cells = sums[..., SUMS.index("scaled_quantile_cells")]
    judged = (cells > 0) | ~(cells > 0).any(axis=0)
    loss = np.where(judged, np.nan_to_num(metrics(sums)["scaled_pinball"]), 0.0)
    # A few weeks without any error, as of a part that is hardly ever ordered, do not make a model infinitely better.
    floored = np.maximum(loss, MIN_LOSS * loss.max(axis=0))
    smallest = np.where(judged, floored, np.inf).min(axis=0)
    inverse = np.divide(TOLERANCE * smallest, floored, out=np.ones_like(loss), where=floored > 0)
    fewest = np.where(judged, cells, np.inf).min(axis=0)
    enough = np.divide(fewest, fewest + prior_cells, out=np.zeros_like(fewest), where=fewest > 0)
    shares = np.where(judged, np.minimum(inverse, 1.0) ** (2 * enough), UNJUDGED)
    weights: np.ndarray = shares / shares.sum(axis=0)
    return weights
