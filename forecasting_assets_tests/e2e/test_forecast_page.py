"""The pages about forecasts in a real browser: a planner finds one part and sees its forecast."""

import re
from pathlib import Path

import pytest

from forecasting_assets.tables import DEMAND_PLAN
from forecasting_assets_tests.support.homes import PLANNED

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

WEEK = PLANNED[-1]


def address(home, name):
    path = Path(home.settings.reports_path) / f"week={WEEK}" / name
    assert path.exists()
    return path.as_uri()


def number(text):
    return float(text.replace(",", ""))


def shows(page, heading):
    """Wait until the page shows what has this heading: it follows its address after a click, not at once."""
    from playwright.sync_api import expect

    expect(page.locator("#demand h3").first).to_have_text(re.compile(heading))


def test_a_part_is_found_and_its_forecast_is_seen(home, page):
    plan = home.lake.read_pandas(DEMAND_PLAN, [WEEK])
    wanted = plan.sort_values("quantity", ascending=False).iloc[0]
    rows = plan[(plan["part_id"] == wanted["part_id"]) & (plan["region"] == wanted["region"])]
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address(home, "forecast.html"))
    total = [number(text) for text in page.locator("#demand tbody td:nth-child(4)").all_inner_texts()]
    assert sum(total) == pytest.approx(plan["quantity"].sum(), rel=0.01)

    page.get_by_label("Search").fill(f"{wanted['part_id']} {wanted['region']}")
    page.locator("ul.found a").first.click()
    shows(page, f"^{re.escape(wanted['part_id'])}, {re.escape(wanted['region'])}$")
    picture = page.locator("svg.forecast")
    assert picture.get_attribute("aria-label").startswith(f"{wanted['part_id']}, {wanted['region']}")
    assert picture.locator(".band80").count() == len(rows)
    shown = page.locator("#demand tbody tr").all()
    heading = page.locator("#demand thead th").all_inner_texts()
    planned = [number(r.locator("td").all_inner_texts()[heading.index("Planned for")]) for r in shown]
    assert planned == pytest.approx(rows.sort_values("due_week")["quantity"].tolist(), abs=0.51)
    assert "What drives it: at the level of the last half year" in page.locator("#demand").inner_text()

    # Up to the category, and down to another part of it.
    page.get_by_role("link", name=wanted["part_category"], exact=True).click()
    category = re.escape(wanted["part_category"])
    shows(page, f"^{category}$")
    page.locator("ul.found a").first.click()
    shows(page, f"^{category}, ")
    page.locator("ul.found a").first.click()
    shows(page, "^P")
    assert errors == []


def test_the_costliest_errors_lead_to_their_forecasts(home, page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address(home, "backtest.html"))
    link = page.locator("#groups td a").first
    part = link.inner_text()
    link.click()
    shows(page, f"^{re.escape(part)}, ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
