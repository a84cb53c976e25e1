"""Compare order lines to features with what users of DuckDB or Polars would write, from the same files.

    python -m benchmarks.etl [--lines 10000000 50000000] [--weeks 104] [--folder …]

The demo's generator writes the order files, its weeks divided among processes. The platform makes raw_orders,
clean_orders (with rejected_orders), weekly_demand and feature_table of all weeks in one run, with checks, records
and metadata, in a JVM that has processed a marketplace of a million lines before; the index of the landing zone is
built from scratch. The others (`etl_duckdb.py`, `etl_polars.py`) write the same tables and nothing else. All have two
cores, where the machine has two, and 6 GB: the JVM as its heap, DuckDB as its limit; Polars has no limit. Each runs
in a process of its own, in turn. The tables must agree.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from shutil import rmtree
from typing import Any

import pandas as pd

from benchmarks.etl_peers import PeerTask
from benchmarks.processes import Took, run
from benchmarks.results import against, section, table
from forecasting_assets.demo import Marketplace, write_marketplace
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.marketplace import write_orders
from forecasting_assets.settings import Settings, load_settings

PLATFORM = "forecasting-assets"
MEMORY_GB = 6
ORDERS = "+key:feature_table"
WEEKS_PER_TASK = 4
#: Lines of the marketplace that warms up the JVM: enough for its compilers.
WARM_LINES = 1_000_000
GOAL = 3.0
PEERS = ("DuckDB", "Polars")


def market_of(lines: int, weeks: int) -> Marketplace:
    """Return a marketplace whose number of parts grows with its orders, about 2,500 lines each.

    Orders have no due dates: the peers count demand in the week of the order.
    """
    parts = max(100, lines // 2_500)
    return Marketplace(weeks=weeks, parts=parts, lines_per_week=lines // weeks, due_dates=False)


def write_weeks(folder: Path, market: Marketplace, weeks: range) -> pd.DataFrame:
    """Write the order files of some weeks, and return what is known about them by week."""
    return write_orders(folder, expected_demand(market), weeks).weekly


def write(home: Path, market: Marketplace) -> pd.DataFrame:
    """Write the order files of all weeks, and return what is known about them by week."""
    starts = range(0, market.weeks, WEEKS_PER_TASK)
    tasks = [range(begin, min(begin + WEEKS_PER_TASK, market.weeks)) for begin in starts]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        pending = [pool.submit(write_weeks, home / "landing" / "orders", market, weeks) for weeks in tasks]
        counts = pd.concat([task.result() for task in pending]).groupby(level=0).sum()
    write_settings(home, market)
    return counts


def write_settings(home: Path, market: Marketplace) -> None:
    """Write forecasting.toml."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "forecasting.toml").write_text(
        f"[calendar]\nfirst_week = {market.first_week}\n"
        f'[spark]\nconf = {{ "spark.driver.memory" = "{MEMORY_GB}g" }}\n'
    )


def run_contender(name: str, home: Path, weeks: int, outcome: Path) -> None:
    """Make all tables of `home` once, in this process; write seconds and contents of the tables to `outcome`."""
    settings = load_settings(home)
    days = Marketplace(first_week=settings.calendar.first_week, weeks=weeks).week_starts
    out = home / name
    for old in (out, home / "lake", home / "dagster", home / "landing.db"):
        rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)
    if name == PLATFORM:
        seconds = run_platform(settings, days)
        tables = ["raw_orders", "clean_orders", "rejected_orders", "weekly_demand", "feature_table"]
        folders = [home / "lake" / table for table in tables]
    else:
        out.mkdir()
        calendar = settings.calendar
        seconds = run_peer(
            name,
            PeerTask(
                home / "landing" / "orders",
                out,
                days,
                calendar.horizon_weeks,
                calendar.holiday_countries,
                f"{MEMORY_GB}GB",
            ),
        )
        folders = [out / table for table in ("raw", "clean", "rejected", "demand", "features")]
    outcome.write_text(json.dumps({"seconds": seconds, "contents": contents(folders)}))


def run_peer(name: str, task: PeerTask) -> float:
    """Make all tables with a peer; return the seconds."""
    begin = time.perf_counter()
    if name == "DuckDB":
        from benchmarks.etl_duckdb import with_duckdb

        with_duckdb(task)
    else:
        from benchmarks.etl_polars import with_polars

        with_polars(task)
    return time.perf_counter() - begin


