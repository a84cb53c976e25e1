"""Accuracy of the models on a small synthetic panel, and the figures recorded for it.

The recorded figures guard against changes that make forecasts worse without breaking any other test. After a change
that is meant to alter the forecasts, look at the differences and record the new figures with the reason:

    python -m forecasting_assets_tests.unit.forecasting.accuracy --reason "why the figures change"
"""

import argparse
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from devtools.feature_table import features
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.backtest import PastForecasts, rolling_backtest
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks, refit_week

RECORDED = Path(__file__).with_name("accuracy.json")
FIRST = date(2022, 1, 3)
WEEKS, HORIZON, SEED = 120, 8, 20220103
#: Forecasts of the last `backtest_weeks` origins are judged; the combination learns its weights from the
#: `backtest_weeks` origins before each. Few refits keep the test short.
SETTINGS = ForecastingSettings(backtest_weeks=16, refit_weeks=8)
METRICS = ["wape", "pinball", "coverage_80"]


def smooth(rng: np.random.Generator, weeks: np.ndarray) -> np.ndarray:
    """Generate steady demand with a yearly season."""
    season = 1 + rng.uniform(0.2, 0.6) * np.sin(2 * np.pi * (weeks - rng.integers(0, 8)) / 52)
    return rng.uniform(20, 200) * season * rng.lognormal(0, 0.15, len(weeks))


def trending(rng: np.random.Generator, weeks: np.ndarray) -> np.ndarray:
    """Generate demand that doubles or halves within two years."""
    growth = rng.choice([-1, 1]) * np.log(2) / 104
    return rng.uniform(30, 120) * np.exp(growth * weeks) * rng.lognormal(0, 0.15, len(weeks))


def intermittent(rng: np.random.Generator, weeks: np.ndarray) -> np.ndarray:
    """Generate orders of similar size in every third or fourth week."""
    return rng.uniform(5, 30) * rng.lognormal(0, 0.2, len(weeks)) * (rng.random(len(weeks)) < 0.3)


def lumpy(rng: np.random.Generator, weeks: np.ndarray) -> np.ndarray:
    """Generate rare orders of very different sizes."""
    return rng.uniform(5, 30) * rng.lognormal(0, 1.0, len(weeks)) * (rng.random(len(weeks)) < 0.3)


def short(rng: np.random.Generator, weeks: np.ndarray) -> np.ndarray:
    """Generate steady demand that begins within the last year."""
    begin = rng.integers(len(weeks) - 45, len(weeks) - 20)
    return smooth(rng, weeks) * (weeks >= begin)


#: Number of series of each kind.
KINDS: dict[Callable[[np.random.Generator, np.ndarray], np.ndarray], int] = {
    smooth: 16,
    trending: 8,
    intermittent: 10,
    lumpy: 8,
    short: 8,
}


def panel() -> pd.DataFrame:
    """Generate the weekly demand: part_id, part_category, region, week, quantity; only weeks with orders."""
    rng, weeks, tables = np.random.default_rng(SEED), np.arange(WEEKS), []
    for kind, count in KINDS.items():
        for i in range(count):
            quantity = np.round(kind(rng, weeks))
            ordered = np.flatnonzero(quantity)
            tables.append(
                pd.DataFrame(
                    {
                        "part_id": f"{kind.__name__}-{i // 2}",
                        "part_category": f"category-{i // 2 % 3}",
                        "region": f"region-{i % 2}",
                        "week": pd.to_datetime([add_weeks(FIRST, int(w)) for w in ordered]),
                        "quantity": quantity[ordered],
                    }
                )
            )
    return pd.concat(tables, ignore_index=True).astype({"week": "datetime64[ns]"})


def measure() -> pd.DataFrame:
    """Forecast the panel at rolling origins, as the models' assets do, and return the backtest report."""
    history = panel()
    table, totals = features(history, HORIZON), GroupTotals.from_history(history)
    last = add_weeks(FIRST, WEEKS - 1)
    by_refit: dict[date, list[date]] = {}
    for n in range(2 * SETTINGS.backtest_weeks, 0, -1):
        origin = add_weeks(last, -n)
        by_refit.setdefault(refit_week(origin, SETTINGS.refit_weeks), []).append(origin)
    forecasts: dict[tuple[str, date], pd.DataFrame] = {}
    for week, origins in by_refit.items():
        known = history[history["week"] <= pd.Timestamp(week)]
        linear = sarimax.fit(known, totals, week, ModelContext(HORIZON, SETTINGS))
        trees = xgb.fit(
            ModelData(table[table["week"] <= pd.Timestamp(week)], known, totals),
            week,
            ModelContext(HORIZON, SETTINGS),
        )
        rows = table[table["week"].isin([pd.Timestamp(origin) for origin in origins])]
        for model, forecast in (
            ("sarimax", sarimax.predict(linear, history, totals, origins, SETTINGS)),
            ("xgb", xgb.predict(trees, rows, history, totals, SETTINGS)),
        ):
            for origin in origins:
                forecasts[model, origin] = forecast[forecast["origin_week"] == pd.Timestamp(origin)]

    def segments(origin: date) -> pd.DataFrame:
        columns = ["part_id", "region", "segment", "part_category", "mean_52"]
        return table.loc[table["week"] == pd.Timestamp(origin), columns].assign(price=1.0)

    results = rolling_backtest(
        [last],
        PastForecasts(("sarimax", "xgb"), lambda model, origin: forecasts.get((model, origin)), segments),
        history,
        HORIZON,
        SETTINGS,
    )
    return results[last].report


def figures(report: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Select METRICS of each model over all series and horizons."""
    rows = report[(report["segment"] == "all") & (report["horizon"] == 0) & report["metric"].isin(METRICS)]
    result: dict[str, dict[str, float]] = {}
    for model, metric, value in zip(rows["model"], rows["metric"], rows["value"], strict=True):
        result.setdefault(model, {})[metric] = round(value, 5)
    return result


def recorded() -> dict[str, Any]:
    """Read the recorded figures."""
    return json.loads(RECORDED.read_text())


def main() -> None:
    """Measure the figures, and record them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reason", required=True, help="why the recorded figures change")
    reason = parser.parse_args().reason
    content = {"reason": reason, "units": float(panel()["quantity"].sum()), "figures": figures(measure())}
    RECORDED.write_text(json.dumps(content, indent=2) + "\n")
    print(RECORDED.read_text())


if __name__ == "__main__":
    main()
