"""Order lines of a week, drawn from the expected demand: clean and typed, one row a line.

Each week has a random generator of its own, so that weeks can be drawn in any order and by several processes.
"""

import numpy as np
import pandas as pd

from forecasting_assets.demo.demand import MAX_UNITS, Demand

DAY_SECONDS = 86_400
#: Share of order lines on each day, Monday to Sunday.
DAY_SHARES = (0.20, 0.20, 0.19, 0.18, 0.15, 0.04, 0.04)


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
        region, quantity (whole units), unit_price (two decimals) and date_only: whether the order gives its date
        without a time.
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
    return lines.iloc[np.lexsort((line, number))].reset_index(drop=True)


def _draw_series(demand: Demand, week: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the series of every line of the week: negative binomial counts with the expected means."""
    dispersion = demand.series["dispersion"].to_numpy()
    counts = rng.negative_binomial(dispersion, dispersion / (dispersion + demand.lines[week]))
    return np.repeat(np.arange(len(counts)), counts)


def _time_of_day(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw seconds after midnight: office hours, and one line in ten at any time."""
    office = rng.normal(13 * 3600, 3 * 3600, n).clip(0, DAY_SECONDS - 1)
    return np.where(rng.random(n) < 0.1, rng.integers(0, DAY_SECONDS, n), office).astype(np.int64)
