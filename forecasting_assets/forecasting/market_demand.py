"""Demand of each market, a category in a region, added up from that of its series."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.window import ACTIVE_WEEKS
from forecasting_assets.forecasting.cleaned_points import left_out
from forecasting_assets.forecasting.cleaning import OUTLIER_FACTOR
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.tables import MARKET
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks, add_weeks_to_all, weeks_apart

#: Weeks of demand of a market that the share of all markets counts for.
PRIOR_WEEKS = 13


def market_demand(panel: Panel, category: pd.Series, fitted_at: int, horizon: int) -> pd.DataFrame:
    """Add up the demand of the series of a panel by market.

    Parameters
    ----------
    panel
        Demand of some series.
    category
        Category of each series, in the order of the panel.
    fitted_at
        Column up to which `cleaned_points.left_out` learns what is usual. Weeks that it leaves out count as usual
        demand, and bookings for them do not count.
    horizon
        Number of weeks ahead.

    Returns
    -------
    DataFrame
        part_category, region, week, quantity (units), series (number of active series at the end of the week) and
        ahead_1 to ahead_<horizon> (units of series that were active 1 to `horizon` weeks earlier). Rows with a
        `due_week` hold units that were booked at the end of `week` instead.
    """
    names, market = _markets(panel, category)
    cleaned, usual = left_out(panel, fitted_at)
    demand = np.where(cleaned, usual[:, None], panel.ordered)
    active = panel.active_weeks
    sums = {"quantity": _added_up(demand, market), "series": _added_up(active, market)}
    for h in range(1, horizon + 1):
        known = np.zeros_like(active)
        known[:, h:] = active[:, :-h]
        sums[f"ahead_{h}"] = _added_up(np.where(known, demand, 0.0), market)
    row, column = np.nonzero((sums["quantity"] > 0) | (sums["series"] > 0))
    rows = names.iloc[row].assign(
        week=_weeks(panel, column),
        due_week=np.datetime64("NaT", "ns"),
        **{name: total[row, column] for name, total in sums.items()},
    )
    tables = [rows]
    if panel.bookings is not None:
        tables.append(_booked(panel, panel.bookings, names.iloc[market], active, cleaned[:, : fitted_at + 1]))
    return add_up(tables)


def add_up(demand: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Add up tables of `market_demand` of different series."""
    total = pd.concat(demand).groupby([*MARKET, "week", "due_week"], dropna=False).sum()
    # Whatever the order in which series are added up, the sum is the same.
    return total.round(6).reset_index()


def active_shares(demand: pd.DataFrame, origin: date, horizon: int) -> pd.DataFrame:
    """Return the share of the demand of markets that came from series active some weeks earlier.

    It is learned from the year up to the origin, as far as the history goes back `ACTIVE_WEEKS` before the earlier
    weeks: otherwise all series would seem to begin with the history. Weeks that are outliers of the whole market are
    left out, as they are of its forecast: one large first order would be most of the new demand. The share of a market
    is shrunk towards that of all.

    Parameters
    ----------
    demand
        Rows of `market_demand` of all series.
    origin
        The last week that is used.
    horizon
        Number of weeks ahead.

    Returns
    -------
    DataFrame
        part_category, region, origin_week, horizon, share (0 to 1); no rows for horizons whose share is not known.
    """
    rows = demand[demand["due_week"].isna() & (demand["week"] <= pd.Timestamp(origin))]
    usual = rows.groupby(MARKET)["quantity"].transform("quantile", 0.9)
    rows = rows[~((usual > 0) & (rows["quantity"] > OUTLIER_FACTOR * usual))]
    first = rows["week"].min().date() if len(rows) else origin
    tables = [
        pd.DataFrame(columns=[*MARKET, "share", "horizon"]).astype({"share": float, "horizon": np.int64})
    ]
    for h in range(1, horizon + 1):
        begin = max(add_weeks(origin, 1 - YEAR_WEEKS), add_weeks(first, h + ACTIVE_WEEKS - 1))
        of_year = rows[rows["week"] >= pd.Timestamp(begin)]
        units = of_year.groupby(MARKET)[["quantity", f"ahead_{h}"]].sum().set_axis(["all", "active"], axis=1)
        if (total := units.sum())["all"] > 0:
            of_all = total["active"] / total["all"]
            prior = units["all"] * PRIOR_WEEKS / (1 + weeks_apart(begin, origin))
            share = ((units["active"] + prior * of_all) / (units["all"] + prior)).fillna(of_all)
            tables.append(share.rename("share").reset_index().assign(horizon=h))
    shares = pd.concat(tables[1:] or tables)
    return shares.assign(origin_week=np.datetime64(origin, "ns"))


def _markets(panel: Panel, category: pd.Series) -> tuple[pd.DataFrame, np.ndarray]:
    """Return part_category and region of each market, and the row of the market of each series."""
    names = panel.series[["region"]].assign(part_category=category.to_numpy())[MARKET]
    groups = names.groupby(MARKET)
    return groups.size().reset_index()[MARKET], groups.ngroup().to_numpy()


def _added_up(values: np.ndarray, market: np.ndarray) -> np.ndarray:
    """Add up values (series, weeks) by market: (markets, weeks)."""
    from scipy.sparse import csr_array

    series = np.arange(len(market))
    members = csr_array((np.ones(len(market)), (market, series)), (market.max(initial=-1) + 1, len(market)))
    total: np.ndarray = members @ values.astype(float)
    return total


def _booked(
    panel: Panel, bookings: pd.DataFrame, names: pd.DataFrame, active: np.ndarray, cleaned: np.ndarray
) -> pd.DataFrame:
    """Return what was booked of active series for weeks that count, with the market of each.

    `names` has part_category and region of each series, `active` is (series, weeks), and so is `cleaned`, as far as it
    is known which weeks are left out.
    """
    series, week, ahead = (bookings[name].to_numpy() for name in ("series", "week", "ahead"))
    judged = week + ahead < cleaned.shape[1]
    counted = active[series, week]
    counted[judged] &= ~cleaned[series[judged], (week + ahead)[judged]]
    rows: pd.DataFrame = names.iloc[series[counted]].assign(
        week=_weeks(panel, week[counted]),
        due_week=_weeks(panel, (week + ahead)[counted]),
        quantity=bookings["quantity"].to_numpy(float)[counted],
    )
    return rows


def _weeks(panel: Panel, columns: np.ndarray) -> np.ndarray:
    return add_weeks_to_all(np.full(len(columns), panel.first, dtype="datetime64[ns]"), columns)
