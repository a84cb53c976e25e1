"""Known covariates: what is known of a week before it comes, such as prices and promotions, as arrays and as features.

Each value is kept with the week from whose end on it is known. So a past origin is forecast, and its error judged, with
the values that were known then. What they change in demand is estimated in `covariate_effect`.

References
----------
Huang, Fildes and Soopramanien (2014), "The value of competitive information in forecasting FMCG retail product sales".
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import Panel, week_numbers
from forecasting_assets.planning.covariates import TRACKED_WEEKS
from forecasting_assets.tables import SERIES, is_price

#: Weeks up to the origin that make the usual value of a covariate, and those that make its highest price.
USUAL_WEEKS, HIGHEST_WEEKS = 8, 26
_CELL = ["series", "week", "lead", "covariate", "value"]


@dataclass(frozen=True)
class KnownCovariates:
    """The covariates of the series of a panel.

    Attributes
    ----------
    names
        Names of the covariates.
    values
        (horizon + 1, series, weeks + horizon, names): `values[lead, s, w]` is what was known of week `w` at the end of
        the week `w - lead`; NaN if nothing was.
    """

    names: tuple[str, ...]
    values: np.ndarray

    @classmethod
    def of(cls, panel: Panel, horizon: int, names: tuple[str, ...] | None = None) -> "KnownCovariates | None":
        """Arrange the covariates of a panel; None if nothing is known of any of its series.

        A row for a part and a region takes precedence over one for a part, this one over one for a region, and that
        one over one for everything. Of rows for the same, the one that became known last counts.

        Parameters
        ----------
        panel
            The series and their covariates.
        horizon
            Weeks after the panel.
        names
            The covariates to arrange; all that are known if None.
        """
        if panel.covariates is None:
            return None
        cells = _cells(panel, horizon)
        if names is None:
            names = tuple(sorted(cells["covariate"].unique()))
        code = pd.Index(names).get_indexer(pd.Index(cells["covariate"]))
        cells, code = cells[code >= 0], code[code >= 0]
        if cells.empty:
            return None
        n, n_weeks = panel.demand.shape
        values = np.full((horizon + 1, n, n_weeks + horizon, len(names)), np.nan, dtype=np.float32)
        series, week, lead, value = (cells[name].to_numpy() for name in ("series", "week", "lead", "value"))
        for ahead in range(horizon + 1):
            known = lead >= ahead
            values[ahead, series[known], week[known], code[known]] = value[known]
        return cls(names, values)

    @property
    def horizon(self) -> int:
        """Number of weeks ahead."""
        return len(self.values) - 1

    @cached_property
    def weeks(self) -> int:
        """Number of weeks of the panel."""
        return int(self.values.shape[2] - self.horizon)

    @cached_property
    def tracked(self) -> np.ndarray:
        """Whether a covariate was known of any of the last TRACKED_WEEKS weeks: (series, weeks, names)."""
        known = np.isfinite(self.values[0, :, : self.weeks])
        tracked: np.ndarray = known.copy()
        for back in range(1, min(TRACKED_WEEKS, self.weeks)):
            tracked[:, back:] |= known[:, :-back]
        return tracked

    @cached_property
    def complete(self) -> np.ndarray:
        """Whether all tracked covariates of the target week are known at the origin: (series, weeks, horizon)."""
        complete = np.empty((*self.tracked.shape[:2], self.horizon), dtype=bool)
        for h in range(1, self.horizon + 1):
            known = np.isfinite(self.values[h, :, h : h + self.weeks])
            complete[..., h - 1] = self.tracked.any(axis=2) & (known | ~self.tracked).all(axis=2)
        return complete


def _cells(panel: Panel, horizon: int) -> pd.DataFrame:
    """Spread the covariates of a panel over its series: series, week, lead, covariate, value.

    Of rows for the same cell, the last takes precedence.
    """
    rows = panel.covariates
    assert rows is not None
    n_weeks = panel.demand.shape[1]
    week, known = (week_numbers(rows[name], panel.first) for name in ("week", "known"))
    lead = np.minimum(week - known, horizon)
    inside = (week >= 0) & (week < n_weeks + horizon) & (known < n_weeks) & (lead >= 0)
    rows = rows[inside].assign(week=week[inside], lead=lead[inside])
    series = panel.series[SERIES].assign(series=np.arange(len(panel.series)))
    cells = [pd.DataFrame(columns=_CELL)]
    for keys in ([], ["region"], ["part_id"], SERIES):
        others = [name for name in SERIES if name not in keys]
        chosen = rows[rows[keys].notna().all(axis=1) & rows[others].isna().all(axis=1)]
        if len(chosen):
            chosen = chosen.sort_values("known", kind="stable").drop(columns=others)
            spread = chosen.merge(series, on=keys) if keys else chosen.merge(series, how="cross")
            # A merge may change the order of rows with other keys, never that of one series.
            cells.append(spread[_CELL])
    return pd.concat(cells[1:], ignore_index=True) if len(cells) > 1 else cells[0]


def linear_values(values: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Return values of covariates (..., names) with prices as logarithms; NaN where unknown."""
    linear = values.astype(np.float64)
    for j in (j for j, name in enumerate(names) if is_price(name)):
        linear[..., j] = np.log(np.where(linear[..., j] > 0, linear[..., j], np.nan))
    return linear


