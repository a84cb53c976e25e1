"""The command line, as users call it."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from forecasting_assets.cli import main
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CLEAN_ORDERS,
    DEMAND_FORECAST,
    PLAN_REASONS,
    PLAN_SHORTAGES,
    WEEKLY_DEMAND,
)
from forecasting_assets_tests.support.homes import PLANNED, WEEKS

ONLINE_RETAIL = Path(__file__).parents[3] / "shared" / "data" / "online_retail"
HEADER = "InvoiceNo,InvoiceDate,StockCode,Country,Quantity,UnitPrice\n"
COLUMNS = [
    "order_id=InvoiceNo",
    "order_date=InvoiceDate",
    "part_id=StockCode",
    "region=Country",
    "quantity=Quantity",
    "unit_price=UnitPrice",
]


def init(orders, *more):
    columns = [argument for column in COLUMNS for argument in ("--column", column)]
    return main(["init", "--orders", str(orders), *columns, *more])


def test_init_finds_the_first_week_and_writes_settings(orders, capsys):
    from forecasting_assets.settings import load_settings

    assert init(orders) == 0
    settings = load_settings()
    assert str(settings.calendar.first_week) == "2024-03-04"
    assert settings.orders.landed_names["part_id"] == "StockCode"
    assert settings.landing == str(orders)
    assert "2 rows, weeks 2024-03-04 to 2024-03-11" in capsys.readouterr().out


def test_init_leaves_out_dates_far_before_all_others_and_says_so(orders, capsys):
    from forecasting_assets.settings import load_settings

    (orders / "b.csv").write_text(HEADER + "3,1970-01-01,p,EU,2,3.5\n")
    assert init(orders) == 0
    assert str(load_settings().calendar.first_week) == "2024-03-04"
    assert "Orders of 1969-12-29 to 1969-12-29 are left out" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert "Not planned: orders of 1969-12-29" in capsys.readouterr().out


REAL_FILES = Path(__file__).parents[3] / "shared" / "field" / "real"
SUPERSTORE = {
    "order_id": "Order ID", "order_date": "Order Date", "part_id": "Product ID", "region": "Region",
    "quantity": "Quantity", "unit_price": "Sales", "part_category": "Category",
}  # fmt: skip
SALES_DATA = {
    "order_id": "ORDERNUMBER", "order_date": "ORDERDATE", "part_id": "PRODUCTCODE", "region": "TERRITORY",
    "quantity": "QUANTITYORDERED", "unit_price": "PRICEEACH", "line_id": "ORDERLINENUMBER",
}  # fmt: skip


@pytest.mark.skipif(not REAL_FILES.exists(), reason="the public practice files are not beside the project")
@pytest.mark.parametrize(
    ("name", "columns", "rows", "first", "last"),
    [
        ("superstore.csv", SUPERSTORE, 9_994, "2015-12-28", "2019-12-30"),
        ("sales_data_sample.csv", SALES_DATA, 2_823, "2003-01-06", "2005-05-30"),
    ],
)
def test_files_that_people_practise_on_load_by_init_alone(
    tmp_path, monkeypatch, capsys, name, columns, rows, first, last
):
    monkeypatch.setenv("FORECASTING_HOME", str(tmp_path / "home"))
    (tmp_path / "orders").mkdir()
    shutil.copyfile(REAL_FILES / name, tmp_path / "orders" / name)
    mapped = [argument for pair in columns.items() for argument in ("--column", "=".join(pair))]
    assert main(["init", "--orders", str(tmp_path / "orders"), *mapped, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["rows"], result["first_week"], result["last_week"]) == (rows, first, last)
    assert result["format"]["date"] == "month_first"


def test_init_finds_how_files_of_other_countries_are_written(orders, capsys):
    (orders / "a.csv").write_text(
        'InvoiceNo;InvoiceDate;StockCode;Country;Quantity;UnitPrice\n1;13.03.2024;Böden;EU;1.234;"10,50 €"\n',
        encoding="cp1252",
    )
    assert init(orders) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("cp1252", "day first", "comma", "point", "€", "';'"))
    written = tomllib.loads((Path(os.environ["FORECASTING_HOME"]) / "forecasting.toml").read_text())
    assert written["orders"]["format"] == {
        "date": "day_first", "decimal": ",", "thousands": ".", "currency": "€", "delimiter": ";", "encoding": "cp1252",
    }  # fmt: skip


def test_init_asks_for_what_the_files_leave_open(orders, capsys):
    (orders / "a.csv").write_text(HEADER + "1,3/4/2024,p,EU,2,3.5\n")
    assert init(orders) == 2
    assert "--format date=day_first" in capsys.readouterr().err
    assert init(orders, "--format", "date=backwards") == 2
    assert "--format date=backwards" in capsys.readouterr().err
    assert init(orders, "--format", "date=day_first") == 0
    assert "2024-04-01" in capsys.readouterr().out


def test_init_does_not_overwrite(orders, capsys):
    assert init(orders) == 0
    assert init(orders) == 2
    assert "already exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["init", "--orders", "nowhere"], "no such folder"),
        (["init", "--orders", "{orders}"], "no column 'order_id' (order_id)"),
        (["init", "--orders", "{orders}", "--column", "order=InvoiceNo"], "'order' is not one of"),
        (["init", "--orders", "{orders}", "--column", "order_id"], "write NAME=LANDED"),
        (["init", "--orders", "{orders}", "--network", "nowhere"], "nowhere"),
    ],
)
def test_init_explains_what_is_wrong_and_writes_nothing(orders, capsys, arguments, said):
    assert main([a.format(orders=orders) for a in arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (Path(os.environ["FORECASTING_HOME"]) / "forecasting.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2024-03-05"], "use 2024-03-04"),
        (["--from", "2024-02-26"], "before the first week of history, 2024-03-04"),
        (["--from", "2199-01-07"], "has not closed yet"),
        (["--from", "2024-03-11", "--to", "2024-03-04"], "is before --from"),
        (["--from", "2024-03-04", "--select", "group:nothing"], "selects no asset"),
        (["--from", "2024-03-04", "--select", "((("], "cannot be read"),
    ],
)
def test_materialize_refuses_what_cannot_be(orders, capsys, arguments, said):
    init(orders)
    assert main(["materialize", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_broken_settings_stop_with_the_field(orders, capsys):
    init(orders)
    file = Path(os.environ["FORECASTING_HOME"]) / "forecasting.toml"
    file.write_text(file.read_text() + "\n[spark]\nmaster = 3\n")
    assert main(["materialize"]) == 2
    assert "[spark] master = 3" in capsys.readouterr().err


@pytest.mark.spark
def test_without_a_network_only_the_planning_assets_refuse(orders, capsys):
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.settings import load_settings

    init(orders)
    assert main(["materialize", "--from", "2024-03-04", "--to", "2024-03-11"]) == 1
    said = capsys.readouterr().out
    assert "manufacturer_network FAILED" in said
    assert "manufacturers.csv" in said
    assert said.rstrip().splitlines()[-2] == "Not run: allocation_plan, business_impact"
    lake = Lake(path=load_settings().lake_path)
    assert [str(week) for week in lake.existing_weeks(DEMAND_FORECAST)] == ["2024-03-04", "2024-03-11"]
    assert not (Path(lake.path) / "allocation_plan").exists()


@pytest.mark.spark
def test_the_newest_week_with_orders_is_the_default(orders, capsys):
    init(orders)
    assert main(["materialize", "--select", "+key:weekly_demand"]) == 0
    assert "week 2024-03-11" in capsys.readouterr().out


@pytest.mark.spark
def test_an_unreadable_file_is_listed_and_the_week_is_made_from_the_others(orders, capsys):
    from forecasting_assets.settings import load_settings

    init(orders)
    (orders / "unreadable.csv").write_bytes(b"\xff\xfe\x00broken")
    assert main(["materialize", "--from", "2024-03-04", "--select", "key:raw_orders"]) == 0
    said = capsys.readouterr().out
    assert "WARN: raw_orders 2024-03-04: files_readable: " in said
    assert "unreadable.csv" in said
    home = load_settings().home
    assert (home / "landing" / "quarantine" / "unreadable.csv.error.txt").exists()
    assert (home / "lake" / "raw_orders" / "week=2024-03-04" / "data.parquet").exists()
    assert main(["status"]) == 0
    assert "Not read: " in capsys.readouterr().out


@pytest.mark.spark
def test_a_region_nobody_delivers_to_is_named_and_the_others_are_planned(home_copy, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    lanes = home_copy.path / "landing" / "network" / "lanes.csv"
    kept = [line for line in lanes.read_text().splitlines() if ",UK," not in line]
    lanes.write_text("\n".join(kept) + "\n")
    week = WEEKS[-1]
    assert main(["materialize", "--from", str(week), "--select", "group:planning"]) == 0
    said = capsys.readouterr().out
    assert "demand_servable" in said
    assert "to UK" in said
    assert "lanes.csv" in said
    lake = home_copy.lake
    assert set(lake.read_pandas(PLAN_SHORTAGES, [week])["region"]) >= {"UK"}
    planned = set(lake.read_pandas(ALLOCATION_PLAN, [week])["region"])
    assert planned
    assert "UK" not in planned
    assert lake.read_pandas(PLAN_REASONS, [week])["reason"].str.contains("lanes.csv").any()
    assert lake.rows(BUSINESS_IMPACT, week)


def test_the_code_location_validates(home):
    environment = {
        **os.environ,
        "FORECASTING_HOME": str(home.path),
        "DAGSTER_HOME": str(home.path / "dagster"),
        # Dagster advertises the successor of the command.
        "PYTHONWARNINGS": "ignore:Function `definitions_validate_command` is superseded",
    }
    command = [
        str(Path(sys.executable).parent / "dagster"),
        "definitions",
        "validate",
        "-w",
        "workspace.yaml",
    ]
    root = Path(__file__).parents[2]
    found = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert "Warning" not in found.stderr


@pytest.mark.spark
@pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason="the Online Retail data set is not beside the project")
def test_real_order_lines_need_a_column_mapping_and_nothing_else(tmp_path, monkeypatch):
    """The data set's own facts: 54 weeks, one of them empty, and 19,658 series."""
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.settings import load_settings
    from forecasting_assets.tables import RAW_ORDERS, REJECTED_ORDERS, SERIES
    from forecasting_assets.weeks import parse_week, weeks_between

    monkeypatch.setenv("FORECASTING_HOME", str(tmp_path))
    assert init(ONLINE_RETAIL / "orders", "--network", str(ONLINE_RETAIL / "network")) == 0
    first, last = "2010-11-29", "2011-12-05"
    assert main(["materialize", "--select", "+key:weekly_demand", "--from", first, "--to", last]) == 0
    lake = Lake(path=load_settings().lake_path)
    weeks = weeks_between(parse_week(first), parse_week(last))
    raw, clean, rejected = (
        {week: lake.rows(table, week) for week in weeks}
        for table in (RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS)
    )
    assert sum(raw.values()) == 541_909
    assert all(raw[week] == clean[week] + rejected[week] for week in weeks)
    assert [str(week) for week in weeks if not clean[week]] == ["2010-12-27"]
    demand = lake.read_pandas(WEEKLY_DEMAND, weeks)
    assert len(demand[SERIES].drop_duplicates()) == 19_658


