"""Scenarios of uncertain demand, drawn from the quantiles of a forecast and the correlations of its errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.allocation.arguments import DemandError
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.tables import ASSUMED_CORRELATIONS, MARKET, QUANTILES, SERIES
from forecasting_assets.weeks import weeks_since

#: Draws behind a quantile of a class; they cost no program.
QUANTILE_DRAWS = 400
_LEVELS = np.array(list(QUANTILES.values()))


def part_scenarios(
    parts: pd.DataFrame,
    demand: pd.DataFrame,
    policy: AllocationPolicy,
    draws: int,
    correlations: pd.DataFrame | None = None,
) -> Iterator[np.ndarray]:
    """Draw the demand of each part in each scenario.

    Each series follows the quantiles of its forecast, week by week. Where they do not carry the mean, as of a part that
    is ordered so rarely that all its quantiles are zero, the missing units lie in the upper tail, beyond the highest
    quantile; where they carry more than the mean, the distribution is scaled down to it. The draws of each part and
    week are then scaled so that their mean is exactly the mean of the forecast.

    Series and weeks depend on each other by a Gaussian copula with the correlations of `correlations_used`: the normal
    score of a series in a week is √r₀·H + √(r-r₀)·M + √(1-r)·E, where H (home), M (its market) and E (the series) are
    independent AR(1) processes of variance 1, r is the `part_correlation` of its market, and r₀ that of the home, but
    at most r; the autoregressive coefficients are the `week_correlation`. Draws come in pairs of opposite scores
    (antithetic variates).

    Parameters
    ----------
    parts
        Parts of an instance.
    demand
        part_id, region, due_week, quantity (mean, in units) and the quantiles in units (`tables.QUANTILES`).
    policy
        Correlations that are set, and seed.
    draws
        Number of scenarios.
    correlations
        ERROR_CORRELATIONS, learnt from earlier forecasts.

    Yields
    ------
    ndarray
        Units of each part in a scenario, (parts,).

    Raises
    ------
    DemandError
        If a column of the quantiles is missing, or quantiles are not finite, negative, or cross.

    References
    ----------
    Nelsen, R. B. (2006). An Introduction to Copulas.
    """
    distributions = _Distributions.of(parts, demand)
    copula = _Copula.of(parts, policy, correlations)
    total, highest, at_highest = (np.zeros(len(parts)) for _ in range(3))
    # Two passes over the same draws: together they may not fit into memory.
    for number, score in enumerate(copula.scores(draws)):
        total += distributions.units(score)
        higher = score > highest
        highest[higher], at_highest[higher] = score[higher], number
    wanted = draws * distributions.mean
    scale = np.divide(wanted, total, out=np.zeros(len(parts)), where=total > 0)
    # A part whose draws are all zero has its units in the scenario in which it is likeliest to have any.
    rare = total == 0
    for number, score in enumerate(copula.scores(draws)):
        yield np.where(rare & (at_highest == number), wanted, scale * distributions.units(score))


def correlations_used(
    markets: pd.DataFrame, policy: AllocationPolicy, correlations: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the correlations that scenarios have: those that are set, else learnt, else assumed.

    Parameters
    ----------
    markets
        part_category and region of each market.
    policy
        Correlations that are set.
    correlations
        ERROR_CORRELATIONS, learnt from earlier forecasts. A market without a row has those of the whole home.

    Returns
    -------
    DataFrame
        part_correlation and week_correlation, by part_category and region; the first row, with empty ones, is the
        whole home.
    """
    names = list(ASSUMED_CORRELATIONS)
    home = pd.DataFrame({column: [""] for column in MARKET})
    index = pd.MultiIndex.from_frame(pd.concat([home, markets[MARKET].drop_duplicates()]))
    used = pd.DataFrame(ASSUMED_CORRELATIONS, index=index)
    if correlations is not None and len(correlations):
        learnt = correlations.set_index(MARKET)[names]
        used = learnt.reindex(index).fillna(learnt.loc[("", "")])
    for name in names:
        if (value := getattr(policy, name)) is not None:
            used[name] = value
    return used


