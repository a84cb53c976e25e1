"""Compare a backfill with runs of single weeks, and with the usual way.

    python -m benchmarks.backfill [--repeats 3] [--weeks 26] [--usual 3]

The demo's marketplace is materialized by the command line, in a process and a JVM of its own for each run: 104 weeks
through raw_orders … feature_table in one run compared with one week, and a range of weeks through all assets, with
models at weekly origins, compared with runs of one week: one that fits the models, and those until the next refit,
which reuse them. All weeks that these runs depend on are materialized before. The usual way is Dagster's multiprocess
executor with one run a week; it is measured on a few weeks and extrapolated to 104.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.processes import BEFORE_MODELS, Took, materialize, run
from benchmarks.results import section, table
from benchmarks.usual import JOB
from devtools.model_cache import forget_fits
from forecasting_assets.demo import Marketplace, write_marketplace
from forecasting_assets.forecasting.settings import ForecastingSettings

BACKFILLED = 104
PACKAGES = ["forecasting-assets", "dagster", "pyspark", "mlflow"]


def new_home(home: Path, market: Marketplace, planned: int) -> None:
    """Make a home with the orders and features of all weeks, and models and plans of the weeks before the last ones.

    Parameters
    ----------
    home
        Folder of the home.
    market
        The marketplace.
    planned
        Number of weeks with models and plans, and of the last weeks that are left out.
    """
    write_marketplace(home, market)
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {market.first_week}\n")
    weeks = market.week_starts
    materialize(home, weeks[0], weeks[-1], BEFORE_MODELS)
    materialize(home, weeks[-2 * planned], weeks[-planned - 1], "group:forecasts or group:planning")


def usual_run(home: Path, week: object) -> Took:
    """Materialize a week the usual way."""
    forget_fits(home)
    tags = json.dumps({"dagster/partition": str(week)})
    tool = str(Path(sys.executable).parent / "dagster")
    return run(home, [tool, "job", "execute", "-m", "benchmarks.usual", "-j", JOB, "--tags", tags])


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="repetitions of each run, except those of the usual way"
    )
    parser.add_argument("--weeks", type=int, default=26, help="weeks of the range through all assets")
    parser.add_argument("--usual", type=int, default=3, help="weeks run the usual way")
    parser.add_argument("--home", type=Path, help="folder of the home, to be reused")
    options = parser.parse_args()
    market = Marketplace(weeks=160)
    weeks, planned = market.week_starts, options.weeks
    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary) / "home"
        if not home.exists():
            new_home(home, market, planned)
        runs: dict[str, tuple[int, Callable[[], Took]]] = {
            "orders, one week": (1, lambda: materialize(home, weeks[-1], weeks[-1], BEFORE_MODELS)),
            "orders, range": (
                BACKFILLED,
                lambda: materialize(home, weeks[-BACKFILLED], weeks[-1], BEFORE_MODELS),
            ),
            "all, range": (planned, lambda: materialize(home, weeks[-planned], weeks[-1])),
            "all, one week": (1, lambda: materialize(home, weeks[-1], weeks[-1])),
            "all, one week, kept": (1, lambda: materialize(home, weeks[-1], weeks[-1], keep_fits=True)),
        }
        took: dict[str, list[Took]] = {name: [] for name in runs}
        for _ in range(options.repeats):
            for name, (_, measure) in runs.items():
                took[name].append(measure())
        usual = [usual_run(home, week) for week in weeks[len(weeks) - options.usual :]]
    section(
        "backfill",
        "Backfills",
        "Many weeks in one run compared with runs of one week, each in a process and a JVM of its own; and the usual "
        "way, Dagster's multiprocess executor with one run a week, measured on a few weeks and extrapolated.",
        PACKAGES,
        [report({name: n for name, (n, _) in runs.items()}, took, usual)],
        options.repeats,
    )


def report(weeks: dict[str, int], took: dict[str, list[Took]], usual: Sequence[Took]) -> str:
    """Return table and conclusion.

    Parameters
    ----------
    weeks
        Number of weeks of each kind of run.
    took
        Measurements of each kind of run.
    usual
        Measurements of runs of one week the usual way.
    """
    medians = {
        name: {
            measure: statistics.median(getattr(run, measure) for run in runs)
            for measure in ("seconds", "cpu", "python", "jvm")
        }
        for name, runs in {**took, "usual": usual}.items()
    }
    planned = weeks["all, range"]
    single = _single_week(medians)
    comparisons = {
        "raw_orders … feature_table, one week": _row(medians["orders, one week"], 1),
        "… in one run, times one week": _row(
            medians["orders, range"], BACKFILLED, medians["orders, one week"], "4 at most"
        ),
        "all assets, one week, models fitted": _row(medians["all, one week"], 1),
        "all assets, one week, models reused": _row(medians["all, one week, kept"], 1),
        "… in one run, a week relative to a single one": _row(
            medians["all, range"],
            planned,
            {m: planned * value for m, value in single.items()},
            "0.25 at most",
        ),
        "… the usual way, times one week of the platform": _row(
            medians["usual"], 1, medians["all, one week"]
        ),
    }
    cells = [{"": name, **row} for name, row in comparisons.items()]
    ours = medians["all, range"]["seconds"] / planned * BACKFILLED
    theirs = medians["usual"]["seconds"] * BACKFILLED
    return (
        f"Backfills of the demo's marketplace; medians of {len(took['all, range'])}, the usual way of {len(usual)} "
        "weeks\n\n"
        f"{table(cells)}\n\n"
        f"Extrapolated to {BACKFILLED} weeks through all assets: the usual way takes {theirs / 60:,.0f} minutes, "
        f"ranges of {planned} weeks take {ours / 60:,.0f}: a factor of {theirs / ours:,.0f}."
    )


def _single_week(medians: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the average cost of a run of one week, of which one in `refit_weeks` fits the models."""
    refit = ForecastingSettings().refit_weeks
    fitted, kept = medians["all, one week"], medians["all, one week, kept"]
    return {
        measure: (fitted[measure] + (refit - 1) * kept[measure]) / refit for measure in ("seconds", "cpu")
    }


def _row(
    spent: dict[str, float], weeks: int, base: dict[str, float] | None = None, goal: str = ""
) -> dict[str, str]:
    """Return the cells of a kind of run, with its ratio to `base`."""
    ratios = [f"{spent[m] / base[m]:.2f}" if base else "" for m in ("seconds", "cpu")]
    return {
        "weeks": str(weeks),
        "seconds": f"{spent['seconds']:,.0f}",
        "seconds a week": f"{spent['seconds'] / weeks:,.1f}",
        "CPU a week": f"{spent['cpu'] / weeks:,.1f}",
        "Python MiB": f"{spent['python']:,.0f}",
        "JVM MiB": f"{spent['jvm']:,.0f}",
        "ratio": ratios[0],
        "CPU ratio": ratios[1],
        "goal": goal,
    }


if __name__ == "__main__":
    main()
