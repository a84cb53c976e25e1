import os
from datetime import date

import pytest

from forecasting_assets.orders.raw import raw_name, weeks_by_columns
from forecasting_assets.orders.reading import OrderFileError
from forecasting_assets.resources.landing import Landing, touching
from forecasting_assets.tables import ORDER_COLUMNS

HEADER = "order_id,order_date,part_id,region,quantity,unit_price"


@pytest.fixture
def landing(tmp_path):
    (tmp_path / "orders").mkdir()
    names = {name: name for name in ORDER_COLUMNS}
    return Landing(path=str(tmp_path / "orders"), index=str(tmp_path / "landing.db"), landed_names=names)


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


def test_every_unreadable_file_is_named_with_the_remedy(landing):
    land(landing, "good.csv", "2024-03-04")
    land(landing, "headless.csv", header="order_id,part_id,region,quantity,unit_price")
    land(landing, "empty.csv", header="")
    os.truncate(os.path.join(landing.path, "empty.csv"), 0)
    land(landing, "dateless.csv", "soon")
    with pytest.raises(OrderFileError) as raised:
        landing.readable_files()
    text = str(raised.value)
    assert "headless.csv has no column 'order_date' (order_date)" in text
    assert "[orders.columns]" in text
    assert "empty.csv is empty" in text
    assert "dateless.csv: no date in column 'order_date' can be read" in text
    assert "good.csv" not in text


def test_another_mapping_reads_the_files_again(landing, tmp_path):
    land(landing, "a.csv", "2024-03-04")
    landing.refresh()
    names = landing.landed_names | {"order_date": "part_id"}
    other = Landing(path=landing.path, index=landing.index, landed_names=names)
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
