"""Expected orders and prices of every series in every week.

A series is a part in a region. Its expected order lines in a week are the product of its base rate, the part's
trend and life cycle, the yearly season of its process, holidays, promotions (at constant price elasticity) and slow
random swings of the market and of the series itself (AR(1), in logs). Because of the swings, recent weeks predict
better than the same week of last year.

Every random matrix is drawn week by week, so that its first rows do not depend on the number of weeks.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.demo.market import PROCESSES, REGIONS, Marketplace, holds_day
from forecasting_assets.weeks import week_of_year

WEEKS_PER_YEAR = 365.25 / 7
#: Log standard deviation of units per line, by whether the series is in the long tail.
SPREAD = {False: 0.55, True: 0.8}
#: Largest number of units in one order line.
MAX_UNITS = 500


@dataclass(frozen=True)
class Demand:
    """Expected demand of a marketplace with S series, P parts and T weeks.

    Attributes
    ----------
    market
        The marketplace.
    series
        S rows with part (number of the part), part_id, part_category, region, region_no, rate (base rate of order
        lines), dispersion (of negative binomial counts), units (median units a line) and spread (log standard
        deviation of units).
    lines
        Expected number of order lines, (T, S).
    price
        List price of a unit, promotions included, (T, P).
    """

    market: Marketplace
    series: pd.DataFrame
    lines: np.ndarray
    price: np.ndarray

    @property
    def units(self) -> np.ndarray:
        """Expected units, (T, S), without the limit of MAX_UNITS a line."""
        mean_units = self.series["units"] * np.exp(self.series["spread"] ** 2 / 2)
        units: np.ndarray = self.lines * mean_units.to_numpy()
        return units


def expected_demand(market: Marketplace) -> Demand:
    """Compute the expected demand of a marketplace; it depends on nothing but the settings and their seed."""
    parts = _parts(market, market.rng("parts"))
    series = _series(market, parts, market.rng("series"))
    part = series["part"].to_numpy()
    process = parts["process"].to_numpy()

    discount = _discounts(market, process, market.rng("promotions"))
    lift = (1 - discount) ** -parts["elasticity"].to_numpy()
    by_part = _life_cycle(market, parts) * lift
    by_process = np.exp(_season(market) + _swings(market, len(PROCESSES), 0.8, 0.05, market.rng("market")))
    own = np.exp(_swings(market, len(series), 0.85, 0.14, market.rng("own swings")))
    by_region = _holidays(market)[:, series["region_no"]]
    lines = series["rate"].to_numpy() * by_part[:, part] * by_process[:, process[part]] * by_region * own

    years = np.arange(market.weeks)[:, None] / WEEKS_PER_YEAR
    drift = parts["inflation"].to_numpy() * years + _swings(
        market, len(parts), 0.97, 0.02, market.rng("prices")
    )
    price = parts["price"].to_numpy() * np.exp(drift) * (1 - discount)
    return Demand(market, series, lines, price)


def _parts(market: Marketplace, rng: np.random.Generator) -> pd.DataFrame:
    n = market.parts
    # The golden ratio distributes the processes evenly over the parts, in their shares, for any number of parts.
    place = (np.arange(n) * 0.6180339887 + 0.1) % 1
    process = np.searchsorted(np.cumsum([p.share for p in PROCESSES])[:-1], place, side="right")
    cost = np.array([p.unit_cost for p in PROCESSES])[process]
    lot = np.array([p.lot for p in PROCESSES])[process]
    launched, retired = rng.random(n) < 0.15, rng.random(n) < 0.12
    launch = np.where(launched, rng.uniform(5, 105, n), -100)
    width = max(4, len(str(n)))
    return pd.DataFrame(
        {
            "part_id": [f"P{i:0{width}d}" for i in range(1, n + 1)],
            "process": process,
            "popularity": rng.lognormal(0, 0.9, n),
            "tail": rng.random(n) < 0.3,
            "units": lot * rng.lognormal(0, 0.4, n),
            "growth": rng.normal(0.04, 0.12, n).clip(-0.3, 0.4),
            "launch": launch,
            "retire": np.where(retired, np.maximum(rng.uniform(30, 130, n), launch + 26), np.inf),
            "elasticity": rng.uniform(1.5, 3.0, n),
            "inflation": rng.normal(0.03, 0.01, n),
            "price": cost * rng.uniform(1.65, 2.45, n),
        }
    )


def _series(market: Marketplace, parts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    reach = np.array([r.reach for r in REGIONS])
    sold = rng.random((market.parts, len(REGIONS))) < reach
    sold[~sold.any(axis=1), 0] = True
    part, region = np.nonzero(sold)
    n = len(part)
    tail = parts["tail"].to_numpy()[part] | (rng.random(n) < 0.1)
    size = np.array([r.size for r in REGIONS])[region]
    weight = np.where(tail, 0, parts["popularity"].to_numpy()[part] * size * rng.lognormal(0, 0.4, n))
    body = market.lines_per_week * weight / max(weight.sum(), 1e-9)
    return pd.DataFrame(
        {
            "part": part,
            "part_id": parts["part_id"].to_numpy(dtype=object)[part],
            "part_category": np.array([p.name for p in PROCESSES], dtype=object)[
                parts["process"].to_numpy()[part]
            ],
            "region": np.array([r.name for r in REGIONS], dtype=object)[region],
            "region_no": region,
            "rate": np.where(tail, rng.uniform(0.04, 0.5, n), body),
            "dispersion": np.where(tail, 1.5, rng.uniform(8, 40, n)),
            "units": parts["units"].to_numpy()[part],
            "spread": np.where(tail, SPREAD[True], SPREAD[False]),
        }
    )


def _life_cycle(market: Marketplace, parts: pd.DataFrame) -> np.ndarray:
    """Return trend, ramp-up after launch and decline before the end as a factor, (T, P)."""
    week = np.arange(market.weeks)[:, None]
    trend = np.exp(parts["growth"].to_numpy() * (week / WEEKS_PER_YEAR - 1))
    ramp_up = ((week - parts["launch"].to_numpy() + 1) / 10).clip(0, 1)
    decline = ((parts["retire"].to_numpy() - week) / 10).clip(0, 1)
    factor: np.ndarray = trend * ramp_up * decline
    return factor


def _season(market: Marketplace) -> np.ndarray:
    """Return the yearly season in logs, (T, processes): one of each process plus one of all industry."""
    day = np.array([w.timetuple().tm_yday + 3 for w in market.week_starts])[:, None]
    peak = np.array([p.peak_day for p in PROCESSES])
    swing = np.array([p.swing for p in PROCESSES])
    year = 2 * np.pi / 365.25
    industry = 0.12 * np.cos(year * (day - 285)) + 0.07 * np.cos(2 * year * (day - 105))
    season: np.ndarray = swing * np.cos(year * (day - peak)) + industry
    return season


def _holidays(market: Marketplace) -> np.ndarray:
    """Return the factor of holidays on demand, (T, regions)."""
    factor = np.ones((market.weeks, len(REGIONS)))
    names = [r.name for r in REGIONS]
    for i, week in enumerate(market.week_starts):
        if holds_day(week, 12, 25):
            factor[i] = 0.45
        elif holds_day(week, 1, 1):
            factor[i] = 0.65
        elif holds_day(week, 8, 12):
            factor[i, names.index("EU")] = 0.75
        elif holds_day(week, 10, 2):
            factor[i, names.index("APAC")] = 0.7
    return factor


def _discounts(market: Marketplace, process: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return discounts as a share of the price, (T, P): yearly campaigns of each process, and single promotions."""
    start, depth, join = rng.random((market.weeks, 3, len(process))).transpose(1, 0, 2)
    one_off = np.where(start < 0.02, 0.08 + 0.14 * depth, 0)
    number = np.array([week_of_year(w) for w in market.week_starts])[:, None]
    campaign = np.isin(number - 3 * process, [8, 34]) & (join < 0.6)
    return np.maximum(one_off, np.where(campaign, 0.12, 0))


def _swings(
    market: Marketplace, n: int, memory: float, deviation: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw n independent stationary AR(1) paths with the given standard deviation, (T, n)."""
    shocks = deviation * rng.standard_normal((market.weeks, n))
    fresh = np.sqrt(1 - memory**2)
    path = shocks
    for week in range(1, market.weeks):
        path[week] = memory * path[week - 1] + fresh * shocks[week]
    return path
