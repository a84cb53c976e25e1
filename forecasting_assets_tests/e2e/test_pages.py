"""The reports as a planner reads them: a real browser on the pages of a materialized home, without a server."""

import re
from pathlib import Path

import pytest

from forecasting_assets.tables import ALLOCATION_PLAN
from forecasting_assets.workflows.index_report import write_index
from forecasting_assets_tests.support.homes import PLANNED

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

TELEPHONE = {"width": 390, "height": 844}
#: Problems of access below these levels are no findings.
SERIOUS = {"serious", "critical"}
#: The rows of a table are alike, and the checks of thousands take a minute.
ONE_ROW = {"exclude": [["tbody tr:nth-child(n+3)"]]}
VIOLATIONS = {"resultTypes": ["violations"]}


def report(home, name: str) -> str:
    path: Path = Path(home.settings.reports_path) / f"week={PLANNED[-1]}" / name
    assert path.exists()
    return path.as_uri()


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_the_pivot_of_the_plan_filters_searches_and_sorts(home, page):
    plan = home.lake.read_pandas(ALLOCATION_PLAN, [PLANNED[-1]])
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(report(home, "plan.html"))
    pivot = page.locator("#plan")
    total = pivot.locator("tfoot td").last
    assert number(total.inner_text()) == pytest.approx(plan["quantity"].sum(), abs=0.1)

    region = plan["region"].iloc[0]
    pivot.get_by_label("Only region").select_option(label=region)
    in_region = plan[plan["region"] == region]
    assert number(total.inner_text()) == pytest.approx(in_region["quantity"].sum(), abs=0.1)

    part = in_region["part_id"].iloc[0]
    pivot.get_by_label("Rows").select_option("all")
    pivot.get_by_label("Search names").fill(part)
    lines = in_region[in_region["part_id"] == part]
    assert pivot.locator("tbody tr").count() == len(lines)
    pivot.get_by_role("button", name="Units").click()
    units = [number(text) for text in pivot.locator("tbody tr td:nth-child(7)").all_inner_texts()]
    assert units == sorted(units, reverse=True)
    assert sum(units) == pytest.approx(lines["quantity"].sum(), abs=0.1 * len(lines))
    assert errors == []


def test_an_exception_leads_to_its_remedy(home, page):
    pages = [Path(home.settings.reports_path) / f"week={week}" / "plan.html" for week in reversed(PLANNED)]
    concerned = next(path for path in pages if "#remedy-1" in path.read_text())
    page.goto(concerned.as_uri())
    link = page.locator('#exceptions a[href="#remedy-1"]').first
    what = link.inner_text()
    link.click()
    remedy = page.locator("tr:target")
    assert remedy.locator("td").nth(1).inner_text() == what
    assert remedy.is_visible()


def test_a_manufacturers_sheet_is_opened_and_read_on_a_telephone(home, page):
    plan = home.lake.read_pandas(ALLOCATION_PLAN, [PLANNED[-1]])
    page.set_viewport_size(TELEPHONE)
    page.goto(report(home, "plan.html"))
    link = page.locator("#this-week td a").first
    manufacturer = link.inner_text()
    link.click()
    assert page.locator("h1").inner_text().startswith(f"Production of {manufacturer}")
    assert page.evaluate("document.documentElement.scrollWidth") <= TELEPHONE["width"]

    made = plan[plan["manufacturer_id"] == manufacturer]
    first = made["production_week"] == made["production_week"].min()
    headline = page.locator(".headlines dd").first.inner_text()
    assert number(headline.removesuffix(" units")) == pytest.approx(
        made.loc[first, "quantity"].sum(), abs=0.5
    )
    table = page.locator("#this-week .scroll")
    table.evaluate("element => { element.scrollLeft = element.scrollWidth }")
    assert table.evaluate("element => element.scrollLeft") > 0
    box = table.locator("tbody td").first.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = made.groupby(["part_id", "region", "production_week"]).ngroups
    assert len(download.value.path().read_text().splitlines()) == lines + 1
    assert download.value.suggested_filename.startswith("locked_allocations-")


def test_all_pages_are_linked_dark_and_legible(home_copy, browser):
    from axe_playwright_python.sync_playwright import Axe

    home = home_copy
    index = Path(write_index(home.settings, home.lake, with_states=True))
    findings: list[str] = []
    for scheme, width in (("light", 1200), ("dark", TELEPHONE["width"])):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto(index.as_uri())
        newest = page.locator("tbody tr").first
        links = [index.parent / str(a.get_attribute("href")) for a in newest.locator("a").all()]
        assert {"plan.html", "worth.html", "backtest.html"} <= {link.name for link in links}
        sheet = next((links[0].parent / "manufacturers").glob("*.html"))
        for path in (index, *links, sheet):
            page.goto(path.as_uri())
            for image in page.locator("img").all():
                source = str(image.evaluate("image => image.currentSrc"))
                assert (source == image.get_attribute("src")) == (scheme == "light")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            findings += [
                f"{path.name}, {scheme}: {found['id']} at {found['nodes'][0]['html']}"
                for found in Axe().run(page, ONE_ROW, VIOLATIONS).response["violations"]
                if found["impact"] in SERIOUS
            ]
    assert not findings, "\n".join(findings)


def test_the_index_names_every_planned_week(home, page):
    page.goto((Path(home.settings.reports_path) / "index.html").as_uri())
    weeks = page.locator("tbody td:first-child").all_inner_texts()
    assert weeks[: len(PLANNED)] == [str(week) for week in reversed(PLANNED)]
    page.locator("tbody a").first.click()
    assert re.search(rf"week={PLANNED[-1]}/plan\.html$", page.url)
