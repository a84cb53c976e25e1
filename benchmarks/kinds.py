"""Accuracy on synthetic kinds of demand, compared with models of statsforecast: no data set is needed.

    make bench-kinds
    python -m benchmarks.kinds --kinds "every 4 weeks" "end of month"

Each kind is a marketplace of its own with 60 parts in 4 categories and 2 regions, of which 8 weeks are forecast from
three origins. Both models are fitted at every origin, and their plain average is compared with the best of the peers.
The kinds are simple on purpose: where a model of the platform is much worse than a peer, it misses something that every
planner sees. Real demand is in `benchmarks.accuracy`.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import peers, results
from benchmarks.accuracy import as_lake_rows
from benchmarks.core_accuracy import COUNTRIES, SETTINGS, forecasts_of_models
from benchmarks.yardstick import report
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.metrics import error_sums, metrics, naive_errors
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.weeks import add_weeks, parse_week

PARTS, WEEKS, ORIGINS = 60, 150, (117, 129, 141)
FIRST = parse_week("2022-01-03")
HORIZON = 8
CONTEXT = ModelContext(HORIZON, SETTINGS, COUNTRIES)
PEERS = ["Naive", "SeasonalNaive", "AutoETS", "AutoTheta"]
PACKAGES = ["forecasting-assets", "statsforecast", "xgboost"]


@dataclass(frozen=True)
class Marketplace:
    """What the demand of a kind is made from; arrays are (parts, weeks), or can be broadcast to it.

    Attributes
    ----------
    rng
        Random numbers of this kind.
    level
        Usual demand of each part, in units.
    week
        Number of each week, from 0.
    category
        Category of each part, (parts,).
    """

    rng: np.random.Generator
    level: np.ndarray
    week: np.ndarray
    category: np.ndarray

    @classmethod
    def of(cls, seed: int) -> "Marketplace":
        """Return the marketplace of a kind."""
        rng = np.random.default_rng(seed)
        return cls(rng, rng.lognormal(3.5, 1.0, (PARTS, 1)), np.arange(WEEKS)[None], np.arange(PARTS) % 4)

    def noisy(self, mean: np.ndarray | float, sd: float = 0.25) -> np.ndarray:
        """Return whole units that vary about `mean` by the share `sd`."""
        factor = self.rng.lognormal(-(sd**2) / 2, sd, (PARTS, WEEKS))
        return np.asarray(np.round(self.level * mean * factor))

    def poisson(self, mean: np.ndarray | float) -> np.ndarray:
        """Return random whole units of a mean."""
        return self.rng.poisson(mean, (PARTS, WEEKS)).astype(float)

    def walk(self, sd: float, rows: int = PARTS) -> np.ndarray:
        """Return factors that change at random by the share `sd` a week, (rows, weeks)."""
        return np.asarray(np.exp(np.cumsum(self.rng.normal(0, sd, (rows, WEEKS)), axis=1)))

    def year(self, swing: float, phase: np.ndarray | float = 0.0, peaks: int = 1) -> np.ndarray:
        """Return the factors of a season."""
        return np.asarray(1 + swing * np.sin(2 * np.pi * peaks * self.week / 52.18 + phase))

    def every(self, weeks: int, size: float) -> np.ndarray:
        """Return orders every so many weeks, each part in weeks of its own."""
        begin = self.rng.integers(0, weeks, (PARTS, 1))
        return np.where((self.week + begin) % weeks == 0, self.noisy(size, 0.2), 0.0)

    def in_weeks_with(self, is_day: Callable[[pd.DatetimeIndex], Any]) -> np.ndarray:
        """Return whether each week has a day of some kind."""
        days = pd.date_range(FIRST, periods=7 * WEEKS)
        return np.asarray(np.asarray(is_day(days)).reshape(1, WEEKS, 7).any(axis=-1))


def _ar(market: Marketplace) -> np.ndarray:
    deviation = np.zeros((PARTS, WEEKS))
    for week in range(1, WEEKS):
        deviation[:, week] = 0.8 * deviation[:, week - 1] + market.rng.normal(0, 0.25, PARTS)
    return market.noisy(2 * np.exp(deviation), 0.0)


def _projects(market: Marketplace) -> np.ndarray:
    running = np.zeros((PARTS, WEEKS))
    for row in running:
        week = int(market.rng.integers(20))
        while week < WEEKS:
            length = int(market.rng.integers(3, 9))
            row[week : week + length] = 1.0
            week += length + int(market.rng.integers(5, 25))
    return market.noisy(running, 0.4)


def _own_shifts(market: Marketplace) -> np.ndarray:
    begin, factor = market.rng.integers(60, 140, (PARTS, 1)), market.rng.lognormal(0, 0.7, (PARTS, 1))
    return market.noisy(np.where(market.week >= begin, factor, 1.0))


def _ramps(market: Marketplace) -> np.ndarray:
    age = market.week - market.rng.integers(60, 140, (PARTS, 1))
    return np.where(age < 0, 0.0, market.noisy(1.1 - np.exp(-np.maximum(age, 0) / 10)))


def _phase_out(market: Marketplace) -> np.ndarray:
    since = market.week - market.rng.integers(60, 150, (PARTS, 1))
    return market.noisy(np.exp(-np.maximum(since, 0) / 6))


def _contracts(market: Marketplace) -> np.ndarray:
    volume = market.rng.lognormal(0, 0.5, (PARTS, -(-WEEKS // 13)))
    return market.noisy(np.repeat(volume, 13, axis=1)[:, :WEEKS], 0.1)


def _shutdowns(market: Marketplace) -> np.ndarray:
    closed = market.in_weeks_with(lambda days: days.dayofyear.isin([222, 229, 362]))
    return np.where(closed, 0.0, market.noisy(1.0))


KINDS: dict[str, Callable[[Marketplace], np.ndarray]] = {
    "steady, small": lambda m: m.poisson(m.level),
    "steady, noisy": lambda m: m.noisy(1.0, 0.5),
    "growth": lambda m: m.noisy(2 ** ((m.week - 100) / 52)),
    "decline": lambda m: m.noisy(8 * 2 ** (-m.week / 52)),
    "trends of its own": lambda m: m.noisy(2 ** (m.rng.normal(0, 0.7, (PARTS, 1)) * (m.week - 100) / 52)),
    "all shift up": lambda m: m.noisy(np.where(m.week >= ORIGINS[1] - 6, 1.8, 1.0)),
    "all shift down": lambda m: m.noisy(np.where(m.week >= ORIGINS[1] - 6, 0.5, 1.0)),
    "shifts of its own": _own_shifts,
    "random walk": lambda m: m.noisy(2 * m.walk(0.06), 0.05),
    "categories drift": lambda m: m.noisy(m.walk(0.05, 4)[m.category], 0.2),
    "slow return to the mean": _ar,
    "one order in 20 is large": lambda m: m.noisy(np.where(m.rng.random((PARTS, WEEKS)) < 0.05, 5.0, 1.0)),
    "rare orders of any size": lambda m: m.noisy(
        np.where(m.rng.random((PARTS, WEEKS)) < 0.25, 1.0, 0.0), 0.8
    ),
    "batches of 100": lambda m: 100 * m.poisson(0.4),
    "very rare": lambda m: m.poisson(0.05),
    "rare, with a season": lambda m: m.poisson(0.6 * m.year(0.8)),
    "rarer and rarer": lambda m: m.poisson(np.maximum(1.2 - m.week / 130, 0.02)),
    "every 2 weeks": lambda m: m.every(2, 2.0),
    "every 4 weeks": lambda m: m.every(4, 4.0),
    "end of month": lambda m: m.noisy(np.where(m.in_weeks_with(lambda days: days.day == 25), 1.8, 0.75), 0.2),
    "end of quarter": lambda m: m.noisy(
        np.where(m.in_weeks_with(lambda days: days.is_quarter_end), 2.0, 1.0), 0.2
    ),
    "contracts by the quarter": _contracts,
    "projects of some weeks": _projects,
    "season of the category": lambda m: m.noisy(m.year(0.5, m.category[:, None] * 1.5)),
    "season of its own": lambda m: m.noisy(m.year(0.6, m.rng.uniform(0, 2 * np.pi, (PARTS, 1))), 0.2),
    "two peaks a year": lambda m: m.noisy(m.year(0.5, peaks=2), 0.2),
    "season and growth": lambda m: m.noisy(1.5 ** ((m.week - 100) / 52) * m.year(0.4)),
    "shutdowns": _shutdowns,
    "a bad quarter a year ago": lambda m: m.noisy(np.where((m.week >= 70) & (m.week < 82), 0.4, 1.0)),
    "half a year of history": lambda m: np.where(m.week < ORIGINS[0] - 26, 0.0, m.noisy(1.0)),
    "new parts": _ramps,
    "parts that end": _phase_out,
}


def order_rows(demand: np.ndarray, market: Marketplace) -> pd.DataFrame:
    """Return part_id, part_category, region, week, quantity of demand (parts, weeks)."""
    part, week = np.nonzero(demand)
    return pd.DataFrame(
        {
            "part_id": np.char.add("P", part.astype(str)).astype(object),
            "part_category": np.char.add("C", market.category[part].astype(str)).astype(object),
            "region": np.where(part // 4 % 2 == 0, "east", "west").astype(object),
            "week": pd.Timestamp(FIRST) + pd.to_timedelta(7 * week, unit="D"),
            "quantity": demand[part, week],
        }
    )


def scores(kind: str, seed: int) -> dict[str, dict[str, float]]:
    """Return the metrics of each model and peer on a kind of demand."""
    market = Marketplace.of(seed)
    demand = KINDS[kind](market)
    rows = order_rows(demand, market)
    sums: dict[str, np.ndarray] = {}
    for column in ORIGINS:
        origin = add_weeks(FIRST, column)
        known = rows[rows["week"] <= pd.Timestamp(origin)]
        tables = forecasts_of_models(known, known, origin, CONTEXT)
        history = peers.history(known, FIRST, origin)
        for name in PEERS:
            tables[name] = as_lake_rows(peers.peer(name, 1)(history, HORIZON), history, origin)
        index = SeriesIndex.of(tables["sarimax"])
        of_part = index.series["part_id"].str[1:].astype(int).to_numpy()
        closed = demand[of_part, : column + 1]
        scale = naive_errors(closed, (closed > 0).argmax(axis=1))
        actual = demand[of_part, column + 1 : column + 1 + HORIZON]
        for name, table in tables.items():
            values = index.forecast_array(table, HORIZON)
            of_origin = error_sums(actual, values, scale).sum(axis=(0, 1))
            sums[name] = sums.get(name, np.zeros_like(of_origin)) + of_origin
    return {name: {m: float(v) for m, v in metrics(total).items()} for name, total in sums.items()}


def compared(kind: str, seed: int) -> dict[str, Any]:
    """Return the row of a kind in the table."""
    of_kind = scores(kind, seed)
    loss = {name: of_model["scaled_pinball"] for name, of_model in of_kind.items()}
    best = min(PEERS, key=loss.__getitem__)
    average = of_kind["average"]
    return {
        "kind": kind,
        "sarimax": loss["sarimax"],
        "xgb": loss["xgb"],
        "average": loss["average"],
        "best peer": loss[best],
        "": best,
        "average / peer": loss["average"] / loss[best],
        "bias %": 100 * average["bias"],
        "in 80 %": 100 * average["coverage_80"],
    }


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), metavar="KIND", help="all by default")
    options = parser.parse_args()
    rows = []
    for kind in options.kinds or KINDS:
        rows.append(compared(kind, list(KINDS).index(kind)))
        report(results.table(rows[-1:]))
    if options.kinds:
        return
    ratios = [row["average / peer"] for row in rows]
    results.section(
        "kinds",
        "Kinds of demand",
        f"{len(rows)} synthetic kinds of demand, each a marketplace of {PARTS} parts: scaled pinball loss of both "
        "models, their plain average and the best of four models of statsforecast; bias and intervals of the average.",
        PACKAGES,
        [
            results.table(rows),
            f"The average is better than the best peer on {sum(r < 1 for r in ratios)} of {len(rows)} kinds.",
        ],
        "once",
    )


if __name__ == "__main__":
    main()
