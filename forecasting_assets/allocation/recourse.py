"""Programs with recourse: what is decided before demand is known, and what adapts to each scenario of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecasting_assets.allocation.program import Program


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
        self.cvar_level = cvar_level
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
