import os
from datetime import date

import pytest

from forecasting_assets.orders.raw import raw_name, weeks_by_columns
from forecasting_assets.orders.rows import OrderFileError
from forecasting_assets.resources.landing import Landing, touching
from forecasting_assets.tables import ORDER_COLUMNS

HEADER = "order_id,order_date,part_id,region,quantity,unit_price"


@pytest.fixture
def landing(tmp_path):
    (tmp_path / "orders").mkdir()
    names = {name: name for name in ORDER_COLUMNS}
    return Landing.at(tmp_path, str(tmp_path / "orders"), names)


def land(landing, name, *dates, header=HEADER):
    path = os.path.join(landing.path, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(header + "\n" + "".join(f"o{i},{day},p,r,1,2\n" for i, day in enumerate(dates)))
    return path


def test_a_file_is_known_by_the_weeks_it_touches(landing):
    land(landing, "a.csv", "2024-03-04", "2024-03-10", "2024-03-11")
    land(landing, "sub/b.csv", "2024-03-04T00:00:00Z")
    files = landing.readable_files()
    assert [file.name for file in files] == ["a.csv", "sub/b.csv"]
    assert files[0].weeks == (date(2024, 3, 4), date(2024, 3, 11))
    assert [file.name for file in touching(files, [date(2024, 3, 11)])] == ["a.csv"]


def test_a_known_file_is_not_opened_again(landing, monkeypatch):
    path = land(landing, "a.csv", "2024-03-04")
    before = landing.refresh()
    stat = os.stat(path)
    # Same size and time of change, other content: only one who opens it can tell.
    with open(path, "r+") as file:
        file.write("X")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert landing.refresh() == before


def test_a_changed_file_is_read_again_and_a_removed_one_forgotten(landing):
    path = land(landing, "a.csv", "2024-03-04")
    first = landing.refresh()
    land(landing, "a.csv", "2024-03-04", "2024-04-01")
    second = landing.refresh()
    assert second[0].weeks == (date(2024, 3, 4), date(2024, 4, 1))
    assert second[0].fingerprint != first[0].fingerprint
    os.remove(path)
    assert landing.refresh() == []


def test_an_empty_landing_zone_says_what_to_land(landing):
    with pytest.raises(OrderFileError, match=r"holds no order files: land some \(\.csv"):
        landing.readable_files()


def test_every_unreadable_file_is_listed_with_the_remedy_and_the_others_are_read(landing, tmp_path):
    land(landing, "good.csv", "2024-03-04")
    land(landing, "sub/headless.csv", header="order_id,part_id,region,quantity,unit_price")
    land(landing, "empty.csv", header="")
    os.truncate(os.path.join(landing.path, "empty.csv"), 0)
    land(landing, "dateless.csv", "soon")
    assert [file.name for file in landing.readable_files()] == ["good.csv"]
    quarantine = tmp_path / "landing" / "quarantine"
    listed = {file.name: file.read_text() for file in quarantine.iterdir()}
    assert listed.keys() == {"sub__headless.csv.error.txt", "empty.csv.error.txt", "dateless.csv.error.txt"}
    headless = listed["sub__headless.csv.error.txt"]
    assert "headless.csv has no column 'order_date' (order_date)" in headless
    assert "[orders.columns]" in headless
    assert "empty.csv is empty" in listed["empty.csv.error.txt"]
    assert "no date in column 'order_date' can be read" in listed["dateless.csv.error.txt"]
    land(landing, "empty.csv", "2024-03-11")
    os.remove(os.path.join(landing.path, "dateless.csv"))
    assert [file.name for file in landing.readable_files()] == ["empty.csv", "good.csv"]
    assert [file.name for file in quarantine.iterdir()] == ["sub__headless.csv.error.txt"]


def test_files_that_cannot_be_read_at_all_are_an_error(landing):
    land(landing, "a.csv", header="order_id")
    with pytest.raises(OrderFileError, match="has no column 'order_date'"):
        landing.readable_files()


def test_the_weeks_of_a_file_that_can_no_longer_be_read_are_refused(landing):
    land(landing, "good.csv", "2024-03-11")
    path = land(landing, "a.csv", "2024-03-04")
    landing.refresh()
    os.truncate(path, 0)
    with pytest.raises(OrderFileError, match=r"a\.csv is empty[\s\S]*held orders of this week"):
        landing.readable_files([date(2024, 3, 4)])
    assert [file.name for file in landing.readable_files([date(2024, 3, 11)])] == ["good.csv"]


def test_another_mapping_reads_the_files_again(landing, tmp_path):
    land(landing, "a.csv", "2024-03-04")
    landing.refresh()
    names = landing.landed_names | {"order_date": "part_id"}
    other = Landing.at(tmp_path, landing.path, names)
    assert other.refresh()[0].error


def test_weeks_with_the_same_columns_are_read_together(landing):
    land(landing, "a.csv", "2024-03-04", "2024-03-11")
    land(landing, "b.csv", "2024-03-11", header=HEADER + ",note")
    groups = weeks_by_columns(landing.refresh(), [date(2024, 3, 4), date(2024, 3, 11), date(2024, 3, 18)])
    plain = tuple(sorted(HEADER.split(",")))
    assert groups == {
        plain: [date(2024, 3, 4)],
        tuple(sorted([*plain, "note"])): [date(2024, 3, 11)],
        (): [date(2024, 3, 18)],
    }


def test_landed_names_that_the_platform_uses_itself_are_set_apart():
    assert raw_name("week") == "landed_week"
    assert raw_name("") == "landed_"
    assert raw_name("quantity") == "quantity"
