"""The yearly season of a series, learnt from the years before and borrowed from its part, category and region.

A deviation is the difference, in logarithms, between the demand of a week and the level of the year around it. The
deviation of a series a year ago helps to predict the coming weeks; so do the deviations of all regions of its part,
of all parts of its category and of all orders of its region, with less noise. One ridge regression over all series
sets the coefficient of each, which is a hierarchical shrinkage in the sense of James and Stein. A deviation is used a
year later, when the half year after it has closed, so that no week after the origin is used. The one exception is
origins before the fit: the level of the first half year of a series is that of its whole first year, which may end up
to `horizon` weeks after such an origin.

References
----------
Miller and Williams (2003), "Shrinkage estimators of time series seasonal factors and their effect on forecasting
accuracy".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.cleaning import CategoryLimits, Corrections, interruptions, outliers
from forecasting_assets.forecasting.panel import (
    Panel,
    mean_demand,
    split_covariates,
    split_history,
    to_log_scale,
    week_numbers,
)
from forecasting_assets.forecasting.planner_notes import EXCLUDE, KEEP, noted_rows
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks

#: Weeks before and after a week that its level is averaged over: about a year, so that no season is left in the level,
#: and less than half a year ahead, as no horizon is longer than the other half.
HALF_WINDOW = 25
#: Prior coefficients, in the order of COMPONENTS, and the weeks of data that the prior is worth. The demand of many
#: series in a week recurs more reliably than the demand of one.
PRIOR, PRIOR_WEEKS = (0.9, 0.3, 0.9, 0.4), 26
#: Share of a large deviation that is expected to recur where its week of the year comes round for the first time.
RECURRING = 0.9
#: Deviation, relative to the usual one, that counts for 63 % (1 - 1/e) as a peak; much larger ones count in full.
PEAK = 2.5
#: Limits of the coefficients; where few weeks are known, the regression may return any number.
LIMITS = -1.0, 1.25
#: Years that the prior of no season counts for in the season that a series shows by itself.
PRIOR_YEARS = 0.3
#: First weeks of a category, region or part that are left out of its season, as few of its series have begun.
FIRST_WEEKS = 8
#: Lower limit on the standard deviation (logarithmic) of a series when it is weighted by how steady it is.
MIN_DEVIATION = 0.1
#: Parts of a deviation: of the category, of the region, of the part beyond its category, and of the series beyond
#: its part.
COMPONENTS = ["category", "region", "part", "own"]


@dataclass(frozen=True)
class Groups:
    """The categories or the regions of the series of a panel.

    Attributes
    ----------
    names
        Their names, (groups,).
    code
        Row of the group of each series, (series,).
    demand
        Demand of the whole market, (groups, weeks), in units.
    deviation
        Its deviations, (groups, weeks), logarithmic; NaN where unknown.
    """

    names: pd.Index
    code: np.ndarray
    demand: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True)
class GroupTotals:
    """Weekly units of whole categories and regions, of all series in the market.

    Attributes
    ----------
    table
        Demand: level (part_category or region), name, week, quantity.
    booked
        Units of each category in the order book: name, week (at whose end they were booked), due_week, quantity. None
        if nothing is ever booked.
    noted
        Demand of series in weeks that planners have corrected: part_id, region, part_category, week, quantity, note and
        known. None if there is none.
    """

    table: pd.DataFrame
    booked: pd.DataFrame | None = None
    noted: pd.DataFrame | None = None

    @classmethod
    def from_history(cls, history: pd.DataFrame) -> "GroupTotals":
        """Add up part_category, region, week, quantity (and due_week, see `Panel.from_history`) of every series.

        Corrections of planners, which are rows of the history as well, are kept with the demand that they are about.
        """
        history, bookings = split_history(split_covariates(history)[0])
        noted = noted_rows(history)
        history = history[history["note"].isna()] if "note" in history else history
        booked = None
        if bookings is not None:
            sums = bookings.groupby(["part_category", "week", "due_week"], observed=True)["quantity"].sum()
            booked = sums.rename_axis(["name", "week", "due_week"]).reset_index()
        tables = []
        for level in ("part_category", "region"):
            sums = history.groupby([level, "week"], observed=True)["quantity"].sum()
            tables.append(sums.rename_axis(["name", "week"]).reset_index().assign(level=level))
        return cls(pd.concat(tables, ignore_index=True), booked, noted)

    @classmethod
    def joined(cls, totals: Sequence["GroupTotals"]) -> "GroupTotals":
        """Put the totals of several parts of a history together."""
        booked = [part.booked for part in totals if part.booked is not None]
        noted = [part.noted for part in totals if part.noted is not None]
        table = pd.concat([part.table for part in totals], ignore_index=True)
        return cls(
            table, *(pd.concat(parts, ignore_index=True) if parts else None for parts in (booked, noted))
        )

    def with_notes(self, noted: pd.DataFrame | None) -> "GroupTotals":
        """Return the totals with further corrected demand; a later correction of the same week replaces it."""
        if noted is None:
            return self
        earlier = noted if self.noted is None else pd.concat([noted, self.noted], ignore_index=True)
        return replace(self, noted=earlier)

    def limits(self, first: date, last: date) -> CategoryLimits:
        """Return the limits of a single series by its category, from the weeks `first` to `last`."""
        inside = self.table["week"].between(pd.Timestamp(first), pd.Timestamp(last))
        rows = self.table[inside & (self.table["level"] == "part_category")]
        wide = rows.pivot_table(index="name", columns="week", values="quantity", aggfunc="sum", fill_value=0)
        return CategoryLimits.of(last, wide.index.tolist(), wide.to_numpy(float))

    def bookings(self, names: pd.Index, panel: Panel, horizon: int) -> np.ndarray:
        """Return the units of some categories booked for the weeks ahead, (names, weeks of the panel, horizon)."""
        total = np.zeros((len(names), panel.demand.shape[1], horizon))
        if self.booked is not None:
            week = week_numbers(self.booked["week"], panel.first)
            ahead = week_numbers(self.booked["due_week"], panel.first) - week
            name = names.get_indexer(pd.Index(self.booked["name"]))
            inside = (week >= 0) & (week < total.shape[1]) & (ahead > 0) & (ahead <= horizon) & (name >= 0)
            cells = name[inside], week[inside], ahead[inside] - 1
            np.add.at(total, cells, self.booked["quantity"].to_numpy(float)[inside])
        return total

    def demand(self, level: str, names: pd.Index, panel: Panel) -> np.ndarray:
        """Return the demand of some groups in the weeks of a panel, (names, weeks) in units.

        What planners have excluded by the last week of the panel is left out.
        """
        total = _added_up(self.table[self.table["level"] == level], names, panel)
        if (noted := self._noted(level, panel)) is None:
            return total
        excluded = _added_up(noted[noted["note"] == EXCLUDE], names, panel)
        return np.where(excluded > 0, np.maximum(total - excluded, 0.0), total)

    def corrections(self, level: str, names: pd.Index, panel: Panel) -> Corrections | None:
        """Return the weeks of some groups that are real, as planners say so of a series; None if they say nothing.

        No week of a whole group is excluded: `demand` leaves out only the demand of the series.
        """
        if (noted := self._noted(level, panel)) is None:
            return None
        kept = _added_up(noted[noted["note"] == KEEP], names, panel) > 0
        return Corrections(np.zeros_like(kept), kept)

    def groups(self, level: str, panel: Panel, fitted_at: int) -> Groups:
        """Return the categories ("part_category") or the regions ("region") of the series of a panel.

        The scale of the logarithms is set by the weeks up to the column `fitted_at`.
        """
        code, found = pd.factorize(panel.series[level])
        names = pd.Index(found)
        demand = self.demand(level, names, panel)
        deviation = group_deviations(demand, fitted_at, self.corrections(level, names, panel))
        return Groups(names, code, demand, deviation)

    def _noted(self, level: str, panel: Panel) -> pd.DataFrame | None:
        """Corrected demand by the name of its group, as known at the end of the last week of a panel."""
        if self.noted is None:
            return None
        last = pd.Timestamp(add_weeks(panel.first, panel.demand.shape[1] - 1))
        known = self.noted[self.noted["known"] <= last].sort_values("known", kind="stable")
        newest = known.drop_duplicates([*SERIES, "week"], keep="last")
        return newest.assign(name=newest[level])


def _added_up(rows: pd.DataFrame, names: pd.Index, panel: Panel) -> np.ndarray:
    """Add up rows with name, week and quantity: (names, weeks of the panel), in units."""
    week, name = week_numbers(rows["week"], panel.first), names.get_indexer(pd.Index(rows["name"]))
    inside = (week >= 0) & (week < panel.demand.shape[1]) & (name >= 0)
    total = np.zeros((len(names), panel.demand.shape[1]))
    np.add.at(total, (name[inside], week[inside]), rows["quantity"].to_numpy(float)[inside])
    return total


def deviations(demand: np.ndarray, fitted_at: int, corrections: Corrections | None = None) -> np.ndarray:
    """Return the difference between log demand and its level in the weeks around.

    Parameters
    ----------
    demand
        (rows, weeks), in units.
    fitted_at
        Last column that sets the scale of the logarithms.
    corrections
        Weeks that count differently.

    Returns
    -------
    numpy.ndarray
        (rows, weeks), logarithmic; NaN before the first order and in unusual weeks (`cleaning`).
    """
    begun = np.maximum.accumulate(demand > 0, axis=1)
    unusual = outliers(demand, fitted_at, corrections) | interruptions(demand, fitted_at, corrections)
    usual = begun & ~unusual
    log_demand = to_log_scale(demand, mean_demand(np.where(unusual, 0.0, demand), fitted_at))
    return np.where(usual, log_demand - _level(log_demand, usual, fitted_at), np.nan)


def _level(log_demand: np.ndarray, usual: np.ndarray, fitted_at: int) -> np.ndarray:
    """Mean over the usual weeks up to HALF_WINDOW before and after each week: (rows, weeks).

    The first weeks of a series have the level of its first full window, if that has closed by the column `fitted_at`:
    a shorter window would leave a season in the level.
    """
    n_weeks = log_demand.shape[1]
    first = usual.argmax(axis=1)
    earliest = np.where(first + 2 * HALF_WINDOW <= fitted_at, first + HALF_WINDOW, 0)
    centre = np.maximum(np.arange(n_weeks), earliest[:, None])
    low, high = np.maximum(centre - HALF_WINDOW, 0), np.minimum(centre + HALF_WINDOW + 1, n_weeks)

    def window_sum(values: np.ndarray) -> np.ndarray:
        total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
        window: np.ndarray = np.take_along_axis(total, high, 1) - np.take_along_axis(total, low, 1)
        return window

    level: np.ndarray = window_sum(np.where(usual, log_demand, 0.0)) / np.maximum(
        window_sum(usual.astype(float)), 1.0
    )
    return level


def past_deviations(deviation: np.ndarray, horizon: int) -> np.ndarray:
    """Return the typical deviation of the same week in the years before (`_typical_year`).

    Parameters
    ----------
    deviation
        (rows, weeks), NaN where unknown.
    horizon
        Weeks after the last week of `deviation` to return as well.

    Returns
    -------
    numpy.ndarray
        (rows, weeks + horizon), NaN where no year before is known.
    """
    return _typical_year(deviation, horizon)[0]


def _typical_year(deviation: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Typical deviation of the same week in the years before, and the number of years, (rows, weeks + horizon).

    It is the mean of one or two years and the median of more, so that a year like no other (a pandemic, say) is not
    repeated.
    """
    n, n_weeks = deviation.shape
    lags = range(YEAR_WEEKS, n_weeks + horizon, YEAR_WEEKS)
    years = np.full((max(len(lags), 1), n, n_weeks + horizon), np.nan)
    for year, back in zip(years, lags, strict=False):
        year[:, back:] = deviation[:, : n_weeks + horizon - back]
    count = np.isfinite(years).sum(axis=0)
    years.sort(axis=0)  # unknown years come last
    middle = [
        np.take_along_axis(years, np.maximum(at, 0)[None], axis=0)[0] for at in ((count - 1) // 2, count // 2)
    ]
    return np.mean(middle, axis=0), count


def season_components(
    panel: Panel, categories: Groups, regions: Groups, fitted_at: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split the past deviations of each series into COMPONENTS.

    Parameters
    ----------
    panel
        Series with every region of their parts.
    categories, regions
        Their categories and regions.
    fitted_at
        Last column that sets the scale of the logarithms.
    horizon
        Weeks after the panel to return as well.

    Returns
    -------
    tuple
        Past deviations (COMPONENTS, series, weeks + horizon), zero where unknown; and the current deviations of the
        series (series, weeks), NaN before the first order and in unusual weeks (`cleaning`). Both are logarithmic.
    """
    category, region = (
        past_deviations(groups.deviation, horizon)[groups.code] for groups in (categories, regions)
    )
    part = past_deviations(_part_deviations(panel, fitted_at), horizon)
    deviation = deviations(panel.demand, fitted_at, panel.corrections)
    own = past_deviations(deviation, horizon)
    beyond_category = part - np.nan_to_num(category)
    beyond_part = own - np.where(np.isnan(part), np.nan_to_num(category), part)
    return np.nan_to_num(np.stack([category, region, beyond_category, beyond_part])), deviation


def _part_deviations(panel: Panel, fitted_at: int) -> np.ndarray:
    """Deviations of the part of each series in all regions together, (series, weeks).

    NaN also where the demand of one of its series is an outlier: it would count for all others.
    """
    total, code = panel.part_totals()

    def any_series(where: np.ndarray) -> np.ndarray:
        of_part = np.zeros(total.shape, dtype=bool)
        np.logical_or.at(of_part, code, where)
        return of_part

    outlier = outliers(panel.demand, fitted_at, panel.corrections)
    kept = np.zeros_like(outlier) if panel.corrections is None else panel.corrections.kept
    corrections = Corrections(any_series(outlier), any_series(kept))
    deviation: np.ndarray = group_deviations(total, fitted_at, corrections)[code]
    return deviation


def group_deviations(
    demand: np.ndarray, fitted_at: int, corrections: Corrections | None = None
) -> np.ndarray:
    """Return the `deviations` of groups of series; also NaN in the first weeks of a group that began late."""
    first = (demand > 0).argmax(axis=1)
    begun = np.where(first > 0, first + FIRST_WEEKS, 0)
    known: np.ndarray = np.arange(demand.shape[1]) >= begun[:, None]
    return np.where(known, deviations(demand, fitted_at, corrections), np.nan)


def own_season(deviation: np.ndarray, horizon: int) -> np.ndarray:
    """Return the season that each series shows by itself.

    It is the typical deviation of the same week in the years before, shrunk the fewer years there are.

    Parameters
    ----------
    deviation
        (series, weeks), NaN where unknown.
    horizon
        Weeks after the last week of `deviation` to return as well.

    Returns
    -------
    numpy.ndarray
        (series, weeks + horizon), logarithmic, NaN where no year before is known.
    """
    typical, years = _typical_year(deviation, horizon)
    season: np.ndarray = typical * years / (years + PRIOR_YEARS)
    return season


def shared_season(
    past: np.ndarray,
    coefficients: np.ndarray,
    fitted_at: int,
    sparse_category: np.ndarray,
    sparse_part: np.ndarray,
) -> np.ndarray:
    """Return the season that each series shares with its part, category and region.

    It is the sum of COMPONENTS times their coefficients. In the first year in which a season is known, the coefficients
    come from ordinary weeks, which say nothing of weeks such as Christmas that have not come round again. The terms of
    category and part together are therefore moved towards RECURRING times the deviation of the part a year ago: the
    more, the larger that deviation is compared with its usual ones. The terms of region and series are unchanged, as
    are those of a category or a part that is rarely ordered: any single order is a large deviation, which does not make
    it a season.

    Parameters
    ----------
    past
        Past deviations, (COMPONENTS, series, weeks).
    coefficients
        Coefficients of each series, (series, COMPONENTS).
    fitted_at
        Last column that sets what a usual deviation is.
    sparse_category, sparse_part
        Whether the category and the part of each series are rarely ordered, (series,).

    Returns
    -------
    numpy.ndarray
        (series, weeks), logarithmic.
    """
    season: np.ndarray = np.einsum("cnt,nc->nt", past, coefficients)
    of_part = [COMPONENTS.index("category"), COMPONENTS.index("part")]
    counted = past[of_part] * ~np.stack([sparse_category, sparse_part])[..., None]
    deviation = counted.sum(axis=0)
    expected = np.einsum("cnt,nc->nt", counted, coefficients[:, of_part])
    large = -np.expm1(-(_relative_in_first_year(deviation, fitted_at) ** 2) / 2)
    raised: np.ndarray = season + large * (RECURRING * deviation - expected)
    return raised


def first_peaks(past: np.ndarray, fitted_at: int, sparse_category: np.ndarray) -> np.ndarray:
    """Return the peaks of the first year of each series that also recur in a series without any other season.

    In the first year in which a season is known, ordinary weeks may show that demand has none. They say nothing of
    weeks such as Christmas: RECURRING times a deviation of the category that is much larger than its usual ones, and
    that the part of the series shared if it had begun, is expected to recur all the same, unless the category is rarely
    ordered. Later years show by themselves whether it does, and there are no such peaks.

    Parameters
    ----------
    past
        Past deviations, (COMPONENTS, series, weeks).
    fitted_at
        Last column that sets what a usual deviation is.
    sparse_category
        Whether the category of each series is rarely ordered, (series,).

    Returns
    -------
    numpy.ndarray
        (series, weeks), logarithmic.
    """
    category, beyond = (past[COMPONENTS.index(name)] for name in ("category", "part"))
    deviation = np.where(sparse_category[:, None], 0.0, category)
    relative = _relative_in_first_year(deviation, fitted_at)
    shared = np.divide(category + beyond, category, out=np.zeros_like(category), where=category != 0)
    # A part need not have all of the peak, as its deviations are noisy, but about half of it.
    peaks: np.ndarray = (
        -np.expm1(-((relative / PEAK) ** 4)) * np.clip(2 * shared, 0.0, 1.0) * RECURRING * deviation
    )
    return peaks


def _relative_in_first_year(deviation: np.ndarray, fitted_at: int) -> np.ndarray:
    """Past deviations (series, weeks) relative to the usual ones; zero where a whole year of them is known."""
    until = deviation[:, : fitted_at + 1]
    known = (until != 0).sum(axis=1, keepdims=True)
    usual = np.sqrt((until**2).sum(axis=1, keepdims=True) / np.maximum(known, 1))
    relative = np.divide(deviation, usual, out=np.zeros_like(deviation), where=usual > 0)
    return np.where(known < YEAR_WEEKS, relative, 0.0)


def fit_season(past: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Fit the coefficients of COMPONENTS by weighted ridge regression.

    The coefficients are shrunk towards PRIOR as if PRIOR_WEEKS weeks of the same series had shown it. Each series is
    weighted by how steady it is.

    Parameters
    ----------
    past
        Past deviations, (COMPONENTS, series, weeks).
    deviation
        Deviations to explain, (series, weeks), NaN where unknown.

    Returns
    -------
    numpy.ndarray
        (COMPONENTS,).
    """
    known = np.isfinite(deviation) & (past != 0).any(axis=0)
    n_weeks = known.any(axis=0).sum()
    if not n_weeks:
        return np.array(PRIOR)
    square = np.where(known, np.nan_to_num(deviation) ** 2, 0.0).sum(axis=1) / np.maximum(
        known.sum(axis=1), 1
    )
    weight = np.broadcast_to(1 / (square + MIN_DEVIATION**2)[:, None], known.shape)[known]
    x, y = past[:, known], deviation[known]
    moments = (x * weight) @ x.T
    prior = np.diag(np.diag(moments) * PRIOR_WEEKS / n_weeks + 1e-6)
    coefficients: np.ndarray = np.linalg.solve(moments + prior, (x * weight) @ y + prior @ np.array(PRIOR))
    limited: np.ndarray = np.clip(coefficients, *LIMITS)
    return limited
