import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.statespace.sarimax import SARIMAX

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.cube import FORECAST_COLUMNS, VALUES
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks, refit_week
from forecasting_assets_tests.unit.forecasting.data import FIRST, market

SETTINGS = ForecastingSettings()
HISTORY = market()
ORIGINS = [add_weeks(FIRST, w) for w in range(68, 90)]
KEYS = ["part_id", "region", "origin_week", "horizon"]


@pytest.fixture(scope="module")
def forecasts():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sarimax.forecast(HISTORY, ORIGINS, 8, SETTINGS)


def same(one, other):
    one, other = (t.sort_values(KEYS, ignore_index=True) for t in (one, other))
    pd.testing.assert_frame_equal(one[KEYS], other[KEYS])
    np.testing.assert_allclose(one[VALUES], other[VALUES], rtol=1e-9, atol=1e-12)
    assert one["method"].equals(other["method"])


def test_every_living_series_has_every_horizon_and_proper_values(forecasts):
    assert list(forecasts.columns) == [*FORECAST_COLUMNS, "method", "params"]
    for origin in ORIGINS:
        known = HISTORY[HISTORY["week"] <= str(origin)]
        recent = known[known["week"] > str(add_weeks(origin, -52))]
        made = forecasts[forecasts["origin_week"] == str(origin)]
        assert len(made) == 8 * recent.groupby(["part_id", "region"]).ngroups
    assert not forecasts.duplicated(KEYS).any()
    values = forecasts[VALUES].to_numpy()
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values[:, 1:], axis=1) >= 0).all()


def test_methods_say_how_a_series_was_forecast(forecasts):
    assert set(forecasts["method"]) == {"sarimax", "smoothing_short", "smoothing_sparse"}
    fitted = (forecasts["method"] == "sarimax") & (forecasts["horizon"] == 1)
    assert forecasts["params"].notna().equals(fitted)
    assert forecasts.loc[fitted, "params"].map(len).eq(len(sarimax.PARAMETERS)).all()


def test_a_week_alone_gives_what_it_gives_in_a_range(forecasts):
    for origin in (ORIGINS[3], ORIGINS[-1]):
        known = HISTORY[HISTORY["week"] <= str(origin)].sample(frac=1, random_state=0)
        same(
            sarimax.forecast(known, [origin], 8, SETTINGS), forecasts[forecasts["origin_week"] == str(origin)]
        )


def test_history_before_its_window_does_not_matter(forecasts):
    settings = ForecastingSettings(history_weeks=78)
    origin = ORIGINS[-1]
    begin = add_weeks(refit_week(origin, settings.sarimax_refit_weeks), 1 - settings.history_weeks)
    assert HISTORY["week"].min() < pd.Timestamp(begin)
    cut = HISTORY[HISTORY["week"] >= str(begin)]
    same(sarimax.forecast(cut, [origin], 8, settings), sarimax.forecast(HISTORY, [origin], 8, settings))


def test_nothing_after_the_origin_changes_a_forecast(forecasts):
    origin = ORIGINS[4]
    poisoned = HISTORY.assign(quantity=HISTORY["quantity"].where(HISTORY["week"] <= str(origin), 1e6))
    made = sarimax.forecast(poisoned, ORIGINS, 8, SETTINGS)
    for part in (made, forecasts):
        assert (part["origin_week"] > str(origin)).any()
    same(made[made["origin_week"] <= str(origin)], forecasts[forecasts["origin_week"] <= str(origin)])


def test_each_series_stands_alone(forecasts):
    one = HISTORY[(HISTORY["part_id"] == "P02") & (HISTORY["region"] == "R0")]
    made = forecasts[(forecasts["part_id"] == "P02") & (forecasts["region"] == "R0")]
    same(sarimax.forecast(one, ORIGINS, 8, SETTINGS), made)


def test_parameters_written_as_parquet_and_history_give_the_forecasts_again(forecasts, tmp_path):
    origin = ORIGINS[-1]
    made = forecasts[forecasts["origin_week"] == str(origin)]
    params = made.loc[made["horizon"] == 1, ["part_id", "region", "method", "params"]]
    params.to_parquet(tmp_path / "params.parquet", index=False)
    read = pd.read_parquet(tmp_path / "params.parquet")
    week = refit_week(origin, SETTINGS.sarimax_refit_weeks)
    same(sarimax.predict(read, HISTORY, week, [origin], 8, SETTINGS), made)


