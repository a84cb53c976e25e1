"""Homes for the tests: small synthetic marketplaces, materialized with the real Spark, Dagster and MLflow."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import hypothesis
import pandas as pd
import pytest

# Neither the settings nor the home of whoever runs the tests may matter to them.
for name in [name for name in os.environ if name.startswith("FORECASTING_")]:
    del os.environ[name]
# Sessions are short here: Java's second compiler would take longer than it saves.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"
os.environ["FORECASTING_HOME"] = tempfile.mkdtemp(prefix="forecasting-tests-")

from forecasting_assets.demo import Marketplace, WrittenOrders, write_marketplace
from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.settings import Settings, load_settings
from forecasting_assets.tables import Table

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("platform", deadline=None)
hypothesis.settings.load_profile("platform")

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


@dataclass(frozen=True)
class Home:
    path: Path
    known: WrittenOrders

    @property
    def settings(self) -> Settings:
        return load_settings(self.path)

    @property
    def lake(self) -> Lake:
        return Lake(path=self.settings.lake_path)

    def copy(self, path: Path) -> "Home":
        shutil.copytree(self.path, path)
        return Home(path, self.known)


WEEKS = MARKET.week_starts
#: The weeks with models and plans.
PLANNED = WEEKS[-8:]


def new_home(path: Path) -> Home:
    known = write_marketplace(path, MARKET)
    (path / "forecasting.toml").write_text(SETTINGS)
    return Home(path, known)


def rows(home: Home, table: Table, week: date) -> pd.DataFrame:
    """The rows of a week in an order of their own, without the times of files."""
    frame = home.lake.read_pandas(table, [week])
    keys = list(table.key) or ["source_file", "source_row"]
    return frame.sort_values(keys, ignore_index=True).drop(columns="source_modified", errors="ignore")


def written_at(home: Home, table: Table, week: date) -> int:
    """When the data file of a week was last written, in nanoseconds."""
    return (home.path / "lake" / table.name / f"week={week}" / "data.parquet").stat().st_mtime_ns


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Home:
    """All weeks of orders and features, and eight weeks of models and plans; not to be changed."""
    made = new_home(tmp_path_factory.mktemp("home"))
    assert materialize(made.settings, WEEKS, "+key:feature_table")
    assert materialize(made.settings, PLANNED, "group:forecasts or group:planning")
    return made


@pytest.fixture
def home_copy(home, tmp_path) -> Home:
    """The same, to be changed."""
    return home.copy(tmp_path / "home")
