"""Order lines to features, beside what a user of DuckDB or Polars would write, from the same files.

    python -m benchmarks.etl [--lines 10000000 50000000] [--weeks 104] [--folder …]

The demo's generator writes the order files, weeks shared out over processes. The platform makes raw_orders,
clean_orders (with rejected_orders), weekly_demand and feature_table of all weeks in one run, checks, records and
metadata included, with a JVM that has made a marketplace of a million lines before; the index of the landing zone is
made anew.
The others (`etl_peers.py`) write the same tables, and nothing else. All have two cores where there are two, and
6 GB: the JVM as its heap, DuckDB as its limit; Polars knows no limit. Each runs in a process of its own, in turn.
The tables must agree.
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

import pandas as pd

from benchmarks.etl_peers import PEERS
from benchmarks.processes import Took, run
from benchmarks.results import against, section, table
from forecasting_assets.demo import Marketplace, write_marketplace
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.marketplace import write_orders
from forecasting_assets.settings import Settings, load_settings

PLATFORM = "forecasting-assets"
MEMORY_GB = 6
ORDERS = "+key:feature_table"
WEEKS_A_TASK = 4
#: Lines of the marketplace that warms the JVM up: enough for its compilers to have seen the work.
WARM_LINES = 1_000_000
GOAL = 3.0


def market_of(lines: int, weeks: int) -> Marketplace:
    """A marketplace whose parts grow with its orders, some 2,500 lines of each."""
    return Marketplace(weeks=weeks, parts=max(100, lines // 2_500), lines_per_week=lines // weeks)


def write_some(folder: Path, market: Marketplace, weeks: range) -> pd.DataFrame:
    return write_orders(folder, expected_demand(market), weeks).weekly


def write(home: Path, market: Marketplace) -> pd.DataFrame:
    """Order files of all weeks, and what is known of them by week."""
    starts = range(0, market.weeks, WEEKS_A_TASK)
    tasks = [range(begin, min(begin + WEEKS_A_TASK, market.weeks)) for begin in starts]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        pending = [pool.submit(write_some, home / "landing" / "orders", market, weeks) for weeks in tasks]
        counts = pd.concat([done.result() for done in pending]).groupby(level=0).sum()
    settle(home, market)
    return counts


def settle(home: Path, market: Marketplace) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "forecasting.toml").write_text(
        f"[calendar]\nfirst_week = {market.first_week}\n"
        f'[spark]\nconf = {{ "spark.driver.memory" = "{MEMORY_GB}g" }}\n'
    )


def contend(name: str, home: Path, weeks: int, said: Path) -> None:
    """Make all tables of `home` once, in this process; seconds and what the tables hold go to the file `said`."""
    settings = load_settings(home)
    days = Marketplace(first_week=settings.calendar.first_week, weeks=weeks).week_starts
    out = home / name
    for made in (out, home / "lake", home / "dagster", home / "landing.db"):
        rmtree(made, ignore_errors=True) if made.is_dir() else made.unlink(missing_ok=True)
    if name == PLATFORM:
        seconds = by_platform(settings, days)
        tables = ["raw_orders", "clean_orders", "rejected_orders", "weekly_demand", "feature_table"]
        folders = [home / "lake" / table for table in tables]
    else:
        out.mkdir()
        calendar = settings.calendar
        begin = time.perf_counter()
        PEERS[name](
            home / "landing" / "orders",
            out,
            days,
            calendar.horizon_weeks,
            calendar.holiday_countries,
            f"{MEMORY_GB}GB",
        )
        seconds = time.perf_counter() - begin
        folders = [out / table for table in ("raw", "clean", "rejected", "demand", "features")]
    said.write_text(json.dumps({"seconds": seconds, "holds": contents(folders)}))


def by_platform(settings: Settings, weeks: Sequence[date]) -> float:
    from forecasting_assets.runs import materialize

    with tempfile.TemporaryDirectory() as folder:
        small = market_of(WARM_LINES, 8)
        write_marketplace(Path(folder), small)
        settle(Path(folder), small)
        if not materialize(load_settings(Path(folder)), small.week_starts, ORDERS):
            raise RuntimeError("the marketplace that warms the JVM up could not be made")
    begin = time.perf_counter()
    if not materialize(settings, weeks, ORDERS):
        raise RuntimeError("the run failed: see above")
    return time.perf_counter() - begin


def contents(folders: Sequence[Path]) -> list[float]:
    """Rows of each table, and sums over the features."""
    import duckdb

    def value(query: str) -> float:
        return float(duckdb.sql(query).fetchall()[0][0])

    rows = [value(f"SELECT count(*) FROM read_parquet('{folder}/*/*.parquet')") for folder in folders]
    sums = ("quantity", "age_weeks", "lag_52", "mean_13", "std_52", "adi", "price_ratio", "category_mean_13")
    features = f"read_parquet('{folders[-1]}/*/*.parquet')"
    return rows + [value(f"SELECT sum({column}) FROM {features}") for column in sums]


def measure(name: str, home: Path, weeks: int) -> tuple[Took, dict]:
    said = home / "said.json"
    one = ["--one", name, "--folder", str(home), "--weeks", str(weeks), "--said", str(said)]
    took = run(home, [sys.executable, "-m", "benchmarks.etl", *one])
    return took, json.loads(said.read_text())


def compare(home: Path, lines: int, weeks: int, repeats: int) -> list[dict]:
    known = write(home, market_of(lines, weeks))
    landed = int(known["landed"].sum())
    found: dict[str, list[tuple[Took, dict]]] = {name: [] for name in (PLATFORM, *PEERS)}
    for _ in range(repeats):
        for name, runs in found.items():
            runs.append(measure(name, home, weeks))
            print(f"{landed:,} lines, {name}: {runs[-1][1]['seconds']:.0f} s", flush=True)
    holds = {name: runs[0][1]["holds"] for name, runs in found.items()}
    for name, other in holds.items():
        if any(abs(a - b) > 1e-6 * abs(a) for a, b in zip(holds[PLATFORM], other, strict=True)):
            raise RuntimeError(f"{name} made other tables: {other} instead of {holds[PLATFORM]}")
    if holds[PLATFORM][0] != landed:
        raise RuntimeError(f"{holds[PLATFORM][0]:,.0f} raw rows of {landed:,} landed")
    seconds = {name: statistics.median(said["seconds"] for _, said in runs) for name, runs in found.items()}
    fastest = min(seconds[name] for name in PEERS)
    return [
        {
            "lines": f"{landed:,}",
            "": name,
            "seconds": seconds[name],
            "lines a second": landed / seconds[name],
            "times the fastest of the others": against(seconds[name] / fastest, at_most=GOAL)
            if name == PLATFORM
            else seconds[name] / fastest,
            "Python's peak, MiB": max(took.python for took, _ in runs),
            "JVM's peak, MiB": max(took.jvm for took, _ in runs) or None,
        }
        for name, runs in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000_000, 50_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--weeks", type=int, default=104)
    parser.add_argument("--folder", type=Path, help="for files, some 5 GB for 10 million lines")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--said", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        contend(given.one, given.folder, given.weeks, given.said)
        return
    rows = []
    for lines in given.lines:
        with tempfile.TemporaryDirectory(dir=given.folder) as home:
            rows += compare(Path(home), lines, given.weeks, given.repeats)
    section(
        "etl",
        "Order lines to features",
        "raw_orders, clean_orders, weekly_demand and feature_table in one run of the platform with a JVM that has "
        "made a million other lines before, checks and records included, beside the same tables made by DuckDB and "
        "by Polars, and nothing else, from the same files (csv, csv.gz, jsonl, parquet).",
        [PLATFORM, "pyspark", "duckdb", "polars", "pyarrow"],
        [table(rows)],
        given.repeats,
    )


if __name__ == "__main__":
    main()
