"""XGBoost with known covariates: only weeks with a plan change, saved models forecast the same, and drivers add up."""

import numpy as np
import pandas as pd
import pytest

from devtools.feature_table import features
from forecasting_assets.forecasting import xgb
from forecasting_assets.forecasting.drivers import COVARIATES, DRIVERS, OTHER, forecast_drivers
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market

SETTINGS, WEEK, HORIZON = ForecastingSettings(), add_weeks(FIRST, 80), 4
DEMAND = market()
TOTALS = GroupTotals.from_history(DEMAND)
FEATURES = features(DEMAND, HORIZON)
NOW = FEATURES[FEATURES["week"] == str(WEEK)]
PLANNED = sorted(DEMAND["part_id"].unique())[::2]


@pytest.fixture(scope="module")
def history():
    """Provide the demand, and of every other part the promotions of all weeks up to two weeks after WEEK."""
    weeks = pd.date_range(pd.Timestamp(FIRST), pd.Timestamp(add_weeks(WEEK, 2)), freq="7D")
    plan = pd.MultiIndex.from_product([PLANNED, weeks], names=["part_id", "week"]).to_frame(index=False)
    promotion = np.random.default_rng(6).integers(0, 2, len(plan)).astype(float)
    known = np.maximum(plan["week"] - pd.Timedelta(weeks=HORIZON), np.datetime64(FIRST))
    plan = plan.assign(region=None, covariate="promotion", value=promotion, known=known)
    return pd.concat([DEMAND, plan], ignore_index=True)


@pytest.fixture(scope="module")
def model(history):
    return xgb.fit(ModelData(FEATURES, history, TOTALS), WEEK, ModelContext(HORIZON, SETTINGS))


def test_weeks_without_a_plan_are_forecast_as_before(model, history):
    before = xgb.predict(
        xgb.fit(ModelData(FEATURES, DEMAND, TOTALS), WEEK, ModelContext(HORIZON, SETTINGS)),
        NOW,
        DEMAND,
        TOTALS,
        SETTINGS,
    )
    after = xgb.predict(model, NOW, history, TOTALS, SETTINGS)
    planned = after["part_id"].isin(PLANNED) & (after["horizon"] <= 2)
    pd.testing.assert_frame_equal(after[~planned], before[~planned])
    assert (after.loc[planned, "q50"] != before.loc[planned, "q50"]).mean() > 0.9
    np.testing.assert_array_equal(after["without_covariates"], before["q50"].where(planned))


def test_a_saved_model_forecasts_the_same_with_covariates(model, history, tmp_path):
    xgb.save(model, tmp_path)
    loaded = xgb.load(tmp_path)
    assert loaded.planned is not None
    assert model.planned is not None
    assert loaded.planned.features == model.planned.features != model.features
    pd.testing.assert_frame_equal(
        xgb.predict(loaded, NOW, history, TOTALS, SETTINGS),
        xgb.predict(model, NOW, history, TOTALS, SETTINGS),
    )


def test_drivers_add_up_to_the_forecast_with_covariates(model, history):
    table = forecast_drivers(model, NOW, history, TOTALS, SETTINGS)
    np.testing.assert_allclose(table["level"] + table[[*DRIVERS, OTHER]].sum(axis=1), table["xgb"])
    mean = xgb.predict(model, NOW, history, TOTALS, SETTINGS).groupby(SERIES)["mean"].sum()
    np.testing.assert_allclose(table["xgb"], mean, rtol=1e-5)
    planned = table["part_id"].isin(PLANNED)
    assert (table.loc[planned, COVARIATES] != 0).mean() > 0.9
    assert (table.loc[~planned, COVARIATES] == 0).all()


def test_no_demand_stays_none_whatever_the_plan(model, history):
    base = model.planned.baseline(history, TOTALS, WEEK, SETTINGS)
    cells = base.cells(NOW, np.full(len(NOW), 2))
    none = np.zeros(len(NOW))
    lowest = base.relative(none, cells)
    np.testing.assert_allclose(base.in_units(lowest, cells), none, atol=1e-9)
    np.testing.assert_allclose(base.in_units(lowest - 1, cells), none, atol=1e-9)
    units = np.arange(1.0, len(NOW) + 1)
    np.testing.assert_allclose(base.in_units(base.relative(units, cells), cells), units, rtol=1e-6)


def test_half_of_the_effect_of_covariates_is_taken_out_and_added_again(model, history):
    base = model.planned.baseline(history, TOTALS, WEEK, SETTINGS)
    cells = base.cells(NOW, np.full(len(NOW), 2))
    effect = base.rolling.regressors.effect[2, cells.series, cells.column + 2]
    assert (effect != 0).any()
    units = np.full(len(cells), 10.0)
    expected = units * np.exp(-base.season_share * cells.of(base.rolling.season) - 0.5 * effect)
    relative = base.relative(units, cells)
    np.testing.assert_allclose(relative, base.usual.relative(expected, cells.series, cells.column))
    np.testing.assert_allclose(base.in_units(relative, cells), units)
