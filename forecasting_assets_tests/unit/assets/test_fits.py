"""Fits are told from one another by what they learn from."""

from datetime import date

import pandas as pd
import pytest

from forecasting_assets.assets.fits import fit_id
from forecasting_assets.provenance import Record
from forecasting_assets.resources.lake import Lake
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks, weeks_between

FIRST = date(2024, 1, 1)
WEEKS = weeks_between(FIRST, add_weeks(FIRST, 9))
FITTED_AT = WEEKS[-3]


def remember(lake: Lake, week: date, version: str) -> None:
    rows = pd.DataFrame(
        {"part_id": ["P1"], "part_category": ["C"], "region": ["R"], "quantity": [1.0], "unit_price": [1.0]}
    )
    lake.write_pandas(rows.assign(order_count=1), WEEKLY_DEMAND, week)
    lake.write_record(WEEKLY_DEMAND, week, Record(version, data=lake.stamp(WEEKLY_DEMAND, week)))


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {FIRST}\n")
    settings = load_settings(tmp_path)
    for week in WEEKS:
        remember(Lake(path=settings.lake_path), week, f"of {week}")
    return settings


def test_the_same_weeks_and_settings_are_the_same_fit(settings):
    before = fit_id(settings, FITTED_AT)
    remember(Lake(path=settings.lake_path), WEEKS[0], f"of {WEEKS[0]}")  # made anew from the same
    assert fit_id(settings, FITTED_AT) == before


def test_a_week_after_the_fit_makes_no_other_of_it(settings):
    before = fit_id(settings, FITTED_AT)
    remember(Lake(path=settings.lake_path), WEEKS[-2], "corrected")
    assert fit_id(settings, FITTED_AT) == before


@pytest.mark.parametrize("week", [WEEKS[0], FITTED_AT])
def test_a_week_that_changed_makes_another_fit(settings, week):
    before = fit_id(settings, FITTED_AT)
    remember(Lake(path=settings.lake_path), week, "corrected")
    assert fit_id(settings, FITTED_AT) != before


def test_settings_and_the_week_of_the_fit_make_another(settings):
    other = settings.model_copy(update={"forecasting": settings.forecasting.model_copy(update={"seed": 1})})
    assert len({fit_id(settings, FITTED_AT), fit_id(other, FITTED_AT), fit_id(settings, WEEKS[-2])}) == 3
