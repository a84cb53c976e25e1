import os
import sqlite3
from datetime import date

import pyarrow as pa
import pytest

from forecasting_assets.lake.landed_files import describe_errors, describe_unread, touching
from forecasting_assets.lake.landing import Landing
from forecasting_assets.orders.file_names import is_order_file, remedy_for
from forecasting_assets.orders.landing import FileContent, scan_order_file
from forecasting_assets.orders.raw import raw_name, weeks_by_columns
from forecasting_assets.orders.rows import OrderFileError
from forecasting_assets_tests.support.landing_zone import HEADER, land
from forecasting_assets_tests.support.landing_zone import landing as landing


def test_the_index_knows_the_weeks_of_each_file(landing):
    land(landing, "a.csv", "2024-03-04", "2024-03-10", "2024-03-11")
    land(landing, "sub/b.csv", "2024-03-04T00:00:00Z")
    files = landing.readable_files()
    assert [file.name for file in files] == ["a.csv", "sub/b.csv"]
    assert files[0].weeks == (date(2024, 3, 4), date(2024, 3, 11))
    assert [file.name for file in touching(files, [date(2024, 3, 11)])] == ["a.csv"]


def test_a_known_file_is_not_opened_again(landing):
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


def test_the_error_of_an_empty_landing_zone_names_the_formats(landing):
    with pytest.raises(OrderFileError) as caught:
        landing.readable_files()
    assert (caught.value.path, "no order files" in caught.value.reason) == (landing.path, True)
    assert ".csv" in caught.value.remedy


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
    assert "headless.csv: it has no column 'order_date' (order_date)" in headless
    assert "[orders.columns]" in headless
    assert "empty.csv: it is empty" in listed["empty.csv.error.txt"]
    assert "no date in column 'order_date' can be read" in listed["dateless.csv.error.txt"]
    land(landing, "empty.csv", "2024-03-11")
    os.remove(os.path.join(landing.path, "dateless.csv"))
    assert [file.name for file in landing.readable_files()] == ["empty.csv", "good.csv"]
    assert [file.name for file in quarantine.iterdir()] == ["sub__headless.csv.error.txt"]


def test_unreadable_files_of_several_folders_are_all_listed(landing, tmp_path):
    for name in ("a/b.csv", "a__b.csv"):
        land(landing, name, header="order_id")
    landing.refresh()
    listed = [file.read_text() for file in (tmp_path / "landing" / "quarantine").iterdir()]
    assert sorted(text.split(": ")[0].rpartition("/orders/")[2] for text in listed) == ["a/b.csv", "a__b.csv"]


def test_a_file_for_which_memory_was_too_short_is_not_a_damaged_one(landing, monkeypatch):
    def too_short(*_):
        raise pa.ArrowMemoryError("malloc of size 8388608 failed")

    land(landing, "a.csv", "2024-03-04")
    with monkeypatch.context() as short:
        short.setattr("forecasting_assets.orders.csv_files.open_text", too_short)
        with pytest.raises(MemoryError):
            landing.refresh()
    assert [file.error for file in landing.refresh()] == [None]


def test_files_that_cannot_be_read_at_all_are_an_error(landing):
    land(landing, "a.csv", header="order_id")
    with pytest.raises(OrderFileError, match="no column 'order_date'"):
        landing.readable_files()


def test_a_file_that_a_run_could_not_read_is_checked_again(landing, monkeypatch):
    land(landing, "good.csv", "2024-03-04")
    path = land(landing, "a.csv", "2024-03-04")
    files = landing.refresh()
    assert not landing.recheck(files)
    land(landing, "a.csv", "2024-03-11")
    assert landing.recheck(files)  # it has changed meanwhile
    monkeypatch.setattr("forecasting_assets.lake.landing.scan_order_file", scan_that_misses("a.csv"))
    with open(path, "ab") as file:
        file.write(b"o9,2024-03-11,\xff,r,1,2\n")
    files = landing.refresh()
    assert [file.error for file in files] == [None, None]
    assert landing.recheck(files)
    found = {file.name: file.error for file in landing.refresh()}
    assert found["a.csv"].remedy
    assert found["good.csv"] is None
    assert [file.name for file in landing.readable_files()] == ["good.csv"]
    assert os.listdir(landing.quarantine) == ["a.csv.error.txt"]


def scan_that_misses(name):
    """A scan that does not see what is wrong with the file `name`."""

    def scan(source, landed_names):
        if source.path.endswith(name):
            return FileContent(tuple(HEADER.split(",")), (date(2024, 3, 11),), 2, False, None)
        return scan_order_file(source, landed_names)

    return scan


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


def test_landed_names_used_by_the_platform_get_a_prefix():
    assert raw_name("week") == "landed_week"
    assert raw_name("row_problem") == "landed_row_problem"
    assert raw_name("quantity") == "quantity"


