"""Order files of every kind through the real Spark: what they land is raw, and clean or rejected."""

import csv
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.orders.raw import raw_name
from forecasting_assets.settings import Settings, load_settings
from forecasting_assets.tables import CLEAN_ORDERS, OPTIONAL_ORDER_COLUMNS, ORDER_COLUMNS, REJECTED_ORDERS
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.order_files import ORDER

pytestmark = pytest.mark.spark

WEEK = date(2024, 3, 4)

#: Landed columns with names that columns of the platform have, and of which Spark makes more than a name.
ODD = ["reason", "older", "week", "source_row", "a.b", "c`d", "clean_quantity"]

#: week -> the file with its orders, and the columns of that.
FILES = {
    WEEK: ("a.csv", [*ORDER_COLUMNS, *ODD]),
    add_weeks(WEEK, 1): ("b.csv", [name for name in ORDER_COLUMNS if name not in OPTIONAL_ORDER_COLUMNS]),
}


@pytest.fixture(scope="module")
def landed(tmp_path_factory) -> Settings:
    """A home with clean_orders of FILES, and with it the platform's session of Spark."""
    home = tmp_path_factory.mktemp("home")
    landing = home / "landing" / "orders"
    landing.mkdir(parents=True)
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {WEEK}\n")
    for week, (file, columns) in FILES.items():
        line = ORDER | {"order_date": str(week)} | {name: f"{name} of {file}" for name in ODD}
        with (landing / file).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns, extrasaction="ignore")
            writer.writeheader()
            # The second is a duplicate with a line_id and without one.
            writer.writerows([line, line, line | {"quantity": "none", "line_id": "2"}])
    settings = load_settings(home)
    assert materialize(settings, list(FILES), "+key:clean_orders")
    return settings


def test_rejected_rows_keep_all_they_landed_whatever_other_weeks_did(landed):
    for week, (file, columns) in FILES.items():
        rejected = pq.read_table(f"{landed.lake_path}/rejected_orders/week={week}/data.parquet")
        found = rejected.sort_by("source_row").to_pylist()
        assert [(row["source_row"], row["reason"]) for row in found] == [
            (1, "duplicate"),
            (3, "bad_quantity"),
        ]
        assert found[0].keys() == {*map(raw_name, columns), *REJECTED_ORDERS.names}
        for name in set(ODD) & set(columns):
            assert [row[raw_name(name)] for row in found] == [f"{name} of {file}"] * 2
        assert Lake(path=landed.lake_path).rows(CLEAN_ORDERS, week) == 1


def test_a_line_whose_date_was_corrected_is_named_in_both_weeks(landed):
    first, second = FILES
    (landed.home / "landing" / "orders" / "c.csv").write_text(
        ",".join(ORDER) + "\n" + ",".join(map(str, (ORDER | {"order_date": str(second)}).values())) + "\n"
    )
    select, said = "key:raw_orders or key:clean_orders", list[str]()
    assert materialize(landed, [first, second], select, report=said.append)
    places = f"a.csv row 2 (week {first}) and c.csv row 1 (week {second})"
    assert sum("lines_in_one_week" in line and places in line for line in said) == 2, said
    # Cancelled in its old week, it counts once.
    cancelled = ORDER | {"order_date": str(first), "quantity": "0"}
    with (landed.home / "landing" / "orders" / "c.csv").open("a") as file:
        file.write(",".join(map(str, cancelled.values())) + "\n")
    assert materialize(landed, [first, second], select, report=said.append)
    assert sum("lines_in_one_week" in line for line in said) == 2
    assert Lake(path=landed.lake_path).rows(CLEAN_ORDERS, first) == 0


def test_a_damaged_week_nearby_holds_no_other_week_back(landed):
    first, second = FILES
    damaged = Path(landed.lake_path, "clean_orders", f"week={first}", "data.parquet")
    damaged.write_bytes(damaged.read_bytes()[:100])
    said = list[str]()
    with (landed.home / "landing" / "orders" / "d.csv").open("w") as file:
        file.write(",".join(ORDER) + "\n" + ",".join((ORDER | {"order_date": str(second)}).values()) + "\n")
    assert materialize(landed, [second], "key:raw_orders or key:clean_orders", report=said.append)
    assert any("lines_in_one_week" in line and "is damaged" in line for line in said), said
    assert materialize(landed, [first], "key:clean_orders")
