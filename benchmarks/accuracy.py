"""Accuracy and time beside what a user would pick instead, on the rolling origins of a yardstick's data set.

    make bench-accuracy DATA=walmart EVALS=../shared/evals

A yardstick is a folder with land.py, score.py and data/<name>. For every origin land.py lands the orders that may
be seen, the platform runs by its own command line, and then the peers (`peers.py`) forecast from the same landed
files; score.py scores all of them alike. Seconds of demand_forecast are those of the whole command line, from order
files to forecasts with backtests, reports and models logged, for every week since the origin before; those of
sarimax_model and xgb_model of their steps; those of a peer of its fits and forecasts at the origins alone.

*Mean of two* averages the two peers with the least scaled pinball loss at the data set's validation origin, before
the first origin that is scored. AutoARIMA takes long and runs on a sample of the series, and is told beside the
platform's tables on the same series.
"""

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from benchmarks import peers, results
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.tables import QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks, week_of, weeks_between

#: Weeks with forecasts up to the first origin, from which the combination learns its weights.
WARM_UP_WEEKS = 13
PLATFORM = ["demand_forecast", "sarimax_model", "xgb_model"]
MODELS = "key:sarimax_model or key:xgb_model or key:backtest_report or key:demand_forecast"
MEAN_OF_TWO = "MeanOfTwo"
SLOW = "AutoARIMA"
#: The place of each metric in what score.py returns; q50 is the mean of a table without quantiles.
METRICS = {
    "WAPE": ("q50", "WAPE"),
    "MASE": ("q50", "MASE"),
    "RMSE": ("mean", "RMSE"),
    "RMSSE": ("mean", "RMSSE"),
    "bias %": ("mean", "bias"),
    "pinball": ("quantiles", "scaled_pinball"),
    "in 80 %": ("quantiles", "coverage80"),
    "in 90 %": ("quantiles", "coverage90"),
}
#: Those a table is called better by.
JUDGED = ["WAPE", "RMSSE", "pinball"]
#: What score.py may find wrong with a table, where scores would mislead.
FAULTS = [
    "origins_missing",
    "origin_column_differs",
    "target_not_monday",
    "target_not_origin_plus_horizon",
    "duplicate_rows",
    "rows_not_finite",
    "negative_means",
    "quantile_crossings",
]
PACKAGES = ["forecasting-assets", "statsforecast", "mlforecast", "lightgbm", "xgboost"]


@dataclass
class Yardstick:
    """A data set with its origins, and the scoring that goes with it; of every `every`-th series."""

    folder: Path
    name: str
    every: int
    score: ModuleType = field(init=False)
    meta: dict = field(init=False)
    truth: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        data = self.folder / "data"
        if not (self.folder / "score.py").is_file() or not data.is_dir():
            raise SystemExit(
                f"{self.folder} is no yardstick (score.py, land.py and data/): name its folder, "
                f"as in make bench-accuracy DATA={self.name} EVALS=../evals"
            )
        known = sorted(file.parent.name for file in data.glob("*/meta.json"))
        if self.name not in known:
            raise SystemExit(f"{data} has no data set {self.name}, but {', '.join(known) or 'none at all'}")
        spec = importlib.util.spec_from_file_location("score", self.folder / "score.py")
        assert spec is not None
        assert spec.loader is not None
        self.score = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.score)
        self.meta = json.loads((data / self.name / "meta.json").read_text())
        truth = self.score.load_truth(self.name, data)
        self.truth = truth[sampled(truth, self.every)]

    @property
    def origins(self) -> list[date]:
        return [date.fromisoformat(origin) for origin in self.meta["origins"]]

    @property
    def horizon(self) -> int:
        return self.meta["horizon"]

    def land(self, origin: date, folder: Path) -> pd.DataFrame:
        """Land what may be seen at `origin`; all that is landed, as part_id, region, week, quantity."""
        before = {file.name for file in folder.glob("*")}
        command = [sys.executable, self.folder / "land.py", "--dataset", self.name]
        subprocess.run(
            [*command, "--origin", str(origin), "--dest", folder], check=True, stdout=subprocess.DEVNULL
        )
        tables = []
        for file in sorted(folder.glob("*")):
            lines = pd.read_csv(file, dtype={"part_id": str, "region": str})
            if self.every > 1 and file.name not in before:
                lines = lines[sampled(lines, self.every)]
                lines.to_csv(file, index=False)
            day = pd.to_datetime(lines["order_date"]).dt.normalize()
            week = day - pd.to_timedelta(day.dt.dayofweek, unit="D")
            tables.append(lines[[*SERIES, "quantity"]].assign(week=week.astype("datetime64[ns]")))
        return pd.concat(tables, ignore_index=True)

    def scores(self, lake: Path, table: str, every: int = 1) -> dict:
        """What score.py says of a table, on every `every`-th series."""
        matched, faults = self.score.read_forecasts(lake, table, self.truth[sampled(self.truth, every)])
        found = {name: n for name, n in faults.items() if n and name in FAULTS}
        if found:
            say(f"{table}: " + ", ".join(f"{name} {n:,}" for name, n in found.items()))
        return self.score.metrics(matched, faults["has_quantiles"])


