"""External data set with rolling origins: a folder with land.py, score.py and data/<name>."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import weeks_of

#: Faults of a table that score.py reports and that would make its scores misleading.
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


@dataclass
class Yardstick:
    """Data set with its origins and its scoring, restricted to one series in `every`."""

    folder: Path
    name: str
    every: int
    score: ModuleType = field(init=False)
    meta: dict[str, Any] = field(init=False)
    truth: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        """Load scoring and truth."""
        data = self.folder / "data"
        if not (self.folder / "score.py").is_file() or not data.is_dir():
            raise SystemExit(
                f"{self.folder} is not a yardstick (score.py, land.py and data/): pass its folder, "
                "as in make bench-accuracy EVALS=../evals"
            )
        known = data_sets(self.folder)
        if self.name not in known:
            raise SystemExit(f"{data} has no data set {self.name}; it has {', '.join(known) or 'none'}")
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
        """Weeks from whose end forecasts are scored."""
        return [date.fromisoformat(origin) for origin in self.meta["origins"]]

    @property
    def horizon(self) -> int:
        """Number of weeks ahead."""
        return int(self.meta["horizon"])

    @property
    def has_plan(self) -> bool:
        """Whether prices and promotions are known ahead."""
        return "plan" in self.meta

    def land_plan(self, origin: date, folder: Path) -> pd.DataFrame:
        """Land the plan that is known at `origin`; return it as part_id, region, week and a column a covariate."""
        with tempfile.TemporaryDirectory() as orders:
            self._land(origin, "--dest", orders, "--plan-dest", str(folder))
        files = [
            pd.read_csv(file, dtype={"part_id": str, "region": str}, parse_dates=["week"])
            for file in sorted(folder.glob("*"))
        ]
        rows = pd.concat(files, ignore_index=True)
        return rows[sampled(rows, self.every)].astype({"week": "datetime64[ns]"})

    def _land(self, origin: date, *options: str) -> None:
        command = [sys.executable, str(self.folder / "land.py"), "--dataset", self.name]
        subprocess.run([*command, "--origin", str(origin), *options], check=True, stdout=subprocess.DEVNULL)

    def land(self, origin: date, folder: Path) -> pd.DataFrame:
        """Land what may be known at `origin`; return the demand of all weeks that are landed.

        Returns
        -------
        DataFrame
            part_id, region, week, quantity, and part_category, the first one landed for each part.
        """
        before = {file.name for file in folder.glob("*")}
        self._land(origin, "--dest", str(folder))
        tables = []
        for file in sorted(folder.glob("*")):
            lines = pd.read_csv(file, dtype={"part_id": str, "part_category": str, "region": str})
            if self.every > 1 and file.name not in before:
                lines = lines[sampled(lines, self.every)]
                lines.to_csv(file, index=False)
            week = weeks_of(pd.to_datetime(lines["order_date"]))
            columns = [*SERIES, "part_category", "quantity"]
            tables.append(lines[columns].assign(week=week.astype("datetime64[ns]")))
        landed = pd.concat(tables, ignore_index=True)
        category = landed.drop_duplicates("part_id").set_index("part_id")["part_category"]
        weekly = landed.groupby([*SERIES, "week"], as_index=False)["quantity"].sum()
        return weekly.assign(part_category=weekly["part_id"].map(category))

    def scored_series(self, demand: pd.DataFrame, origin: date) -> pd.DataFrame:
        """Return the demand of the series that are scored at `origin`."""
        truth = self.truth[self.truth["origin_week"] == pd.Timestamp(origin)]
        return demand.merge(truth[SERIES].drop_duplicates(), on=SERIES)

    def scores(self, lake: Path, table: str, every: int = 1, horizon: int | None = None) -> dict[str, Any]:
        """Score a table on one series in `every`, and at one horizon if it is given."""
        truth = self.truth[sampled(self.truth, every)]
        if horizon is not None:
            truth = truth[(truth["target_week"] - truth["origin_week"]).dt.days == 7 * horizon]
        matched, faults = self.score.read_forecasts(lake, table, truth)
        serious = {name: n for name, n in faults.items() if n and name in FAULTS}
        if serious:
            report(f"{table}: " + ", ".join(f"{name} {n:,}" for name, n in serious.items()))
        metrics: dict[str, Any] = self.score.metrics(matched, faults["has_quantiles"])
        return metrics


def data_sets(folder: Path) -> list[str]:
    """Return the names of the data sets of a yardstick."""
    return sorted(file.parent.name for file in folder.glob("data/*/meta.json"))


def sampled(table: pd.DataFrame, every: int) -> np.ndarray:
    """Select the rows of one series in `every`, by a hash of its name."""
    key = (table["part_id"].astype(str) + "|" + table["region"].astype(str)).to_numpy(object)
    selected: np.ndarray = pd.util.hash_array(key) % np.uint64(every) == 0
    return selected


def report(text: str) -> None:
    """Print progress at once."""
    print(text, flush=True)