@pytest.fixture
def later(landing):
    """Give every file another time of change, as a copy of the folder has it."""

    def touch() -> None:
        for name in os.listdir(landing.path):
            os.utime(os.path.join(landing.path, name), (2_000_000_000, 2_000_000_000))

    return touch


def test_a_copied_file_counts_as_the_same_file(landing, later):
    land(landing, "a.csv", "2024-03-04")
    land(landing, "b.csv", "2024-03-04", header=HEADER + ",note,note")
    before = landing.refresh()
    later()
    assert landing.refresh() == before


def test_an_index_of_an_earlier_version_keeps_which_file_is_newest(landing, later, tmp_path):
    land(landing, "a.csv", "2024-03-04")
    (file,) = landing.refresh()
    os.remove(landing.index)
    with sqlite3.connect(landing.index) as old:
        old.execute("CREATE TABLE files (name, fingerprint, modified)")
        old.execute("INSERT INTO files VALUES (?, ?, ?)", (file.name, file.fingerprint, str(file.modified)))
    later()
    assert landing.refresh() == [file]


def test_unread_files_are_named_but_incomplete_ones_are_not(landing):
    land(landing, "a.csv", "2024-03-04")
    unread = ["orders.xls", "sub/orders.zip", "orders.txt", "README", "b.csv.bz2"]
    left_alone = [
        "_SUCCESS", ".a.csv.crc", "b.csv.tmp", "b.csv.crdownload", "~$book.xlsx", ".DS_Store", "_temporary/0/b.csv",
        "b.csv.part", "Thumbs.db",
    ]  # fmt: skip
    for name in [*unread, *left_alone]:
        land(landing, name, "2024-03-04")
    assert [file.name for file in landing.refresh()] == ["a.csv"]
    assert landing.unread_files() == sorted(unread)
    described = "; ".join(describe_unread(landing.unread_files()))
    assert all(name in described for name in unread)
    assert "unpack" in described


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("2025/orders.csv.ZIP", "unpack"),
        ("orders.tar.gz", "unpack"),
        ("orders.csv.zst", "gzip"),
        ("orders.gz", "orders.csv.gz"),
        ("Orders.XLS", ".xlsx"),
        ("orders.txt", "rename it to .csv"),
        ("orders.pq", "rename it to .parquet"),
        ("orders.csv.bak", "remove it"),
        ("orders.csv.gpg", "decrypt"),
        ("orders", "as one of .csv"),
        ("sales/_delta_log", "current rows"),
    ],
)
def test_each_kind_of_file_that_is_not_read_has_its_remedy(name, remedy):
    assert not is_order_file(name)
    assert remedy in remedy_for(name)


def test_a_table_whose_files_hold_older_versions_is_named(landing):
    land(landing, "sales/part-0.csv", "2024-03-04")
    land(landing, "sales/_delta_log/00000.json", "2024-03-04")
    land(landing, "sales/_delta_log/00001.json", "2024-03-04")
    landing.refresh()
    assert landing.unread_files() == ["sales/_delta_log"]


def test_a_pipe_is_named_and_not_opened(landing):
    land(landing, "a.csv", "2024-03-04")
    os.mkfifo(os.path.join(landing.path, "pipe.csv"))
    assert [file.name for file in landing.refresh()] == ["a.csv"]
    assert landing.unread_files() == ["pipe.csv"]


def test_without_order_files_the_error_names_unread_files(landing):
    land(landing, "orders.zip")
    with pytest.raises(OrderFileError, match=r"orders\.zip: unpack it") as caught:
        landing.readable_files()
    assert caught.value.path == landing.path


def test_a_new_version_of_the_readers_reads_known_files_again(landing, monkeypatch):
    monkeypatch.setattr("forecasting_assets.lake.landing._READERS", 0)
    monkeypatch.setattr("forecasting_assets.lake.landing.scan_order_file", scan_that_misses("a.csv"))
    land(landing, "a.csv", "2024-03-04")
    assert landing.refresh()[0].rows == 2
    monkeypatch.undo()
    (file,) = landing.refresh()
    assert (file.rows, file.weeks) == (1, (date(2024, 3, 4),))


def test_the_same_fault_of_many_files_is_described_once(landing):
    for number in range(5):
        land(landing, f"{number}.csv", header="order_id,part_id")
    described = describe_errors(landing.refresh())
    assert len(described.splitlines()) == 1
    assert "4 more files" in described


def test_a_file_with_a_faulty_part_is_read_and_listed(landing, tmp_path):
    path = land(landing, "a.csv", "2024-03-04", "2024-03-05")
    with open(path, "a") as file:
        file.write('o9,2024-03-06,"half inch,r,1,2\n')
    (found,) = landing.readable_files()
    assert (found.rows, found.error) == (3, None)
    assert "line 4" in str(found.fault)
    assert (tmp_path / "landing" / "quarantine" / "a.csv.error.txt").exists()
