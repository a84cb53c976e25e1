"""Both models for one week, fit and forecast, at more and more series: seconds and peak memory.

    python -m benchmarks.series [--series 10000 30000 100000] [--weeks 60] [--peers]

The lake holds synthetic weekly demand, a third of the series intermittent, and the platform's own feature table, both
made for 10,000 series at most; more are the same again under other names. Each model is materialized by the command
line in a process of its own, checks and MLflow included, and every 0.1 s the kernel is asked for the peak resident
memory of the driver and of each Python worker of Spark. The JVM is left out, as its memory is a setting
(`spark.driver.memory`). CPU seconds are those of all its processes, JVM included, and tell more than seconds on a
machine that does other things as well. Both include the start of the run and of the JVM, which does not depend on
the series.

With `--peers`, what could be used instead: AutoETS and SeasonalNaive of statsforecast and XGBoost of mlforecast with
conformal intervals, on one core for a sample of the series, their seconds extrapolated to all. They are in the
extra `bench`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import peers
from forecasting_assets.features.build import feature_columns
from forecasting_assets.resources.lake import Lake
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks

FIRST = date(2023, 1, 2)
HORIZON = 8
REGIONS = np.array(["AMER", "APAC", "EMEA", "LATAM"])
CATEGORIES = np.array(["CNC milling", "CNC turning", "Injection moulding", "Sheet metal", "3D printing"])
MODELS = ["sarimax_model", "xgb_model"]
PEERS = ["SeasonalNaive", "AutoETS", "XGBoost"]
#: Series that the peers forecast.
PEER_SERIES = 500
#: Series that features are made for.
MADE = 10_000
FEATURES = feature_columns(HORIZON)
COMMAND = str(Path(sys.executable).parent / "forecasting-assets")


def demand(n_series: int, weeks: int) -> Iterator[pd.DataFrame]:
    """WEEKLY_DEMAND of one week after the other; every series is alive in the last."""
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
    """A home whose lake holds demand and features."""
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {FIRST}\nhorizon_weeks = {HORIZON}\n")
    lake = Lake(path=str(home / "lake"))
    for t, rows in enumerate(demand(n_series, weeks)):
        lake.write_pandas(rows, WEEKLY_DEMAND, add_weeks(FIRST, t))
    run = materialize(home, "feature_table", FIRST, add_weeks(FIRST, weeks - 1))
    if run.wait():
        raise SystemExit((home / "feature_table.log").read_text())


def multiply(small: Path, home: Path, copies: int, weeks: int) -> None:
    """A home with the series of `small` so many times, under other names."""
    (home / "forecasting.toml").write_text((small / "forecasting.toml").read_text())
    source, lake = (Lake(path=str(of / "lake")) for of in (small, home))
    for week in (add_weeks(FIRST, t) for t in range(weeks)):
        for table in (WEEKLY_DEMAND, FEATURES):
            rows = source.read_pandas(table, [week])
            totals = [c for c in rows if c.startswith(("category_", "region_"))]
            rows[totals] *= copies
            many = (rows.assign(part_id=f"{i}-" + rows["part_id"]) for i in range(copies))
            lake.write_pandas(pd.concat(many, ignore_index=True), table, week)


def materialize(home: Path, asset: str, first: date, last: date) -> subprocess.Popen:
    command = [COMMAND, "materialize", "--select", f"key:{asset}", "--from", str(first), "--to", str(last)]
    with (home / f"{asset}.log").open("w") as log:
        environment = os.environ | {"FORECASTING_HOME": str(home)}
        return subprocess.Popen(command, env=environment, cwd=Path.cwd(), stdout=log, stderr=log)


@dataclass
class Used:
    """Peak resident MB of the driver and of the largest Python worker; CPU seconds of each process."""

    driver: float = 0.0
    worker: float = 0.0
    cpu: dict[int, float] = field(default_factory=dict)

    def look(self, driver: int) -> None:
        for process in processes_of(driver):
            try:
                of = Path(f"/proc/{process}")
                stat = (of / "stat").read_text().rpartition(")")[2].split()
                self.cpu[process] = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
                peak = int((of / "status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
                if process == driver:
                    self.driver = max(self.driver, peak)
                elif b"pyspark.daemon" in (of / "cmdline").read_bytes():
                    self.worker = max(self.worker, peak)
            except (OSError, IndexError):
                continue  # it has ended


def processes_of(driver: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {driver}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@contextmanager
def watched(driver: int) -> Iterator[Used]:
    used, over = Used(), threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            used.look(driver)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield used
    finally:
        over.set()
        watching.join()


def measure(home: Path, model: str, week: date) -> tuple[float, Used]:
    """Seconds and more of one week of `model`."""
    begin = time.perf_counter()
    run = materialize(home, model, week, week)
    with watched(run.pid) as used:
        failed = run.wait()
    if failed:
        raise SystemExit((home / f"{model}.log").read_text())
    return time.perf_counter() - begin, used


def peer_seconds(name: str, n_series: int, weeks: int) -> float:
    """What a peer takes for all series, going by PEER_SERIES of them, on one core."""
    rows = [week.assign(week=add_weeks(FIRST, t)) for t, week in enumerate(demand(PEER_SERIES, weeks))]
    table = pd.concat(rows, ignore_index=True)
    table["week"] = table["week"].astype("datetime64[ns]")
    history = peers.history(table, FIRST, add_weeks(FIRST, weeks - 1))
    forecast = peers.peer(name, 1)
    forecast(history[history["unique_id"] < 20], HORIZON)  # imports and compiles
    begin = time.perf_counter()
    forecast(history, HORIZON)
    return (time.perf_counter() - begin) * n_series / PEER_SERIES


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--series", type=int, nargs="+", default=[10_000, 30_000, 100_000], help=f"multiples of {MADE}"
    )
    parser.add_argument("--weeks", type=int, default=60)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    print(peers.machine(["pyspark", "pandas", "xgboost"]))
    print(f"{options.weeks} weeks of history, horizon {HORIZON}; in brackets: times that of the first size\n")
    print(
        f"{'':16}{'series':>9}{'s':>7}{'ms each':>9}{'CPU s':>8}{'ms each':>9}{'driver MB':>16}{'worker MB':>16}"
    )
    last = add_weeks(FIRST, options.weeks - 1)
    first_of: dict[str, Used] = {}
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small"
        small.mkdir()
        fill(small, MADE, options.weeks)
        for n_series in options.series:
            home = Path(folder) / str(n_series)
            home.mkdir()
            multiply(small, home, n_series // MADE, options.weeks)
            assert Lake(path=str(home / "lake")).rows(FEATURES, last) == n_series
            for model in MODELS:
                took, used = measure(home, model, last)
                base = first_of.setdefault(model, used)
                cpu = sum(used.cpu.values())
                print(
                    f"{model:16}{n_series:>9,}{took:>7.0f}{1000 * took / n_series:>9.2f}"
                    f"{cpu:>8.0f}{1000 * cpu / n_series:>9.2f}"
                    f"{used.driver:>9,.0f} ({used.driver / base.driver:.2f})"
                    f"{used.worker:>9,.0f} ({used.worker / base.worker:.2f})",
                    flush=True,
                )
            shutil.rmtree(home)
    if options.peers:
        print(f"\nInstead, extrapolated from {PEER_SERIES} series, on one core:")
        for name in PEERS:
            took = peer_seconds(name, n_series, options.weeks)
            print(f"{name:16}{n_series:>9,}{took:>7.0f}{1000 * took / n_series:>9.2f}", flush=True)


if __name__ == "__main__":
    main()
