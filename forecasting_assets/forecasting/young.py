"""Level of series that have just begun, borrowed from like series: those of the same category and region.

A series begins in a week with orders, so its mean so far is too high, and few weeks tell little. The forecast of a
young series is therefore multiplied by a ratio: a level between its own mean and that of like series, divided by its
own mean. The ratio moves to one as the series gets older. How many weeks of its own demand the mean of like series is
worth is estimated from series that began earlier: none if like series do not help.

References
----------
Morris (1983), "Parametric empirical Bayes inference: theory and applications".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from forecasting_assets.features.window import ACTIVE_WEEKS
from forecasting_assets.forecasting.cleaning import outliers
from forecasting_assets.forecasting.panel import Panel, recent_sum
from forecasting_assets.tables import MARKET

#: Weeks from the first order in which a series borrows its level.
YOUNG_WEEKS = 8
#: Weeks up to the origin that make the mean demand of like series.
LIKE_WEEKS = 8
#: Weeks of own demand that the mean of like series may be worth.
WORTH = (0.0, 0.5, 1.0, 2.0, 4.0)
#: Limit of an error in the estimate, relative to the mean of like series: one large order must not decide it.
MAX_ERROR = 10.0
#: Series that must have begun, and been ordered for YOUNG_WEEKS weeks since, before like series count for anything.
MIN_SERIES = 30


@dataclass(frozen=True)
class YoungLevels:
    """What young series borrow.

    Attributes
    ----------
    worth
        Weeks of own demand that the mean of like series is worth.
    levels
        Category -> region -> mean weekly demand of an active series, in units.
    """

    worth: float
    levels: dict[str, dict[str, float]]

    @classmethod
    def fit(cls, panel: Panel) -> "YoungLevels | None":
        """Estimate at the end of a panel; None if like series do not help, or too few series have begun."""
        last, begun = panel.demand.shape[1] - 1, panel.first_order
        if len(begun) < MIN_SERIES:
            return None
        # All series of a history seem to begin in its first weeks.
        known = np.flatnonzero((begun >= begun.min() + LIKE_WEEKS) & (begun + 2 * YOUNG_WEEKS <= last + 1))
        if len(known) < MIN_SERIES:
            return None
        counted = ~outliers(panel.demand, last, panel.corrections)
        demand = np.where(counted, panel.demand, 0.0)
        loss, like_means = np.zeros(len(WORTH)), _like_means(panel, demand)
        for age in range(1, YOUNG_WEEKS + 1):
            column = begun[known] + age - 1
            own = _window_mean(demand, counted, known, begun[known], column)
            actual = _window_mean(demand, counted, known, column + 1, column + YOUNG_WEEKS)
            like = like_means[known, column]
            compared = like > 0
            for i, worth in enumerate(WORTH):
                shrunk = own + like_weight(np.array(age), worth) * (like - own)
                error = np.abs(shrunk - actual)[compared] / like[compared]
                loss[i] += np.minimum(error, MAX_ERROR).sum()
        best = WORTH[int(loss.argmin())]
        return cls(best, _levels(panel, demand)) if best else None

    def factors(self, panel: Panel, fitted_at: int) -> np.ndarray:
        """Return what forecasts from the end of each week are multiplied by, (series, weeks).

        `fitted_at` is the last column that sets the usual size of orders.
        """
        week = np.arange(panel.demand.shape[1])
        age = week - panel.first_order[:, None] + 1
        counted = panel.begun & ~outliers(panel.demand, fitted_at, panel.corrections)
        own = np.where(counted, panel.demand, 0.0).cumsum(axis=1) / np.maximum(counted.cumsum(axis=1), 1)
        names = zip(panel.series["part_category"], panel.series["region"], strict=True)
        like = np.array([self.levels.get(c, {}).get(r, np.nan) for c, r in names])[:, None]
        weight = like_weight(age, self.worth)
        usable = (age >= 1) & np.isfinite(like) & (own > 0)
        ratio = np.divide(like, own, out=np.ones_like(own), where=usable)
        factors: np.ndarray = 1 + weight * (ratio - 1)
        return factors

    def to_dict(self) -> dict[str, Any]:
        """Convert to values that JSON can hold."""
        return {"worth": self.worth, "levels": self.levels}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "YoungLevels":
        """Restore from `to_dict`."""
        return cls(saved["worth"], saved["levels"])


def like_weight(age: np.ndarray, worth: float) -> np.ndarray:
    """Return the weight of like series in the level of series of some age (1 in the week of the first order)."""
    fading = np.clip(1 - (age - 1) / YOUNG_WEEKS, 0.0, 1.0)
    weight: np.ndarray = worth / (np.maximum(age, 1) + worth) * fading
    return weight


def _window_mean(
    demand: np.ndarray, counted: np.ndarray, series: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Mean demand of some series in the `counted` weeks of their columns `first` to `last`, (series,)."""
    rows = np.arange(len(series))

    def window_sum(of: np.ndarray) -> np.ndarray:
        total = np.cumsum(np.pad(of[series], ((0, 0), (1, 0))), axis=1)
        return np.asarray(total[rows, last + 1] - total[rows, first])

    return np.asarray(window_sum(demand) / np.maximum(window_sum(counted), 1))


def _like_means(panel: Panel, demand: np.ndarray) -> np.ndarray:
    """Mean weekly demand of the active like series of each series over LIKE_WEEKS weeks up to each, (series, weeks)."""
    groups = panel.series.groupby(MARKET, sort=False, observed=True).ngroup().to_numpy()
    shape = groups.max() + 1, demand.shape[1]
    total, active = np.zeros(shape), np.zeros(shape)
    np.add.at(total, groups, recent_sum(demand, LIKE_WEEKS))
    np.add.at(active, groups, recent_sum((demand > 0).astype(float), ACTIVE_WEEKS) > 0)
    of_series: np.ndarray = (total / LIKE_WEEKS / np.maximum(active, 1))[groups]
    return of_series


def _levels(panel: Panel, demand: np.ndarray) -> dict[str, dict[str, float]]:
    """Mean weekly demand of an active series of each category and region in the last weeks, in units."""
    groups = panel.series[MARKET].assign(level=_like_means(panel, demand)[:, -1])
    distinct = groups.drop_duplicates(MARKET)
    levels: dict[str, dict[str, float]] = {}
    names = (distinct[name].tolist() for name in distinct)
    for category, region, level in zip(*names, strict=True):
        levels.setdefault(category, {})[region] = level
    return levels
