"""Known covariates from the planning folder into the lake: which week holds a value, and what is counted as late."""

from datetime import date

from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import KNOWN_COVARIATES
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.covariates import write_covariates

FIRST, WEEK = date(2024, 3, 4), date(2024, 4, 8)


def test_values_published_late_are_counted_and_those_before_the_first_week_are_left_out(tmp_path):
    (tmp_path / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {FIRST}\n")
    settings, lake = load_settings(tmp_path), Lake(path=str(tmp_path / "lake"))
    rows = [
        ("late", add_weeks(WEEK, -3), WEEK),
        ("planned", add_weeks(WEEK, 1), WEEK),
        ("old", add_weeks(FIRST, -1), ""),
        ("older", add_weeks(FIRST, -3), add_weeks(FIRST, -4)),
        ("oldest, published now", add_weeks(FIRST, -3), WEEK),
    ]
    folder = tmp_path / "landing" / "planning"
    folder.mkdir(parents=True)
    text = "".join(f'"{part}",EU,{week},1,{published}\n' for part, week, published in rows)
    (folder / "known_covariates.csv").write_text(f"part_id,region,week,fair,published\n{text}")
    weeks = weeks_between(FIRST, WEEK)
    late = {
        week: result.metadata["values_published_late"]
        for week, result in write_covariates(settings, lake, weeks)
    }
    assert late == dict.fromkeys(weeks, 0) | {WEEK: 1}
    assert list(lake.read_pandas(KNOWN_COVARIATES, weeks)["part_id"]) == ["planned"]
