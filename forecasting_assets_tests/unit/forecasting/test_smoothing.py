import numpy as np
import pandas as pd
import pytest

from forecasting_assets.forecasting import smoothing
from forecasting_assets.forecasting.cube import VALUES
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.unit.forecasting.data import FIRST, market


def panel(*rows):
    demand = np.array(rows, dtype=float)
    series = pd.DataFrame({"part_id": [f"P{i}" for i in range(len(rows))], "region": "x"})
    return Panel(series, FIRST, demand)


def test_steady_demand_is_forecast_as_it_is():
    values = smoothing.smooth(panel([5.0] * 150), np.array([149]))[0, 0]
    assert values[0] == pytest.approx(5, rel=0.02)
    assert values[VALUES.index("q50")] == pytest.approx(5, rel=0.02)


def test_the_chance_of_an_order_is_its_share_of_weeks_and_decays_when_orders_stop():
    every_fourth = [8.0 if t % 4 == 0 else 0.0 for t in range(150)]
    values = smoothing.smooth(panel(every_fourth + [0.0] * 40), np.array([149, 189]))[0]
    assert values[0, 0] == pytest.approx(2.0, rel=0.15)
    assert values[0, VALUES.index("q50")] == 0
    assert values[0, VALUES.index("q90")] > 7
    assert values[1, 0] < 0.3 * values[0, 0]


def test_a_series_of_one_order_is_no_certain_weekly_demand():
    values = smoothing.smooth(panel([0.0, 0.0, 10.0]), np.array([1, 2]))[0]
    assert np.isnan(values[0]).all()
    assert values[1, 0] == pytest.approx(5.0)


def test_quantiles_have_the_probability_they_name():
    rng = np.random.default_rng(1)
    sizes = rng.lognormal(2, 0.8, (400, 160)) * (rng.random((400, 160)) < 0.6)
    known = smoothing.smooth(panel(*sizes[:, :152]), np.array([151]))[:, 0]
    future = sizes[:, 152:]
    for name, level in (("q50", 0.5), ("q75", 0.75), ("q90", 0.9), ("q95", 0.95)):
        assert (future <= known[:, [VALUES.index(name)]]).mean() == pytest.approx(level, abs=0.03)


def test_forecast_covers_every_living_series_and_knows_nothing_after_the_origin():
    history, origin = market(), add_weeks(FIRST, 60)
    made = smoothing.forecast(history, origin, 8, 156)
    poisoned = history.assign(quantity=history["quantity"].where(history["week"] <= str(origin), 1e6))
    pd.testing.assert_frame_equal(made, smoothing.forecast(poisoned, origin, 8, 156))
    alive = history[history["week"] <= str(origin)].groupby(["part_id", "region"]).ngroups
    assert len(made) == alive * 8


def test_a_week_before_all_orders_has_no_forecasts():
    assert smoothing.forecast(market(), add_weeks(FIRST, -2), 8, 156).empty
