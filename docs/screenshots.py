"""Take the screenshots of the documentation: a plan and the asset graph, from a home that holds the demo.

Run ``forecasting-assets demo`` first, then ``make docs-screenshots``. Needs Chromium (Debian: ``apt-get install
chromium``) and the development requirements.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.settings import Settings, load_settings

IMAGES = Path(__file__).parent / "images"
#: GitHub and the wheel carry the images, so they stay small.
MAX_BYTES = 300_000
_START_SECONDS = 180
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    """Write both screenshots into docs/images."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is needed for the screenshots (Debian: apt-get install chromium)")
    settings = load_settings()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        plan = browser.new_page(viewport={"width": 1200, "height": 1010})
        _photograph_plan(plan, _newest_plan(settings))
        graph = browser.new_page(viewport={"width": 1900, "height": 760}, color_scheme="light")
        with _dagster(settings) as address:
            _photograph_graph(graph, address, settings)
        browser.close()


def _newest_plan(settings: Settings) -> Path:
    plans = sorted(settings.reports_path.glob("week=*/plan.html"))
    if not plans:
        sys.exit(f"There is no plan in {settings.reports_path}: run `forecasting-assets demo` first")
    return plans[-1]


def _photograph_plan(page: Page, plan: Path) -> None:
    page.goto(plan.as_uri())
    _save(page, "plan.png")


def _photograph_graph(page: Page, address: str, settings: Settings) -> None:
    """Show the assets without the tables beside them, all groups unfolded, as large as fits."""
    page.set_default_timeout(120_000)
    page.goto(f"{address}/asset-groups")
    page.get_by_text("Hide navigation").click()
    page.locator(".CodeMirror").first.click()
    page.keyboard.type(" or ".join(f'key:"{name}"' for name in _assets(settings)))
    page.keyboard.press("Escape")  # closes the list of suggestions
    page.keyboard.press("Enter")
    page.get_by_text("planning", exact=True).nth(1).wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Alt+KeyE")  # unfolds all groups
    page.get_by_text("allocation_plan", exact=True).first.wait_for()
    page.goto(page.url)  # fits the graph into the window
    page.get_by_text("allocation_plan", exact=True).first.wait_for()
    time.sleep(5)  # the graph moves into place
    _save(page, "asset-graph.png")


def _assets(settings: Settings) -> list[str]:
    keys = build_defs(settings).resolve_asset_graph().executable_asset_keys
    return [key.to_user_string() for key in keys]


def _save(page: Page, name: str) -> None:
    path = IMAGES / name
    page.screenshot(path=path)
    _shrink(path)
    print(f"{path}: {path.stat().st_size:,} bytes")
    if path.stat().st_size > MAX_BYTES:
        sys.exit(f"{path} is larger than {MAX_BYTES:,} bytes")


def _shrink(path: Path) -> None:
    """Reduce a PNG to 128 colours, which halves its size and is not visible on flat surfaces."""
    from PIL import Image

    with Image.open(path) as image:
        image.convert("RGB").quantize(128).save(path, optimize=True)


@contextmanager
def _dagster(settings: Settings) -> Iterator[str]:
    """Serve Dagster's UI until the block ends; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "FORECASTING__SPARK__WARM_SERVER": "false"}
    command = [sys.executable, "-m", "forecasting_assets", "dev", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(f"{address}/server_info")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(60)


def _wait_until_ready(url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(1)
    sys.exit(f"{url} did not answer within {_START_SECONDS} seconds")


if __name__ == "__main__":
    main()
