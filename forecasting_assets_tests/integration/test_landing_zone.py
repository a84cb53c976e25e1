"""Order files of one's own: what `init` finds out about them, and files that break while they are read."""

import os
from pathlib import Path

import pytest

from forecasting_assets.cli import main
from forecasting_assets.lake import landing
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.orchestration.assets import orders as assets
from forecasting_assets.orders.landing import scan_order_file
from forecasting_assets.orders.raw import read_raw_orders
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS
from forecasting_assets.weeks import parse_week

HEADER = "order_id,order_date,part_id,region,quantity,unit_price\n"


def init(orders, *more):
    return main(["init", "--orders", str(orders), *more])


def test_init_says_how_the_files_are_written_and_which_are_not_read(orders, capsys):
    (orders / "a.csv").write_bytes(
        "\n".join(
            [
                HEADER.replace(",", ";").strip(),
                "1;3/6/2024 0:00;p;EU;1.000;3,50 €",
                "2;3/14/2024 0:00;Böden;EU;2;3,50 €",
            ]
        ).encode("cp1252")
    )
    (orders / "b.xls").write_bytes(b"old")
    (orders / "_SUCCESS").write_bytes(b"")
    assert init(orders) == 0
    found = capsys.readouterr().out
    assert "Dates are written month first, such as '3/14/2024 0:00' in a.csv row 2" in found
    assert "b.xls: save it as .xlsx" in found
    assert "_SUCCESS" not in found
    assert load_settings().orders.format.model_dump() == {
        "date": "month_first", "decimal": ",", "thousands": ".", "currency": "€", "delimiter": ";",
        "encoding": "cp1252",
    }  # fmt: skip


def test_init_asks_for_what_the_files_leave_open_and_takes_the_answer(orders, capsys):
    (orders / "a.csv").write_text(HEADER + "1,6.3.2024,p,EU,2,3.5\n")
    assert init(orders) == 2
    assert "--format date=day_first or --format date=month_first" in capsys.readouterr().err
    assert not Path(os.environ["FORECASTING_HOME"]).exists()
    assert init(orders, "--format", "date=day_first") == 0
    assert load_settings().orders.format.date == "day_first"
    assert str(load_settings().calendar.first_week) == "2024-03-04"


def test_init_says_once_that_a_column_is_not_mapped(orders, capsys):
    for number in range(30):
        text = HEADER.replace("order_date", "ordered") + "1,2024-03-06,p,EU,2,3.5\n"
        (orders / f"{number}.csv").write_text(text)
    assert init(orders) == 2
    problem = capsys.readouterr().err
    assert problem.count("no column 'order_date'") == 1
    assert "of 31 files, 30 cannot be read" in problem
    assert not Path(os.environ["FORECASTING_HOME"]).exists()


@pytest.mark.spark
def test_a_file_that_breaks_while_a_week_is_made_is_left_out_of_it(orders, monkeypatch, capsys):
    def scan_before_it_breaks(source, landed_names):
        content = source.path.endswith("breaks.csv") and Path(source.path).read_bytes()
        if not content:
            return scan_order_file(source, landed_names)
        Path(source.path).write_bytes(content.replace(b"\xff", b"?"))
        try:
            return scan_order_file(source, landed_names)
        finally:
            Path(source.path).write_bytes(content)

    monkeypatch.setattr(landing, "scan_order_file", scan_before_it_breaks)
    assert init(orders) == 0
    (orders / "breaks.csv").write_bytes(HEADER.encode() + b"9,2024-03-13,\xff,EU,2,3.5\n")
    weeks = ["2024-03-04", "2024-03-11"]
    assert main(["materialize", "--from", weeks[0], "--to", weeks[1], "--select", "+key:clean_orders"]) == 0
    assert "breaks.csv" in capsys.readouterr().out
    settings = load_settings()
    assert [path.name for path in (settings.home / "landing" / "quarantine").iterdir()] == [
        "breaks.csv.error.txt"
    ]
    freshness = freshness_of(settings)
    for week in map(parse_week, weeks):
        assert freshness.state("clean_orders", week).state == "fresh"
        assert list(freshness.records("raw_orders")[week].inputs["order files"]) == ["a.csv"]
        assert freshness.home.lake.rows(CLEAN_ORDERS, week) == 1


@pytest.mark.spark
def test_a_file_that_is_withdrawn_while_a_week_is_made_is_left_out_of_it(orders, monkeypatch):
    (orders / "withdrawn.csv").write_text(HEADER + "9,2024-03-06,p,EU,2,3.5\n")
    assert init(orders) == 0

    def read_after_it_is_withdrawn(*arguments):
        (orders / "withdrawn.csv").unlink(missing_ok=True)
        return read_raw_orders(*arguments)

    monkeypatch.setattr(assets, "read_raw_orders", read_after_it_is_withdrawn)
    week = "2024-03-04"
    assert main(["materialize", "--from", week, "--to", week, "--select", "key:raw_orders"]) == 0
    freshness = freshness_of(load_settings())
    assert list(freshness.records("raw_orders")[parse_week(week)].inputs["order files"]) == ["a.csv"]
    assert freshness.home.lake.rows(RAW_ORDERS, parse_week(week)) == 1
