"""The server of pages: files of its folder, and nothing else."""

import urllib.error
import urllib.request

import pytest

from devtools.servers import free_port
from forecasting_assets.runtime.page_server import serve_pages


def test_files_are_served_and_folders_are_not_listed(tmp_path):
    reports = tmp_path / "reports"
    (reports / "week=2026-01-05").mkdir(parents=True)
    (reports / "week=2026-01-05" / "plan.html").write_text("the plan")
    (tmp_path / "forecasting.toml").write_text("")
    server = serve_pages(reports, free_port())
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{address}/week%3D2026-01-05/plan.html") as page:
            assert page.read() == b"the plan"
        for path in ("/", "/week%3D2026-01-05/", "/../forecasting.toml", "/%2e%2e/forecasting.toml"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(address + path)
            assert refused.value.code == 404
        with pytest.raises(OSError, match="in use"):
            serve_pages(reports, server.server_port)
    finally:
        server.shutdown()
        server.server_close()
