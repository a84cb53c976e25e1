"""Compare accuracy and time with those of common libraries, at the rolling origins of an external data set.

    make bench-accuracy DATA=walmart EVALS=../shared/evals

The folder of the yardstick has land.py, score.py and data/<name>. For every origin, land.py lands the orders that may
be known, the platform runs through its own command line, and then the peers (`peers.py`) forecast from the same landed
files; score.py scores all in the same way. Seconds of demand_forecast are those of the whole command, from order files
to forecasts with backtests, reports and logged models, for every week since the previous origin; those of sarimax_model
and xgb_model are those of their steps; those of a peer are those of its fits and forecasts at the origins only.

*Mean of two* averages the two peers with the smallest scaled pinball loss at the validation origin of the data set,
which precedes the first origin that is scored. AutoARIMA is slow, runs on a sample of the series, and is compared with
the platform's tables on the same series.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import peers, results
from benchmarks.yardstick import Yardstick, report, sampled
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.tables import QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks, add_weeks_to_all, week_of, weeks_between, weeks_since

#: Weeks with forecasts up to the first origin, from which the combined forecast learns its weights.
WARM_UP_WEEKS = 13
PLATFORM = ["demand_forecast", "sarimax_model", "xgb_model"]
MODELS = "key:sarimax_model or key:xgb_model or key:backtest_report or key:demand_forecast"
MEAN_OF_TWO = "MeanOfTwo"
SLOW = "AutoARIMA"
#: Where each metric is in the result of score.py; q50 is the mean for a table without quantiles.
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
#: Metrics by which tables are compared.
COMPARED_BY = ["WAPE", "RMSSE", "pinball"]
PACKAGES = ["forecasting-assets", "statsforecast", "mlforecast", "lightgbm", "xgboost"]


def run_platform(home: Path, select: str, first: date, last: date, seconds: dict[str, float]) -> None:
    """Run `forecasting-assets materialize`, and add its seconds and those of its steps to `seconds`."""
    tool = Path(sys.executable).parent / "forecasting-assets"
    command = [str(tool), "materialize", "--select", select, "--from", str(first), "--to", str(last)]
    begin = time.perf_counter()
    completed = subprocess.run(
        command,
        env=os.environ | {"FORECASTING_HOME": str(home)},
        cwd=home,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if completed.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{completed.stdout[-4000:]}")
    seconds["demand_forecast"] += time.perf_counter() - begin
    for step, took in re.findall(
        r"^  (sarimax_model|xgb_model): ([\d.]+) s$", completed.stdout, re.MULTILINE
    ):
        seconds[step] += float(took)


def as_lake_rows(forecast: pd.DataFrame, history: pd.DataFrame, origin: date) -> pd.DataFrame:
    """Return the forecasts of a peer with the columns of the platform's tables."""
    names = history.drop_duplicates("unique_id").set_index("unique_id")[peers.STATIC]
    names = names.loc[forecast["unique_id"]].astype(str).set_axis(SERIES, axis=1).reset_index(drop=True)
    at = pd.Timestamp(origin)
    values = forecast.drop(columns=peers.KEYS).reset_index(drop=True)
    target = forecast["ds"].reset_index(drop=True)
    return names.assign(origin_week=at, target_week=target, horizon=weeks_since(at, target)).join(values)


def write(table: pd.DataFrame, lake: Path, name: str, origin: date) -> None:
    """Write a table of one origin to a lake."""
    folder = lake / name / f"week={origin}"
    folder.mkdir(parents=True)
    table.to_parquet(folder / "data.parquet")


def validation_truth(demand: pd.DataFrame, first: date, origin: date, horizon: int) -> pd.DataFrame:
    """Return the same as score.load_truth for an origin before the first that is scored."""
    panel = Panel.from_history(demand, first, add_weeks(origin, horizon))
    now = panel.column(origin)
    panel = panel.rows(np.flatnonzero(panel.active(now)))
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
            target_week=add_weeks_to_all(at.to_datetime64(), ahead),
            actual=panel.demand[series, now + ahead],
        )
    )


class Peers:
    """Run the peers, and count the seconds of each at the origins that are scored."""

    def __init__(self, names: Sequence[str], threads: int, lake: Path, horizon: int, slow_every: int) -> None:
        self.names, self.threads, self.lake, self.horizon = names, threads, lake, horizon
        self.slow_every = slow_every
        self.seconds: dict[str, float] = defaultdict(float)
        self.best: list[str] = []

    def _run(self, name: str, history: pd.DataFrame, origin: date) -> tuple[pd.DataFrame, float]:
        begin = time.perf_counter()
        forecast = peers.peer(name, self.threads)(history, self.horizon)
        took = time.perf_counter() - begin
        report(f"{origin} {name}: {took:.1f} s")
        return as_lake_rows(forecast, history, origin), took

    def choose(self, yardstick: Yardstick, demand: pd.DataFrame, first: date, origin: date) -> None:
        """Choose the two peers for the mean by their scaled pinball loss at `origin`."""
        history = peers.history(demand, first, origin)
        truth = validation_truth(demand, first, origin, self.horizon)
        losses = {}
        for name in self.names:
            forecast, _ = self._run(name, history, origin)
            if "q05" in forecast:
                forecast = forecast.drop(columns="horizon")
                matched = truth.merge(forecast, on=[*SERIES, "origin_week", "target_week"], how="left")
                losses[name] = yardstick.score.metrics(matched, True)["quantiles"]["scaled_pinball"]
        if len(losses) > 1:
            self.best = sorted(losses, key=losses.__getitem__)[:2]

    def forecast(self, demand: pd.DataFrame, first: date, origin: date) -> None:
        """Write the forecasts of all peers at `origin`."""
        history = peers.history(demand, first, origin)
        forecasts = {}
        for name in self.names:
            forecasts[name], took = self._run(name, history, origin)
            self.seconds[name] += took
            write(forecasts[name], self.lake, name, origin)
            if name in self.best:
                self.seconds[MEAN_OF_TWO] += took
        if self.best:
            cell = [*SERIES, "origin_week", "target_week", "horizon"]
            both = pd.concat([forecasts[name] for name in self.best])
            mean = both.groupby(cell, as_index=False)[["mean", *QUANTILES]].mean()
            write(mean, self.lake, MEAN_OF_TWO, origin)
        if self.slow_every:
            names = history[peers.STATIC].set_axis(SERIES, axis=1)
            table, took = self._run(SLOW, history[sampled(names, self.slow_every)], origin)
            self.seconds[SLOW] += took
            write(table, self.lake, SLOW, origin)