def run_platform(settings: Settings, weeks: Sequence[date]) -> float:
    """Make all tables with the platform, once its JVM is warm; return the seconds."""
    from forecasting_assets.orchestration.runs import materialize

    with tempfile.TemporaryDirectory() as folder:
        small = market_of(WARM_LINES, 8)
        write_marketplace(Path(folder), small)
        write_settings(Path(folder), small)
        if not materialize(load_settings(Path(folder)), small.week_starts, ORDERS):
            raise RuntimeError("the marketplace that warms up the JVM failed: see above")
    begin = time.perf_counter()
    if not materialize(settings, weeks, ORDERS):
        raise RuntimeError("the run failed: see above")
    return time.perf_counter() - begin


def contents(folders: Sequence[Path]) -> list[float]:
    """Return the number of rows of each table, and sums over the features."""
    import duckdb

    def value(query: str) -> float:
        (row,) = duckdb.execute(query).fetchall()
        return float(row[0])

    rows = [value(f"SELECT count(*) FROM read_parquet('{folder}/*/*.parquet')") for folder in folders]
    sums = ("quantity", "age_weeks", "lag_52", "mean_13", "std_52", "adi", "price_ratio", "category_mean_13")
    features = f"read_parquet('{folders[-1]}/*/*.parquet')"
    return rows + [value(f"SELECT sum({column}) FROM {features}") for column in sums]


def measure(name: str, home: Path, weeks: int) -> tuple[Took, dict[str, Any]]:
    """Run a contender in a process of its own; return its cost and its outcome."""
    outcome = home / "outcome.json"
    one = ["--one", name, "--folder", str(home), "--weeks", str(weeks), "--outcome", str(outcome)]
    took = run(home, [sys.executable, "-m", "benchmarks.etl", *one])
    return took, json.loads(outcome.read_text())


def compare(home: Path, lines: int, weeks: int, repeats: int) -> list[dict[str, Any]]:
    """Compare all contenders on one marketplace; return the rows of the report."""
    known = write(home, market_of(lines, weeks))
    landed = int(known["landed"].sum())
    outcomes: dict[str, list[tuple[Took, dict[str, Any]]]] = {name: [] for name in (PLATFORM, *PEERS)}
    for _ in range(repeats):
        for name, runs in outcomes.items():
            runs.append(measure(name, home, weeks))
            print(f"{landed:,} lines, {name}: {runs[-1][1]['seconds']:.0f} s", flush=True)
    tables = {name: runs[0][1]["contents"] for name, runs in outcomes.items()}
    for name, other in tables.items():
        if any(abs(a - b) > 1e-6 * abs(a) for a, b in zip(tables[PLATFORM], other, strict=True)):
            raise RuntimeError(f"{name} made different tables: {other} instead of {tables[PLATFORM]}")
    if tables[PLATFORM][0] != landed:
        raise RuntimeError(f"{tables[PLATFORM][0]:,.0f} raw rows of {landed:,} landed")
    seconds = {
        name: statistics.median(outcome["seconds"] for _, outcome in runs) for name, runs in outcomes.items()
    }
    fastest = min(seconds[name] for name in PEERS)
    return [
        {
            "lines": f"{landed:,}",
            "": name,
            "seconds": seconds[name],
            "lines a second": landed / seconds[name],
            "times the faster peer": against(seconds[name] / fastest, at_most=GOAL)
            if name == PLATFORM
            else seconds[name] / fastest,
            "peak Python MiB": max(took.python for took, _ in runs),
            "peak JVM MiB": max(took.jvm for took, _ in runs) or None,
        }
        for name, runs in outcomes.items()
    ]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000_000, 50_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--weeks", type=int, default=104)
    parser.add_argument("--folder", type=Path, help="folder for files, about 5 GB for 10 million lines")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--outcome", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_contender(given.one, given.folder, given.weeks, given.outcome)
        return
    rows = []
    for lines in given.lines:
        with tempfile.TemporaryDirectory(dir=given.folder) as home:
            rows += compare(Path(home), lines, given.weeks, given.repeats)
    section(
        "etl",
        "Order lines to features",
        "raw_orders, clean_orders, weekly_demand and feature_table in one run of the platform, with checks and "
        "records, in a JVM that has processed a million other lines before; compared with DuckDB and Polars, which "
        "make the same tables and nothing else, from the same files (csv, csv.gz, jsonl, parquet).",
        [PLATFORM, "pyspark", "duckdb", "polars", "pyarrow"],
        [table(rows)],
        given.repeats,
    )


if __name__ == "__main__":
    main()
