"""The yearly season of a series, learnt from a year ago and borrowed from its part, category and region.

A deviation is how far, in logarithms, a week stood above or below the year around it. What a series did a
year ago says something about the coming weeks, and so does what all regions of its part, all parts of its
category and all orders of its region did, with less noise. How much each is to be believed is one ridge
regression over all series (a hierarchical shrinkage in the sense of James and Stein; for seasonal indices:
Miller and Williams 2003, "Shrinkage estimators of time series seasonal factors"). No week after the origin
is looked at: a deviation is used a year later, when the half year after it has closed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import Panel, logged, scale_of, week_numbers
from forecasting_assets.weeks import YEAR_WEEKS

#: Weeks before and after one that its deviation is measured against: half a year together, as no horizon is
#: longer than the other half of the year.
HALF_WINDOW, SMOOTHING = 22, 4
#: Coefficients believed in before a season has been seen twice, in the order of COMPONENTS, and the weeks of
#: data that this belief is worth: what many series did in a week comes back more surely than what one did.
BELIEF, BELIEF_WEEKS = (0.9, 0.3, 0.9, 0.4), 26
#: Standard deviation of the logarithm that a series is not taken to be steadier than.
STEADIEST = 0.1
#: What a deviation is split into: of the category, of the region, of the part beyond its category, and of the
#: series beyond its part.
COMPONENTS = ["category", "region", "part", "own"]


@dataclass(frozen=True)
class GroupTotals:
    """Units by week of whole categories and regions, whatever series are looked at: `level` (part_category
    or region), `name`, `week`, `quantity`."""

    table: pd.DataFrame

    @classmethod
    def of(cls, history: pd.DataFrame) -> "GroupTotals":
        """From part_category, region, week, quantity of every series there is."""
        tables = []
        for level in ("part_category", "region"):
            sums = history.groupby([level, "week"], observed=True)["quantity"].sum()
            tables.append(sums.rename_axis(["name", "week"]).reset_index().assign(level=level))
        return cls(pd.concat(tables, ignore_index=True))

    def demand(self, level: str, names: pd.Index, panel: Panel) -> np.ndarray:
        """(names, weeks of the panel) in units."""
        rows = self.table[self.table["level"] == level]
        week, name = week_numbers(rows["week"], panel.first), names.get_indexer(pd.Index(rows["name"]))
        seen = (week >= 0) & (week < panel.demand.shape[1]) & (name >= 0)
        total = np.zeros((len(names), panel.demand.shape[1]))
        np.add.at(total, (name[seen], week[seen]), rows["quantity"].to_numpy(float)[seen])
        return total


def deviations(demand: np.ndarray, fitted_at: int) -> np.ndarray:
    """(rows, weeks): log demand of each week less its mean in the weeks around it; NaN before the first order.

    The mean is smoothed once more, so that a spike that leaves the window leaves no step.
    """
    begun = np.maximum.accumulate(demand > 0, axis=1)
    log_demand = logged(demand, scale_of(demand, fitted_at))
    level = _moving_mean(_moving_mean(log_demand, begun, HALF_WINDOW), begun, SMOOTHING)
    return np.where(begun, log_demand - level, np.nan)


def _moving_mean(x: np.ndarray, begun: np.ndarray, half: int) -> np.ndarray:
    """Mean of the weeks up to `half` before and after each, of those that have begun."""
    n_weeks = x.shape[1]
    low = np.maximum(np.arange(n_weeks) - half, 0)
    high = np.minimum(np.arange(n_weeks) + half + 1, n_weeks)

    def summed(values: np.ndarray) -> np.ndarray:
        total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
        return total[:, high] - total[:, low]

    return summed(np.where(begun, x, 0.0)) / np.maximum(summed(begun.astype(float)), 1.0)


def a_year_ago(deviation: np.ndarray, horizon: int) -> np.ndarray:
    """(rows, weeks + horizon): mean deviation of the same week in the years before; NaN where none is known."""
    n, n_weeks = deviation.shape
    years = range(1, (n_weeks + horizon - 1) // YEAR_WEEKS + 1)
    total, count = (np.zeros((n, n_weeks + horizon)) for _ in range(2))
    for year in years:
        back = year * YEAR_WEEKS
        then = deviation[:, : n_weeks + horizon - back]
        total[:, back : back + then.shape[1]] += np.nan_to_num(then)
        count[:, back : back + then.shape[1]] += np.isfinite(then)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def components(
    panel: Panel, totals: GroupTotals, fitted_at: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """(COMPONENTS, series, weeks + horizon) a year ago, zero where unknown; and the series' own deviations.

    `panel` holds every region of its parts; the scale of logarithms is that known at the column `fitted_at`.
    """

    def of_group(names: pd.Series, demand: np.ndarray | None = None) -> np.ndarray:
        code, distinct = pd.factorize(names)
        distinct = pd.Index(distinct)
        if demand is None:
            total = totals.demand(str(names.name), distinct, panel)
        else:
            total = np.zeros((len(distinct), demand.shape[1]))
            np.add.at(total, code, demand)
        return a_year_ago(deviations(total, fitted_at), horizon)[code]

    category, region = of_group(panel.series["part_category"]), of_group(panel.series["region"])
    part = of_group(panel.series["part_id"], panel.demand)
    deviation = deviations(panel.demand, fitted_at)
    own = a_year_ago(deviation, horizon)
    beyond_category = np.where(np.isnan(category), part, part - category)
    return np.nan_to_num(np.stack([category, region, beyond_category, own - part])), deviation


def fit_season(ago: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The coefficient of each of COMPONENTS by weighted least squares, shrunk towards BELIEF as if that were
    known from BELIEF_WEEKS weeks of the same series.

    `ago` (COMPONENTS, series, weeks) and `deviation` (series, weeks) of the series to learn from; each weighs
    by how steady it is.
    """
    known = np.isfinite(deviation) & (ago != 0).any(axis=0)
    n_weeks = known.any(axis=0).sum()
    if not n_weeks:
        return np.array(BELIEF)
    square = np.where(known, np.nan_to_num(deviation) ** 2, 0.0).sum(axis=1) / np.maximum(
        known.sum(axis=1), 1
    )
    weight = np.broadcast_to(1 / (square + STEADIEST**2)[:, None], known.shape)[known]
    x, y = ago[:, known], deviation[known]
    moments = (x * weight) @ x.T
    belief = np.diag(np.diag(moments) * BELIEF_WEEKS / n_weeks + 1e-6)
    return np.linalg.solve(moments + belief, (x * weight) @ y + belief @ np.array(BELIEF))
