"""Compare the cost of a new week after ten years of history with that after one.

    python -m benchmarks.history [--repeats 3] [--parts 30] [--lines 300]

Homes have the same orders of a synthetic marketplace up to week W, and 52, 208 or 520 weeks of history before it,
with the models of the 52 weeks before W, which the backtest needs, and the plans of the last nine (made in one home
and copied to the others, as only their presence matters). W is materialized through all assets by the command line,
in a process and a JVM of its own, in all homes in turn.

With 52 weeks the windows of the models (208 weeks of demand, 104 of training) are a quarter to a half full, so there
is less to compute; with 208 weeks they are full. The ratio of 520 to 52 weeks therefore mixes the effect of growing
history with that of more training data; the ratio of 520 to 208 shows the effect of history alone.
"""

import argparse
import shutil
import sqlite3
import statistics
import tempfile
from contextlib import closing
from datetime import date
from pathlib import Path

from benchmarks.processes import BEFORE_MODELS, Took, materialize
from benchmarks.results import section, table
from forecasting_assets.demo import Marketplace, write_orders
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.network import build_network, write_network
from forecasting_assets.weeks import add_weeks

PACKAGES = ["forecasting-assets", "dagster", "pyspark", "mlflow"]
HISTORIES = [52, 208, 520]
#: Origins that backtest and weights of a week need.
ORIGINS = 52
#: Plans of earlier weeks that business_impact needs.
PLANS = 9
#: Tables of MLflow's database and their columns with paths.
_LOCATIONS = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}
WEEK = date(2025, 9, 15)


def new_home(home: Path, market: Marketplace, history: int, modelled: Path | None) -> None:
    """Make a home with `history` weeks before WEEK, all materialized, and the orders of WEEK.

    Models and plans are copied from the home `modelled`, if there is one.
    """
    demand = expected_demand(market)
    write_network(build_network(demand), home / "landing" / "network")
    write_orders(home / "landing" / "orders", demand, range(market.weeks - history - 1, market.weeks))
    first, before = add_weeks(WEEK, -history), add_weeks(WEEK, -1)
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {first}\n")
    materialize(home, first, before, BEFORE_MODELS)
    if modelled:
        for source in (modelled / "lake").iterdir():
            if not (home / "lake" / source.name).exists():
                shutil.copytree(source, home / "lake" / source.name)
        copy_tracking(modelled, home)
    else:
        materialize(home, add_weeks(WEEK, -ORIGINS), before, "key:sarimax_model or key:xgb_model")
        materialize(home, add_weeks(WEEK, -PLANS), before, "group:forecasts or group:planning")


def copy_tracking(source: Path, home: Path) -> None:
    """Copy MLflow's database and models, and adapt the paths in the database."""
    shutil.copytree(source / "mlartifacts", home / "mlartifacts")
    shutil.copy(source / "mlflow.db", home)
    with closing(sqlite3.connect(home / "mlflow.db")) as database, database:
        for table, column in _LOCATIONS.items():
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(source), str(home))
            )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--parts", type=int, default=30)
    parser.add_argument("--lines", type=int, default=300, help="order lines a week")
    parser.add_argument("--homes", type=Path, help="folder of the homes, to be reused")
    options = parser.parse_args()
    longest = max(HISTORIES)
    market = Marketplace(add_weeks(WEEK, -longest), longest + 1, options.parts, options.lines)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.homes or Path(temporary)).absolute()
        homes = {n: folder / f"{n}" for n in HISTORIES}
        for n, home in homes.items():
            if not home.exists():
                new_home(home, market, n, None if n == HISTORIES[0] else homes[HISTORIES[0]])
        took: dict[int, list[Took]] = {n: [] for n in HISTORIES}
        for _ in range(options.repeats):
            for n, home in homes.items():
                took[n].append(materialize(home, WEEK, WEEK))
    section(
        "history",
        "A new week after ten years of history",
        "One week through all assets in a process and a JVM of its own, with 520 weeks of history compared with "
        "fewer. With 52 weeks the windows of the models are not full, so there is less to compute.",
        PACKAGES,
        [report(took, market)],
        options.repeats,
    )


def report(took: dict[int, list[Took]], market: Marketplace) -> str:
    """Return caption and table."""
    medians = {
        n: [
            statistics.median(getattr(run, name) for run in runs)
            for name in ("seconds", "cpu", "python", "jvm")
        ]
        for n, runs in took.items()
    }
    rows = {f"{n} weeks of history": [f"{value:,.0f}" for value in values] for n, values in medians.items()}
    longest = medians[max(medians)]
    for n, windows in ((52, "windows a third full"), (208, "windows full")):
        ratios = [f"{long / short:.2f}" for long, short in zip(longest, medians[n], strict=True)]
        rows[f"{max(medians)} to {n}, {windows} (goal: 1.3 at most)"] = ratios
    head = ["seconds", "CPU seconds", "Python MiB", "JVM MiB"]
    cells = [{"": name, **dict(zip(head, values, strict=True))} for name, values in rows.items()]
    caption = (
        f"A new week through all assets: {market.parts} parts, {market.lines_per_week:,} lines a week; medians of "
        f"{len(took[52])}, peak memory"
    )
    return f"{caption}\n\n{table(cells)}"


if __name__ == "__main__":
    main()
