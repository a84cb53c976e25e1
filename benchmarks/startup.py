"""Measure the time from request to result in `forecasting-assets dev`, with and without its warm Spark server.

    python -m benchmarks.startup [--home demo] [--repeats 3]

Two copies of a demo are served at the same time, one of them with [spark] warm_server off. Each request is what the
UI's *Materialize* sends for one week: weekly_demand alone, all assets, and all assets with the models fitted, as in
the first week after every refit. In both, runs are forked from a process that has imported their libraries (Linux).
Requests alternate between the two, after one of each that is not measured. Seconds are those from the request to the
end of the run, divided by Dagster's records: waiting in the queue, the start of the run's process until its first
step, its steps, and what follows them. The time to import the code location is measured as well.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from benchmarks import results
from devtools.dev_server import click, dev_server, ended_run, log_of
from devtools.model_cache import forget_fits
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.runtime.dagster_home import prepare_home
from forecasting_assets.runtime.spark import SPARK_TAG
from forecasting_assets.settings import load_settings

REPEATS = 3
PACKAGES = ["forecasting-assets", "pyspark", "dagster", "mlflow"]
WARM, OWN = "warm server", "a JVM of its own"
#: What is requested, and the goal for its time relative to that with a JVM of its own.
REQUESTS = {"weekly_demand": 1 / 3, "all assets": 1 / 2, "all assets, models fitted": 1 / 2}
IMPORT_GOAL = 3.0
#: Parts of the seconds of a request.
PARTS = ["queue", "process", "steps", "end"]


def timed(address: str, assets: Sequence[str], week: str) -> dict[str, float]:
    """Materialize one week as the UI does; return its `seconds`, those of PARTS and of each step."""
    begin = time.time()
    run_id = click(address, assets, week)
    run = ended_run(address, run_id)
    home = next(tag["value"] for tag in run["tags"] if tag["key"] == SPARK_TAG)
    if run["status"] != "SUCCESS" or "does not answer" in home + log_of(address, run_id):
        raise SystemExit(f"a run with {home} ended as {run['status']}: failed runs cannot be compared")
    stats, steps = run["stats"], run["stepStats"]
    first, last = min(s["startTime"] for s in steps), max(s["endTime"] for s in steps)
    edges = [begin, stats["launchTime"], first, last, stats["endTime"]]
    spans = dict(zip(PARTS, (b - a for a, b in pairwise(edges)), strict=True))
    own = {f"step {s['stepKey']}": s["endTime"] - s["startTime"] for s in steps}
    return {"seconds": stats["endTime"] - begin, **spans, **own}


def import_seconds() -> float:
    """Return the seconds to import the code location in a new process."""
    command = [sys.executable, "-X", "importtime", "-c", "import forecasting_assets.definitions"]
    times = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    line = re.search(r"\| +(\d+) \| forecasting_assets\.definitions$", times, re.MULTILINE)
    assert line is not None
    return int(line[1]) / 1e6


def measure(demo: Path, folder: Path, repeats: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Measure all requests: request -> WARM or OWN -> runs."""
    settings = load_settings(demo)
    freshness = freshness_of(settings)
    assets = list(freshness.pipeline)
    week = str(max(freshness.home.lake.existing_weeks(freshness.pipeline[assets[-1]].table)))
    measured: dict[str, dict[str, list[dict[str, float]]]] = {name: {WARM: [], OWN: []} for name in REQUESTS}
    with ExitStack() as servers:
        addresses = {}
        for name, warm in {WARM: "true", OWN: "false"}.items():
            copy = folder / name.replace(" ", "_")
            shutil.copytree(demo, copy / "home")
            environment = {"FORECASTING__SPARK__WARM_SERVER": warm}
            addresses[name] = servers.enter_context(dev_server(copy / "home", copy, environment))
        for repeat in range(repeats + 1):
            for request, runs in measured.items():
                for name, address in addresses.items():
                    if request == "all assets, models fitted":
                        forget_fits(folder / name.replace(" ", "_") / "home")
                    run = timed(address, ["weekly_demand"] if request == "weekly_demand" else assets, week)
                    parts = ", ".join(f"{part} {run[part]:.1f}" for part in ["seconds", *PARTS])
                    print(f"{request}, {name}, {'measured' if repeat else 'first'}: {parts}", flush=True)
                    if repeat:
                        runs[name].append(run)
    return measured


def median(runs: Sequence[dict[str, float]], part: str) -> float:
    """Return the median of a part over runs."""
    return statistics.median(run[part] for run in runs)


def report(
    measured: dict[str, dict[str, list[dict[str, float]]]], imports: Sequence[float], repeats: int
) -> None:
    """Print the results and write their section."""
    parts = []
    for request, goal in REQUESTS.items():
        runs = measured[request]
        ratio = statistics.median(
            warm["seconds"] / own["seconds"] for warm, own in zip(runs[WARM], runs[OWN], strict=True)
        )
        steps = [part for part in runs[WARM][0] if part.startswith("step ")]
        rows = [
            {
                f"one week of {request}: seconds": part,
                **{name: round(median(runs[name], part), 1) for name in runs},
            }
            for part in ["seconds", *PARTS, *steps]
        ]
        parts += [
            results.table(rows),
            f"Time with the warm server relative to that without: {results.against(ratio, goal)}.",
        ]
    import_time = statistics.median(imports)
    parts.append(f"Seconds to import the code location: {results.against(import_time, IMPORT_GOAL)}.")
    print("\n\n".join(parts))
    results.section(
        "startup",
        "From click to done",
        "Runs of `forecasting-assets dev` with its warm Spark Connect server compared with runs that start a JVM of "
        "their own, on two copies of the demo: one week, as the UI's Materialize requests it, from the request to the "
        "end of the run. In both, runs are forked from a process that has imported their libraries. *queue*: until "
        "the daemon launches the run; *process*: until its first step; *end*: after its last.",
        PACKAGES,
        parts,
        repeats,
    )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="home of a demo that has been run; by default a new one")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    imports = [import_seconds() for _ in range(options.repeats)]
    with tempfile.TemporaryDirectory(prefix="bench-startup-") as folder:
        demo = options.home or Path(folder) / "demo"
        if options.home is None:
            tool = Path(sys.executable).parent / "forecasting-assets"
            subprocess.run([tool, "demo"], env=os.environ | {"FORECASTING_HOME": str(demo)}, check=True)
        prepare_home(demo)
        report(measure(demo, Path(folder), options.repeats), imports, options.repeats)


if __name__ == "__main__":
    main()
