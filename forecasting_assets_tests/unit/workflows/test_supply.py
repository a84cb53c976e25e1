"""The supply position on a real lake: where it begins, how it goes on, and what counts change."""

from datetime import date, timedelta

import pandas as pd
import pytest

from forecasting_assets.allocation import Network
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import write_network
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import ALLOCATION_PLAN, SUPPLY_LEDGER, SUPPLY_POSITION, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows.supply import carry_supply_forward

FIRST = date(2024, 1, 1)
WEEK = [add_weeks(FIRST, i) for i in range(8)]
NETWORK = Network(
    manufacturers=pd.DataFrame(
        {
            "manufacturer_id": ["M1"],
            "region": ["EU"],
            "capacity_hours_per_week": [100.0],
            "overtime_hours_per_week": [0.0],
            "overtime_premium": [0.0],
            "on_time_rate": [1.0],
            "activation_cost": [0.0],
        }
    ),
    capabilities=pd.DataFrame(
        {"manufacturer_id": ["M1"], "part_category": ["cnc"], "hours_per_unit": [1.0], "unit_cost": [4.0]}
    ),
    lanes=pd.DataFrame(
        {"from_region": ["EU"], "to_region": ["EU"], "unit_cost": [0.0], "transit_weeks": [1]}
    ),
    capacity_overrides=pd.DataFrame({"manufacturer_id": [], "week": [], "capacity_hours": []}).astype(
        {"manufacturer_id": str, "week": "datetime64[ns]", "capacity_hours": float}
    ),
)


@pytest.fixture
def home(tmp_path):
    """Settings and lake of a home in which 5 units of part p were wanted in the EU in every week."""
    (tmp_path / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {FIRST}\n")
    (tmp_path / "landing" / "planning").mkdir(parents=True)
    settings = load_settings(tmp_path)
    lake = Lake(settings.lake_path)
    for week in WEEK:
        wanted = {"part_id": ["p"], "part_category": ["cnc"], "region": ["EU"], "quantity": [5.0]}
        lake.write_pandas(pd.DataFrame(wanted).assign(order_count=1, unit_price=9.0), WEEKLY_DEMAND, week)
    return settings, lake


def count_stock(home, *rows):
    lines = "".join(f"{day},{part},EU,{units}\n" for day, part, units in rows)
    file = home[0].home / "landing" / "planning" / "stock.csv"
    file.write_text("counted_on,part_id,region,quantity\n" + lines)


def planned(home, week, units):
    """Write a plan of `week` that makes units in the next week."""
    row: dict[str, list[object]] = {name: [0.0] for name in ALLOCATION_PLAN.names}
    row |= {"manufacturer_id": ["M1"], "part_id": ["p"], "region": ["EU"], "part_category": ["cnc"]}
    row |= {
        "production_week": [pd.Timestamp(add_weeks(week, 1))],
        "due_week": [pd.Timestamp(add_weeks(week, 2))],
    }
    home[1].write_pandas(pd.DataFrame({**row, "quantity": [units]}), ALLOCATION_PLAN, week)
    write_network(home[1], NETWORK, week)


def carry(home, week):
    settings, lake = home
    return carry_supply_forward(settings, lake, week)


def units(home, week, kind):
    rows = home[1].read_pandas(SUPPLY_POSITION, [week])
    return rows.loc[rows["kind"] == kind, "quantity"].tolist()


def test_without_plan_and_count_there_is_nothing_and_it_is_said(home):
    metadata = carry(home, WEEK[3])
    assert home[1].rows(SUPPLY_POSITION, WEEK[3]) == 0
    assert "nothing" in metadata["supply_begins_with"]


def test_a_count_is_carried_forward_by_the_orders_since(home):
    count_stock(home, (add_weeks(WEEK[1], 1) - timedelta(days=1), "p", 12))
    metadata = carry(home, WEEK[3])
    # 12 at the end of the second week, less 5 in each of two weeks; older orders are not taken from it.
    assert units(home, WEEK[3], "stock") == [2]
    assert units(home, WEEK[3], "overdue") == []
    assert "counts up to 2024-01-14" in metadata["supply_begins_with"]


def test_what_a_plan_started_arrives_and_serves_the_oldest_orders(home):
    carry(home, WEEK[3])
    planned(home, WEEK[3], 8.0)
    metadata = carry(home, WEEK[4])
    assert metadata["carried_forward_from"] == str(WEEK[3])
    assert units(home, WEEK[4], "arriving") == [8]
    assert units(home, WEEK[4], "overdue") == [5]
    planned(home, WEEK[4], 4.0)
    carry(home, WEEK[5])
    # 8 arrive: 5 for the week before, 3 of the 5 of this week.
    assert units(home, WEEK[5], "overdue") == [2]
    flows = home[1].read_pandas(SUPPLY_LEDGER, [WEEK[5]]).iloc[0]
    assert flows["delivered_late"] == 5
    assert flows["delivered_on_time"] == 3


def test_a_count_replaces_what_was_carried_and_the_difference_is_kept(home):
    carry(home, WEEK[3])
    planned(home, WEEK[3], 8.0)
    count_stock(home, (add_weeks(WEEK[4], 1) - timedelta(days=1), "p", 6))
    carry(home, WEEK[4])
    rows = home[1].read_pandas(SUPPLY_POSITION, [WEEK[4]]).set_index("kind")
    assert rows.at["stock", "quantity"] == 6
    assert rows.at["stock", "source"] == "counted"
    assert rows.at["arriving", "source"] == "planned"
    assert home[1].read_pandas(SUPPLY_LEDGER, [WEEK[4]])["count_difference"].tolist() == [6]


def test_a_part_that_was_classified_anew_has_its_new_category(home):
    carry(home, WEEK[3])
    planned(home, WEEK[3], 8.0)
    wanted = {"part_id": ["p"], "part_category": ["sheet"], "region": ["EU"], "quantity": [5.0]}
    home[1].write_pandas(pd.DataFrame(wanted).assign(order_count=1, unit_price=9.0), WEEKLY_DEMAND, WEEK[4])
    carry(home, WEEK[4])
    rows = home[1].read_pandas(SUPPLY_POSITION, [WEEK[4]]).set_index("kind")
    assert rows.at["overdue", "quantity"] == 5
    assert rows.at["overdue", "part_category"] == "sheet"
    # The same where the position begins with a count.
    count_stock(home, (add_weeks(WEEK[3], 1) - timedelta(days=1), "p", 12))
    home[1].write_pandas(home[1].read_pandas(WEEKLY_DEMAND, [WEEK[4]]), WEEKLY_DEMAND, WEEK[5])
    carry(home, WEEK[5])
    assert home[1].read_pandas(SUPPLY_POSITION, [WEEK[5]])["part_category"].unique().tolist() == ["sheet"]


def test_a_count_of_a_later_week_changes_nothing(home):
    count_stock(home, (WEEK[6], "p", 50))
    carry(home, WEEK[5])
    assert units(home, WEEK[5], "stock") == []