def covariate_feature_names(names: tuple[str, ...]) -> list[str]:
    """Return the columns of `covariate_features` for some covariates, named plan:… as covariates may have any name."""
    columns = []
    for name in names:
        columns += [f"plan:{name}_{of}" for of in ("target", "to_usual", "to_origin", "to_week_before")]
        others = ["to_highest"] if is_price(name) else ["weeks_since", "weeks_to"]
        columns += [f"plan:{name}_{of}" for of in others]
    return columns


def covariate_features(
    known: KnownCovariates, series: np.ndarray, column: np.ndarray, horizon: np.ndarray
) -> np.ndarray:
    """Build the features of target weeks from what is known of them at their origin.

    Parameters
    ----------
    known
        The covariates.
    series, column
        Row of the series and column of the origin week of each forecast.
    horizon
        Horizon of each forecast, from 1.

    Returns
    -------
    numpy.ndarray
        (forecasts, `covariate_feature_names(known.names)`), float32; NaN where unknown. Prices are logarithms. Of each
        covariate: its value in the target week, and that minus its mean of the last USUAL_WEEKS weeks, its value in the
        origin week, and its value in the week before the target. Of a price the difference to the highest of the last
        HIGHEST_WEEKS weeks; of others the weeks since they were last positive, and until they are next.
    """
    past = linear_values(known.values[0, :, : known.weeks], known.names)
    usual, highest = _trailing_mean(past, USUAL_WEEKS), _trailing_maximum(past, HIGHEST_WEEKS)
    features = np.full((len(series), len(covariate_feature_names(known.names))), np.nan, dtype=np.float32)
    for h in np.unique(horizon):
        rows = np.flatnonzero(horizon == h)
        at = series[rows], column[rows]
        ahead = np.stack([known.values[k, at[0], at[1] + k] for k in range(known.horizon + 1)])
        path = linear_values(ahead, known.names)
        place = 0
        for j, name in enumerate(known.names):
            target = path[h, :, j]
            compared = [usual[*at, j], path[0, :, j], path[h - 1, :, j]]
            columns = [target, *(target - other for other in compared)]
            if is_price(name):
                columns.append(target - highest[*at, j])
            else:
                columns += _distances(path[..., j], past[..., j], at, h)
            features[rows, place : place + len(columns)] = np.stack(columns, axis=1)
            place += len(columns)
    return features


def _trailing_mean(values: np.ndarray, n: int) -> np.ndarray:
    """Mean of the known values (series, weeks, names) of the `n` weeks up to each week; NaN if none is known."""
    known = np.nan_to_num(values), np.isfinite(values).astype(float)
    sums = [np.cumsum(np.pad(x, ((0, 0), (1, 0), (0, 0))), axis=1) for x in known]
    weeks = np.arange(values.shape[1])
    first = np.maximum(weeks + 1 - n, 0)
    total, count = (x[:, weeks + 1] - x[:, first] for x in sums)
    mean: np.ndarray = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return mean


def _trailing_maximum(values: np.ndarray, n: int) -> np.ndarray:
    """Maximum of the known values (series, weeks, names) of the `n` weeks up to each week; NaN if none is known."""
    highest = values.copy()
    for back in range(1, min(n, values.shape[1])):
        highest[:, back:] = np.fmax(highest[:, back:], values[:, :-back])
    return highest


def _distances(
    path: np.ndarray, past: np.ndarray, at: tuple[np.ndarray, np.ndarray], h: int
) -> list[np.ndarray]:
    """Weeks from the last positive value before a target week to it, and from it to the next: (forecasts,) each.

    `path` (horizon + 1, forecasts) holds what is known at the origin of it and the weeks ahead, `past` (series, weeks)
    the values of past weeks. NaN if there is no such week, or none within HIGHEST_WEEKS.
    """
    weeks = np.arange(past.shape[1])
    last = np.maximum.accumulate(np.where(past > 0, weeks, -HIGHEST_WEEKS - len(path)), axis=1)[at]
    for k in range(1, h):
        last = np.where(path[k] > 0, at[1] + k, last)
    following = np.full(len(last), np.nan)
    for k in range(len(path) - 1, h, -1):
        following = np.where(path[k] > 0, k - h, following)
    since = at[1] + h - last
    return [np.where(since <= HIGHEST_WEEKS, since, np.nan), following]
