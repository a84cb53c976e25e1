"""Series that have just begun: what they borrow from like series, and that it helps where it is used."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.cleaning import Corrections
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.young import YOUNG_WEEKS, YoungLevels, like_weight
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST

WEEKS = 100
LAST = add_weeks(FIRST, WEEKS - 1)
BEGUN = WEEKS - 2


def history_of(spread: float, series: int = 80) -> pd.DataFrame:
    """Generate noisy series whose means differ by a factor of about exp(`spread`); half begin late, some at BEGUN."""
    rng = np.random.default_rng(4)
    mean = 40 * np.exp(spread * rng.standard_normal(series))
    begun = np.where(np.arange(series) % 2, rng.integers(20, 80, series), 0)
    begun[::8] = BEGUN
    demand = rng.poisson(mean[:, None] * rng.gamma(0.5, 2.0, (series, WEEKS)))
    demand = np.where(np.arange(WEEKS) < begun[:, None], 0, demand)
    demand[np.arange(series), begun] += 1
    row, week = np.nonzero(demand)
    return pd.DataFrame(
        {
            "part_id": [f"P{i:03}" for i in row],
            "region": "EU",
            "part_category": "C",
            "week": pd.to_datetime([add_weeks(FIRST, int(w)) for w in week]),
            "quantity": demand[row, week].astype(float),
        }
    )


def panel_of(history: pd.DataFrame) -> Panel:
    return Panel.from_history(history, FIRST, LAST)


def test_like_series_count_where_series_are_alike_and_not_where_they_differ():
    alike, different = (YoungLevels.fit(panel_of(history_of(spread))) for spread in (0.3, 4.0))
    assert alike
    assert alike.worth >= 2
    assert different is None or different.worth < alike.worth
    assert YoungLevels.fit(panel_of(history_of(0.3, series=20))) is None


@given(st.integers(1, 30), st.floats(0, 8))
@settings(max_examples=50, deadline=None)
def test_the_weight_of_like_series_falls_to_none_with_age(age, worth):
    weights = like_weight(np.arange(1, 31), worth)
    assert ((weights >= 0) & (weights < 1)).all()
    assert (np.diff(weights) <= 0).all()
    assert weights[age - 1] == 0 or age <= YOUNG_WEEKS


def test_the_level_moves_from_that_of_like_series_to_its_own():
    history = history_of(0.3)
    panel = panel_of(history)
    factors = YoungLevels(2.0, {"C": {"EU": 30.0}}).factors(panel, WEEKS - 1)
    own = panel.demand[0, BEGUN:].cumsum() / [1, 2]
    weight = np.array([2 / 3, 2 / 4 * (1 - 1 / YOUNG_WEEKS)])
    np.testing.assert_allclose(factors[0, BEGUN:] * own, weight * 30 + (1 - weight) * own)
    old = np.arange(WEEKS) - panel.first_order[:, None] >= YOUNG_WEEKS
    assert (factors[old] == 1).all()
    # Neither later weeks nor another category count.
    shorter = Panel.from_history(history, FIRST, add_weeks(FIRST, BEGUN))
    levels = YoungLevels(2.0, {"C": {"EU": 30.0}})
    np.testing.assert_array_equal(levels.factors(shorter, BEGUN), factors[:, : BEGUN + 1])
    assert (YoungLevels(2.0, {"D": {"EU": 30.0}}).factors(panel, WEEKS - 1) == 1).all()


def test_excluded_weeks_of_a_young_series_do_not_count():
    panel = panel_of(history_of(0.3))
    demand, excluded = panel.demand.copy(), np.zeros(panel.demand.shape, dtype=bool)
    demand[0], demand[0, BEGUN - 3 : BEGUN + 1] = 0.0, [30.0, 0.0, 0.0, 30.0]
    excluded[0, BEGUN - 2 : BEGUN] = True
    corrections = Corrections(excluded, np.zeros_like(excluded))
    levels = YoungLevels(2.0, {"C": {"EU": 30.0}})
    factors = levels.factors(replace(panel, demand=demand, corrections=corrections), WEEKS - 1)
    np.testing.assert_allclose(factors[0, BEGUN - 3 : BEGUN + 1], 1.0)


def test_an_absurd_quantity_changes_no_level_that_others_borrow():
    history = history_of(0.3)
    usual = YoungLevels.fit(panel_of(history))
    old = history["part_id"] == history.sort_values("week")["part_id"].iloc[0]
    newest = history["week"] == history.loc[old, "week"].max()
    absurd = history.assign(quantity=history["quantity"].mask(old & newest, 2e9))
    found = YoungLevels.fit(panel_of(absurd))
    assert usual
    assert found
    assert found.levels["C"]["EU"] == pytest.approx(usual.levels["C"]["EU"], rel=0.05)


def test_new_series_are_forecast_better_with_what_they_borrow():
    history, forecasting = history_of(0.3), ForecastingSettings()
    totals = GroupTotals.from_history(history)
    model = sarimax.fit(history, totals, LAST, ModelContext(4, forecasting))
    assert model.young
    assert sarimax.SarimaxModel.from_dict(model.to_dict()).young == model.young
    rolling = sarimax.rolling_forecasts(model, panel_of(history), totals)
    borrowed = sarimax.distributions(model, rolling, np.array([WEEKS - 1]))[::8, 0, :, 0].mean(axis=1)
    without = sarimax.predict(
        sarimax.SarimaxModel(**{**vars(model), "young": None}), history, totals, [LAST], forecasting
    )
    begun = without[without["part_id"].isin([f"P{i:03}" for i in range(0, 80, 8)])]
    alone = begun.groupby("part_id")["mean"].mean().to_numpy()
    expected = 40 * np.exp(0.3 * np.random.default_rng(4).standard_normal(80))[::8]
    assert np.abs(borrowed - expected).sum() < 0.8 * np.abs(alone - expected).sum()
