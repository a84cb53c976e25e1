"""Measure fit and forecast of both models for one week at growing numbers of series: seconds and peak memory.

    python -m benchmarks.series [--series 10000 30000 100000] [--weeks 60]

The lake has synthetic weekly demand, a third of the series intermittent, and the platform's own feature table. Both
are made for 10,000 series; more series are copies of these under other names. Each model is materialized by the
command line in a process of its own, checks and MLflow included. Peak memory is that of the driver and of the largest
Python worker of Spark; the JVM is excluded, as its memory is a setting (`spark.driver.memory`). Seconds include the
start of the run and of the JVM, which does not depend on the number of series.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.processes import Took, materialize
from benchmarks.results import section, table
from forecasting_assets.features.build import feature_columns
from forecasting_assets.lake.lake import Lake
from forecasting_assets.tables import KNOWN_COVARIATES, ORDER_BOOK, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks

FIRST = date(2023, 1, 2)
HORIZON = 8
REGIONS = np.array(["AMER", "APAC", "EMEA", "LATAM"])
CATEGORIES = np.array(["CNC milling", "CNC turning", "Injection moulding", "Sheet metal", "3D printing"])
MODELS = ["sarimax_model", "xgb_model"]
#: Number of series in the lake that is copied.
BASE_SERIES = 10_000
FEATURES = feature_columns(HORIZON)


def demand(n_series: int, weeks: int) -> Iterator[pd.DataFrame]:
    """Yield WEEKLY_DEMAND of each week; every series is active in the last one."""
    rng = np.random.default_rng(0)
    part = np.arange(n_series) // len(REGIONS)
    names = pd.DataFrame(
        {
            "part_id": np.char.add("P", np.char.zfill(part.astype(str), 7)).astype(object),
            "part_category": CATEGORIES[part % len(CATEGORIES)].astype(object),
            "region": np.resize(REGIONS, n_series).astype(object),
        }
    )
    level = rng.lognormal(2.5, 1.0, n_series)
    often = np.where(rng.random(n_series) < 1 / 3, 0.3, 1.0)
    phase, swing = 2 * np.pi * (part % 7) / 7, rng.uniform(0.1, 0.5, n_series)
    for t in range(weeks):
        season = 1 + swing * np.sin(2 * np.pi * t / 52 + phase)
        quantity = np.round(level * season * rng.lognormal(0, 0.3, n_series) / often)
        ordered = (rng.random(n_series) < often) & (quantity > 0) | (t == weeks - 1)
        rows = names[ordered].assign(quantity=np.maximum(quantity[ordered], 1.0), unit_price=10.0)
        yield rows.assign(order_count=1)


def fill(home: Path, n_series: int, weeks: int) -> None:
    """Make a home whose lake has demand, an empty order book and features."""
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {FIRST}\nhorizon_weeks = {HORIZON}\n")
    lake = Lake(path=str(home / "lake"))
    for t, rows in enumerate(demand(n_series, weeks)):
        lake.write_pandas(rows, WEEKLY_DEMAND, add_weeks(FIRST, t))
        lake.write_pandas(pd.DataFrame(columns=ORDER_BOOK.names), ORDER_BOOK, add_weeks(FIRST, t))
    materialize(home, FIRST, add_weeks(FIRST, weeks - 1), "group:features")


def multiply(small: Path, home: Path, copies: int, weeks: int) -> None:
    """Make a home with several copies of the series of the home `small`, under other names."""
    (home / "forecasting.toml").write_text((small / "forecasting.toml").read_text())
    source, lake = (Lake(path=str(folder / "lake")) for folder in (small, home))
    for week in (add_weeks(FIRST, t) for t in range(weeks)):
        for copied in (WEEKLY_DEMAND, ORDER_BOOK, FEATURES, KNOWN_COVARIATES):
            rows = source.read_pandas(copied, [week])
            totals = [name for name in map(str, rows) if name.startswith(("category_", "region_"))]
            rows[totals] *= copies
            many = (rows.assign(part_id=f"{i}-" + rows["part_id"]) for i in range(copies))
            lake.write_pandas(pd.concat(many, ignore_index=True), copied, week)


def measure(small: Path, n_series: int, weeks: int, repeats: int) -> list[dict[str, Any]]:
    """Measure the last week with a number of series; return a row for each model."""
    last = add_weeks(FIRST, weeks - 1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        multiply(small, home, n_series // BASE_SERIES, weeks)
        active = Lake(path=str(home / "lake")).rows(FEATURES, last)
        if active != n_series:
            raise RuntimeError(f"there are {active} active series instead of {n_series}")
        rows = []
        for model in MODELS:
            took = [materialize(home, last, last, f"key:{model}") for _ in range(repeats)]
            rows.append({"": model, "series": n_series, **_medians(took, n_series)})
            print(rows[-1], flush=True)
    return rows


def _medians(took: list[Took], n_series: int) -> dict[str, float]:
    seconds, cpu, driver, worker = (
        statistics.median(getattr(run, name) for run in took)
        for name in ("seconds", "cpu", "driver", "worker")
    )
    return {
        "seconds": seconds,
        "CPU seconds": cpu,
        "CPU ms a series": 1000 * cpu / n_series,
        "driver MiB": driver,
        "worker MiB": worker,
    }


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--series", type=int, nargs="+", default=[10_000, 30_000, 100_000], help=f"multiples of {BASE_SERIES}"
    )
    parser.add_argument("--weeks", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder)
        fill(small, BASE_SERIES, options.weeks)
        rows = [
            row
            for n_series in options.series
            for row in measure(small, n_series, options.weeks, options.repeats)
        ]
    first, last = rows[: len(MODELS)], rows[-len(MODELS) :]
    growth = [
        f"{many['']}: {many['series'] / few['series']:.3g} times the series take "
        f"{many['seconds'] / few['seconds']:.3g} times the seconds, {many['driver MiB'] / few['driver MiB']:.3g} times "
        f"the memory of the driver and {many['worker MiB'] / few['worker MiB']:.3g} times that of a worker."
        for few, many in zip(first, last, strict=True)
    ]
    section(
        "series",
        "Many series",
        f"One week of each model, fit and forecast, from {options.weeks} weeks of history at a horizon of {HORIZON} "
        "weeks, in a process and a JVM of its own; checks and MLflow included.",
        ["pyspark", "pandas", "statsmodels", "xgboost"],
        [table(rows), "\n".join(f"- {line}" for line in growth)],
        options.repeats,
    )


if __name__ == "__main__":
    main()
