"""Measure the page about forecasts of a large catalogue: seconds to read, make and write it, and its size.

    python -m benchmarks.forecast_page [--series 20000]

The lake is synthetic: a series has orders in three of five weeks, in 50 categories and 4 regions, with forecasts of the
week and of the 8 weeks before. Without a model in MLflow no forecast is explained; for the series on a page that takes
about as long as forecasting them.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

from benchmarks.results import section, table
from forecasting_assets.lake.lake import Lake
from forecasting_assets.reporting.outlook import EARLIER_ORIGINS, HISTORY_WEEKS
from forecasting_assets.settings import Settings, load_settings
from forecasting_assets.tables import DEMAND_FORECAST, DEMAND_PLAN, PART_ERRORS, QUANTILES, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows import forecast_page

WEEK = date(2026, 11, 16)
HORIZON = 8
CATEGORIES, ORDERED = 50, 0.6
REGIONS = np.array(["AMER", "APAC", "EMEA", "LATAM"], dtype=object)


def write_lake(lake: Lake, series: int) -> None:
    """Write the tables that the page is made from."""
    rng = np.random.default_rng(0)
    number = np.arange(series)
    part = number // len(REGIONS)
    names = pd.DataFrame(
        {
            "part_id": np.char.add("P", np.char.zfill(part.astype(str), 6)).astype(object),
            "region": REGIONS[number % len(REGIONS)],
            "part_category": np.char.add("category ", (part % CATEGORIES).astype(str)).astype(object),
        }
    )
    level = rng.lognormal(3, 1.5, series)
    for ago in range(HISTORY_WEEKS):
        ordered = np.flatnonzero(rng.random(series) < ORDERED)
        demand = names.iloc[ordered].assign(quantity=np.ceil(level[ordered]), order_count=1, unit_price=10.0)
        lake.write_pandas(demand, WEEKLY_DEMAND, add_weeks(WEEK, -ago))
    row, horizon = np.repeat(number, HORIZON), np.tile(np.arange(HORIZON) + 1, series)
    cells = names.iloc[row].reset_index(drop=True).assign(horizon=horizon, mean=level[row])
    cells = cells.assign(**{q: 2 * p * level[row] for q, p in QUANTILES.items()})
    for ago in range(EARLIER_ORIGINS + 1):
        origin = pd.Timestamp(add_weeks(WEEK, -ago))
        target = origin + pd.to_timedelta(7 * horizon, unit="D")
        lake.write_pandas(
            cells.assign(origin_week=origin, target_week=target)[DEMAND_FORECAST.names],
            DEMAND_FORECAST,
            origin.date(),
        )
    due = pd.Timestamp(WEEK) + pd.to_timedelta(7 * horizon, unit="D")
    plan = cells.assign(due_week=due, statistical=level[row], quantity=level[row], booked=0.3 * level[row])
    plan = plan.assign(held=0.0, override=np.nan, unit_price=10.0, reason=None, author=None)
    lake.write_pandas(plan[DEMAND_PLAN.names], DEMAND_PLAN, WEEK)
    errors = names.assign(value_class="A", cells=60, forecast=60 * level, actual=61 * level, inside_80=48)
    errors = errors.assign(
        absolute_error=20 * level, error_value=level * rng.random(series), tracking_signal=1.0
    )
    lake.write_pandas(errors[PART_ERRORS.names], PART_ERRORS, WEEK)


def measure(settings: Settings, lake: Lake) -> dict[str, float]:
    """Read the tables, make the page and write it; return seconds and size."""
    start = time.perf_counter()
    with mock.patch.object(forecast_page, "week_model_files", return_value=nullcontext(None)):
        path, _ = forecast_page.write_forecast_page(settings, lake, WEEK)
    return {"seconds": time.perf_counter() - start, "MiB": Path(path).stat().st_size / 2**20}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        first = add_weeks(WEEK, 1 - HISTORY_WEEKS)
        (home / "forecasting.toml").write_text(
            f"[calendar]\nfirst_week = {first}\nhorizon_weeks = {HORIZON}\n"
        )
        settings = load_settings(home)
        lake = Lake(settings.lake_path)
        write_lake(lake, options.series)
        runs = [measure(settings, lake) for _ in range(options.repeats)]
    row = {"series": options.series} | {
        name: statistics.median(run[name] for run in runs) for name in runs[0]
    }
    section(
        "forecast_page",
        "Page about the forecasts of a large catalogue",
        "forecast.html, read from the lake, made and written.",
        ["jinja2", "numpy", "pandas", "pyarrow"],
        [table([row]), "The aim is a page below 10 MB, written within 20 seconds."],
        options.repeats,
    )


if __name__ == "__main__":
    main()
