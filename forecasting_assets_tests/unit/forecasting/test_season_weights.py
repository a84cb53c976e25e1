import json

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.rolling import SEASON_PRIOR, SeasonWeights
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST

PRIOR = SEASON_PRIOR / SEASON_PRIOR.sum()
WEEKS, HORIZON = 170, 8


def learned(errors, category):
    return SeasonWeights.fit(np.array(errors, dtype=float), np.array(category, dtype=object))


def test_seasons_that_are_as_good_as_none_keep_their_prior_weights():
    weights = learned(np.ones((3, 40)), ["A"] * 40)
    for category in ("A", "unknown"):
        assert weights.of(np.array([category]))[:, 0] == pytest.approx(PRIOR)


def test_a_season_weighs_less_where_it_forecasts_worse():
    errors = np.ones((3, 80))
    errors[:, :40] = np.array([1.1, 1.2, 0.7])[:, None]
    shared, own, none = learned(errors, ["walks"] * 40 + ["others"] * 40).of(np.array(["walks", "others"]))
    assert none[0] > 0.9
    assert own[0] < shared[0] < PRIOR[0]
    assert none[1] < 0.4


def test_few_series_change_little_and_none_change_nothing():
    errors = np.ones((3, 41))
    errors[:, 0] = [1.5, 1.5, 0.5]
    weights = learned(errors, ["one"] + ["many"] * 40)
    assert np.abs(weights.of(np.array(["many"]))[:, 0] - PRIOR).max() < 0.1
    assert learned(np.full((3, 2), np.nan), ["A", "B"]).of(np.array(["A"]))[:, 0] == pytest.approx(PRIOR)


def test_seasons_without_any_error_have_finite_weights():
    errors = np.zeros((3, 10))
    assert learned(errors, ["A"] * 10).of(np.array(["A"]))[:, 0] == pytest.approx(PRIOR)
    errors[2] = 3.0
    assert learned(errors, ["A"] * 10).of(np.array(["A"]))[2, 0] == pytest.approx(0, abs=1e-9)


def test_saved_weights_are_loaded_as_they_were():
    weights = learned(np.random.default_rng(0).uniform(0.5, 1.5, (3, 30)), ["A", "B", "C"] * 10)
    again = SeasonWeights.from_dict(json.loads(json.dumps(weights.to_dict())))
    categories = np.array(["A", "B", "C", "D"])
    assert again.of(categories).tolist() == weights.of(categories).tolist()


def demand(first_part, category, values):
    """Rows of the demand of some series, (series, weeks)."""
    weeks = pd.to_datetime([add_weeks(FIRST, week) for week in range(values.shape[1])])
    parts = np.char.add(first_part, np.arange(len(values)).astype(str))
    return pd.DataFrame(
        {
            "part_id": np.repeat(parts, values.shape[1]),
            "region": "x",
            "part_category": category,
            "week": np.tile(weeks, len(values)),
            "quantity": values.ravel(),
        }
    )


def test_each_category_learns_whether_it_has_a_season():
    rng = np.random.default_rng(5)
    steps = rng.normal(0, 0.02, (30, WEEKS)) + rng.normal(
        0, 0.03, WEEKS
    )  # prices that move with their market
    walks = 100 * np.exp(np.cumsum(steps, axis=1))
    season = np.exp(0.6 * np.sin(2 * np.pi * np.arange(WEEKS) / 52))
    seasonal = 100 * season * rng.lognormal(0, 0.1, (30, WEEKS))
    past = WEEKS - HORIZON
    history = pd.concat(
        [demand("W", "walks", walks[:, :past]), demand("S", "seasonal", seasonal[:, :past])],
        ignore_index=True,
    )
    totals, settings, week = (
        GroupTotals.from_history(history),
        ForecastingSettings(),
        add_weeks(FIRST, past - 1),
    )
    model = sarimax.fit(history, totals, week, ModelContext(HORIZON, settings))
    _, _, none = model.season_weights.of(np.array(["walks", "seasonal"]))
    assert none[0] > 0.8
    assert none[1] < 0.05

    table = sarimax.predict(model, history, totals, [week], settings)
    q50 = table.pivot(index="part_id", columns="horizon", values="q50")
    names = np.char.add("S", np.arange(30).astype(str))
    error = np.abs(q50.reindex(pd.Index(names)).to_numpy() - seasonal[:, past:]).mean()
    last_year = np.abs(seasonal[:, past - 52 : past - 52 + HORIZON] - seasonal[:, past:]).mean()
    assert error < last_year


def test_a_first_christmas_recurs_although_ordinary_weeks_have_no_season():
    rng, weeks = np.random.default_rng(6), 97
    values = 100 * rng.lognormal(0, 0.2, (40, weeks + HORIZON))
    peak = np.array([49, 50])
    values[:, [*peak, *(peak + 52)]] *= 2
    history = demand("H", "shops", values[:, :weeks])
    totals, settings, week = (
        GroupTotals.from_history(history),
        ForecastingSettings(),
        add_weeks(FIRST, weeks - 1),
    )
    model = sarimax.fit(history, totals, week, ModelContext(HORIZON, settings))
    assert model.season_weights.of(np.array(["shops"]))[2, 0] > 0.8
    q50 = sarimax.predict(model, history, totals, [week], settings).groupby("horizon")["q50"].mean()
    ahead = peak + 52 - weeks + 1
    assert (q50[ahead] > 150).all()
    assert (q50.drop(ahead) < 110).all()
