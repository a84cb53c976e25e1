"""Order lines of a week, drawn from the expected demand: clean and typed, one row a line.

Each week has a random generator of its own, so that weeks can be drawn in any order and by several processes.
"""

import numpy as np
import pandas as pd

from forecasting_assets.demo.demand import MAX_UNITS, Demand
from forecasting_assets.demo.market import PROCESSES, Marketplace

DAY_SECONDS = 86_400
#: Share of order lines on each day, Monday to Sunday.
DAY_SHARES = (0.20, 0.20, 0.19, 0.18, 0.15, 0.04, 0.04)
#: Shape of the gamma distribution of lead times, their limit in days, and the days within which urgent orders are due.
LEAD_SHAPE, MAX_LEAD_DAYS, URGENT_DAYS = 6.0, 56, 3
#: Share of orders that do not say when they are wanted, and of orders with a due date before the order.
UNDATED_RATE, PAST_DUE_RATE = 0.04, 0.0001


def order_lines(demand: Demand, week: int) -> pd.DataFrame:
    """Draw the order lines of a week.

    Parameters
    ----------
    demand
        Expected demand.
    week
        Number of the week, counted from 0.

    Returns
    -------
    DataFrame
        Lines in the order of their time, with order_id, line_id, order_date (naive UTC), part_id, part_category,
        region, quantity (whole units), unit_price (two decimals), date_only: whether the order gives its date without
        a time, and due_date: the day that the customer wants it, NaT if that was not said.
    """
    market = demand.market
    rng = market.rng("order lines", week)
    series = _draw_series(demand, week, rng)
    n = len(series)
    region = demand.series["region_no"].to_numpy()[series]
    second = rng.choice(7, n, p=DAY_SHARES) * DAY_SECONDS + _time_of_day(n, rng)

    # Consecutive lines of a region are combined into orders.
    by_region = np.lexsort((second, region))
    series, region, second = series[by_region], region[by_region], second[by_region]
    starts_order = rng.random(n) < 0.7
    starts_order[:1] = True
    starts_order[1:] |= region[1:] != region[:-1]
    first = np.flatnonzero(starts_order)
    order = np.cumsum(starts_order) - 1
    line = np.arange(n) - first[order] + 1
    date_only = (rng.random(len(first)) < 0.25)[order]
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(second[first], kind="stable")] = np.arange(1, len(first) + 1)
    number, second = number[order], second[first][order]
    second = np.where(date_only, second // DAY_SECONDS * DAY_SECONDS, second)

    units = demand.series["units"].to_numpy()[series] * rng.lognormal(
        0, demand.series["spread"].to_numpy()[series]
    )
    quantity = units.round().clip(1, MAX_UNITS).astype(np.int64)
    volume_rebate = 1 - 0.03 * np.log10(quantity)
    price = (
        demand.price[week, demand.series["part"].to_numpy()[series]] * volume_rebate * rng.normal(1, 0.01, n)
    )
    lines = pd.DataFrame(
        {
            "order_id": np.char.add(f"{market.week(week):%Y%m%d}-", np.char.mod("%06d", number)),
            "line_id": line,
            "order_date": np.datetime64(market.week(week), "ns") + second.astype("timedelta64[s]"),
            **{c: demand.series[c].to_numpy()[series] for c in ("part_id", "part_category", "region")},
            "quantity": quantity,
            "unit_price": np.maximum(np.rint(100 * price), 1) / 100,
            "date_only": date_only,
        }
    )
    lines["due_date"] = lines["order_date"].dt.normalize() + _lead_times(market, week, lines)
    return lines.iloc[np.lexsort((line, number))].reset_index(drop=True)


def _lead_times(market: Marketplace, week: int, lines: pd.DataFrame) -> pd.Series:
    """Draw the time from each line's order to its due date; the lines of an order share how patient the customer is."""
    rng = market.rng("due dates", week)
    order = pd.factorize(lines["order_id"])[0]
    process = pd.Categorical(lines["part_category"], categories=[p.name for p in PROCESSES]).codes
    n_orders = order.max(initial=-1) + 1
    urgency, said, past = rng.random((3, n_orders))[:, order]
    patience = rng.gamma(LEAD_SHAPE, 1 / LEAD_SHAPE, n_orders)[order]
    mean = np.array([p.lead_days for p in PROCESSES])[process]
    days = np.clip(np.rint(mean * patience), 1, MAX_LEAD_DAYS)
    urgent = urgency < np.array([p.urgent for p in PROCESSES])[process]
    days = np.where(urgent, rng.integers(0, URGENT_DAYS, n_orders)[order], days)
    days = np.where(past < PAST_DUE_RATE, -days - 1, days)
    return pd.Series(pd.to_timedelta(days, unit="D")).where(said >= UNDATED_RATE)


def _draw_series(demand: Demand, week: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the series of every line of the week: negative binomial counts with the expected means."""
    dispersion = demand.series["dispersion"].to_numpy()
    counts = rng.negative_binomial(dispersion, dispersion / (dispersion + demand.lines[week]))
    return np.repeat(np.arange(len(counts)), counts)


def _time_of_day(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw seconds after midnight: office hours, and one line in ten at any time."""
    office = rng.normal(13 * 3600, 3 * 3600, n).clip(0, DAY_SECONDS - 1)
    return np.where(rng.random(n) < 0.1, rng.integers(0, DAY_SECONDS, n), office).astype(np.int64)
