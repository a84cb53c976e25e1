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

#: Models whose loss is less than so many times the least one count the same: which of them is better changes with the
#: season.
TOLERANCE = 1.3
#: A loss below this share of the largest one counts as this share.
MIN_LOSS = 0.01


def combination_weights(sums: np.ndarray, prior_cells: float) -> np.ndarray:
    """Return the weight of each model, which are not negative and add up to one.

    Models that are about as good as the best one (`TOLERANCE`) have equal weights. Those of others are inverse to the
    square of their scaled pinball loss.

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
    loss = np.nan_to_num(metrics(sums)["scaled_pinball"])
    # A few weeks without any error, as of a part that is hardly ever ordered, do not make a model infinitely better.
    floored = np.maximum(loss, MIN_LOSS * loss.max(axis=0))
    inverse = np.divide(TOLERANCE * floored.min(axis=0), floored, out=np.ones_like(loss), where=floored > 0)
    cells = sums[..., SUMS.index("scaled_quantile_cells")].min(axis=0)
    enough = np.divide(cells, cells + prior_cells, out=np.zeros_like(cells), where=cells > 0)
    shares = np.minimum(inverse, 1.0) ** (2 * enough)
    weights: np.ndarray = shares / shares.sum(axis=0)
    return weights
