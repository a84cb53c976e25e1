"""What the planners of the demo have entered can be used as it is."""

import pandas as pd
import pytest

from forecasting_assets.demo import Marketplace
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.network import build_network
from forecasting_assets.demo.planning import planning_files, write_planning
from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.pipeline import PAST_OVERRIDES
from forecasting_assets.tables import FORECAST_OVERRIDES, LOCKED_ALLOCATIONS, STOCK, WORK_IN_PROGRESS

MARKET = Marketplace(weeks=30, parts=40, lines_per_week=300)
LAST = MARKET.week_starts[-1]


@pytest.fixture(scope="module")
def demand():
    return expected_demand(MARKET)


@pytest.fixture(scope="module")
def folder(demand, tmp_path_factory):
    path = tmp_path_factory.mktemp("planning")
    write_planning(planning_files(demand), path)
    return PlanningFolder(str(path))


def test_every_file_is_read_without_problems_and_known_by_the_last_week(folder):
    assert folder.describe() == []
    used = {kind: folder.used_by(LAST, PlanningInput(kind)) for kind in planning_kinds()}
    assert {kind: len(rows) for kind, rows in used.items()} == {
        "forecast_overrides": 1,
        "locked_allocations": 1,
        "stock": 6,
        "work_in_progress": 3,
    }
    coming = used["forecast_overrides"]
    assert (coming["week_from"] > pd.Timestamp(LAST)).all()
    assert len(folder.used_by(LAST, PAST_OVERRIDES)) == 1


def planning_kinds():
    return [table.name for table in (FORECAST_OVERRIDES, LOCKED_ALLOCATIONS, STOCK, WORK_IN_PROGRESS)]


def test_names_are_those_of_the_marketplace_and_amounts_fit_its_demand(folder, demand):
    network = build_network(demand)
    stock, lock = (folder.used_by(LAST, PlanningInput(kind)) for kind in ("stock", "locked_allocations"))
    weekly = demand.series.assign(units=demand.units.mean(axis=0)).set_index(["part_id", "region"])["units"]
    share = stock.set_index(["part_id", "region"])["quantity"] / weekly
    assert share.dropna().between(1, 9).all()
    assert share.notna().sum() == len(stock)
    capability = network.capabilities.merge(lock[["manufacturer_id", "part_category"]])
    assert len(capability) == 1
    hours = network.manufacturers.set_index("manufacturer_id")["capacity_hours_per_week"]
    needed = lock["quantity"].iloc[0] * capability["hours_per_unit"].iloc[0]
    assert 0 < needed < hours[lock["manufacturer_id"].iloc[0]] / 2


def test_the_files_are_the_same_every_time(demand):
    again = planning_files(expected_demand(MARKET))
    for table, rows in planning_files(demand).items():
        pd.testing.assert_frame_equal(rows, again[table])
