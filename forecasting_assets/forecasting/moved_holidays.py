"""The effect of public holidays that fall into another week than in the years before.

The season of earlier years contains their holidays. So only what a moved holiday changes is added to it: the number of
holidays in a week and in the weeks beside it, less that of the same week in earlier years, is a regressor. Its
coefficients are fitted to the demand of whole categories, less the season of earlier years.

Few weeks of a history have moved holidays, and something else may have happened in them. Therefore the coefficients
are shrunk, by the ridge penalty that predicts weeks best that it was not fitted to; they are zero unless they predict
them better than no effect.

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
from forecasting_assets.forecasting.season import GroupTotals, group_deviations, past_deviations
from forecasting_assets.weeks import add_weeks

#: Weeks beside a week whose holidays count: after it, the week itself, and before it.
NEIGHBOURS = (1, 0, -1)
#: Weeks that are left out together to judge a penalty: holidays that are near each other, such as those at Easter.
BLOCK_WEEKS = 4
#: Ridge penalties to choose from, relative to the mean square of the regressors. Where even the smallest coefficients
#: do not predict better by MIN_GAIN of the squared error, there is no effect.
PENALTIES = np.array([0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
MIN_GAIN = 0.05
#: Number of weeks with a season below which no effect is estimated.
MIN_WEEKS = 2 * BLOCK_WEEKS
#: Lower limit on the standard deviation (logarithmic) of a category when it is weighted by how steady it is.
MIN_DEVIATION = 0.02
#: Limit of the effect on log demand.
MAX_EFFECT = 1.5


@dataclass(frozen=True)
class MovedHolidays:
    """What a public holiday that moves into a week, or beside it, changes in the logarithm of its demand.

    Attributes
    ----------
    countries
        ISO 3166 codes of the countries whose holidays are counted, each by itself.
    overall
        Coefficients of a category that was not fitted, (countries * NEIGHBOURS,).
    by_category
        Coefficients of each category.
    """

    countries: tuple[str, ...]
    overall: np.ndarray
    by_category: dict[str, np.ndarray]

    @classmethod
    def fit(cls, panel: Panel, countries: tuple[str, ...]) -> "MovedHolidays | None":
        """Fit the coefficients to all weeks of `panel`; None if there is no effect on any category.

        Parameters
        ----------
        panel
            Series of the categories, without the effect of known covariates.
        countries
            ISO 3166 codes of the countries whose holidays are counted.
        """
        if not countries:
            return None
        code, names = pd.factorize(panel.series["part_category"], sort=True)
        last = panel.demand.shape[1] - 1
        total = np.zeros((len(names), last + 1))
        np.add.at(total, code, without_outliers(panel.demand, last, panel.corrections))
        deviation = group_deviations(total, last)
        moved = _moved(deviation, _counts(panel.first, deviation.shape[1], countries), 0)
        unexpected = deviation - past_deviations(deviation, 0)
        known = np.isfinite(unexpected)
        x, y = np.where(known[..., None], moved, 0.0), np.where(known, unexpected, 0.0)
        weeks = known.sum(axis=1)
        steady = 1 / ((y**2).sum(axis=1) / np.maximum(weeks, 1) + MIN_DEVIATION**2)
        weight = np.where(known & (weeks >= MIN_WEEKS)[:, None], steady[:, None], 0.0)
        some = weight.any(axis=0)
        share = weight[:, some] / weight[:, some].sum(axis=0)
        none = np.zeros(x.shape[2])
        overall = _ridge(np.einsum("gt,gtk->tk", share, x[:, some]), (share * y[:, some]).sum(axis=0), none)
        by_category = {
            str(name): _ridge(x[row, known[row]], y[row, known[row]], overall)
            for row, name in enumerate(names)
        }
        found = overall.any() or any(coefficients.any() for coefficients in by_category.values())
        return cls(countries, overall, by_category) if found else None

    def on(self, panel: Panel, totals: GroupTotals, fitted_at: int, horizon: int) -> np.ndarray:
        """Return the effect on log demand in the weeks of `panel` and after it: (series, weeks + horizon).

        It is zero in weeks before which no season of their category is known.
        """
        code, found = pd.factorize(panel.series["part_category"])
        deviation = totals.deviations("part_category", pd.Index(found), panel, fitted_at)
        counts = _counts(panel.first, deviation.shape[1] + horizon, self.countries)
        coefficients = np.stack([self.by_category.get(str(name), self.overall) for name in found])
        effect = np.einsum("gtk,gk->gt", _moved(deviation, counts, horizon), coefficients)
        of_series: np.ndarray = np.clip(effect, -MAX_EFFECT, MAX_EFFECT)[code]
        return of_series

    def to_dict(self) -> dict[str, Any]:
        """Convert the effect to values that JSON can hold."""
        by_category = {name: values.tolist() for name, values in self.by_category.items()}
        return {
            "countries": list(self.countries),
            "overall": self.overall.tolist(),
            "by_category": by_category,
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "MovedHolidays":
        """Restore the effect from `to_dict`."""
        by_category = {name: np.array(values) for name, values in saved["by_category"].items()}
        return cls(tuple(saved["countries"]), np.array(saved["overall"]), by_category)


def _counts(first: date, n_weeks: int, countries: tuple[str, ...]) -> np.ndarray:
    """Public holidays of each country in each week from `first` and in NEIGHBOURS: (weeks, countries * NEIGHBOURS)."""
    reach = max(NEIGHBOURS)
    weeks = [add_weeks(first, week) for week in range(-reach, n_weeks + reach)]
    by_country = [calendar_features(weeks, (country,))["holidays"].to_numpy(float) for country in countries]
    columns = [
        holidays[reach + shift : reach + shift + n_weeks] for holidays in by_country for shift in NEIGHBOURS
    ]
    return np.stack(columns, axis=1)


def _moved(deviation: np.ndarray, counts: np.ndarray, horizon: int) -> np.ndarray:
    """Subtract the counts of the years that the season is from: (groups, weeks + horizon, columns).

    The result is zero where no season is known. `deviation` (groups, weeks) is NaN where unknown.
    """
    known, n_weeks = np.isfinite(deviation), deviation.shape[1]
    earlier = np.stack(
        [past_deviations(np.where(known, column[:n_weeks], np.nan), horizon) for column in counts.T], axis=-1
    )
    moved: np.ndarray = np.nan_to_num(counts - earlier)
    return moved


def _ridge(x: np.ndarray, y: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Fit coefficients of `x` (weeks, columns) to `y` (weeks,), shrunk towards `prior` by cross-validation."""
    if len(y) < MIN_WEEKS:
        return prior
    x, y = _without_autocorrelation(x, y - x @ prior)
    moments, targets = x.T @ x, x.T @ y
    size = np.trace(moments) / len(prior)
    if size <= 0:
        return prior
    penalty = PENALTIES[:, None, None] * size * np.eye(len(prior))
    squared = np.zeros(len(PENALTIES))
    for first in range(0, len(y), BLOCK_WEEKS):
        x_out, y_out = x[first : first + BLOCK_WEEKS], y[first : first + BLOCK_WEEKS]
        others = moments - x_out.T @ x_out + penalty, (targets - x_out.T @ y_out)[:, None]
        predicted = x_out @ np.linalg.solve(*others)[..., 0].T
        squared += ((y_out[:, None] - predicted) ** 2).sum(axis=0)
    best = squared.argmin()
    if squared[best] >= (1 - MIN_GAIN) * (y**2).sum():
        return prior
    coefficients: np.ndarray = prior + np.linalg.solve(moments + penalty[best], targets)
    return coefficients


def _without_autocorrelation(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subtract from each week what the week before lets expect: rows of a random walk become its steps."""
    correlation = np.clip((y[1:] @ y[:-1]) / max(y[:-1] @ y[:-1], 1e-12), 0.0, 1.0)
    return x[1:] - correlation * x[:-1], y[1:] - correlation * y[:-1]
