"""Does a new week cost the same after ten years as after one?

    python -m benchmarks.history [--repeats 3] [--parts 60] [--lines 1000]

Homes with the same orders of a synthetic marketplace up to week W, and 52, 208 or 520 weeks of history before it,
with the models of the 52 weeks before W, which the backtest looks at. W is materialized through all assets by the
command line, in a process and a JVM of its own, the homes in turn.

With 52 weeks the windows of the models (156 weeks of demand, 104 of training) are a third full, so there is less to
compute; with 208 weeks they are full. What the ratio of 520 to 52 says of growing history is thus mixed with what
there is to learn from; that of 520 to 208 is history alone.
"""

import argparse
import statistics
import tempfile
from datetime import date
from pathlib import Path

from benchmarks.processes import Took, materialize, table
from forecasting_assets.demo import Marketplace, write_orders
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.network import build_network
from forecasting_assets.weeks import add_weeks

HISTORIES = [52, 208, 520]
#: Origins that backtest and weights of a week look back to.
ORIGINS = 52
WEEK = date(2025, 9, 15)


def new_home(folder: Path, market: Marketplace, history: int) -> Path:
    """A home with the last `history` weeks of the marketplace before WEEK, all made but WEEK itself."""
    home = folder / f"{history}"
    demand = expected_demand(market)
    build_network(demand).write(home / "landing" / "network")
    write_orders(home / "landing" / "orders", demand, range(market.weeks - history - 1, market.weeks))
    first = add_weeks(WEEK, -history)
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {first}\n")
    before = add_weeks(WEEK, -1)
    materialize(home, first, before, "+key:feature_table")
    origins = add_weeks(WEEK, -min(ORIGINS, history))
    materialize(home, origins, before, "group:forecasts or group:planning")
    return home


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--parts", type=int, default=60)
    parser.add_argument("--lines", type=int, default=1000, help="order lines a week")
    parser.add_argument("--homes", type=Path, help="folder of the homes, to be used again")
    given = parser.parse_args()
    longest = max(HISTORIES)
    market = Marketplace(add_weeks(WEEK, -longest), longest + 1, given.parts, given.lines)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.homes or Path(temporary)
        homes = {
            n: home if (home := folder / f"{n}").exists() else new_home(folder, market, n) for n in HISTORIES
        }
        took: dict[int, list[Took]] = {n: [] for n in HISTORIES}
        for _ in range(given.repeats):
            for n, home in homes.items():
                took[n].append(materialize(home, WEEK, WEEK))
    print(report(took, market))


def report(took: dict[int, list[Took]], market: Marketplace) -> str:
    medians = {
        n: [statistics.median(getattr(run, of) for run in runs) for of in ("seconds", "cpu", "python", "jvm")]
        for n, runs in took.items()
    }
    rows = {f"{n} weeks of history": [f"{value:,.0f}" for value in values] for n, values in medians.items()}
    longest = medians[max(medians)]
    for n, what in ((52, "windows a third full"), (208, "windows full")):
        ratios = [f"{ours / theirs:.2f}" for ours, theirs in zip(longest, medians[n], strict=True)]
        rows[f"{max(medians)} to {n}, {what} (goal: 1.3 at most)"] = ratios
    head = ["seconds", "CPU seconds", "Python MiB", "JVM MiB"]
    said = (
        f"A new week through all assets: {market.parts} parts, {market.lines_per_week:,} lines a week; medians of "
        f"{len(took[52])}, peak memory"
    )
    return f"{said}\n\n{table(rows, head)}"


if __name__ == "__main__":
    main()