def test_forecasts_are_those_of_statsmodels(forecasts):
    """The state and its powers against get_forecast of the same model, without Fourier pairs."""
    settings = ForecastingSettings(fourier_pairs=0)
    one = HISTORY[(HISTORY["part_id"] == "P00") & (HISTORY["region"] == "R0")]
    origin = ORIGINS[-1]
    made = sarimax.forecast(one, [origin], 8, settings)
    ar, ma, sigma2, scale, centre, pairs = made["params"].iloc[0]
    assert pairs == 0
    weeks = pd.date_range(one["week"].min(), str(origin), freq="7D")
    demand = one.set_index("week")["quantity"].reindex(weeks).fillna(0.0).to_numpy()
    endog = np.log1p(sarimax.LOG_GAIN * demand / scale) - centre
    # The level as a regressor with a wide prior is its generalised least squares estimate.
    generalised = SARIMAX(endog, exog=np.ones(len(endog)), order=(1, 0, 1), mle_regression=False)
    forecast = generalised.filter([ar, ma, sigma2]).get_forecast(8, exog=np.ones((8, 1)))
    median = np.expm1(forecast.predicted_mean + centre) * scale / sarimax.LOG_GAIN
    np.testing.assert_allclose(made["q50"], median, rtol=1e-4)
    upper = forecast.predicted_mean + 1.6448536 * np.sqrt(forecast.var_pred_mean)
    np.testing.assert_allclose(made["q95"], np.expm1(upper + centre) * scale / sarimax.LOG_GAIN, rtol=1e-3)


def test_a_series_that_cannot_be_fitted_is_smoothed_and_says_so():
    weeks = [pd.Timestamp(add_weeks(FIRST, w)) for w in range(60)]
    constant = pd.DataFrame({"part_id": "A", "region": "x", "week": weeks, "quantity": 4.0})
    made = sarimax.forecast(constant, [weeks[-1].date()], 8, SETTINGS)
    assert set(made["method"]) == {"smoothing_failed"}
    np.testing.assert_allclose(made["q50"], 4.0, rtol=0.05)


def test_the_first_weeks_and_a_week_without_living_series():
    first = sarimax.forecast(HISTORY, [add_weeks(FIRST, w) for w in range(3)], 8, SETTINGS)
    assert set(first["method"]) == {"smoothing_short"}
    for week in (add_weeks(FIRST, -5), add_weeks(FIRST, 90 + 53)):
        nothing = sarimax.forecast(HISTORY, [week], 8, SETTINGS)
        assert list(nothing.columns) == [*FORECAST_COLUMNS, "method", "params"]
        assert nothing.empty


def test_a_season_and_an_autoregression_are_found():
    rng = np.random.default_rng(3)
    t = np.arange(164)
    error = np.zeros(len(t))
    for i in range(1, len(t)):
        error[i] = 0.8 * error[i - 1] + rng.normal(0, 0.05)
    demand = 200 * np.exp(0.5 * np.sin(2 * np.pi * t / 52.18) + error)
    weeks = [pd.Timestamp(add_weeks(FIRST, int(w))) for w in t]
    history = pd.DataFrame({"part_id": "A", "region": "x", "week": weeks, "quantity": demand})
    origin = weeks[155].date()
    made = sarimax.forecast(history[:156], [origin], 8, SETTINGS)
    ours = np.abs(made["q50"].to_numpy() - demand[156:]).mean()
    assert ours < 0.7 * np.abs(demand[155] - demand[156:]).mean()


def test_a_random_walk_is_not_beaten_by_more_than_noise():
    rng = np.random.default_rng(4)
    walks = 1000 * np.exp(np.cumsum(rng.normal(0, 0.05, (30, 112)), axis=1))
    weeks = [pd.Timestamp(add_weeks(FIRST, w)) for w in range(112)]
    history = pd.concat(
        pd.DataFrame({"part_id": f"P{i:02}", "region": "x", "week": weeks, "quantity": walk})
        for i, walk in enumerate(walks)
    )
    made = sarimax.forecast(history, [weeks[103].date()], 8, ForecastingSettings(sarimax_refit_weeks=26))
    ours = np.abs(made["q50"].to_numpy().reshape(30, 8) - walks[:, 104:]).sum()
    last = np.abs(walks[:, [103]] - walks[:, 104:]).sum()
    assert ours > 0.9 * last
