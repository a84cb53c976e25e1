"""Files on a disk, on an S3 server and in a store of fsspec: listed, read and written whole."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from forecasting_assets.storage import (
    ExistingFileError,
    StoreError,
    add_file,
    content_id,
    folder_exists,
    list_files,
    open_filesystem,
    open_unmixed,
    read_file,
    remove_file,
    replace_file,
)
from forecasting_assets_tests.support.object_store import keys
from forecasting_assets_tests.support.object_store import server as server
from forecasting_assets_tests.support.object_store import store as store


@pytest.fixture(params=["disk", "s3", "memory"])
def folder(request, tmp_path) -> str:
    if request.param == "s3":
        request.getfixturevalue("store")
        return "s3a://shop/reports/"
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
        return "fsspec+memory://shop/reports"
    return str(tmp_path / "reports")


def test_files_are_written_whole_listed_and_removed(folder):
    assert (list_files(folder), folder_exists(folder)) == ({}, False)
    place = replace_file(folder, "week=2024-03-04/plan.html", b"first")
    assert place == f"{folder.rstrip('/')}/week=2024-03-04/plan.html"
    replace_file(folder, "week=2024-03-04/plan.html", b"second")
    add_file(folder, "a.csv", b"rows")
    with pytest.raises(ExistingFileError):
        add_file(folder, "a.csv", b"others")
    assert read_file(folder, "a.csv") == b"rows"
    assert read_file(folder, "week=2024-03-04/plan.html") == b"second"
    assert list(list_files(folder)) == ["a.csv", "week=2024-03-04/plan.html"]
    assert folder_exists(folder)
    remove_file(folder, "a.csv")
    remove_file(folder, "a.csv")
    assert list(list_files(folder)) == ["week=2024-03-04/plan.html"]
    with pytest.raises(FileNotFoundError):
        read_file(folder, "a.csv")


def test_the_same_content_has_the_same_id_in_every_store(folder, tmp_path):
    def identity(place: str) -> str:
        replace_file(place, "a.csv", b"rows" * 1000)
        filesystem, root = open_filesystem(place)
        return content_id(filesystem, f"{root}/a.csv")

    assert identity(folder) == identity(str(tmp_path / "elsewhere"))


def test_a_store_gets_objects_without_marks_of_folders(store):
    replace_file("s3://shop/lake", "demand/week=2024-03-04/data.parquet", b"rows")
    assert keys(store) == ["lake/demand/week=2024-03-04/data.parquet"]


def test_a_process_opens_a_store_once_and_again_in_another_environment(store, monkeypatch):
    first, path = open_filesystem("s3://shop/orders")
    second, other = open_filesystem("s3a://shop/lake/")
    assert first is second
    assert (path, other) == ("shop/orders", "shop/lake")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "renewed")
    assert open_filesystem("s3://shop/orders")[0] is not first


@pytest.mark.parametrize(
    ("url", "client", "path"),
    [
        ("gs://bucket/lake/", fs.GcsFileSystem, "bucket/lake"),
        ("abfss://container@account.dfs.core.windows.net/lake", fs.AzureFileSystem, "container/lake"),
        ("dbfs:/mnt/lake", fs.LocalFileSystem, "/dbfs/mnt/lake"),
        ("file:///mnt/the%20lake/", fs.LocalFileSystem, "/mnt/the lake"),
        ("file:///", fs.LocalFileSystem, "/"),
    ],
)
def test_other_stores_are_opened_by_their_url(url, client, path):
    filesystem, inner = open_filesystem(url)
    assert (type(filesystem), inner) == (client, path)


def test_files_are_written_to_a_file_url(tmp_path):
    replace_file(tmp_path.as_uri(), "a.csv", b"rows")
    assert (tmp_path / "a.csv").read_bytes() == b"rows"


@pytest.mark.parametrize("scheme", ["hdfs", "viewfs"])
def test_a_path_of_hadoop_begins_at_the_root(monkeypatch, scheme):
    opened = []

    def open_hadoop(url: str, environment: object) -> tuple[fs.FileSystem, str]:
        opened.append(url)
        return fs.SubTreeFileSystem("/", fs.LocalFileSystem()), ""

    monkeypatch.setattr("forecasting_assets.storage.filesystems._open_store", open_hadoop)
    assert open_filesystem(f"{scheme}://cluster/lake/")[1] == "/lake"
    assert opened == [f"{scheme}://cluster/"]


@pytest.mark.parametrize(
    "url",
    [
        "s3://KEY:SECRET@bucket/lake",
        "s3a://KEY:SEC/RET@bucket/lake",
        "s3://SECRET@bucket/lake",
        "abfss://container:SECRET@account.dfs.core.windows.net/lake",
    ],
)
def test_credentials_in_a_url_are_refused_without_showing_them(url):
    with pytest.raises(StoreError) as error:
        open_filesystem(url)
    message = str(error.value)
    assert (error.value.kind, message.count("\n")) == ("credentials", 0)
    assert not any(secret in message for secret in ("KEY:", "SEC/", "SECRET@"))
    assert error.value.store.endswith(("://bucket/lake", "://account.dfs.core.windows.net/lake"))
    assert "AWS_PROFILE" in message


def test_a_url_with_a_query_is_refused_and_one_with_a_hash_is_a_path():
    with pytest.raises(StoreError, match="AWS_ENDPOINT_URL") as error:
        open_filesystem("s3://bucket/lake?endpoint_override=127.0.0.1:9000&scheme=http")
    assert (error.value.store, str(error.value).count("\n")) == ("s3://bucket/lake", 0)
    assert open_filesystem("gs://bucket/a#b/lake")[1] == "bucket/a#b/lake"


def test_a_remedy_fits_what_was_tried_and_where():
    denied = OSError("AWS Error ACCESS_DENIED during PutObject operation: Access Denied")
    assert "list, read and write" in StoreError.from_os_error("s3://shop/lake", denied, "written").remedy
    assert "list and read" in StoreError.from_os_error("s3://shop/lake", denied).remedy
    assert "put files there" in StoreError.from_os_error("s3://shop/lake", FileNotFoundError()).remedy
    assert "create the folder" in StoreError.from_os_error("/shop/lake", FileNotFoundError()).remedy


def test_a_reader_during_rewrites_sees_one_version(store):
    lengths = {b"a": 10, b"b": 200_000, b"c": 50, b"d": 90_000}
    versions = [letter * length for letter, length in lengths.items()]
    replace_file("s3://shop/lake", "data", versions[0])
    done, seen = threading.Event(), set()

    def rewrite() -> None:
        for i in range(30):
            store.put_object(Bucket="shop", Key="lake/data", Body=versions[i % 4])
            time.sleep(0.001 * (i * 7 % 30))
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not done.is_set():
        seen.add(read_file("s3://shop/lake", "data"))
    writer.join()
    assert seen <= set(versions)
    assert len(seen) > 1


def test_damage_that_stays_is_reported(store):
    replace_file("s3://shop/lake", "data", b"no JSON")
    with pytest.raises(ValueError, match="invalid literal"):
        open_unmixed(open_filesystem("s3://shop/lake")[0], "shop/lake/data", lambda file: int(file.read()))


#: What the clients of Amazon, Microsoft and Google in pyarrow say, and the kind that a user has to know.
REAL = [
    (
        "AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation: The specified bucket does not exist",
        "missing",
    ),
    ("Bucket 'shop' not found", "missing"),
    ("AWS Error UNKNOWN (HTTP status 301) during HeadObject operation: No response body.", "region"),
    (
        "AWS Error UNKNOWN (HTTP status 400) during ListObjectsV2 operation: Unable to parse ExceptionName: "
        "AuthorizationHeaderMalformed Message: the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        "region",
    ),
    (
        "AWS Error UNKNOWN (HTTP status 400) during ListObjectsV2 operation: Unable to parse ExceptionName: "
        "ExpiredToken Message: The provided token has expired.",
        "credentials",
    ),
    ("AWS Error INVALID_ACCESS_KEY_ID during PutObject operation: InvalidAccessKeyId", "credentials"),
    ("AWS Error ACCESS_DENIED during PutObject operation: Access Denied", "permission"),
    ("AWS Error SLOW_DOWN during PutObject operation: Please reduce your request rate.", "throttled"),
    (
        "AWS Error NETWORK_CONNECTION during PutObject operation: curlCode: 6, Couldn't resolve host name",
        "unreachable",
    ),
    ("google::cloud::Status(UNAVAILABLE: Retry policy exhausted: Connection refused)", "unreachable"),
    ("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device", "full"),
]


@pytest.mark.parametrize(("message", "kind"), REAL)
def test_an_error_says_in_one_line_what_it_is_and_what_to_do(message, kind):
    error = StoreError.from_os_error("s3://shop/lake", OSError(message), "written")
    assert (error.kind, error.action) == (kind, "written")
    assert "\n" not in str(error)
    assert error.remedy in str(error)


@given(st.sampled_from(REAL), st.sampled_from(["read", "written"]), st.text(st.characters(codec="ascii")))
def test_an_error_is_found_again_in_what_quotes_it(real, action, around):
    message, kind = real
    error = StoreError.from_os_error("s3://shop/lake", OSError(message), action)
    quoted = f"{around}\nforecasting_assets.storage.errors.StoreError: {error}\n{around}"
    found = StoreError.from_text(quoted)
    assert found is not None
    assert (str(found), found.kind, found.store, found.action) == (str(error), kind, error.store, action)
    assert StoreError.from_text(around) is None


class Busy(BaseHTTPRequestHandler):
    """An S3 server that refuses the first two requests."""

    requests = 0

    def do_HEAD(self) -> None:
        Busy.requests += 1
        self.send_response(503 if Busy.requests <= 2 else 200)
        self.send_header("Content-Length", "4")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_what_a_store_refuses_for_the_moment_is_tried_again(store, monkeypatch):
    busy = HTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=busy.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{busy.server_port}")
    filesystem, root = open_filesystem("s3://shop/lake")
    assert filesystem.get_file_info(f"{root}/data").size == 4
    assert Busy.requests == 3
    busy.shutdown()
    busy.server_close()
