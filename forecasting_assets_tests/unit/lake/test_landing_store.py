"""The landing zone on stores that fail."""

import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import fs

from forecasting_assets.lake.landing import Landing
from forecasting_assets.storage import StoreError
from forecasting_assets.tables import ORDER_COLUMNS
from forecasting_assets_tests.support.landing_zone import land
from forecasting_assets_tests.support.landing_zone import landing as landing


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
def test_an_error_of_the_store_does_not_make_a_file_unreadable(landing, monkeypatch, error, kind):
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
    assert not os.path.exists(landing.quarantine)
    store.errors.clear()
    assert [(file.name, file.error) for file in failing.refresh()] == [("a.csv", None), ("b.csv", None)]


def test_files_indexed_before_the_store_failed_are_kept(landing, monkeypatch):
    """Or a store that fails now and then would have the first of thousands of files read for ever."""
    for number in range(20):
        land(landing, f"{number:02}.csv", "2024-03-04")
    store = FailingStore(landing.path)
    store.errors["19.csv"] = OSError("AWS Error SLOW_DOWN: Please reduce your request rate")
    monkeypatch.setitem(landing.__dict__, "_storage", (fs.PyFileSystem(store), landing.path))
    with pytest.raises(StoreError):
        landing.refresh()
    kept = {file.name for file in landing.files()}
    assert "00.csv" in kept
    assert "19.csv" not in kept


class OnceFailingStore(FailingStore):
    """Raises an error the first time that a file is opened after `armed` times, and never again."""

    def __init__(self, folder: str, error: Exception, armed: int) -> None:
        super().__init__(folder)
        self.error, self.left = error, armed

    def open_input_stream(self, path):
        self.left -= 1
        if self.left == -1:
            raise self.error
        return super().open_input_stream(path)


@pytest.mark.parametrize("opened_before", range(4))
def test_a_temporary_error_does_not_make_a_file_unreadable(landing, monkeypatch, opened_before):
    land(landing, "a.csv", "2024-03-04")
    error = OSError("When reading: AWS Error NETWORK_CONNECTION during GetObject operation")
    store = OnceFailingStore(landing.path, error, opened_before)
    monkeypatch.setitem(landing.__dict__, "_storage", (fs.PyFileSystem(store), landing.path))
    with pytest.raises(StoreError) as caught:
        landing.refresh()
    assert caught.value.kind == "unreachable"
    assert landing.files() == []
    assert landing.refresh()[0].error is None


def test_a_file_that_disappears_while_it_is_listed_is_ignored(landing, monkeypatch):
    land(landing, "a.csv", "2024-03-04")
    land(landing, "b.csv", "2024-03-11")
    store = FailingStore(landing.path)
    store.errors["b.csv"] = FileNotFoundError(2, "No such file")
    monkeypatch.setitem(landing.__dict__, "_storage", (fs.PyFileSystem(store), landing.path))
    assert [file.name for file in landing.refresh()] == ["a.csv"]
