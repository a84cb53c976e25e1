"""Network files: read, defaulted, and refused with every problem named."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.allocation.network import (
    NetworkError,
    unservable,
    unused_manufacturers,
    weekly_capacity,
)
from forecasting_assets.allocation.network_files import load_network
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.verify import check_certificate, check_manufacturers_used
from forecasting_assets.tables import CAPABILITIES, CAPACITY_OVERRIDES, LANES, MANUFACTURERS

from .cases import ONE_SHOP, make_demand, some

FILES = {
    "manufacturers": (
        "manufacturer_id,region,capacity_hours_per_week,overtime_hours_per_week,overtime_premium,on_time_rate,"
        "activation_cost\nM2,south,80,0,0,1,0\nM1,north,40,8,0.5,0.9,100\n"
    ),
    "capabilities": "manufacturer_id,part_category,hours_per_unit,unit_cost\nM1,cnc,1.5,20\nM2,cnc,2,10\n",
    "lanes": "from_region,to_region,unit_cost,transit_weeks\nnorth,north,1,0\nsouth,north,2,1\n",
    "capacity_overrides": "manufacturer_id,week,capacity_hours\nM1,2024-01-08,0\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_reads_the_files_sorted_and_typed(folder):
    network = load_network(folder)
    for table in (MANUFACTURERS, CAPABILITIES, LANES, CAPACITY_OVERRIDES):
        assert list(getattr(network, table.name)) == table.names
    assert network.manufacturers["manufacturer_id"].tolist() == ["M1", "M2"]
    assert network.manufacturers["activation_cost"].tolist() == [100.0, 0.0]
    assert network.capacity_overrides["week"].tolist() == [pd.Timestamp("2024-01-08")]


def test_optional_file_and_columns(folder):
    (folder / "capacity_overrides.csv").unlink()
    (folder / "manufacturers.csv").write_text(
        "\ufeffregion, manufacturer_id ,capacity_hours_per_week,note\n\nnorth,M1,40,x\nsouth,M2,80,\n",
        encoding="utf-8",
    )
    network = load_network(folder)
    assert network.capacity_overrides.empty
    assert network.manufacturers.drop(columns=["manufacturer_id", "region"]).to_numpy().tolist() == [
        [40, 0, 0, 1, 0],
        [80, 0, 0, 1, 0],
    ]


HOURS, ID = "capacity_hours_per_week", "manufacturer_id"


@pytest.mark.parametrize(
    ("name", "old", "new", "kind", "line", "column", "value"),
    [
        ("manufacturers", "M2,south,80", "M2,south,8o", "not_a_number", 2, HOURS, "8o"),
        ("manufacturers", "M2,south,80", "M2,south,", "not_a_number", 2, HOURS, ""),
        ("manufacturers", "M2,south,80", "M2,south,NaN", "not_a_number", 2, HOURS, "NaN"),
        ("manufacturers", "M2,south,80", "M2,south,inf", "not_a_number", 2, HOURS, "inf"),
        ("manufacturers", "M2,south,80", "M2,south,-80", "out_of_bounds", 2, HOURS, "-80"),
        ("manufacturers", "M2,south,80", "\nM2,south,-80", "out_of_bounds", 3, HOURS, "-80"),
        ("manufacturers", "0.9,100", "90,100", "out_of_bounds", 3, "on_time_rate", "90"),
        ("manufacturers", "M2,south", "M1,south", "repeated_key", 3, "", None),
        ("manufacturers", "M2,south", ",south", "empty", 2, ID, ""),
        ("manufacturers", HOURS, "hours", "missing_column", None, HOURS, None),
        ("capabilities", "M2,cnc", "M3,cnc", "unknown_manufacturer", 3, ID, "M3"),
        ("capabilities", "M2,cnc,2", "M2,cnc,0", "out_of_bounds", 3, "hours_per_unit", "0"),
        ("capabilities", "M2,cnc,2,10", "M1,cnc,2,10", "repeated_key", 3, "", None),
        ("lanes", "south,north,2,1", "south,north,2,1.5", "not_whole", 3, "transit_weeks", "1.5"),
        ("lanes", "south,north,2,1", "south,north,2,1,9,9", "unreadable_file", None, "", None),
        ("lanes", FILES["lanes"], FILES["lanes"].split("\n")[0] + "\n", "no_rows", None, "", None),
        ("lanes", FILES["lanes"], "", "unreadable_file", None, "", None),
        ("capacity_overrides", "M1,2024", "M9,2024", "unknown_manufacturer", 2, ID, "M9"),
        ("capacity_overrides", "2024-01-08", "2024-01-09", "bad_week", 2, "week", "2024-01-09"),
        ("capacity_overrides", "2024-01-08", "8.1.2024", "bad_week", 2, "week", "8.1.2024"),
    ],
)
def test_names_the_problem(folder, name, old, new, kind, line, column, value):
    text = FILES[name].replace(old, new)
    assert text != FILES[name]
    (folder / f"{name}.csv").write_text(text)
    with pytest.raises(NetworkError) as error:
        load_network(folder)
    (problem,) = [p for p in error.value.problems if p.kind == kind]
    assert (problem.table, problem.line, problem.column, problem.value) == (name, line, column, value)
    place = (
        f"{name}.csv" + (f", line {line}" if line else "") + (f", column {column}" if line and column else "")
    )
    assert problem.message.startswith(place)
    assert problem.message in str(error.value)
    assert len(error.value.problems) <= 2


@pytest.mark.parametrize(
    ("old", "new", "bounds"),
    [("80", "-80", "0 or more"), ("0.9,100", "90,100", "0 to 1"), ("0.9,100", "-1,100", "0 to 1")],
)
def test_the_bounds_are_those_of_the_column(folder, old, new, bounds):
    (folder / "manufacturers.csv").write_text(FILES["manufacturers"].replace(old, new))
    with pytest.raises(NetworkError, match=bounds):
        load_network(folder)


def test_reports_all_problems_of_all_files_at_once(folder):
    for name, old, new in (
        ("manufacturers", "M2,south,80", "M2,south,many"),
        ("capabilities", "M1,cnc,1.5", "M1,cnc,-1.5"),
        ("capacity_overrides", "M1,2024-01-08,0", "M1,2024-01-09,-1"),
    ):
        (folder / f"{name}.csv").write_text(FILES[name].replace(old, new))
    (folder / "lanes.csv").unlink()
    with pytest.raises(NetworkError) as error:
        load_network(folder)
    assert len(error.value.problems) == 5


def test_says_what_a_missing_folder_or_file_must_hold(folder):
    with pytest.raises(NetworkError, match=r"nowhere.* manufacturers.csv") as error:
        load_network(folder / "nowhere")
    assert [p.kind for p in error.value.problems] == ["missing_folder"]
    (folder / "lanes.csv").unlink()
    with pytest.raises(
        NetworkError, match=r"lanes.csv: .* from_region, to_region, unit_cost, transit_weeks"
    ) as error:
        load_network(folder)
    assert [(p.kind, p.table) for p in error.value.problems] == [("missing_file", "lanes")]


def test_capacity_of_a_week_is_the_override_where_there_is_one(folder):
    capacity = weekly_capacity(load_network(folder), [date(2024, 1, 8), date(2024, 1, 1)])
    assert capacity["capacity_hours"].tolist() == [40.0, 0.0, 80.0, 80.0]
    assert capacity["overtime_capacity_hours"].tolist() == [8.0, 8.0, 0.0, 0.0]


def test_demand_nobody_can_serve_is_named_with_the_file_to_extend():
    good = make_demand([("a", "cnc", "north", 0, 1.0, 1.0), ("b", "laser", "moon", 0, 0.0, 1.0)])
    assert unservable(ONE_SHOP, good) == {}
    bad = make_demand([("a", "laser", "north", 0, 1.0, 1.0), ("b", "cnc", "moon", 0, 2.0, 1.0)])
    reasons = unservable(ONE_SHOP, bad)
    assert reasons.keys() == {("laser", "north"), ("cnc", "moon")}
    assert "capabilities.csv" in reasons["laser", "north"]
    assert "from north to lanes.csv" in reasons["cnc", "moon"]


def test_names_meet_those_of_the_orders(folder):
    lanes = folder / "lanes.csv"
    lanes.write_text(lanes.read_text().replace("north,north", "north\u00a0, north"), encoding="utf-8")
    assert load_network(folder).lanes["to_region"].unique().tolist() == ["north"]
    folded = load_network(folder, fold_case=True)
    assert folded.lanes["to_region"].unique().tolist() == ["NORTH"]
    assert folded.capabilities["part_category"].unique().tolist() == ["CNC"]
    assert folded.manufacturers["manufacturer_id"].tolist() == ["M1", "M2"]


#: Plants of a maker of microchips: C has no products, and no lane leaves the region of D.
PLANTS = {
    "manufacturers": (
        "manufacturer_id,region,capacity_hours_per_week\nA,east,40\nB,west,60\nC,west,50\nD,island,80\n"
    ),
    "capabilities": (
        "manufacturer_id,part_category,hours_per_unit,unit_cost\n"
        "A,logic,1,30\nA,memory,2,20\nB,memory,1,25\nD,logic,1,1\n"
    ),
    "lanes": "from_region,to_region,unit_cost,transit_weeks\neast,west,2,0\neast,east,1,0\nwest,west,1,0\n",
}


def test_plants_without_products_or_lanes_are_a_warning_and_the_rest_is_planned(tmp_path):
    for name, text in PLANTS.items():
        (tmp_path / f"{name}.csv").write_text(text)
    network = load_network(tmp_path)
    unused = unused_manufacturers(network)
    assert list(unused) == ["C", "D"]
    finding = check_manufacturers_used(unused)
    assert not finding.passed
    assert "capabilities.csv" in finding.description.split("\n")[0]
    assert "island" in finding.description.split("\n")[1]
    demand = make_demand(
        [
            ("chip", "logic", "west", 0, 50.0, np.nan),
            ("ram", "memory", "west", 0, 55.0, np.nan),
            ("ram", "memory", "east", 0, 10.0, np.nan),
        ]
    )
    policy = AllocationPolicy(shortage_price=10_000, max_weeks_late=0, max_weeks_early=0)
    result = allocate(demand, network, policy)
    # A makes 40 of the 50 logic units; its memory would take hours from them, so the east gets none.
    assert result.cost["total"] == pytest.approx(40 * 32 + 55 * 26 + (10 + 10) * 10_000)
    assert result.shortages["cost"].sum() == pytest.approx(20 * 10_000)
    assert set(result.plan["manufacturer_id"]) == {"A", "B"}
    assert check_certificate(some(result.certificate)).passed


def test_a_network_in_full_use_has_nothing_to_warn_of(folder):
    assert check_manufacturers_used(unused_manufacturers(load_network(folder))).passed
