"""Exponential smoothing of intermittent demand: the forecast of every series that no other model can take.

The chance of an order and the size of one are smoothed apart, and the chance decays while nothing is
ordered (Teunter, Syntetos and Babai 2011, "Intermittent demand: linking forecasting to inventory
obsolescence"). The same for all horizons. Quantiles are those of a lognormal size that comes with
that chance.
"""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.cube import LEVELS, VALUES, forecast_table
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.weeks import add_weeks

#: Weight of a week relative to the week after it, for the chance of an order and for its size.
CHANCE_MEMORY, SIZE_MEMORY = 0.95, 0.95
#: Weeks with and without an order that a series is taken to have had before its first order.
PRIOR_WEEKS = 0.25
#: Variance of the logarithm of an order's size before any is known, and the orders that belief is worth.
PRIOR_LOG_VARIANCE, PRIOR_ORDERS = 0.5, 1.0


def smooth(panel: Panel, columns: np.ndarray) -> np.ndarray:
    """Forecasts (series, origins, 8) from the end of each of the weeks `columns`; NaN before the first order.

    The first order itself says nothing about the chance of one: that the series begins there is known.
    """
    from scipy.special import ndtri

    def discounted(x: np.ndarray, memory: float) -> np.ndarray:
        total = np.array(x.T, order="C")  # a copy, to be added up in place
        for t in range(1, len(total)):
            total[t] += memory * total[t - 1]
        return total[columns].T

    demand = panel.demand
    ordered = demand > 0
    after_first = np.arange(demand.shape[1]) > panel.first_order[:, None]
    weeks = discounted(after_first.astype(float), CHANCE_MEMORY)
    orders = discounted((ordered & after_first).astype(float), CHANCE_MEMORY)
    chance = (orders + PRIOR_WEEKS) / (weeks + 2 * PRIOR_WEEKS)

    logs = np.log(demand, out=np.zeros_like(demand), where=ordered)
    weight = discounted(ordered.astype(float), SIZE_MEMORY)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = discounted(demand, SIZE_MEMORY) / weight
        location = discounted(logs, SIZE_MEMORY) / weight
        spread = np.maximum(discounted(logs**2, SIZE_MEMORY) - weight * location**2, 0.0)
        variance = (spread + PRIOR_ORDERS * PRIOR_LOG_VARIANCE) / (weight + PRIOR_ORDERS) * (1 + 1 / weight)

    values = np.empty((*chance.shape, len(VALUES)))
    values[..., 0] = chance * size
    for i, level in enumerate(LEVELS, start=1):
        within = (level - (1 - chance)) / chance
        normal = ndtri(np.clip(within, 1e-12, 1.0))
        values[..., i] = np.where(within > 0, np.exp(location + normal * np.sqrt(variance)), 0.0)
    values[panel.first_order[:, None] > columns] = np.nan
    return values


def forecast(history: pd.DataFrame, origin: date, horizon: int, history_weeks: int) -> pd.DataFrame:
    """Rows of a forecast table from the end of `origin`, for every series alive there.

    `history`: part_id, region, week, quantity, only weeks with orders. A week with too little history for
    `xgb.fit` falls back on it. Raises DemandError.
    """
    panel = Panel.of(history, add_weeks(origin, 1 - history_weeks), origin)
    last = panel.column(origin)
    alive = np.flatnonzero(panel.alive(last))
    values = np.repeat(smooth(panel, np.array([last]))[alive], horizon, axis=1)
    weeks = np.full(len(alive), np.datetime64(origin))
    return forecast_table(panel.series.iloc[alive], weeks, values)