def value(scores: dict[str, Any], metric: str) -> float | None:
    """Return a metric of a table, or None if it has no quantiles."""
    place, name = METRICS[metric]
    group = scores.get(place) if place != "q50" else scores.get("q50", scores["mean"])
    return float(group[name]) if group else None


def score_table(scores: dict[str, dict[str, Any]], seconds: dict[str, float]) -> str:
    """Return a table of the scores."""
    rows = [
        {"": table, "seconds": round(seconds[table]), "failed": metrics["failed_series_origins"]}
        | {name: f"{v:,.4g}" if (v := value(metrics, name)) is not None else None for name in METRICS}
        for table, metrics in scores.items()
    ]
    return results.table(rows)


def gains(scores: dict[str, dict[str, Any]]) -> str:
    """Compare demand_forecast with the best peer in each of COMPARED_BY."""
    ours, lines = scores["demand_forecast"], []
    for metric in COMPARED_BY:
        others = {
            t: v for t, s in scores.items() if t not in PLATFORM and (v := value(s, metric)) is not None
        }
        if others:
            best = min(others, key=others.__getitem__)
            our_value = value(ours, metric)
            assert our_value is not None
            gain = 1 - our_value / others[best]
            than = "better" if gain >= 0 else "worse"
            lines.append(
                f"- {metric} of demand_forecast is {abs(gain):.1%} {than} than the best peer's, {best}"
            )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark from the command line."""
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
        "--every", type=int, default=1, help="one series in N of the data set, for a quick check"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="threads of every peer; several are much slower on a busy machine",
    )
    parser.add_argument(
        "--home", type=Path, help="new folder in which everything is kept; by default a temporary one"
    )
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
    """Run platform and peers at all origins, and report the scores."""
    landing, lake, peer_lake = home / "landing" / "orders", home / "lake", home / "lake_peers"
    others = Peers(names, threads, peer_lake, yardstick.horizon, slow_every)
    seconds: dict[str, float] = defaultdict(float)
    first = since = None
    for origin in yardstick.origins:
        demand = yardstick.land(origin, landing)
        if first is None or since is None:
            first = week_of(demand["week"].min().date())
            (home / "forecasting.toml").write_text(
                f"[calendar]\nfirst_week = {first}\nhorizon_weeks = {yardstick.horizon}\n"
            )
            run_platform(home, "+key:feature_table or +key:known_covariates", first, origin, seconds)
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
        report(f"{origin} platform: {seconds['demand_forecast']:.1f} s so far, forecasts of {n_weeks} weeks")
        others.forecast(demand, first, origin)

    scores = {table: yardstick.scores(lake, table) for table in PLATFORM}
    tables = [*names, *([MEAN_OF_TWO] if others.best else [])]
    scores |= {table: yardstick.scores(peer_lake, table) for table in tables}
    seconds |= others.seconds
    ours = scores["demand_forecast"]
    of_all = f", one series in {yardstick.every}" if yardstick.every > 1 else ""
    compared = (
        f"The platform through its command line compared with peers, on {yardstick.name}{of_all}: "
        f"{len(yardstick.origins)} origins, horizons 1 to {yardstick.horizon}, "
        f"{ours['series_origins']:,} series and origins, {ours['cells']:,} cells. "
        f"Platform: forecasts of {n_weeks} weeks, {WARM_UP_WEEKS} of them up to the first origin, to learn the weights "
        f"of the combined forecast; peers: {len(yardstick.origins)} origins, "
        f"{threads} thread{'s' * (threads > 1)}. "
        "Failed: series and origins without a forecast, scored as zero; WAPE in %; pinball is scaled."
    )
    if others.best:
        compared += f" {MEAN_OF_TWO}: {' and '.join(others.best)}, the best two by pinball at {validation}."
    parts = [score_table(scores, seconds), gains(scores)]
    if slow_every:
        parts.append(
            f"On one series in {slow_every}, for {SLOW} (seconds of the platform are those of all series):"
        )
        sample = {table: yardstick.scores(lake, table, slow_every) for table in PLATFORM}
        parts.append(score_table(sample | {SLOW: yardstick.scores(peer_lake, SLOW, slow_every)}, seconds))
    print("\n\n".join([compared, *parts]))
    results.section("accuracy", "Accuracy", compared, PACKAGES, parts, "once, in one go")


if __name__ == "__main__":
    main()
