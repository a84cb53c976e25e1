"""The effect of known covariates on the demand of each series, pooled over its category.

Where demand and covariates both deviate from their usual values in the weeks around, one is regressed on the other. The
coefficients of all series are the prior of those of a category, and these of those of a series: the fewer weeks show
an effect, and the less the covariates vary, the closer to the prior. The effect is taken out of past demand before it
is filtered, and added to the forecast of the target week: covariates are exogenous regressors of SARIMAX.

References
----------
Lindley and Smith (1972), "Bayes estimates for the linear model" (hierarchical shrinkage of coefficients).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forecasting_assets.forecasting.cleaning import interruptions, outliers, without_outliers
from forecasting_assets.forecasting.covariates import KnownCovariates, linear_values
from forecasting_assets.forecasting.panel import Panel, in_units, mean_demand, to_log_scale

#: Weeks before and after a week that its usual demand is averaged over: short enough that no season is left.
HALF_WINDOW = 6
#: Weeks of data that the prior of no effect is worth for all series together, and the coefficients of all series for a
#: category, and those of its category for a series.
PRIOR_WEEKS, CATEGORY_WEEKS, SERIES_WEEKS = 26.0, 26.0, 200.0
#: Lower limit on the standard deviation (logarithmic) of a series when it is weighted by how steady it is.
MIN_DEVIATION = 0.1
#: Limit of the effect on log demand: covariates change demand by a factor of at most 20.
MAX_EFFECT = 3.0


@dataclass(frozen=True)
class Regressors:
    """The covariates of a panel, and what they change in its demand.

    Attributes
    ----------
    covariates
        The covariates.
    effect
        Effect on log demand, relative to the usual values of each series: (horizon + 1, series, weeks + horizon), as
        `KnownCovariates.values`; unknown values have no effect.
    """

    covariates: KnownCovariates
    effect: np.ndarray

    @property
    def past(self) -> np.ndarray:
        """The effect on the demand of the weeks of the panel, (series, weeks)."""
        past: np.ndarray = self.effect[0, :, : self.covariates.weeks]
        return past

    @property
    def ahead(self) -> np.ndarray:
        """The effect on the weeks ahead as known at the end of each week, (series, weeks, horizon)."""
        weeks = self.covariates.weeks
        leads = range(1, self.covariates.horizon + 1)
        return np.stack([self.effect[h, :, h : h + weeks] for h in leads], axis=-1)

    def removed_from(self, panel: Panel, fitted_at: int) -> Panel:
        """Return `panel` with the demand that it would have had at the usual values of its covariates."""
        log_demand, scale = _log_demand(panel, fitted_at)
        # A week without orders stays one: it says when a series begins, and when it is closed.
        demand = np.where(panel.demand > 0, in_units(log_demand - self.past, scale), 0.0)
        return replace(panel, demand=demand)


@dataclass(frozen=True)
class CovariateEffect:
    """What covariates change in the logarithm of demand.

    Attributes
    ----------
    names
        Names of the covariates.
    overall
        Coefficients of all series, (names,).
    by_category
        Coefficients of each category, (names,).
    precision
        Weight of the coefficients of a category where those of a series are estimated, (names,).
    """

    names: tuple[str, ...]
    overall: np.ndarray
    by_category: dict[str, np.ndarray]
    precision: np.ndarray

    @classmethod
    def fit(cls, panel: Panel, known: KnownCovariates, fitted_at: int) -> "CovariateEffect":
        """Fit the coefficients of all series and of each category.

        Parameters
        ----------
        panel
            The series.
        known
            Their covariates.
        fitted_at
            Last column to use.
        """
        moments, targets, weight = _moments(panel, known, fitted_at)
        a_week = np.einsum("njj->j", moments) / max(weight.sum(), 1e-9)
        none = np.zeros(len(known.names))
        overall = _ridge(moments.sum(axis=0), targets.sum(axis=0), a_week * PRIOR_WEEKS, none)
        by_category = {
            str(name): _ridge(
                moments[rows].sum(axis=0), targets[rows].sum(axis=0), a_week * CATEGORY_WEEKS, overall
            )
            for name, rows in panel.series.groupby("part_category").indices.items()
        }
        return cls(known.names, overall, by_category, a_week * SERIES_WEEKS)

    def on(self, panel: Panel, known: KnownCovariates, fitted_at: int) -> Regressors:
        """Return the effect on the series of a panel; `panel`, `known` and `fitted_at` as for `fit`."""
        moments, targets, _ = _moments(panel, known, fitted_at)
        prior = np.stack([self.by_category.get(c, self.overall) for c in panel.series["part_category"]])
        coefficients = _ridge(moments, targets, self.precision, prior)
        usual = _usual_values(known, fitted_at)
        effect = np.empty(known.values.shape[:3], dtype=np.float32)
        for lead, values in enumerate(known.values):
            relative = np.nan_to_num(linear_values(values, known.names) - usual[:, None])
            # A slip of the keyboard in a plan must not make forecasts infinite.
            total = np.einsum("nwj,nj->nw", relative, coefficients)
            effect[lead] = np.clip(total, -MAX_EFFECT, MAX_EFFECT)
        return Regressors(known, effect)

    def to_dict(self) -> dict[str, Any]:
        """Convert the effect to values that JSON can hold."""
        return {
            "names": list(self.names),
            "overall": self.overall.tolist(),
            "by_category": {name: values.tolist() for name, values in self.by_category.items()},
            "precision": self.precision.tolist(),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "CovariateEffect":
        """Restore an effect from `to_dict`."""
        by_category = {name: np.array(values) for name, values in saved["by_category"].items()}
        return cls(
            tuple(saved["names"]), np.array(saved["overall"]), by_category, np.array(saved["precision"])
        )


def _usual_values(known: KnownCovariates, fitted_at: int) -> np.ndarray:
    """Mean of the covariates of each series up to the column `fitted_at`, prices as logarithms: (series, names).

    It is NaN where nothing is known up to then, so that what is known of later weeks has no effect.
    """
    past = linear_values(known.values[0, :, : fitted_at + 1], known.names)
    weeks = np.isfinite(past).sum(axis=1)
    usual: np.ndarray = np.divide(
        np.nansum(past, axis=1), weeks, out=np.full(weeks.shape, np.nan), where=weeks > 0
    )
    return usual


def _log_demand(panel: Panel, fitted_at: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithmic demand (series, weeks), and the mean demand that it is relative to (series,), in units."""
    scale = mean_demand(without_outliers(panel.demand, fitted_at, panel.corrections), fitted_at)
    return to_log_scale(panel.demand, scale), scale


