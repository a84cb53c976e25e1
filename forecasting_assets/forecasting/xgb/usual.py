"""The usual demand of each series, relative to which the trees see it, so that features and targets have no unit.

Demand is expressed as its distance from the level of the series, in units of how much the series varies from week to
week. So a share price that moves by one percent and a spare part that is ordered twice a year share parameters.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from forecasting_assets.weeks import YEAR_WEEKS

#: Weeks that the level is averaged over; a year where nothing was ordered in them.
LEVEL_WEEKS = 26
#: Weeks whose mean demand the trees see beside the level.
MEAN_WEEKS = (4, 13, YEAR_WEEKS)
#: Limits of the volatility, and what it is shrunk towards as if that many weeks had shown it.
MIN_VOLATILITY, MAX_VOLATILITY = 0.005, 3.0
PRIOR_VOLATILITY, PRIOR_WEEKS = 0.5, 2.0
#: Lengths of the order cycles that the trees see, in weeks: 4, also for orders every two weeks, and 13 for a quarter.
CYCLES = (4, 13)
#: Number of earlier cycles whose demand is averaged.
CYCLE_REPEATS = 3
#: Earlier years that are used.
YEARS = (1, 2, 3)
#: Limit of the demand of an earlier year relative to its level, which can be near zero.
MAX_RATIO = 20.0


@dataclass(frozen=True)
class UsualDemand:
    """Level and volatility of some series as of the end of every week.

    Attributes
    ----------
    demand
        Demand without the shares of SARIMAX's season and of the effect of known covariates that are taken out
        (`Baseline`), (series, weeks), in units; NaN before the first order and in unusual weeks (`cleaning`).
    level
        Mean demand of the last LEVEL_WEEKS weeks, (series, weeks), in units; 1 if nothing was ordered in the last
        year. Where none of these weeks counts, it is the level of the latest week that counts.
    volatility
        Mean absolute change of demand over one and over four weeks, relative to the level, (series, weeks).
    """

    demand: np.ndarray
    level: np.ndarray
    volatility: np.ndarray

    @classmethod
    def of(cls, demand: np.ndarray) -> "UsualDemand":
        """Compute level and volatility of `demand` (series, weeks), NaN in weeks that are not to count."""
        (level, known), (year, _) = (trailing_mean(demand, weeks) for weeks in (LEVEL_WEEKS, YEAR_WEEKS))
        level = np.where(level > 0, level, np.where(year > 0, year, 1.0))
        level = np.where(known > 0, level, _latest_known(level, np.isfinite(demand)))
        changes, weeks_known = np.zeros_like(level), np.zeros_like(level)
        for lag in (1, 4):
            change, count = trailing_mean(_absolute_change(demand, lag), YEAR_WEEKS)
            changes += np.nan_to_num(change) / 2
            weeks_known += count / 2
        volatility = np.clip(changes / level, MIN_VOLATILITY, MAX_VOLATILITY)
        logs = weeks_known * np.log(volatility) + PRIOR_WEEKS * np.log(PRIOR_VOLATILITY)
        return cls(demand, level, np.exp(logs / (weeks_known + PRIOR_WEEKS)))

    def mean_weight(self, series: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return the weight of some origins in the loss of the mean, (origins,).

        It is the volatility (at most 1) times the square root of the level, relative to the mean demand of the series.
        Targets are in volatilities, so that very calm series would dominate without the first factor. The second is
        the weight of the level's relative error if the variance of demand grows with the power 1.5 of its mean
        (Taylor's law). Without it, origins at which a rarely ordered series had few orders count too much, and the
        mean is too high.

        References
        ----------
        Taylor (1961), "Aggregation, variance and the mean".
        """
        calm = np.minimum(self.volatility[series, column], 1.0)
        weight: np.ndarray = calm * np.sqrt(self._relative_level[series, column])
        return weight

    @cached_property
    def _relative_level(self) -> np.ndarray:
        """Level relative to the mean demand of each series; 1 where nothing was ordered in the last year."""
        ordered = self._means[YEAR_WEEKS] > 0
        mean, _ = trailing_mean(self.demand, self.demand.shape[1])
        ratio: np.ndarray = np.divide(self.level, mean[:, -1:], out=np.ones_like(self.level), where=ordered)
        return ratio

    @cached_property
    def _level_if_known(self) -> np.ndarray:
        """The level, NaN where it is zero or no week is known."""
        level, _ = trailing_mean(self.demand, LEVEL_WEEKS)
        return np.where(level > 0, level, np.nan)

    @cached_property
    def _three_weeks(self) -> np.ndarray:
        """Mean of the known weeks among each week and its two neighbours, NaN if one of them is outside the panel."""
        total, count = _sums(self.demand)
        weeks = np.arange(self.demand.shape[1])
        mean, _ = _mean(total, count, np.maximum(weeks - 1, 0), np.minimum(weeks + 2, len(weeks)))
        return np.where((weeks > 0) & (weeks < len(weeks) - 1), mean, np.nan)

    def lag(self, weeks: int | np.ndarray, series: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return the demand `weeks` before some origins, (origins,), in units; NaN where unknown.

        `weeks` is a number for all origins or one for each.
        """
        lagged: np.ndarray = np.where(
            column >= weeks, self.demand[series, np.maximum(column - weeks, 0)], np.nan
        )
        return lagged

    def mean(self, weeks: int, series: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return the mean demand of the last `weeks` up to some origins, (origins,), in units."""
        mean: np.ndarray = self._means[weeks][series, column]
        return mean

    @cached_property
    def _means(self) -> dict[int, np.ndarray]:
        return {weeks: trailing_mean(self.demand, weeks)[0] for weeks in MEAN_WEEKS}

    def relative(self, units: np.ndarray, series: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Express `units` of some series and origins as their distance from the level, in volatilities."""
        distance: np.ndarray = (units / self.level[series, column] - 1) / self.volatility[series, column]
        return distance

    def in_units(self, relative: np.ndarray, series: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Convert `relative` values (rows, ...) of some series and origins back to units; never below zero."""
        shape = (-1, *[1] * (relative.ndim - 1))
        level, volatility = (of[series, column].reshape(shape) for of in (self.level, self.volatility))
        units: np.ndarray = np.maximum(relative * volatility + 1, 0.0) * level
        return units

    def cycle(self, weeks: int, series: np.ndarray, column: np.ndarray, horizon: np.ndarray) -> np.ndarray:
        """Return the mean demand at the same point of earlier cycles.

        Parameters
        ----------
        weeks
            Length of a cycle.
        series, column
            Row of the series and column of the origin of each forecast.
        horizon
            Its horizon, from 1.

        Returns
        -------
        numpy.ndarray
            Mean of the known ones among the latest CYCLE_REPEATS weeks, not after the origin, that lie a multiple of
            `weeks` before the target week, (forecasts,), in units; NaN if none is known.
        """
        latest = -horizon % weeks
        back = [latest + repeat * weeks for repeat in range(CYCLE_REPEATS)]
        return mean_of_known(np.stack([self.lag(before, series, column) for before in back]))

    def earlier_years(
        self, series: np.ndarray, column: np.ndarray, horizon: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return how target weeks differed from the level at their origin, in earlier years.

        Parameters
        ----------
        series, column
            Row of the series and column of the origin of each forecast.
        horizon
            Its horizon, from 1.

        Returns
        -------
        tuple
            Of the week a year before the target, and of the three weeks around it in each of YEARS: (forecasts,) and
            (YEARS, forecasts), in volatilities; NaN where unknown.
        """
        volatility = self.volatility[series, column]

        def deviation(values: np.ndarray, year: int) -> np.ndarray:
            origin = column - year * YEAR_WEEKS
            at = np.maximum(origin + horizon, 0)
            level = np.where(origin >= 0, self._level_if_known[series, np.maximum(origin, 0)], np.nan)
            difference: np.ndarray = (np.minimum(values[series, at] / level, MAX_RATIO) - 1) / volatility
            return difference

        return deviation(self.demand, 1), np.stack([deviation(self._three_weeks, year) for year in YEARS])


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Return the mean of the known values along the first axis; NaN where none is."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0)
    mean: np.ndarray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def trailing_mean(values: np.ndarray, weeks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and number of the known values among the last `weeks` of each week; the mean is NaN if none is.

    `values` and both results are (series, weeks).
    """
    total, count = _sums(values)
    last = np.arange(values.shape[1]) + 1
    first = np.maximum(last - weeks, 0)
    return _mean(total, count, first, last)


def _sums(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative sums of the known values and of their number, each with a column of zeros before."""
    known = np.isfinite(values)
    padded = [np.pad(x, ((0, 0), (1, 0))) for x in (np.where(known, values, 0.0), known.astype(float))]
    return np.cumsum(padded[0], axis=1), np.cumsum(padded[1], axis=1)


def _mean(
    total: np.ndarray, count: np.ndarray, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    summed, number = total[:, last] - total[:, first], count[:, last] - count[:, first]
    mean = np.divide(summed, number, out=np.full_like(summed, np.nan), where=number > 0)
    return np.maximum(mean, 0.0), number


def _latest_known(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the value of the latest known week up to each week; that of the week itself if no week is known."""
    column = np.arange(values.shape[1])
    latest = np.maximum.accumulate(np.where(known, column, -1), axis=1)
    return np.take_along_axis(values, np.where(latest >= 0, latest, column), axis=1)


def _absolute_change(values: np.ndarray, lag: int) -> np.ndarray:
    change = np.full_like(values, np.nan)
    change[:, lag:] = np.abs(values[:, lag:] - values[:, :-lag])
    return change