@pytest.mark.spark
def test_what_if_shows_the_difference_and_leaves_the_plan_as_it_is(home_copy, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    lake, settings = home_copy.path / "lake", home_copy.path / "forecasting.toml"
    settings.write_text(settings.read_text() + "\n[allocation.minimum_load]\nM07 = 0.1\n")
    before = {file: file.stat().st_mtime_ns for file in lake.rglob("*.parquet")}
    week = str(PLANNED[-1])
    arguments = ["what-if", "--week", week, "--capacity", "M03=-40%", "--demand", "CNC/EU=+20%"]
    assert main([*arguments, "--remove", "M07"]) == 0
    said = capsys.readouterr().out
    assert "Total cost" in said
    assert "Expected on time" in said
    assert "Does not hold in this case: minimum_load of M07" in said
    assert "M03" in said.split("HOURS BY MANUFACTURER")[1]
    page = Path(said.rsplit("Picture and tables: ", 1)[1].strip())
    assert page.parent.name == f"week={week}"
    assert "data:image/png;base64," in page.read_text()
    assert {file: file.stat().st_mtime_ns for file in lake.rglob("*.parquet")} == before


@pytest.mark.spark
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Nothing is changed"),
        (["--remove", "M99"], "'M99' is not a manufacturer"),
        (["--capacity", "M03"], "write NAME=-40%"),
    ],
)
def test_what_if_refuses_what_it_cannot_read(home, monkeypatch, capsys, arguments, said):
    monkeypatch.setenv("FORECASTING_HOME", str(home.path))
    assert main(["what-if", "--week", str(PLANNED[-1]), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.spark
def test_what_if_of_a_week_without_plan_says_so(home, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_HOME", str(home.path))
    assert main(["what-if", "--week", str(WEEKS[0]), "--remove", "M07"]) == 2
    assert "has not been materialized" in capsys.readouterr().err
