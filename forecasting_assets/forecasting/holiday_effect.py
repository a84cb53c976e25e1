"""The effect of public holidays on the demand of each category.

Easter moves, and Christmas falls on another day of the week, but the season of earlier years contains their holidays
where they were then. So the effect of these is taken out of the season, and that of the holidays of the target week is
added. The regressors are the number of holidays in the week itself, in the next week and in the previous week, for each
country; all holidays of a country count alike. Their coefficients are fitted to the difference between the demand of
whole categories and their season, which only holidays that have moved explain.

Few weeks of a history have moved holidays, and something else may have happened in them. Therefore the coefficients are
shrunk by the ridge penalty that is best in cross-validation, which leaves out four weeks at a time. First all
categories together are fitted: if no penalty is clearly better than no effect, there is none. Each category starts from
the result, or from no effect where that is better, and gets coefficients of its own if these are clearly better still.

References
----------
Cochrane and Orcutt (1949), "Application of least squares regression to relationships containing auto-correlated error
terms".
Hoerl and Kennard (1970), "Ridge regression: biased estimation for nonorthogonal problems".
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.forecasting.cleaning import without_outliers
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.season import Groups, group_deviations, past_deviations
from forecasting_assets.weeks import add_weeks

#: Weeks, relative to a week, whose holidays count: the next one, the week itself and the previous one.
NEIGHBOURS = (1, 0, -1)
#: Number of successive weeks that cross-validation leaves out together: those around Easter, for example.
BLOCK_WEEKS = 4
#: Ridge penalties to choose from, relative to the sum of squares of a regressor over all weeks, on average.
PENALTIES = np.array([0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
#: In cross-validation the squared error has to fall by this many standard errors of the fall, and by this share of the
#: error.
MIN_STANDARD_ERRORS, MIN_GAIN = 1.0, 0.05
#: Number of weeks with a season below which no effect is estimated.
MIN_WEEKS = 8
#: A week of a category does not count if outliers and excluded weeks were more than this share of its demand.
MAX_REMOVED = 0.1
#: Lower limit on the standard deviation (logarithmic) of a category when it is weighted by how steady it is.
MIN_DEVIATION = 0.02
#: Limit of the effect on log demand.
MAX_EFFECT = 1.5


@dataclass(frozen=True)
class HolidayEffect:
    """What a public holiday changes in the logarithm of the demand of a week.

    Attributes
    ----------
    countries
        ISO 3166 codes of the countries whose holidays are counted.
    overall
        Coefficients of all categories together: change of log demand per holiday, (countries * NEIGHBOURS,), country by
        country in the order of NEIGHBOURS.
    by_category
        Coefficients of each category, likewise.
    """

    countries: tuple[str, ...]
    overall: np.ndarray
    by_category: dict[str, np.ndarray]

    @classmethod
    def fit(cls, panel: Panel, countries: tuple[str, ...]) -> "HolidayEffect | None":
        """Fit the coefficients to all weeks of `panel`.

        Parameters
        ----------
        panel
            Series of the categories, without the effect of known covariates.
        countries
            ISO 3166 codes of the countries whose holidays are counted.

        Returns
        -------
        HolidayEffect or None
            The effect; None if there is none on any category.
        """
        countries = tuple(dict.fromkeys(countries))
        if not countries:
            return None
        code, names = pd.factorize(panel.series["part_category"], sort=True)
        deviation = _category_deviations(panel, code, len(names))
        counts = _counts(panel.first, deviation.shape[1], countries)
        x = counts - _earlier(counts, deviation, 0)
        y = deviation - past_deviations(deviation, 0)
        known = np.isfinite(y)
        x, y = np.where(known[..., None], x, 0.0), np.where(known, y, 0.0)
        weeks = known.sum(axis=1)
        steady = 1 / ((y**2).sum(axis=1) / np.maximum(weeks, 1) + MIN_DEVIATION**2)
        weight = np.where(known & (weeks >= MIN_WEEKS)[:, None], steady[:, None], 0.0)
        share = weight / np.maximum(weight.sum(axis=0), 1e-9)
        mean_x, mean_y = np.einsum("gt,gtk->tk", share, x), (share * y).sum(axis=0)
        overall = _shrunk(mean_x, mean_y, np.asarray((weight > 0).any(axis=0)), np.zeros(x.shape[2]))
        by_category = {
            str(name): _shrunk(x[row], y[row], known[row], overall) for row, name in enumerate(names)
        }
        found = overall.any() or any(coefficients.any() for coefficients in by_category.values())
        return cls(countries, overall, by_category) if found else None

    def on(self, first: date, categories: Groups, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the effect of holidays in each week, and the effect that the past deviations of its category contain.

        Parameters
        ----------
        first
            The first week of `categories`.
        categories
            The categories of some series.
        horizon
            Weeks after those of `categories` to return as well.

        Returns
        -------
        tuple
            Effects on log demand, (series, weeks + horizon) each. The second is zero where no season is known.
        """
        deviation = categories.deviation
        counts = _counts(first, deviation.shape[1] + horizon, self.countries)
        of_category = [self.by_category.get(str(name), self.overall) for name in categories.names]
        coefficients = np.array(of_category, dtype=float).reshape(-1, len(self.overall))
        now = np.einsum("tk,gk->gt", counts, coefficients)
        earlier = np.einsum("gtk,gk->gt", np.nan_to_num(_earlier(counts, deviation, horizon)), coefficients)
        now, earlier = (
            np.clip(effect, -MAX_EFFECT, MAX_EFFECT)[categories.code] for effect in (now, earlier)
        )
        return now, earlier

    def to_dict(self) -> dict[str, Any]:
        """Convert the effect to values that JSON can hold."""
        by_category = {name: values.tolist() for name, values in self.by_category.items()}
        return {
            "countries": list(self.countries),
            "overall": self.overall.tolist(),
            "by_category": by_category,
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "HolidayEffect":
        """Restore the effect from `to_dict`."""
        by_category = {name: np.array(values) for name, values in saved["by_category"].items()}
        return cls(tuple(saved["countries"]), np.array(saved["overall"]), by_category)


def _category_deviations(panel: Panel, code: np.ndarray, n: int) -> np.ndarray:
    """Deviations of the demand of each category, (categories, weeks), without outliers and excluded weeks."""
    last = panel.demand.shape[1] - 1
    total, kept = np.zeros((n, last + 1)), np.zeros((n, last + 1))
    np.add.at(total, code, panel.demand)
    np.add.at(kept, code, without_outliers(panel.demand, last, panel.corrections))
    return np.where(total - kept > MAX_REMOVED * total, np.nan, group_deviations(kept, last))


def _counts(first: date, n_weeks: int, countries: tuple[str, ...]) -> np.ndarray:
    """Public holidays of each country in NEIGHBOURS of each week from `first`, (weeks, countries * NEIGHBOURS)."""
    weeks = [add_weeks(first, week) for week in range(min(NEIGHBOURS), n_weeks + max(NEIGHBOURS))]
    by_country = [calendar_features(weeks, (country,))["holidays"].to_numpy(float) for country in countries]
    begin = [shift - min(NEIGHBOURS) for shift in NEIGHBOURS]
    return np.stack([holidays[b : b + n_weeks] for holidays in by_country for b in begin], axis=1)


def _earlier(counts: np.ndarray, deviation: np.ndarray, horizon: int) -> np.ndarray:
    """Return the typical counts of the years that the season of each group is from.

    `counts` is (weeks + horizon, columns), `deviation` (groups, weeks), NaN where unknown. The result is
    (groups, weeks + horizon, columns), NaN where no year before is known.
    """
    known, n_weeks = np.isfinite(deviation), deviation.shape[1]
    of_columns = [past_deviations(np.where(known, of[:n_weeks], np.nan), horizon) for of in counts.T]
    return np.stack(of_columns, axis=-1)


def _shrunk(x: np.ndarray, y: np.ndarray, known: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Fit coefficients of `x` (weeks, columns) to the `known` weeks of `y` (weeks,).

    They are `prior`, or zero where that is better, unless cross-validation shows that others are better still.
    """
    if known.sum() < MIN_WEEKS:
        return prior
    if (y[known] ** 2).sum() < ((y - x @ prior)[known] ** 2).sum():
        prior = np.zeros_like(prior)
    x, y, week = _without_autocorrelation(x, y - x @ prior, known)
    moments, targets = x.T @ x, x.T @ y
    size = np.trace(moments) / len(prior)
    if size <= 0:
        return prior
    penalty = PENALTIES[:, None, None] * size * np.eye(len(prior))
    gains = []
    for block in np.unique(week // BLOCK_WEEKS):
        out = week // BLOCK_WEEKS == block
        others = moments - x[out].T @ x[out] + penalty, (targets - x[out].T @ y[out])[:, None]
        predicted = x[out] @ np.linalg.solve(*others)[..., 0].T
        gains.append((y[out, None] ** 2 - (y[out, None] - predicted) ** 2).sum(axis=0))
    gain = np.array(gains)
    best = gain.sum(axis=0).argmax()
    at_least = MIN_STANDARD_ERRORS * np.sqrt((gain[:, best] ** 2).sum()), MIN_GAIN * (y**2).sum()
    if gain[:, best].sum() <= max(at_least):
        return prior
    coefficients: np.ndarray = prior + np.linalg.solve(moments + penalty[best], targets)
    return coefficients


def _without_autocorrelation(
    x: np.ndarray, y: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Subtract from each week what the previous one predicts of it; also return the numbers of the weeks.

    So the weeks of a random walk, which look alike for long, become its independent steps.
    """
    week = np.flatnonzero(known[1:] & known[:-1]) + 1
    before = y[week - 1]
    correlation = np.clip((y[week] @ before) / max(before @ before, 1e-12), 0.0, 1.0)
    return x[week] - correlation * x[week - 1], y[week] - correlation * before, week
