"""Homes for the tests: small synthetic marketplaces, materialized with the real Spark, Dagster and MLflow."""

import functools
import os
import pickle
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from forecasting_assets.demo import Marketplace, WrittenOrders, write_marketplace
from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.settings import Settings, load_settings
from forecasting_assets.tables import Table

#: Short histories and few series, so that the whole chain takes a minute.
MARKET = Marketplace(weeks=66, parts=24, lines_per_week=250)
SETTINGS = f"""
[calendar]
first_week = {MARKET.first_week}
horizon_weeks = 6
[spark]
master = "local[2]"
[forecasting]
backtest_weeks = 4
xgb_max_rows = 20000
"""

WEEKS = MARKET.week_starts
#: The weeks with models and plans.
PLANNED = WEEKS[-8:]


@dataclass(frozen=True)
class Home:
    """A home on disk and the orders that were written into its landing zone."""

    path: Path
    known: WrittenOrders

    @property
    def settings(self) -> Settings:
        """The settings of the home, read anew."""
        return load_settings(self.path)

    @property
    def lake(self) -> Lake:
        """The lake of the home."""
        return Lake(path=self.settings.lake_path)

    def copy(self, path: Path) -> "Home":
        """Copy the home to `path`."""
        shutil.copytree(self.path, path)
        return Home(path, self.known)


def new_home(path: Path) -> Home:
    """Write settings and order files of `MARKET` into `path`; nothing is materialized."""
    known = write_marketplace(path, MARKET)
    (path / "forecasting.toml").write_text(SETTINGS)
    return Home(path, known)


@functools.cache
def _materialized_home(folder: Path) -> Home:
    finished = folder.with_suffix(".pickle")
    with FileLock(folder.with_suffix(".lock")):
        if not finished.exists():
            new = new_home(folder)
            assert materialize(new.settings, WEEKS, "+key:known_covariates")
            assert materialize(new.settings, PLANNED, "group:forecasts or group:planning")
            finished.write_bytes(pickle.dumps(new))
        home: Home = pickle.loads(finished.read_bytes())
        return home


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Home:
    """Provide all weeks of orders and features, and eight weeks of models and plans; tests must not change it."""
    # The cache shares one home between the conftest files that provide this fixture, the lock between the
    # processes that run tests side by side, whose folders have one parent.
    folder = tmp_path_factory.getbasetemp()
    return _materialized_home((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "home")


@pytest.fixture
def home_copy(home, tmp_path) -> Home:
    """Provide a copy of `home` that a test may change."""
    return home.copy(tmp_path / "home")


def rows(home: Home, table: Table, week: date) -> pd.DataFrame:
    """Read the rows of a week, sorted by their key, without the modification times of files."""
    frame = home.lake.read_pandas(table, [week])
    keys = list(table.key) or ["source_file", "source_row"]
    return frame.sort_values(keys, ignore_index=True).drop(columns="source_modified", errors="ignore")


def written_at(home: Home, table: Table, week: date) -> int:
    """Return when the data file of a week was last written, in nanoseconds."""
    return (home.path / "lake" / table.name / f"week={week}" / "data.parquet").stat().st_mtime_ns
