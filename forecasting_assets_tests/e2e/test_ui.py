"""The Dagster UI, as a planner uses it: a running webserver and daemon, and a real browser."""

import shutil

import dagster as dg
import pytest

from devtools.dev_server import click, dev_server, ended_run
from devtools.servers import wait_until
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets_tests.support.homes import PLANNED, WEEKS

pytestmark = [pytest.mark.e2e, pytest.mark.spark]


@pytest.fixture
def ui(home_copy, tmp_path):
    """The address of `forecasting-assets dev` on the home's copy."""
    with dev_server(home_copy.path, tmp_path) as address:
        yield address


def test_a_week_is_materialized_by_clicking(home_copy, page, ui):
    week = str(WEEKS[-1])
    table = home_copy.path / "lake" / "weekly_demand" / f"week={week}"
    shutil.rmtree(table)

    page.goto(f"{ui}/assets/weekly_demand")
    page.get_by_text("Units wanted in the week of each part in each region").first.wait_for()
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_text("Show all partitions").click()
    weeks = page.get_by_placeholder("ex: ")
    weeks.fill(week)
    weeks.press("Enter")
    page.get_by_role("button", name="Launch 1 run").click()

    wait_until(lambda: (table / "data.parquet").exists(), 180, "the week's demand")
    assert home_copy.lake.rows(WEEKLY_DEMAND, WEEKS[-1]) > 0
    with dg.DagsterInstance.from_config(str(home_copy.path / "dagster")) as instance:

        def newest() -> dg.DagsterRun:
            return instance.get_runs(limit=1)[0]

        wait_until(lambda: newest().is_finished, 120, "the end of the run")
        assert newest().tags["dagster/partition"] == week
        assert newest().status is dg.DagsterRunStatus.SUCCESS
    page.goto(f"{ui}/assets/weekly_demand?view=partitions&partition={week}")
    page.get_by_text("dagster/partition_row_count").first.wait_for()


def test_the_page_of_an_asset_shows_pictures_and_leads_to_the_plan(home_copy, page, ui):
    week = str(PLANNED[-1])
    assert ended_run(ui, click(ui, ["allocation_plan"], week))["status"] == "SUCCESS"
    page.goto(f"{ui}/assets/allocation_plan?view=partitions&partition={week}")
    link = page.locator("a", has_text="plan.html").first
    picture = page.get_by_alt_text("load against capacity").first
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.get_by_text("production_week").first.wait_for()  # of the first rows
    with page.expect_popup() as opened:
        link.click()
    assert opened.value.locator("h1").inner_text().startswith("Capacity plan")
