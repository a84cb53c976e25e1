import os
import sqlite3
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import fs

from forecasting_assets.orders.raw import raw_name, weeks_by_columns
from forecasting_assets.orders.rows import OrderFileError
from forecasting_assets.resources.landing import Landing, describe_errors, describe_unread, touching
from forecasting_assets.storage import StoreError
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


def test_an_empty_landing_zone_says_what_to_land(landing):
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


def test_files_that_cannot_be_read_at_all_are_an_error(landing):
    land(landing, "a.csv", header="order_id")
    with pytest.raises(OrderFileError, match="no column 'order_date'"):
        landing.readable_files()


def test_the_weeks_of_a_file_that_can_no_longer_be_read_are_refused(landing):
    land(landing, "good.csv", "2024-03-11")
    path = land(landing, "a.csv", "2024-03-04")
    landing.refresh()
    os.truncate(path, 0)
    with pytest.raises(OrderFileError, match=r"held orders of these weeks[\s\S]*a\.csv"):
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
    assert raw_name("row_problem") == "landed_row_problem"
    assert raw_name("quantity") == "quantity"


@pytest.fixture
def later(landing):
    """Give every file another time of change, as a copy of the folder has it."""

    def touch() -> None:
        for name in os.listdir(landing.path):
            os.utime(os.path.join(landing.path, name), (2_000_000_000, 2_000_000_000))

    return touch


def test_a_copied_file_is_the_file_it_was(landing, later):
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


def test_what_is_not_read_is_named_and_what_is_half_written_is_not(landing):
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
    described = describe_unread(landing.unread_files())
    assert all(name in described for name in unread)
    assert "unpack" in described


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
    (found,) = landing.readable_files([date(2024, 3, 4)])
    assert (found.rows, found.error) == (3, None)
    assert "line 4" in str(found.fault)
    assert (tmp_path / "landing" / "quarantine" / "a.csv.error.txt").exists()


def test_a_folder_that_does_not_exist_is_an_error_of_the_store(tmp_path):
    names = {name: name for name in ORDER_COLUMNS}
    with pytest.raises(StoreError) as caught:
        Landing.at(tmp_path, str(tmp_path / "nowhere"), names).refresh()
    assert (caught.value.store, caught.value.kind) == (str(tmp_path / "nowhere"), "missing")


class FailingStore(fs.FileSystemHandler):
    """A local file system that lists files, but refuses to open some of them."""

    def __init__(self, folder: str) -> None:
        self.files = fs.LocalFileSystem()
        self.folder = folder
        self.errors: dict[str, OSError] = {}

    def open_input_stream(self, path):
        name = os.path.basename(path)
        if name in self.errors:
            raise self.errors[name]
        return pa.PythonFile(open(path, "rb"))

    def get_file_info(self, paths):
        return self.files.get_file_info(paths)

    def get_file_info_selector(self, selector):
        return self.files.get_file_info(selector)

    def open_input_file(self, path):
        return self.open_input_stream(path)

    def get_type_name(self):
        return "failing"

    def normalize_path(self, path):
        return path

    def __eq__(self, other):
        return self is other

    def __ne__(self, other):
        return self is not other

    def _refuse(self, *arguments):
        raise NotImplementedError("the landing zone is only read")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = _refuse
    move = copy_file = open_output_stream = open_append_stream = _refuse


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError(13, "Permission denied"), "permission"),
        (
            OSError("When reading information for key: AWS Error ACCESS_DENIED during HeadObject"),
            "permission",
        ),
        (OSError("AWS Error SLOW_DOWN: Please reduce your request rate"), "throttled"),
        (OSError("AWS Error UNKNOWN (HTTP status 400): ExpiredToken"), "credentials"),
        (
            OSError("AWS Error NETWORK_CONNECTION during GetObject: curlCode: 7, Couldn't connect"),
            "unreachable",
        ),
        (OSError("AWS Error NO_SUCH_BUCKET: The specified bucket does not exist"), "missing"),
    ],
)
def test_an_error_of_the_store_is_no_verdict_on_a_file(landing, monkeypatch, error, kind):
    land(landing, "a.csv", "2024-03-04")
    before = landing.refresh()
    land(landing, "b.csv", "2024-03-11")
    store = FailingStore(landing.path)
    store.errors["b.csv"] = error
    failing = Landing.at(Path(landing.index).parent, landing.path, landing.landed_names)
    monkeypatch.setitem(failing.__dict__, "_storage", (fs.PyFileSystem(store), landing.path))
    with pytest.raises(StoreError) as caught:
        failing.refresh()
    assert (caught.value.kind, caught.value.store) == (kind, landing.path)
    assert landing.files() == before
    store.errors.clear()
    assert [(file.name, file.error) for file in failing.refresh()] == [("a.csv", None), ("b.csv", None)]


def test_a_file_that_is_withdrawn_while_it_is_listed_is_none(landing, monkeypatch):
    land(landing, "a.csv", "2024-03-04")
    land(landing, "b.csv", "2024-03-11")
    store = FailingStore(landing.path)
    store.errors["b.csv"] = FileNotFoundError(2, "No such file")
    monkeypatch.setitem(landing.__dict__, "_storage", (fs.PyFileSystem(store), landing.path))
    assert [file.name for file in landing.refresh()] == ["a.csv"]
