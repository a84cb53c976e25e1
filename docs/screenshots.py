"""Take the screenshots of the documentation: the pages and the asset graph, from a home that holds the demo.

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from playwright.sync_api import FloatRect, Page, ViewportSize, sync_playwright

from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.settings import Settings, load_settings

IMAGES = Path(__file__).parent / "images"
#: The images are in the repository, so they stay small.
MAX_BYTES = 300_000
_START_SECONDS = 180
#: The graph moves into place for some seconds.
_SETTLE_SECONDS = 8
#: High enough that the unfolded groups are in the window, which Dagster fits to the folded ones.
_WINDOW = ViewportSize(width=2000, height=1900)
_MARGIN = 12
#: Image -> page within the folder of the newest planned week, and the place on it that is shown first.
_PAGES = {
    "index.png": "../index.html",
    "plan.png": "plan.html",
    "plan-exceptions.png": "plan.html#exceptions",
    "plan-load.png": "plan.html#load",
    "plan-pivot.png": "plan.html#plan",
    "worth.png": "worth.html",
    "forecast.png": "forecast.html#P0001/EU",
    "backtest.png": "backtest.html",
}
_SCREEN = ViewportSize(width=1200, height=1010)
_TELEPHONE = ViewportSize(width=390, height=844)
_BOXES = "elements => elements.map(element => element.getBoundingClientRect().toJSON())"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


def main() -> None:
    """Write all screenshots into docs/images."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is needed for the screenshots (Debian: apt-get install chromium)")
    settings = load_settings()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        plan = _newest_plan(settings)
        _photograph_pages(browser.new_page(viewport=_SCREEN, color_scheme="light"), plan.parent)
        _photograph_sheet(browser.new_page(viewport=_TELEPHONE, color_scheme="light"), plan)
        graph = browser.new_page(viewport=_WINDOW, color_scheme="light")
        with _dagster(settings) as address:
            _photograph_graph(graph, address, settings)
        browser.close()


def _newest_plan(settings: Settings) -> Path:
    plans = sorted(Path(settings.reports_path).glob("week=*/plan.html"))
    if not plans:
        sys.exit(f"There is no plan in {settings.reports_path}: run `forecasting-assets demo` first")
    return plans[-1]


def _photograph_pages(page: Page, folder: Path) -> None:
    for image, place in _PAGES.items():
        page.goto(f"{folder.as_uri()}/{place}")
        _save(page, image)


def _photograph_sheet(page: Page, plan: Path) -> None:
    page.goto(plan.as_uri())
    page.locator("#this-week td a").first.click()
    _save(page, "sheet.png")


def _photograph_graph(page: Page, address: str, settings: Settings) -> None:
    """Show the assets without the tables beside them, with all groups unfolded."""
    page.set_default_timeout(120_000)
    graph = build_defs(settings).resolve_asset_graph()
    assets = graph.materializable_asset_keys
    selection = " or ".join(f'key:"{key.to_user_string()}"' for key in assets)
    groups = {graph.get(key).group_name for key in assets}
    unfolded = ",".join(f"global@global:{group}" for group in sorted(groups))
    page.goto(f"{address}/asset-groups~{quote(selection)}/?{urlencode({'expanded': unfolded})}")
    page.get_by_text("allocation_plan", exact=True).first.wait_for(state="attached")
    page.get_by_text("Hide navigation").click()
    time.sleep(_SETTLE_SECONDS)
    boxes = page.locator("svg foreignObject").evaluate_all(_BOXES)
    _save(page, "asset-graph.png", clip=_around(boxes))


def _around(boxes: Sequence[FloatRect]) -> FloatRect:
    """Return the area that shows all boxes, with a margin."""
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    return FloatRect(
        x=left - _MARGIN, y=top - _MARGIN, width=right - left + 2 * _MARGIN, height=bottom - top + 2 * _MARGIN
    )


def _save(page: Page, name: str, clip: FloatRect | None = None) -> None:
    path = IMAGES / name
    page.screenshot(path=path, clip=clip)
    _shrink(path)
    print(f"{path}: {path.stat().st_size:,} bytes")
    if path.stat().st_size > MAX_BYTES:
        sys.exit(f"{path} is larger than {MAX_BYTES:,} bytes")


def _shrink(path: Path) -> None:
    """Reduce a PNG to 128 colours, which halves its size and is not visible on flat surfaces."""
    from PIL import Image

    with Image.open(path) as image:
        # The usual method loses the hue of small areas, as of keys.
        image.convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


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
