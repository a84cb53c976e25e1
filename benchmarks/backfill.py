"""What a backfill costs beside runs of single weeks, and beside the usual way.

    python -m benchmarks.backfill [--repeats 3] [--weeks 26] [--usual 3]

The demo's marketplace, filled by the command line in a process and a JVM of its own for each run: 104 weeks through
raw_orders … feature_table in one run against one week, and a range of weeks through all assets, models at weekly
origins, against runs of one week: one that fits the models, and those up to the next refit that do not. Before
either is measured there are the weeks that they look back to. The usual way is Dagster's multiprocess executor with
one run a week; it is measured on a few weeks and extrapolated to 104.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.processes import Took, materialize, run
from benchmarks.results import section, table
from benchmarks.usual import JOB
from forecasting_assets.demo import Marketplace, write_marketplace
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets_tests.fits import forget_fits

ORDERS = "+key:feature_table"
BACKFILLED = 104
PACKAGES = ["forecasting-assets", "dagster", "pyspark", "mlflow"]


def new_home(home: Path, market: Marketplace, planned: int) -> None:
    """A home with all weeks but those backfilled, and models and plans of the `planned` weeks before the last ones."""
    write_marketplace(home, market)
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {market.first_week}\n")
    weeks = market.week_starts
    materialize(home, weeks[0], weeks[-1], ORDERS)
    materialize(home, weeks[-2 * planned], weeks[-planned - 1], "group:forecasts or group:planning")


def usual_run(home: Path, week: object) -> Took:
    forget_fits(home)
    tags = json.dumps({"dagster/partition": str(week)})
    tool = str(Path(sys.executable).parent / "dagster")
    return run(home, [tool, "job", "execute", "-m", "benchmarks.usual", "-j", JOB, "--tags", tags])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="of each run but those the usual way")
    parser.add_argument("--weeks", type=int, default=26, help="of the range through all assets")
    parser.add_argument("--usual", type=int, default=3, help="weeks run the usual way")
    parser.add_argument("--home", type=Path, help="the home, to be used again")
    given = parser.parse_args()
    market = Marketplace(weeks=160)
    weeks, planned = market.week_starts, given.weeks
    with tempfile.TemporaryDirectory() as temporary:
        home = given.home or Path(temporary) / "home"
        if not home.exists():
            new_home(home, market, planned)
        runs: dict[str, tuple[int, Callable[[], Took]]] = {
            "orders, one week": (1, lambda: materialize(home, weeks[-1], weeks[-1], ORDERS)),
            "orders, range": (
                BACKFILLED,
                lambda: materialize(home, weeks[-BACKFILLED], weeks[-1], ORDERS),
            ),
            "all, range": (planned, lambda: materialize(home, weeks[-planned], weeks[-1])),
            "all, one week": (1, lambda: materialize(home, weeks[-1], weeks[-1])),
            "all, one week, kept": (1, lambda: materialize(home, weeks[-1], weeks[-1], keep_fits=True)),
        }
        took: dict[str, list[Took]] = {name: [] for name in runs}
        for _ in range(given.repeats):
            for name, (_, measure) in runs.items():
                took[name].append(measure())
        usual = [usual_run(home, week) for week in weeks[len(weeks) - given.usual :]]
    section(
        "backfill",
        "Backfills",
        "Many weeks in one run beside runs of one week, each in a process and a JVM of its own; and the usual way, "
        "Dagster's multiprocess executor with one run a week, measured on a few weeks and extrapolated.",
        PACKAGES,
        [report({name: n for name, (n, _) in runs.items()}, took, usual)],
        given.repeats,
    )


def report(weeks: dict[str, int], took: dict[str, list[Took]], usual: Sequence[Took]) -> str:
    medians = {
        name: {
            of: statistics.median(getattr(run, of) for run in runs)
            for of in ("seconds", "cpu", "python", "jvm")
        }
        for name, runs in {**took, "usual": usual}.items()
    }

    def row(name: str, n: int, goal: str, ratio: Callable[[str], float] | None) -> list[str]:
        spent = medians[name]
        cells = [
            str(n),
            f"{spent['seconds']:,.0f}",
            f"{spent['seconds'] / n:,.1f}",
            f"{spent['cpu'] / n:,.1f}",
            *(f"{spent[of]:,.0f}" for of in ("python", "jvm")),
        ]
        return [*cells, *([f"{ratio(of):.2f}" for of in ("seconds", "cpu")] if ratio else ["", ""]), goal]

    def whole(of: str) -> float:
        return medians["orders, range"][of] / medians["orders, one week"][of]

    def each(of: str) -> float:
        refit = ForecastingSettings().refit_weeks
        single = (medians["all, one week"][of] + (refit - 1) * medians["all, one week, kept"][of]) / refit
        return medians["all, range"][of] / weeks["all, range"] / single

    rows = {
        "raw_orders … feature_table, one week": row("orders, one week", 1, "", None),
        "… in one run, times one week": row("orders, range", BACKFILLED, "4 at most", whole),
        "all assets, one week, models fitted": row("all, one week", 1, "", None),
        "all assets, one week, models of the refit kept": row("all, one week, kept", 1, "", None),
        "… in one run, a week times a single one": row(
            "all, range", weeks["all, range"], "0.25 at most", each
        ),
        "… the usual way, times ours of one week": row(
            "usual", 1, "", lambda of: medians["usual"][of] / medians["all, one week"][of]
        ),
    }
    head = [
        "weeks",
        "seconds",
        "seconds a week",
        "CPU a week",
        "Python MiB",
        "JVM MiB",
        "ratio",
        "of CPU",
        "goal",
    ]
    cells = [{"": name, **dict(zip(head, values, strict=True))} for name, values in rows.items()]
    ours = medians["all, range"]["seconds"] / weeks["all, range"] * BACKFILLED
    theirs = medians["usual"]["seconds"] * BACKFILLED
    return (
        f"Backfills of the demo's marketplace; medians of {len(took['all, range'])}, the usual way of {len(usual)} "
        "weeks\n\n"
        f"{table(cells)}\n\n"
        f"Extrapolated to {BACKFILLED} weeks through all assets: the usual way {theirs / 60:,.0f} minutes, ranges of "
        f"{weeks['all, range']} weeks {ours / 60:,.0f}: {theirs / ours:,.0f} times."
    )


if __name__ == "__main__":
    main()
