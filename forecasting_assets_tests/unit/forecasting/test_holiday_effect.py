"""Effects of holidays that fall into another week than in earlier years, on demand made with known effects."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.linear_model import OLS

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.forecasting import holiday_effect, sarimax
from forecasting_assets.forecasting.cleaning import Corrections
from forecasting_assets.forecasting.holiday_effect import HolidayEffect
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.registry import Sarimax
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


def categories_of(history):
    return GroupTotals.from_history(history).groups("part_category", panel_of(history), WEEKS - 1)


def fit(history, countries=GERMANY, weeks=WEEKS):
    return HolidayEffect.fit(panel_of(history, weeks), countries)


def forecast(history, countries, weeks):
    week, totals = add_weeks(FIRST, weeks - 1), GroupTotals.from_history(history)
    model = sarimax.fit(history, totals, week, ModelContext(HORIZON, ForecastingSettings(), countries))
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


def test_the_season_contains_the_holidays_of_the_year_before():
    history = shops(-0.2)
    effect, earlier = fit(history).on(FIRST, categories_of(history), HORIZON)
    assert effect.shape == earlier.shape == (20, WEEKS + HORIZON)
    assert not earlier[:, :52].any()
    second = slice(60, 104)
    np.testing.assert_allclose(
        earlier[:, second], effect[:, second.start - 52 : second.stop - 52], atol=1e-12
    )
    with_holiday, neighbours = DAYS[:WEEKS] > 0, np.convolve(DAYS[:WEEKS], np.ones(3), "same") > 0
    assert (effect[:, :WEEKS][:, with_holiday] < -0.05).all()
    assert not effect[:, 1 : WEEKS - 1][:, ~neighbours[1:-1]].any()


def test_a_new_category_has_the_effect_of_all():
    history = shops(-0.2)
    found = fit(history)
    stranger = shops(0.0, category="new", series=1).assign(part_category="new")
    both = pd.concat([history, stranger], ignore_index=True)
    effect, _ = found.on(FIRST, categories_of(both), HORIZON)
    np.testing.assert_allclose(found.overall, found.by_category["shops"], atol=0.02)
    np.testing.assert_allclose(effect[0], effect[-1], atol=0.05)


def test_a_category_without_effect_does_not_get_that_of_all():
    closed, open_ = shops(-0.3, category="closed"), shops(0.0, noise=0.02, category="open", seed=2)
    both = pd.concat([closed, open_], ignore_index=True)
    found = fit(both)
    assert found.by_category["closed"][1] < -0.2
    assert abs(found.by_category["open"]).max() < 0.05


def test_a_panel_without_series_has_no_effect():
    history = shops(-0.2)
    totals, panel = GroupTotals.from_history(history), panel_of(history.iloc[:0])
    effect, earlier = fit(history).on(FIRST, totals.groups("part_category", panel, WEEKS - 1), HORIZON)
    assert effect.shape == earlier.shape == (0, WEEKS + HORIZON)
    assert fit(history.iloc[:0]) is None


def test_a_country_named_twice_counts_once():
    history = shops(-0.2)
    once, twice = fit(history), fit(history, countries=("DE", "DE"))
    np.testing.assert_array_equal(once.overall, twice.overall)


def test_an_excluded_week_is_not_taken_for_a_holiday():
    history = shops(-0.2, series=1, noise=0.02)
    moved_in = np.flatnonzero((DAYS[52:WEEKS] > 0) & (DAYS[: WEEKS - 52] == 0)) + 52
    panel = panel_of(history)
    excluded = np.zeros_like(panel.demand, dtype=bool)
    excluded[:, moved_in[0]] = True
    corrected = replace(panel, corrections=Corrections(excluded, np.zeros_like(excluded)))
    without, with_it = (HolidayEffect.fit(each, GERMANY) for each in (corrected, panel))
    assert without is not None
    assert with_it is not None
    np.testing.assert_allclose(without.by_category["shops"], with_it.by_category["shops"], atol=0.08)


@pytest.mark.parametrize("weeks", [40, 55])
def test_a_history_without_seasons_has_no_effect(weeks):
    assert fit(shops(-0.3, weeks=weeks), weeks=weeks) is None


def test_without_countries_there_is_no_effect():
    assert fit(shops(-0.3), countries=()) is None


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_the_forecast_follows_a_holiday_that_moves(noise):
    """Easter 2024 is a week earlier than in 2023: both weeks differ from those of the year before."""
    easter = next(week for week in range(112, WEEKS) if DAYS[week] and not DAYS[week - 52])
    weeks = easter - 2
    history = shops(-0.3, noise=noise, series=60)
    known = history[history["week"] <= pd.Timestamp(add_weeks(FIRST, weeks - 1))]
    usual = np.exp(np.log(history["quantity"].to_numpy().reshape(60, -1)).mean(axis=0))
    error = {}
    for countries in ((), GERMANY):
        q50 = forecast(known, countries, weeks).groupby("horizon")["q50"].mean().to_numpy()
        closed = usual[weeks : weeks + HORIZON]
        error[countries] = np.abs(q50[: len(closed)] / closed - 1)
    place = easter - weeks
    assert error[GERMANY][place] < 0.6 * error[()][place]
    assert error[GERMANY].max() < 0.15


def test_a_holiday_that_has_moved_away_is_taken_out_of_the_season():
    """Each series has a strong season of its own, so that no forecast can do without that of last year."""
    rng = np.random.default_rng(7)
    weeks = next(week for week in range(112, len(DAYS)) if DAYS[week - 52] and not DAYS[week]) - 2
    season = 0.6 * np.sin(2 * np.pi * (np.arange(len(DAYS)) / 52 + rng.uniform(0, 1, (60, 1))))
    history = shops(-0.3, series=60)
    history["quantity"] *= np.exp(season[:, :WEEKS]).ravel()
    usual = np.exp(season)[:, weeks : weeks + 4] * 100 * np.exp(-0.3 * DAYS[weeks : weeks + 4])
    known = history[history["week"] <= pd.Timestamp(add_weeks(FIRST, weeks - 1))]
    error = {}
    for countries in ((), GERMANY):
        table = forecast(known, countries, weeks)
        order = pd.Index([f"shops{row}" for row in range(60)])
        q50 = table.pivot(index="part_id", columns="horizon", values="q50").reindex(order).to_numpy()[:, :4]
        error[countries] = np.log(q50 / usual).mean(axis=0)
    moved_away = 2
    assert error[()][moved_away] < -0.08
    assert abs(error[GERMANY][moved_away]) < 0.05


def test_the_models_of_the_platform_use_the_countries_of_the_settings():
    history, week = shops(-0.2, series=4), add_weeks(FIRST, WEEKS - 1)
    data = ModelData(pd.DataFrame(), history, GroupTotals.from_history(history))
    context = ModelContext(HORIZON, ForecastingSettings(), GERMANY)
    fitted = Sarimax().fit(data, week, context)
    assert fitted.holidays is not None
    assert fitted.holidays.countries == GERMANY


def test_saved_and_read_again_the_model_forecasts_the_same():
    history, week = shops(-0.2, series=4), add_weeks(FIRST, WEEKS - 1)
    totals, settings = GroupTotals.from_history(history), ForecastingSettings()
    model = sarimax.fit(history, totals, week, ModelContext(HORIZON, settings, GERMANY))
    assert model.holidays is not None
    read = SarimaxModel.from_dict(json.loads(json.dumps(model.to_dict())))
    before, after = (sarimax.predict(each, history, totals, [week], settings) for each in (model, read))
    pd.testing.assert_frame_equal(before, after)


def test_coefficients_are_those_of_least_squares_where_the_data_are_plenty():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 3))
    y = x @ [0.5, -0.2, 0.1] + rng.normal(0, 0.05, 400)
    coefficients = holiday_effect._shrunk(x, y, np.ones(400, dtype=bool), np.zeros(3))
    np.testing.assert_allclose(coefficients, OLS(y, x).fit().params, atol=0.01)


def test_coefficients_are_the_prior_where_nothing_else_is_to_be_learned():
    rng = np.random.default_rng(4)
    prior, known = np.array([0.1, 0.0, 0.0]), np.ones(60, dtype=bool)
    x = rng.normal(size=(60, 3))
    np.testing.assert_array_equal(holiday_effect._shrunk(x, x @ prior, known, prior), prior)
    np.testing.assert_array_equal(
        holiday_effect._shrunk(x, x @ prior, np.zeros(60, dtype=bool), prior), prior
    )


def test_noise_rarely_has_an_effect():
    """The regressors are those of two and a half years; effects are found in noise in few of 200 cases."""
    counts = holiday_effect._counts(FIRST, 130, ("US", "GB", "DE"))
    x, known = counts[52:] - counts[:-52], np.ones(78, dtype=bool)
    rng = np.random.default_rng(5)
    found = [holiday_effect._shrunk(x, rng.normal(size=78), known, np.zeros(9)).any() for _ in range(200)]
    assert np.mean(found) < 0.06


def test_weeks_on_both_sides_of_a_gap_are_not_successive():
    y, known = np.arange(10.0), np.ones(10, dtype=bool)
    known[4] = False
    _, steps, week = holiday_effect._without_autocorrelation(np.zeros((10, 1)), y, known)
    assert week.tolist() == [1, 2, 3, 6, 7, 8, 9]
    assert np.abs(steps).max() <= 1.0
