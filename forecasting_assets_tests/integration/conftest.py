"""The homes and order files that the integration tests work on."""

from pathlib import Path

import pytest

from forecasting_assets_tests.support.homes import home as home
from forecasting_assets_tests.support.homes import home_copy as home_copy


@pytest.fixture
def orders(request, tmp_path, monkeypatch) -> Path:
    """Provide a folder with two order lines in `a.csv`, and a home that does not exist yet.

    The header line of the file is `HEADER` of the test module.
    """
    monkeypatch.setenv("FORECASTING_HOME", str(tmp_path / "home"))
    folder = tmp_path / "orders"
    folder.mkdir()
    lines = "1,2024-03-06,p,EU,2,3.5\n2,2024-03-14,p,EU,1,3.5\n"
    (folder / "a.csv").write_text(request.module.HEADER + lines)
    return folder
