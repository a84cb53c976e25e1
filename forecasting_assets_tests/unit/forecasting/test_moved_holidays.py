"""Effects of holidays that fall into another week than in earlier years, on demand made with known effects."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.linear_model import OLS

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.forecasting import moved_holidays, sarimax
from forecasting_assets.forecasting.moved_holidays import MovedHolidays
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST

WEEKS, HORIZON = 118, 8
GERMANY = ("DE",)
DAYS = calendar_features([add_weeks(FIRST, week) for week in range(WEEKS + HORIZON)], GERMANY)[
    "holidays"
].to_numpy(float)


def shops(effect, noise=0.05, category="shops", series=20, seed=1, walk=0.0, weeks=WEEKS):
    """Generate demand that a public holiday in a week multiplies by exp(effect)."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(0, walk, weeks)) + rng.normal(0, 0.02, weeks)
    logs = np.log(100.0) + common + rng.normal(0, noise, (series, weeks)) + effect * DAYS[:weeks]
    names = [f"{category}{row}" for row in range(series)]
    return pd.DataFrame(
        {
            "part_id": np.repeat(names, weeks),
            "part_category": category,
            "region": "x",
            "week": np.tile(pd.to_datetime([add_weeks(FIRST, week) for week in range(weeks)]), series),
            "quantity": np.exp(logs).ravel(),
        }
    ).astype({"week": "datetime64[ns]"})


def panel_of(history, weeks=WEEKS):
    return Panel.from_history(history, FIRST, add_weeks(FIRST, weeks - 1))


def fit(history, countries=GERMANY, weeks=WEEKS):
    return MovedHolidays.fit(panel_of(history, weeks), countries)


def forecast(history, countries, weeks):
    week, totals = add_weeks(FIRST, weeks - 1), GroupTotals.from_history(history)
    model = sarimax.fit(history, totals, week, HORIZON, ForecastingSettings(), countries)
    return sarimax.predict(model, history, totals, [week], ForecastingSettings())


def test_the_effect_of_a_day_is_found():
    after, itself, before = fit(shops(-0.2)).by_category["shops"]
    assert itself == pytest.approx(-0.2, abs=0.06)
    assert max(abs(after), abs(before)) < 0.06


@pytest.mark.parametrize("walk", [0.0, 0.03])
def test_demand_without_effect_has_none(walk):
    found = [fit(shops(0.0, seed=seed, walk=walk)) for seed in range(6)]
    assert sum(effect is None for effect in found) >= 3
    assert max([np.abs(effect.overall).max() for effect in found if effect is not None], default=0.0) < 0.05


def test_only_weeks_whose_holidays_moved_have_an_effect():
    history = shops(-0.2)
    effect = fit(history).on(panel_of(history), GroupTotals.from_history(history), WEEKS - 1, HORIZON)
    assert effect.shape == (20, WEEKS + HORIZON)
    assert not effect[:, :52].any()
    near = np.array([DAYS[max(week - 1, 0) : week + 2] for week in range(53, WEEKS - 1)])
    same = (near == np.array([DAYS[week - 53 : week - 50] for week in range(53, WEEKS - 1)])).all(axis=1)
    np.testing.assert_allclose(effect[:, 53 : WEEKS - 1][:, same], 0.0, atol=1e-12)
    moved_in = np.flatnonzero((DAYS[52:WEEKS] > 0) & (DAYS[: WEEKS - 52] == 0)) + 52
    assert len(moved_in) > 0
    assert (effect[:, moved_in] < -0.05).all()


def test_a_category_without_data_of_its_own_has_the_effect_of_all():
    history = shops(-0.2)
    found = fit(history)
    stranger = shops(0.0, category="new", series=1).assign(part_category="new")
    both = pd.concat([history, stranger], ignore_index=True)
    effect = found.on(panel_of(both), GroupTotals.from_history(both), WEEKS - 1, HORIZON)
    np.testing.assert_allclose(found.overall, found.by_category["shops"], atol=0.02)
    np.testing.assert_allclose(effect[0], effect[-1], atol=0.05)


@pytest.mark.parametrize("weeks", [40, 55])
def test_a_history_without_seasons_has_no_effect(weeks):
    assert fit(shops(-0.3, weeks=weeks), weeks=weeks) is None


def test_without_countries_there_is_no_effect():
    assert fit(shops(-0.3), countries=()) is None


def test_the_forecast_follows_a_holiday_that_moves():
    """Easter 2024 is a week earlier than in 2023: both its weeks differ from those of the year before."""
    easter = next(week for week in range(112, WEEKS) if DAYS[week] and not DAYS[week - 52])
    weeks = easter - 2
    history = shops(-0.3)
    known = history[history["week"] <= pd.Timestamp(add_weeks(FIRST, weeks - 1))]
    actual = history[history["week"] == pd.Timestamp(add_weeks(FIRST, easter))]["quantity"].mean()
    error = {}
    for countries in ((), GERMANY):
        table = forecast(known, countries, weeks)
        q50 = table.loc[table["target_week"] == pd.Timestamp(add_weeks(FIRST, easter)), "q50"].mean()
        error[countries] = abs(q50 / actual - 1)
    assert error[GERMANY] < 0.5 * error[()]


def test_saved_and_read_again_the_model_forecasts_the_same():
    history, week = shops(-0.2, series=4), add_weeks(FIRST, WEEKS - 1)
    totals, settings = GroupTotals.from_history(history), ForecastingSettings()
    model = sarimax.fit(history, totals, week, HORIZON, settings, GERMANY)
    assert model.holidays is not None
    read = SarimaxModel.from_dict(model.to_dict())
    before, after = (sarimax.predict(each, history, totals, [week], settings) for each in (model, read))
    pd.testing.assert_frame_equal(before, after)


def test_ridge_is_least_squares_where_the_data_are_plenty():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 3))
    y = x @ [0.5, -0.2, 0.1] + rng.normal(0, 0.05, 400)
    np.testing.assert_allclose(moved_holidays._ridge(x, y, np.zeros(3)), OLS(y, x).fit().params, atol=0.01)


def test_ridge_keeps_the_prior_where_nothing_is_to_be_learned():
    rng = np.random.default_rng(4)
    prior = np.array([0.1, 0.0, 0.0])
    x = rng.normal(size=(60, 3))
    np.testing.assert_array_equal(moved_holidays._ridge(x, x @ prior, prior), prior)
    np.testing.assert_array_equal(moved_holidays._ridge(np.zeros((60, 3)), rng.normal(size=60), prior), prior)
