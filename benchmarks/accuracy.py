"""Compare accuracy and time with those of common libraries, at the rolling origins of external data sets.

    make bench-accuracy EVALS=../shared/evals
    python -m benchmarks.accuracy --data frat,rossmann --every 4

The folder of the yardstick has land.py, score.py and data/<name>. For every origin of a data set, land.py lands the
orders that may be known, the platform runs through its own command line, and then the peers (`peers.py`) forecast from
the same landed files; score.py scores all in the same way. Where a data set has a plan of prices and promotions, the
platform runs again with it. Seconds of demand_forecast are those of the whole command, from order files to forecasts
with backtests, reports and logged models, for every week since the previous origin; those of sarimax_model and
xgb_model are those of their steps; those of a peer are those of its fits and forecasts at the origins only.

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
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import peers, results
from benchmarks.markets import market_table, sum_intervals
from benchmarks.processes import BEFORE_MODELS
from benchmarks.scores import best_peers, by_horizon, figures, value
from benchmarks.yardstick import Yardstick, data_sets, report, sampled
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.reporting.measures import step_scores
from forecasting_assets.tables import QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks, add_weeks_to_all, week_of, weeks_since

#: Weeks with forecasts up to the first origin, from which the combined forecast learns its weights.
WARM_UP_WEEKS = 13
PLATFORM = ["demand_forecast", "sarimax_model", "xgb_model"]
MODELS = "key:sarimax_model or key:xgb_model or key:backtest_report or key:demand_forecast"
MEAN_OF_TWO = "MeanOfTwo"
SLOW = "AutoARIMA"
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


def score_table(
    label: str, scores: dict[str, dict[str, Any]], seconds: dict[str, float], best: dict[str, str]
) -> str:
    """Return a table of the scores, and of the best peers that the yardstick lists."""
    rows: list[dict[str, Any]] = [
        {label: table, "seconds": round(seconds[table]), "failed": metrics["failed_series_origins"]}
        | figures(metrics)
        for table, metrics in scores.items()
    ]
    return results.table([*rows, *([{label: "best listed peer"} | best] if best else [])])


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
    parser.add_argument("--data", help="data sets, with commas between them; all by default")
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
    options = parser.parse_args()
    names = [name for name in options.peers.split(",") if name]
    unknown = sorted(set(names) - set(peers.PEERS))
    if unknown:
        parser.error(f"--peers {', '.join(unknown)}: choose among {', '.join(peers.PEERS)}")
    evals = options.evals.absolute()
    slow_every = 0 if SLOW in names else options.arima_every
    parts: list[str] = []
    chosen = options.data.split(",") if options.data else data_sets(evals)
    for number, name in enumerate(chosen, start=1):
        yardstick = Yardstick(evals, name, options.every)
        for with_plan in [False, True] if yardstick.has_plan else [False]:
            # What peers forecast is compared with the platform without the plan, which they do not use.
            used = ([], 0) if with_plan else (names, slow_every)
            with tempfile.TemporaryDirectory(prefix="bench-accuracy-") as home:
                made = compare(yardstick, *used, options.threads, Path(home), with_plan)
            report("\n\n".join(made))
            parts += made
        # After every data set: what was measured in hours outlives a run that is stopped.
        if not options.data and options.every == 1:
            compared = description(f"{number} of the {len(chosen)}", options.threads)
            results.section("accuracy", "Accuracy", compared, PACKAGES, parts, "once, in one go")


def description(of: str, threads: int) -> str:
    """Describe what is compared, on `of` data sets, with so many threads for every peer."""
    return (
        f"The platform through its command line compared with peers, on {of} data sets of the yardstick, where one "
        "has a plan without it and with it. Platform: forecasts of all weeks from "
        f"{WARM_UP_WEEKS} weeks before the first origin, from which the combined forecast learns its weights; "
        f"peers: the origins only, {threads} thread{'s' * (threads > 1)}. Failed: series and "
        "origins without a forecast, scored as zero; WAPE and bias in %; pinball is scaled. Best listed peer: of "
        f"each metric, in peer_scores.csv of the yardstick. {MEAN_OF_TWO}: the best two by pinball at an earlier "
        "origin."
    )


def compare(
    yardstick: Yardstick, names: Sequence[str], slow_every: int, threads: int, home: Path, with_plan: bool
) -> list[str]:
    """Run platform and peers at all origins of a data set; return the tables of their scores."""
    landing, lake, peer_lake = home / "landing" / "orders", home / "lake", home / "lake_peers"
    others = Peers(names, threads, peer_lake, yardstick.horizon, slow_every)
    seconds: dict[str, float] = defaultdict(float)
    first = since = None
    for origin in yardstick.origins:
        demand = yardstick.land(origin, landing)
        if with_plan:
            yardstick.land_plan(origin, home / "landing" / "planning")
        if first is None or since is None:
            first = week_of(demand["week"].min().date())
            (home / "forecasting.toml").write_text(
                f"[calendar]\nfirst_week = {first}\nhorizon_weeks = {yardstick.horizon}\n"
            )
            run_platform(home, BEFORE_MODELS, first, origin, seconds)
            run_platform(home, MODELS, max(first, add_weeks(origin, 1 - WARM_UP_WEEKS)), origin, seconds)
            validation = yardstick.meta.get("validation_origin")
            if validation and names:
                others.choose(yardstick, demand, first, date.fromisoformat(validation))
        else:
            run_platform(home, "+key:demand_forecast", add_weeks(since, 1), origin, seconds)
        since = origin
        report(f"{yardstick.name} {origin} platform: {seconds['demand_forecast']:.1f} s so far")
        others.forecast(demand, first, origin)

    lakes = dict.fromkeys(PLATFORM, lake)
    lakes |= dict.fromkeys([*names, *([MEAN_OF_TWO] if others.best else [])], peer_lake)
    scores = {table: yardstick.scores(of, table) for table, of in lakes.items()}
    seconds |= others.seconds
    label = f"{yardstick.name}{' with its plan' if with_plan else ''}"
    cells = (
        f"{label}: {len(yardstick.origins)} origins, horizons 1 to {yardstick.horizon}, "
        f"{scores['demand_forecast']['cells']:,} cells"
    )
    if yardstick.every > 1:
        cells += f", one series in {yardstick.every}"
    if others.best:
        cells += f"; {MEAN_OF_TWO}: {' and '.join(others.best)}, the best two at {validation}"
    parts = [f"**{cells}.**", score_table(label, scores, seconds, best_peers(yardstick, with_plan))]
    if names:
        parts.append(gains(scores))
    category = demand.drop_duplicates("part_id").set_index("part_id")["part_category"]
    judged = {name: lakes[name] for name in [*PLATFORM, MEAN_OF_TWO, "AutoETS"] if name in lakes}
    parts.append(by_horizon(yardstick, judged, f"{label}: weeks ahead"))
    parts.append(market_scores(yardstick, judged, category, label))
    parts.append(steps(lake, yardstick.origins[-1], label))
    if slow_every:
        parts.append(f"On one series in {slow_every}, for {SLOW} (seconds of the platform are those of all):")
        sample = {table: yardstick.scores(lake, table, slow_every) for table in PLATFORM}
        slow = {SLOW: yardstick.scores(peer_lake, SLOW, slow_every)}
        parts.append(score_table(label, sample | slow, seconds, {}))
    return parts


def market_scores(yardstick: Yardstick, lakes: Mapping[str, Path], category: pd.Series, label: str) -> str:
    """Return a table of the forecasts of each category and region, as sums of their parts and of their own demand."""
    own, platform = "market_forecast", lakes["demand_forecast"]

    def of_week(name: str, origin: date) -> pd.DataFrame:
        table: pd.DataFrame = yardstick.score.read_partition(
            lakes.get(name, platform) / name / f"week={origin}"
        )
        if name == own:
            return table
        return table.assign(part_category=table["part_id"].map(category))

    weeks = dict.fromkeys(["origin_week", "target_week"], "datetime64[ns]")
    made = {
        name: [of_week(name, origin).astype(weeks) for origin in yardstick.origins] for name in (*lakes, own)
    }
    learned = [
        yardstick.score.read_partition(platform / "error_correlations" / f"week={origin}")
        for origin in yardstick.origins
    ]
    ours = zip(made["demand_forecast"], learned, strict=True)
    intervals = {"demand_forecast": pd.concat([sum_intervals(*of_origin) for of_origin in ours])}
    truth = yardstick.truth.assign(part_category=yardstick.truth["part_id"].map(category))
    forecasts = {name: pd.concat(tables) for name, tables in made.items()}
    # With a short history there are no forecasts of markets from the first origins on.
    if forecasts[own]["origin_week"].nunique() < len(yardstick.origins):
        del forecasts[own]
    return market_table(truth, forecasts, f"{label}: categories and regions", intervals)


def steps(lake: Path, week: date, label: str) -> str:
    """Return what each step added to the forecast, in the weeks that the backtest of the last origin judges."""
    backtest = pd.concat(map(pd.read_parquet, (lake / "backtest_report" / f"week={week}").glob("*.parquet")))
    formats = {"wape": ".2%", "scaled_pinball": ".4f", "coverage_80": ".1%"}
    table = step_scores(backtest)
    rows = [
        {f"{label}: steps, judged by the backtest of {week}": row["step"]}
        | {name: None if pd.isna(row[name]) else f"{row[name]:{spec}}" for name, spec in formats.items()}
        for _, row in table.iterrows()
    ]
    return results.table(rows)


if __name__ == "__main__":
    main()