def _moments(
    panel: Panel, known: KnownCovariates, fitted_at: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add up the weeks of each series, which is weighted by how steady it is.

    Returns
    -------
    tuple
        Sums of the products of covariates (series, names, names), of covariates times log demand (series, names), and
        of weeks (series,).
    """
    past = linear_values(known.values[0, :, : fitted_at + 1], known.names)
    relative = past - _usual_values(known, fitted_at)[:, None]
    demand = _log_demand(panel, fitted_at)[0][:, : fitted_at + 1]
    unusual = outliers(panel.demand, fitted_at, panel.corrections)
    unusual |= interruptions(panel.demand, fitted_at, panel.corrections)
    begun = panel.begun[:, : fitted_at + 1]
    usable = begun & np.isfinite(relative).any(axis=2) & ~unusual[:, : fitted_at + 1]
    x = _local_deviation(np.nan_to_num(relative), usable)
    y = _local_deviation(demand[..., None], usable)[..., 0]
    weeks = usable.sum(axis=1)
    weight = 1 / ((y**2).sum(axis=1) / np.maximum(weeks, 1) + MIN_DEVIATION**2)
    weighted = x * weight[:, None, None]
    return weighted.transpose(0, 2, 1) @ x, np.einsum("ntj,nt->nj", weighted, y), weeks * weight


def _local_deviation(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Values (series, weeks, names) minus their mean over the usable weeks around each; zero in other weeks."""
    weeks = np.arange(values.shape[1])
    low, high = np.maximum(weeks - HALF_WINDOW, 0), np.minimum(weeks + HALF_WINDOW + 1, len(weeks))

    def window_sum(of: np.ndarray) -> np.ndarray:
        total = np.cumsum(np.pad(of, ((0, 0), (1, 0), (0, 0))), axis=1)
        window: np.ndarray = total[:, high] - total[:, low]
        return window

    used = usable[..., None]
    mean = window_sum(np.where(used, values, 0.0)) / np.maximum(window_sum(used.astype(float)), 1.0)
    return np.where(used, values - mean, 0.0)


def _ridge(moments: np.ndarray, targets: np.ndarray, precision: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Coefficients (..., names) shrunk towards `prior` with the weight `precision` (names,)."""
    penalty = np.maximum(precision, 1e-9)
    regularised = moments + np.diag(penalty)
    solved: np.ndarray = np.linalg.solve(regularised, (targets + penalty * prior)[..., None])[..., 0]
    return solved
