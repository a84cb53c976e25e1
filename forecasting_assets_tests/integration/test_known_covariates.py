"""Known covariates from planning files to the forecasts of both models, with the real Spark and Dagster."""

import shutil

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.tables import KNOWN_COVARIATES, SARIMAX_MODEL, SERIES, WEEKLY_DEMAND, XGB_MODEL
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets_tests.support.homes import PLANNED, WEEKS, rows

pytestmark = pytest.mark.spark

WEEK, HORIZON = PLANNED[-1], 6
MODELS = "key:sarimax_model or key:xgb_model"


def land_plan(home, parts, region):
    """Land price lists of `parts` in every region, and events of all parts in `region`."""
    rng = np.random.default_rng(3)
    weeks = weeks_between(WEEKS[0], add_weeks(WEEK, HORIZON))
    prices = pd.MultiIndex.from_product([parts, weeks], names=["part_id", "week"]).to_frame(index=False)
    promoted = rng.random(len(prices)) < 0.2
    prices = prices.assign(region="", unit_price=np.where(promoted, 8.0, 10.0), promotion=promoted * 1)
    events = pd.DataFrame(
        {"part_id": "", "region": region, "week": weeks, "fair": rng.integers(0, 2, len(weeks))}
    )
    folder = home.path / "landing" / "planning"
    folder.mkdir(exist_ok=True)
    prices.to_csv(folder / "known_covariates-prices.csv", index=False)
    events.to_csv(folder / "known_covariates-fairs.csv", index=False)


def forecasts(home, week):
    return {table.name: rows(home, table, week) for table in (SARIMAX_MODEL, XGB_MODEL)}


def test_series_with_a_plan_are_forecast_with_it_and_all_others_as_before(home_copy):
    before = forecasts(home_copy, WEEK)
    series = home_copy.lake.read_pandas(WEEKLY_DEMAND, WEEKS, SERIES)[SERIES].drop_duplicates()
    parts, region = sorted(series["part_id"].unique())[:10], sorted(series["region"].unique())[0]
    land_plan(home_copy, parts, region)
    assert materialize(home_copy.settings, WEEKS, "key:known_covariates")
    assert materialize(home_copy.settings, PLANNED[-2:], MODELS)
    after = forecasts(home_copy, WEEK)
    for table, unplanned in before.items():
        planned = unplanned["part_id"].isin(parts) | (unplanned["region"] == region)
        assert 0.2 < planned.mean() < 0.8
        pd.testing.assert_frame_equal(after[table][~planned], unplanned[~planned], rtol=1e-9, obj=table)
        assert (after[table].loc[planned, "mean"] != unplanned.loc[planned, "mean"]).mean() > 0.9, table

    # A week by itself has the same forecasts as in a range, and what is published later changes nothing.
    late = pd.DataFrame({"part_id": parts, "region": "", "week": add_weeks(WEEK, 1), "unit_price": 1e6})
    late = late.assign(published=add_weeks(WEEK, 1))
    late.to_csv(home_copy.path / "landing" / "planning" / "known_covariates-late.csv", index=False)
    assert freshness_of(home_copy.settings).state("known_covariates", WEEK).state == "fresh"
    for name in after:
        shutil.rmtree(home_copy.path / "lake" / name / f"week={WEEK}")
    assert materialize(home_copy.settings, [WEEK], MODELS)
    for table, alone in forecasts(home_copy, WEEK).items():
        pd.testing.assert_frame_equal(alone, after[table], rtol=1e-9, obj=table)
    known = home_copy.lake.read_pandas(KNOWN_COVARIATES, WEEKS)
    assert known["value"].max() == 10
