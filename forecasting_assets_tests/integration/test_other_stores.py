"""A lake in Google Cloud Storage and in Azure, on emulators of them: make test-stores."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyarrow import fs

from devtools.servers import free_port, listening, wait_until
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.storage import exclusive_lock, filesystems, list_files, open_filesystem
from forecasting_assets_tests.faults.harness import assert_same_lake, every_table
from forecasting_assets_tests.support.homes import PLANNED, SETTINGS, Home

ROOT = Path(__file__).parents[2]
STORES = Path(os.environ.get("STORES_VENV", ROOT / ".venv-stores"))
GOOGLE = STORES / "bin" / "gcp-storage-emulator"
AZURE = STORES / "node_modules" / ".bin" / "azurite-blob"
pytestmark = [
    pytest.mark.matrix,
    pytest.mark.skipif(not (GOOGLE.exists() and AZURE.exists()), reason="no emulators: make test-stores"),
]

HOST = "127.0.0.1"
BUCKET = "shop"
WEEK = PLANNED[-1]
#: The account that Azure's emulator knows, and its key, which everybody knows.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        wait_until(lambda: listening(port), 60, f"the emulator ({log})")
        yield
    finally:
        # Google's emulator ends its web server upon a signal to terminate, but not always itself.
        server.kill()
        server.wait(30)


@contextmanager
def google(folder: Path) -> Iterator[fs.FileSystem]:
    port = free_port()
    command = [
        str(GOOGLE),
        "start",
        "--host",
        HOST,
        "--port",
        str(port),
        "--in-memory",
        "--default-bucket",
        BUCKET,
    ]
    with running(command, port, folder / "google.log"):
        yield fs.GcsFileSystem(anonymous=True, scheme="http", endpoint_override=f"{HOST}:{port}")


@contextmanager
def azure(folder: Path) -> Iterator[fs.FileSystem]:
    port = free_port()
    place = ["--blobHost", HOST, "--blobPort", str(port), "--location", str(folder / "azure")]
    command = [str(AZURE), *place, "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    with running(command, port, folder / "azure.log"):
        address = {f"{service}_storage_authority": f"{HOST}:{port}" for service in ("blob", "dfs")}
        scheme = {f"{service}_storage_scheme": "http" for service in ("blob", "dfs")}
        store = fs.AzureFileSystem(ACCOUNT, account_key=KEY, **address, **scheme)
        store.create_dir(BUCKET)
        yield store


@pytest.fixture(params=["Google", "Azure"])
def url(request, tmp_path, monkeypatch):
    """The URL of an empty store; its client is pyarrow's, opened with the address of the emulator."""
    with (google if request.param == "Google" else azure)(tmp_path) as store:
        monkeypatch.setattr(filesystems, "_open_store", lambda place, environment: (store, BUCKET))
        yield (
            f"gs://{BUCKET}"
            if request.param == "Google"
            else f"abfss://{BUCKET}@{ACCOUNT}.dfs.core.windows.net"
        )


@pytest.fixture
def there(home, url, tmp_path) -> Home:
    """A home with everything of `home` in the store, but without the plan of the newest week."""
    store, root = open_filesystem(url)
    for folder in [home.path / "landing", *(home.path / "lake").glob("*/week=*")]:
        if not (folder.parent.name == "allocation_plan" and folder.name == f"week={WEEK}"):
            place = folder.relative_to(home.path)
            fs.copy_files(str(folder), f"{root}/{place}", fs.LocalFileSystem(), store)
    path = tmp_path / "home"
    path.mkdir()
    places = {
        "orders": f'landing = "{url}/landing/orders"\nindex = "{url}/landing.db"',
        "network": f'path = "{url}/landing/network"',
        "planning": f'path = "{url}/landing/planning"',
        "lake": f'path = "{url}/lake"',
        "reports": f'path = "{url}/reports"',
    }
    text = "".join(f"[{section}]\n{place}\n" for section, place in places.items())
    (path / "forecasting.toml").write_text(SETTINGS + text)
    return Home(path, home.known)


def test_a_copied_lake_is_fresh_and_a_week_is_planned_in_the_store(home, there, url):
    stale = {asset: list(weeks) for asset, weeks in freshness_of(there.settings).stale().items() if weeks}
    assert stale == {"allocation_plan": [WEEK], "business_impact": [WEEK]}
    assert materialize(there.settings, [WEEK], "key:allocation_plan or key:business_impact")
    assert not any(freshness_of(there.settings).stale().values())
    assert_same_lake(home, there, [WEEK], every_table(home))
    assert f"week={WEEK}/plan.html" in list_files(f"{url}/reports")


def test_a_lock_is_held_by_one_and_then_by_the_other(url):
    def give_up() -> None:
        raise RuntimeError

    with exclusive_lock(f"{url}/lake", "t"):
        other = exclusive_lock(f"{url}/lake", "t", on_wait=give_up)
        with pytest.raises(RuntimeError):
            other.__enter__()
    with exclusive_lock(f"{url}/lake", "t", on_wait=give_up):
        pass