@dataclass(frozen=True)
class _Copula:
    """How scores depend on each other: rows of processes are the home, its markets, and the series.

    Attributes
    ----------
    memory
        Autoregressive coefficient of each process, (processes,).
    market, series, week
        Process of the market and of the series of each part, and its week, (parts,).
    weights
        Weights of the home, the market and the series of each part, (3, parts).
    seed
        Seed of the draws.
    """

    memory: np.ndarray
    market: np.ndarray
    series: np.ndarray
    week: np.ndarray
    weights: np.ndarray
    seed: int

    @classmethod
    def of(cls, parts: pd.DataFrame, policy: AllocationPolicy, correlations: pd.DataFrame | None) -> _Copula:
        used = correlations_used(parts, policy, correlations)
        market = used.index.get_indexer(pd.MultiIndex.from_frame(parts[MARKET]))
        series = parts.groupby(SERIES).ngroup().to_numpy()
        memory = used["week_correlation"].to_numpy()
        of_series = np.zeros(int(series.max(initial=-1)) + 1)
        of_series[series] = memory[market]
        of_market = used["part_correlation"].to_numpy()
        within = of_market[market]
        home = np.minimum(of_market[0], within)
        return cls(
            np.concatenate([memory, of_series]),
            market,
            series + len(used),
            weeks_since(parts["due_week"].min(), parts["due_week"]) if len(parts) else series,
            np.sqrt([home, within - home, 1 - within]),
            policy.seed,
        )

    def scores(self, draws: int) -> Iterator[np.ndarray]:
        """Yield the normal score of each part in each draw, (parts,); the same ones every time."""
        rng = np.random.default_rng(self.seed)
        memory, news = self.memory, np.sqrt(1 - self.memory**2)
        shape = (memory.size, int(self.week.max(initial=-1)) + 1)
        for pair in range(0, draws, 2):
            process = rng.standard_normal(shape)
            for t in range(1, shape[1]):
                process[:, t] = memory * process[:, t - 1] + news * process[:, t]
            score = (
                self.weights[0] * process[0, self.week]
                + self.weights[1] * process[self.market, self.week]
                + self.weights[2] * process[self.series, self.week]
            )
            yield from (score, -score)[: draws - pair]


@dataclass(frozen=True)
class _Distributions:
    """Demand of parts: linear between the quantiles; beyond the outermost two, exponential tails, cut at 0.

    Attributes
    ----------
    mean
        Mean demand, (parts,).
    values
        Quantiles, (parts, levels).
    above, below
        How far the tails reach on average beyond the highest and the lowest quantile, (parts,).
    """

    mean: np.ndarray
    values: np.ndarray
    above: np.ndarray
    below: np.ndarray

    @classmethod
    def of(cls, parts: pd.DataFrame, demand: pd.DataFrame) -> _Distributions:
        """Return the distributions with the mean of the forecast; raise DemandError if its quantiles are not valid."""
        missing = [q for q in QUANTILES if q not in demand]
        if missing:
            raise DemandError(
                f"the demand has no column {', '.join(missing)}: give the forecast's quantiles, or set "
                "[allocation] uncertainty to 'deterministic'"
            )
        key = [*SERIES, "due_week"]
        forecast = parts[key].merge(demand, on=key, validate="one_to_one")
        values, mean = forecast[list(QUANTILES)].to_numpy(float), forecast["quantity"].to_numpy(float)
        if not (np.isfinite(values).all() and (values >= 0).all() and (np.diff(values, axis=1) >= 0).all()):
            raise DemandError("quantiles of the demand must be finite, not negative and not cross")
        above = (values[:, -1] - values[:, -2]) / np.log((1 - _LEVELS[-2]) / (1 - _LEVELS[-1]))
        below = (values[:, 1] - values[:, 0]) / np.log(_LEVELS[1] / _LEVELS[0])
        plain = cls(mean, values, above, below)
        carried = plain.carried()
        # The upper tail is as likely as 1 - the highest level; it takes what the quantiles lack.
        longer = np.maximum(mean - carried, 0.0) / (1 - _LEVELS[-1])
        scale = np.divide(mean, carried, out=np.ones(len(values)), where=carried > mean)
        return cls(mean, values * scale[:, None], above * scale + longer, below * scale)

    def carried(self) -> np.ndarray:
        """Return the mean of the distributions as the quantiles and the tails have it, (parts,)."""
        middle = (self.values[:, 1:] + self.values[:, :-1]) / 2 @ np.diff(_LEVELS)
        lowest, below = self.values[:, 0], self.below
        cut = np.exp(-np.divide(lowest, below, out=np.full(len(below), np.inf), where=below > 0))
        upper = (1 - _LEVELS[-1]) * (self.values[:, -1] + self.above)
        return np.asarray(middle + upper + _LEVELS[0] * (lowest - below * (1 - cut)))

    def units(self, score: np.ndarray) -> np.ndarray:
        """Return the units at normal scores, (parts,)."""
        from scipy.special import ndtr

        probability, exceeded = ndtr(score), ndtr(-score)
        row = np.arange(len(self.values))
        right = np.clip(np.searchsorted(_LEVELS, probability), 1, _LEVELS.size - 1)
        weight = (probability - _LEVELS[right - 1]) / (_LEVELS[right] - _LEVELS[right - 1])
        low, high = self.values[row, right - 1], self.values[row, right]
        inner = low + np.clip(weight, 0, 1) * (high - low)
        beyond = np.log((1 - _LEVELS[-1]) / np.clip(exceeded, 1e-300, 1 - _LEVELS[-1]))
        short = np.log(_LEVELS[0] / np.clip(probability, 1e-300, _LEVELS[0]))
        return np.asarray(np.maximum(inner + beyond * self.above - short * self.below, 0.0))