def sampled(table: pd.DataFrame, every: int) -> np.ndarray:
    """Whether each row is of a series that is one in `every` by a hash of its name."""
    key = (table["part_id"].astype(str) + "|" + table["region"].astype(str)).to_numpy(object)
    return pd.util.hash_array(key) % np.uint64(every) == 0


def run_platform(home: Path, select: str, first: date, last: date, seconds: Counter) -> None:
    """One `forecasting-assets materialize`; adds its seconds and those of its steps to `seconds`."""
    tool = Path(sys.executable).parent / "forecasting-assets"
    command = [str(tool), "materialize", "--select", select, "--from", str(first), "--to", str(last)]
    begin = time.perf_counter()
    done = subprocess.run(
        command,
        env=os.environ | {"FORECASTING_HOME": str(home)},
        cwd=home,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
    seconds["demand_forecast"] += time.perf_counter() - begin
    for step, took in re.findall(r"^  (sarimax_model|xgb_model): ([\d.]+) s$", done.stdout, re.MULTILINE):
        seconds[step] += float(took)


def as_lake_rows(made: pd.DataFrame, history: pd.DataFrame, origin: date) -> pd.DataFrame:
    """Forecasts of a peer with the columns of the platform's tables."""
    names = history.drop_duplicates("unique_id").set_index("unique_id")[peers.STATIC]
    names = names.loc[made["unique_id"]].astype(str).set_axis(SERIES, axis=1).reset_index(drop=True)
    at = pd.Timestamp(origin)
    values = made.drop(columns=peers.KEYS).reset_index(drop=True)
    target = made["ds"].reset_index(drop=True)
    return names.assign(origin_week=at, target_week=target, horizon=(target - at).dt.days // 7).join(values)


def write(table: pd.DataFrame, lake: Path, name: str, origin: date) -> None:
    folder = lake / name / f"week={origin}"
    folder.mkdir(parents=True)
    table.to_parquet(folder / "data.parquet")


def validation_truth(demand: pd.DataFrame, first: date, origin: date, horizon: int) -> pd.DataFrame:
    """What score.load_truth gives, for an origin before the first that is scored."""
    panel = Panel.of(demand, first, add_weeks(origin, horizon))
    now = panel.column(origin)
    panel = panel.rows(np.flatnonzero(panel.alive(now)))
    change = np.diff(panel.demand[:, : now + 1], axis=1)
    counted = np.arange(1, now + 1) > panel.first_order[:, None]
    steps = np.maximum(counted.sum(axis=1), 1)
    series = np.repeat(np.arange(len(panel.demand)), horizon)
    ahead = np.tile(np.arange(1, horizon + 1), len(panel.demand))
    at = pd.Timestamp(origin)
    return (
        panel.series[SERIES]
        .assign(
            mae1=(np.abs(change) * counted).sum(axis=1) / steps,
            mse1=(change**2 * counted).sum(axis=1) / steps,
        )
        .iloc[series]
        .reset_index(drop=True)
        .assign(
            origin_week=at,
            target_week=at + pd.to_timedelta(7 * ahead, unit="D"),
            actual=panel.demand[series, now + ahead],
        )
    )


class Peers:
    """The peers as they run, with the seconds that each has taken at the origins that are scored."""

    def __init__(self, names: Sequence[str], threads: int, lake: Path, horizon: int, slow_every: int) -> None:
        self.names, self.threads, self.lake, self.horizon = names, threads, lake, horizon
        self.slow_every = slow_every
        self.seconds: Counter = Counter()
        self.best: list[str] = []

    def _run(self, name: str, history: pd.DataFrame, origin: date) -> tuple[pd.DataFrame, float]:
        begin = time.perf_counter()
        made = peers.peer(name, self.threads)(history, self.horizon)
        took = time.perf_counter() - begin
        say(f"{origin} {name}: {took:.1f} s")
        return as_lake_rows(made, history, origin), took

    def choose(self, yardstick: Yardstick, demand: pd.DataFrame, first: date, origin: date) -> None:
        """The two for the mean, by scaled pinball loss at `origin`."""
        history = peers.history(demand, first, origin)
        truth = validation_truth(demand, first, origin, self.horizon)
        losses = {}
        for name in self.names:
            made, _ = self._run(name, history, origin)
            if "q05" in made:
                made = made.drop(columns="horizon")
                matched = truth.merge(made, on=[*SERIES, "origin_week", "target_week"], how="left")
                losses[name] = yardstick.score.metrics(matched, True)["quantiles"]["scaled_pinball"]
        if len(losses) > 1:
            self.best = sorted(losses, key=losses.__getitem__)[:2]

    def forecast(self, demand: pd.DataFrame, first: date, origin: date) -> None:
        """Write the forecasts of all peers at `origin`."""
        history = peers.history(demand, first, origin)
        made = {}
        for name in self.names:
            made[name], took = self._run(name, history, origin)
            self.seconds[name] += took
            write(made[name], self.lake, name, origin)
            if name in self.best:
                self.seconds[MEAN_OF_TWO] += took
        if self.best:
            cell = [*SERIES, "origin_week", "target_week", "horizon"]
            both = pd.concat([made[name] for name in self.best])
            mean = both.groupby(cell, as_index=False)[["mean", *QUANTILES]].mean()
            write(mean, self.lake, MEAN_OF_TWO, origin)
        if self.slow_every:
            names = history[peers.STATIC].set_axis(SERIES, axis=1)
            table, took = self._run(SLOW, history[sampled(names, self.slow_every)], origin)
            self.seconds[SLOW] += took
            write(table, self.lake, SLOW, origin)


def say(text: str) -> None:
    print(text, flush=True)


def value(scores: dict, metric: str) -> float | None:
    place, name = METRICS[metric]
    found = scores.get(place) if place != "q50" else scores.get("q50", scores["mean"])
    return found[name] if found else None


def told(scores: dict[str, dict], seconds: Counter) -> str:
    """The scores as a table."""
    rows = [
        {"": table, "seconds": round(seconds[table]), "failed": found["failed_series_origins"]}
        | {name: f"{v:,.4g}" if (v := value(found, name)) is not None else None for name in METRICS}
        for table, found in scores.items()
    ]
    return results.table(rows)


def gains(scores: dict[str, dict]) -> str:
    """By how much demand_forecast is better than the best peer in each of JUDGED."""
    ours, lines = scores["demand_forecast"], []
    for metric in JUDGED:
        others = {
            t: v for t, s in scores.items() if t not in PLATFORM and (v := value(s, metric)) is not None
        }
        if others:
            best = min(others, key=others.__getitem__)
            gain = 1 - value(ours, metric) / others[best]
            than = "better" if gain >= 0 else "worse"
            lines.append(
                f"- {metric} of demand_forecast is {abs(gain):.1%} {than} than the best peer's, {best}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="walmart", help="data set of the yardstick")
    parser.add_argument("--evals", type=Path, default=os.environ.get("EVALS") or "../shared/evals")
    parser.add_argument("--peers", default=",".join(p for p in peers.PEERS if p not in (peers.DIRECT, SLOW)))
    parser.add_argument(
        "--arima-every", type=int, default=20, help="one series in N for AutoARIMA; 0 for none"
    )
    parser.add_argument(
        "--every", type=int, default=1, help="one series in N of the data set, for a quick look"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="of every peer; more lose manyfold on a busy machine"
    )
    parser.add_argument("--home", type=Path, help="new folder to keep all in; a temporary one if left out")
    options = parser.parse_args()
    names = [name for name in options.peers.split(",") if name]
    unknown = sorted(set(names) - set(peers.PEERS))
    if unknown:
        parser.error(f"--peers {', '.join(unknown)}: choose among {', '.join(peers.PEERS)}")
    yardstick = Yardstick(options.evals.absolute(), options.data, options.every)
    slow_every = 0 if SLOW in names else options.arima_every
    if options.home:
        options.home.mkdir(parents=True)
        compare(yardstick, names, options.threads, slow_every, options.home.absolute())
    else:
        with tempfile.TemporaryDirectory(prefix="bench-accuracy-") as home:
            compare(yardstick, names, options.threads, slow_every, Path(home))


def compare(yardstick: Yardstick, names: Sequence[str], threads: int, slow_every: int, home: Path) -> None:
    landing, lake, beside = home / "landing" / "orders", home / "lake", home / "lake_peers"
    others = Peers(names, threads, beside, yardstick.horizon, slow_every)
    seconds: Counter = Counter()
    first = since = None
    for origin in yardstick.origins:
        demand = yardstick.land(origin, landing)
        if first is None or since is None:
            first = week_of(demand["week"].min().date())
            (home / "forecasting.toml").write_text(
                f"[calendar]\nfirst_week = {first}\nhorizon_weeks = {yardstick.horizon}\n"
            )
            run_platform(home, "+key:feature_table", first, origin, seconds)
            begin = max(first, add_weeks(origin, 1 - WARM_UP_WEEKS))
            run_platform(home, MODELS, begin, origin, seconds)
            n_weeks = len(weeks_between(begin, origin))
            validation = yardstick.meta.get("validation_origin")
            if validation and names:
                others.choose(yardstick, demand, first, date.fromisoformat(validation))
        else:
            run_platform(home, "+key:demand_forecast", add_weeks(since, 1), origin, seconds)
            n_weeks += len(weeks_between(since, origin)) - 1
        since = origin
        say(f"{origin} platform: {seconds['demand_forecast']:.1f} s so far, forecasts of {n_weeks} weeks")
        others.forecast(demand, first, origin)

    scores = {table: yardstick.scores(lake, table) for table in PLATFORM}
    made = [*names, *([MEAN_OF_TWO] if others.best else [])]
    scores |= {table: yardstick.scores(beside, table) for table in made}
    seconds |= others.seconds
    ours = scores["demand_forecast"]
    of_all = f", one series in {yardstick.every}" if yardstick.every > 1 else ""
    compared = (
        f"The platform by its command line beside peers, on {yardstick.name}{of_all}: "
        f"{len(yardstick.origins)} origins, horizons 1 to {yardstick.horizon}, "
        f"{ours['series_origins']:,} series and origins, {ours['cells']:,} cells. "
        f"Platform: forecasts of {n_weeks} weeks, {WARM_UP_WEEKS} of them up to the first origin so that the "
        f"combination knows its weights; peers: {len(yardstick.origins)} origins, "
        f"{threads} thread{'s' * (threads > 1)}. "
        "Failed: series and origins without a forecast, scored as zero; WAPE in %; pinball is scaled."
    )
    if others.best:
        compared += f" {MEAN_OF_TWO}: {' and '.join(others.best)}, the best two by pinball at {validation}."
    parts = [told(scores, seconds), gains(scores)]
    if slow_every:
        parts.append(
            f"On one series in {slow_every}, for {SLOW} (seconds of the platform are those of all series):"
        )
        sample = {table: yardstick.scores(lake, table, slow_every) for table in PLATFORM}
        parts.append(told(sample | {SLOW: yardstick.scores(beside, SLOW, slow_every)}, seconds))
    print("\n\n".join([compared, *parts]))
    results.section("accuracy", "Accuracy", compared, PACKAGES, parts, "once, in one go")


if __name__ == "__main__":
    main()
