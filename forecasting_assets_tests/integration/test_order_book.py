"""Orders with due dates through the real Spark, in a range of weeks and week by week."""

import shutil
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.settings import Settings, load_settings
from forecasting_assets.tables import CLEAN_ORDERS, ORDER_BOOK, REJECTED_ORDERS, WEEKLY_DEMAND
from forecasting_assets.weeks import weeks_between

pytestmark = pytest.mark.spark

WEEKS = weeks_between(date(2024, 3, 4), date(2024, 4, 8))


def write_home(home) -> Settings:
    """Write 300 orders of six weeks; customers want them up to six weeks later, some before they ordered."""
    rng = np.random.default_rng(5)
    ordered = [WEEKS[0] + timedelta(days=int(day)) for day in np.sort(rng.integers(0, 7 * len(WEEKS), 300))]
    orders = pd.DataFrame(
        {
            "order_id": np.arange(300),
            "order_date": ordered,
            "part_id": rng.choice(["P1", "P2", "P3"], 300),
            "region": rng.choice(["EU", "US"], 300),
            "quantity": rng.integers(1, 50, 300),
            "unit_price": rng.integers(1, 9, 300),
        }
    )
    due = [
        day + timedelta(days=int(lead)) for day, lead in zip(ordered, rng.integers(-8, 45, 300), strict=True)
    ]
    orders["due_date"] = np.where(rng.random(300) < 0.2, "", [str(day) for day in due])
    orders.loc[0, "due_date"] = "asap"
    landing = home / "landing" / "orders"
    landing.mkdir(parents=True)
    orders.to_csv(landing / "orders.csv", index=False)
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {WEEKS[0]}\n")
    return load_settings(home)


def read(settings: Settings, table, week: date) -> pd.DataFrame:
    rows = Lake(path=settings.lake_path).read_pandas(table, [week])
    return rows.sort_values(list(table.key), ignore_index=True)


def test_orders_are_demand_in_the_week_they_are_wanted_and_booked_until_then(tmp_path):
    settings = write_home(tmp_path)
    assert materialize(settings, WEEKS, "+key:weekly_demand")
    lake = Lake(path=settings.lake_path)
    assert lake.read_pandas(REJECTED_ORDERS, WEEKS)["reason"].tolist() == ["bad_due_date"]
    lines = lake.read_pandas(CLEAN_ORDERS, WEEKS, ["due_date", "quantity", "part_id"])
    due = lines["due_date"].dt.tz_localize(None).dt.to_period("W-SUN").dt.start_time
    lines["wanted"] = due.where(due > lines["week"], lines["week"])
    for week in WEEKS:
        known = lines[lines["week"] <= pd.Timestamp(week)]
        demand, book = (read(settings, table, week) for table in (WEEKLY_DEMAND, ORDER_BOOK))
        now = known[known["wanted"] == pd.Timestamp(week)].groupby("part_id")["quantity"].sum()
        later = known[known["wanted"] > pd.Timestamp(week)].groupby(["part_id", "wanted"])["quantity"].sum()
        assert demand.groupby("part_id")["quantity"].sum().to_dict() == now.to_dict()
        assert book.groupby(["part_id", "due_week"])["quantity"].sum().to_dict() == later.to_dict()

    ranged = {(t, w): read(settings, t, w) for t in (WEEKLY_DEMAND, ORDER_BOOK) for w in WEEKS[-2:]}
    for week in WEEKS[-2:]:
        for table in (WEEKLY_DEMAND, ORDER_BOOK):
            shutil.rmtree(f"{settings.lake_path}/{table.name}/week={week}")
    for week in WEEKS[-2:]:
        assert materialize(settings, [week], "key:order_book or key:weekly_demand")
    for (table, week), rows in ranged.items():
        pd.testing.assert_frame_equal(read(settings, table, week), rows, rtol=1e-9, obj=table.name)
