"""What the browser tests work with: homes, and a real browser."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from forecasting_assets_tests.support.homes import home as home
from forecasting_assets_tests.support.homes import home_copy as home_copy

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def browser() -> "Iterator[Browser]":
    """Provide Chromium; without it the test is skipped."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*flags, *quiet])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Page":
    """Provide an empty page of the browser."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(60_000)
    return page
