"""Uncertain demand: scenarios drawn from a forecast's quantiles, and programs with recourse over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from forecasting_assets.allocation.arguments import DemandError
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import Program
from forecasting_assets.tables import QUANTILES
from forecasting_assets.weeks import weeks_since

#: Draws behind a quantile of a class; they cost no program.
QUANTILE_DRAWS = 400


def part_scenarios(
    parts: pd.DataFrame, demand: pd.DataFrame, policy: AllocationPolicy, draws: int
) -> Iterator[np.ndarray]:
    """Draw the demand of each part in each scenario.

    Each series follows the quantiles of its forecast, week by week, scaled to its mean: quantiles say little about
    the tails, and those of a skewed forecast can add up to more than its mean. Series and weeks depend on each
    other by a Gaussian copula: the normal score of series i in week t is √r·M_t + √(1-r)·E_it, where M and all E
    are independent AR(1) processes of variance 1; r is `part_correlation`, and the autoregressive coefficient is
    `week_correlation`. Draws come in pairs of opposite scores (antithetic variates), so that means are exact to
    first order.

    Parameters
    ----------
    parts
        Parts of an instance.
    demand
        part_id, region, due_week, quantity (mean, in units) and the quantiles in units (`tables.QUANTILES`).
    policy
        Correlations and seed.
    draws
        Number of scenarios.

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
    from scipy.special import ndtr

    key = ["part_id", "region", "due_week"]
    missing = [q for q in QUANTILES if q not in demand]
    if missing:
        raise DemandError(
            f"the demand has no column {', '.join(missing)}: give the forecast's quantiles, or set "
            "[allocation] uncertainty to 'deterministic'"
        )
    forecast = parts[key].merge(demand, on=key, validate="one_to_one")
    values = forecast[list(QUANTILES)].to_numpy(float)
    if not (np.isfinite(values).all() and (values >= 0).all() and (np.diff(values, axis=1) >= 0).all()):
        raise DemandError("quantiles of the demand must be finite, not negative and not cross")
    of_quantiles = _mean(values)
    scale = np.divide(
        forecast["quantity"].to_numpy(float), of_quantiles, out=np.ones(len(values)), where=of_quantiles > 0
    )
    series = parts.groupby(["part_id", "region"]).ngroup().to_numpy()
    week = weeks_since(parts["due_week"].min(), parts["due_week"]) if len(parts) else series
    shape = (int(series.max(initial=-1)) + 2, int(week.max(initial=-1)) + 1)
    rng = np.random.default_rng(policy.seed)
    common, memory = np.sqrt(policy.part_correlation), policy.week_correlation
    for pair in range(0, draws, 2):
        score = rng.standard_normal(shape)
        for t in range(1, shape[1]):
            score[:, t] = memory * score[:, t - 1] + np.sqrt(1 - memory**2) * score[:, t]
        of_part = common * score[0, week] + np.sqrt(1 - common**2) * score[1 + series, week]
        for sign in (1, -1)[: draws - pair]:
            yield scale * _quantile(values, ndtr(sign * of_part))


