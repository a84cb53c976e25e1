"""`forecasting-assets show`: the forecast of one part, in the terminal and as a page."""

import json
import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from forecasting_assets.cli import main
from forecasting_assets.lake.lake import Lake
from forecasting_assets.tables import DEMAND_PLAN, XGB_MODEL
from forecasting_assets.workflows import forecast_page
from forecasting_assets.workflows.demand import plan_demand_of_week
from forecasting_assets.workflows.forecast_page import UnknownSeriesError, show_part
from forecasting_assets_tests.support.homes import PLANNED

pytestmark = pytest.mark.spark

WEEK = PLANNED[-1]


@pytest.fixture
def largest(home_copy, monkeypatch):
    """Return the part with the largest demand, on a copy of the home."""
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    plan = home_copy.lake.read_pandas(DEMAND_PLAN, [WEEK])
    return plan, plan.groupby("part_id")["quantity"].sum().idxmax()


def test_all_regions_of_a_part_are_shown(largest, capsys):
    plan, part = largest
    assert main(["show", part]) == 0
    out = capsys.readouterr().out
    regions = plan.loc[plan["part_id"] == part, "region"].unique()
    for region in regions:
        assert f"{part}, {region}: forecast after the week {WEEK}" in out
    assert out.count("What drives it: at the level of the last half year") == len(regions)
    assert len(re.findall(r"^20\d\d-\d\d-\d\d ", out, re.MULTILINE)) == 6 * len(regions)
    page = Path(out.rsplit("Picture and table: ")[1].strip())
    assert page.parent.name == f"week={WEEK}"
    assert f"Forecast of {part}" in page.read_text()


def test_one_region_as_json_has_the_numbers_of_the_plan(largest, capsys):
    plan, part = largest
    region = plan.loc[plan["part_id"] == part, "region"].iloc[0]
    assert main(["show", part, "--region", region, "--week", str(WEEK), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    rows = plan[(plan["part_id"] == part) & (plan["region"] == region)].sort_values("due_week")
    (series,) = shown["series"]
    assert series["region"] == region
    assert series["mean"] == pytest.approx(rows["statistical"].tolist())
    assert series["planned"] == pytest.approx(rows["quantity"].tolist())


def test_drivers_add_up_to_what_the_model_forecast(home, largest):
    _, part = largest
    lake = Lake(home.lake.path)
    shown = show_part(home.settings, lake, part, week=WEEK).tables.drivers
    made = lake.read_pandas(XGB_MODEL, [WEEK])
    made = made[made["part_id"] == part].groupby("region")["mean"].sum()
    found = shown.set_index("region")["xgb"]
    # Units booked already are a lower limit of what the model forecasts.
    assert (found <= made * (1 + 1e-5)).all()
    assert (found / made).median() > 0.8


def test_names_that_are_not_known_are_named_with_what_may_be_meant(largest, home, capsys):
    _, part = largest
    assert main(["show", f"{part}x"]) == 2
    assert part in capsys.readouterr().err
    with pytest.raises(UnknownSeriesError) as raised:
        show_part(home.settings, home.lake, part, "Atlantis")
    assert (raised.value.part, raised.value.region, raised.value.week) == (part, "Atlantis", WEEK)
    assert main(["show", part, "--week", "2001-01-01"]) == 2
    assert "demand_plan" in capsys.readouterr().err


def test_a_demand_plan_does_not_wait_for_weeks_that_only_its_page_shows(home_copy):
    earlier = home_copy.path / "lake" / "demand_forecast" / f"week={PLANNED[-2]}" / "data.parquet"
    earlier.write_bytes(b"damaged")
    result = plan_demand_of_week(home_copy.settings, home_copy.lake, WEEK)
    assert result.rows == home_copy.lake.rows(DEMAND_PLAN, WEEK)
    assert result.report is None
    assert str(PLANNED[-2]) in result.warnings[0]


def test_a_page_without_a_model_says_why_no_forecast_is_explained(home_copy, monkeypatch):
    monkeypatch.setattr(forecast_page, "week_model_files", lambda *arguments: nullcontext(None))
    result = plan_demand_of_week(home_copy.settings, home_copy.lake, WEEK)
    assert result.report
    assert "MLflow has no XGBoost model of this week" in result.warnings[0]
    assert "MLflow has no XGBoost model of this week" in Path(result.report).read_text()