def _quantile(values: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the quantile at `probability` (n,) of distributions known by their QUANTILES, (n, 7).

    Linear between them. Beyond the outermost two the tail is the exponential one through both, cut at 0.
    """
    levels = np.array(list(QUANTILES.values()))
    row = np.arange(len(values))
    right = np.clip(np.searchsorted(levels, probability), 1, levels.size - 1)
    weight = (probability - levels[right - 1]) / (levels[right] - levels[right - 1])
    low, high = values[row, right - 1], values[row, right]
    inner = low + np.clip(weight, 0, 1) * (high - low)
    with np.errstate(divide="ignore"):
        beyond = np.log((1 - levels[-1]) / np.minimum(1 - probability, 1 - levels[-1]))
        short = np.log(levels[0] / np.minimum(probability, levels[0]))
    above, below = _tails(values)
    return np.asarray(np.maximum(inner + beyond * above - short * below, 0.0))


def _tails(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the exponential tails reach on average beyond the highest and the lowest quantile, each (n,)."""
    levels = list(QUANTILES.values())
    above = (values[:, -1] - values[:, -2]) / np.log((1 - levels[-2]) / (1 - levels[-1]))
    below = (values[:, 1] - values[:, 0]) / np.log(levels[1] / levels[0])
    return above, below


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of the distributions of `_quantile`, (n,)."""
    levels = np.array(list(QUANTILES.values()))
    middle = (values[:, 1:] + values[:, :-1]) / 2 @ np.diff(levels)
    above, below = _tails(values)
    cut = np.exp(-np.divide(values[:, 0], below, out=np.full(len(values), np.inf), where=below > 0))
    upper = (1 - levels[-1]) * (values[:, -1] + above)
    return np.asarray(middle + upper + levels[0] * (values[:, 0] - below * (1 - cut)))


class TwoStage:
    """A program whose columns `now` are decided before a scenario of demand is known, and the others after.

    The deterministic equivalent (Birge & Louveaux, *Introduction to Stochastic Programming*, 2011, ch. 2)
    over [later columns of scenario 1, of 2, …, those of the CVaR, columns of now]. With `cvar_level` the
    mean cost of the worst scenarios is minimised in place of the mean (Rockafellar & Uryasev, 2000).
    """

    def __init__(self, base: Program, now: np.ndarray, demand: np.ndarray, cvar_level: float | None):
        from scipy import sparse

        n = len(demand)
        later = np.flatnonzero(~now)
        now = np.flatnonzero(now)
        self.base, self.now, self.later, self.scenarios = base, now, later, n
        b_eq = np.tile(base.b_eq, (n, 1))
        b_eq[:, base.eq_rows["demand"]] = demand
        tail = 0 if cvar_level is None else 2 + n
        self._now_at = n * later.size + tail

        def spread(a: sparse.csr_array) -> sparse.csr_array:
            return sparse.hstack(
                [
                    sparse.kron(sparse.eye_array(n), a[:, later]),
                    sparse.csr_array((n * a.shape[0], tail)),
                    sparse.kron(np.ones((n, 1)), a[:, now]),
                ],
                format="csr",
            )

        a_ub, b_ub = spread(base.a_ub), np.tile(base.b_ub, n)
        if cvar_level is None:
            cost = np.tile(base.c[later] / n, n)
        else:
            # Value at risk as the difference of two columns, and what each scenario costs beyond it.
            cost = np.concatenate([np.zeros(n * later.size), [1, -1], np.full(n, 1 / ((1 - cvar_level) * n))])
            beyond = sparse.hstack(
                [
                    sparse.kron(sparse.eye_array(n), base.c[None, later]),
                    sparse.csr_array(np.tile([-1.0, 1.0], (n, 1))),
                    -sparse.eye_array(n),
                    sparse.csr_array((n, now.size)),
                ]
            )
            a_ub, b_ub = sparse.vstack([a_ub, beyond], format="csr"), np.append(b_ub, np.zeros(n))
        self.program = replace(
            base,
            c=np.concatenate([cost, base.c[now]]),
            a_eq=spread(base.a_eq),
            b_eq=b_eq.ravel(),
            a_ub=a_ub,
            b_ub=b_ub,
        )

    def expected(self, x: np.ndarray) -> np.ndarray:
        """Return the solution in the columns of the base program; later decisions by their mean."""
        mean = np.empty(self.base.c.size)
        mean[self.now] = x[self._now_at :]
        mean[self.later] = x[: self.scenarios * self.later.size].reshape(self.scenarios, -1).mean(axis=0)
        return mean

    def prices(self, y: np.ndarray, rows: int) -> np.ndarray:
        """Sum the multipliers of the base program's rows over the scenarios."""
        return np.asarray(y[: self.scenarios * rows].reshape(self.scenarios, rows).sum(axis=0))

    def rows(self, base_rows: np.ndarray) -> np.ndarray:
        """Return the rows of a_ub for these rows of the base program, (scenarios · rows)."""
        return np.asarray((np.arange(self.scenarios)[:, None] * self.base.b_ub.size + base_rows).ravel())
