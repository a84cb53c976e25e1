import numpy as np
import pandas as pd
import pytest

from forecasting_assets.forecasting import xgb
from forecasting_assets.forecasting.cube import FORECAST_COLUMNS, VALUES
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.unit.forecasting.data import FIRST, features, market

HISTORY = market()
FEATURES = features(HISTORY)
SETTINGS = ForecastingSettings()
WEEK = add_weeks(FIRST, 80)
NOW = FEATURES[FEATURES["week"] >= str(WEEK)]


@pytest.fixture(scope="module")
def model():
    return xgb.fit(FEATURES, HISTORY, WEEK, 8, SETTINGS, ("US",))


def test_pairs_have_closed_and_carry_the_demand_that_came():
    pairs = xgb.training_frame(FEATURES, HISTORY, 8, WEEK, 20)
    rows = FEATURES.iloc[pairs.row]
    target = rows["week"] + pd.to_timedelta(7 * pairs.horizon, unit="D")
    assert target.max() == pd.Timestamp(WEEK)
    assert rows["week"].min() == pd.Timestamp(add_weeks(WEEK, -20))
    keys = rows[["part_id", "region"]].assign(week=target.to_numpy())
    came = keys.merge(HISTORY, how="left", on=["part_id", "region", "week"])["quantity"].fillna(0)
    assert np.array_equal(pairs.target, came)
    assert (pairs.target == 0).any()
    per_horizon = [
        FEATURES["week"].between(str(add_weeks(WEEK, -20)), str(add_weeks(WEEK, -h))).sum()
        for h in range(1, 9)
    ]
    assert np.bincount(pairs.horizon)[1:].tolist() == per_horizon


def test_a_sample_does_not_depend_on_the_order_of_rows():
    shuffled = FEATURES.sample(frac=1, random_state=1, ignore_index=True)

    def sampled(table):
        pairs = xgb.training_frame(table, HISTORY, 8, WEEK, 52).sample(300)
        rows = table.iloc[pairs.row][["part_id", "region", "week"]]
        return set(
            zip(rows["part_id"], rows["region"], rows["week"], pairs.horizon, pairs.target, strict=True)
        )

    assert len(sampled(FEATURES)) == 300
    assert sampled(FEATURES) == sampled(shuffled)


def test_a_sample_is_spread_evenly():
    pairs = xgb.training_frame(FEATURES, HISTORY, 8, WEEK, 52)
    share = np.bincount(pairs.sample(2000).horizon) / np.maximum(np.bincount(pairs.horizon), 1)
    np.testing.assert_allclose(share[1:], 2000 / len(pairs), rtol=0.25)


def test_forecasts_are_whole_and_proper(model):
    made = xgb.predict(model, NOW, 8)
    assert list(made.columns) == FORECAST_COLUMNS
    assert len(made) == 8 * len(NOW)
    assert not made.duplicated(["part_id", "region", "origin_week", "horizon"]).any()
    values = made[VALUES].to_numpy()
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values[:, 1:], axis=1) >= 0).all()


def test_an_origin_alone_gives_what_it_gives_among_many(model, monkeypatch):
    many = xgb.predict(model, NOW, 8)
    origin = pd.Timestamp(add_weeks(WEEK, 3))
    alone = xgb.predict(model, NOW[NOW["week"] == origin].sample(frac=1, random_state=0), 8)
    pd.testing.assert_frame_equal(alone, many[many["origin_week"] == origin].reset_index(drop=True))
    monkeypatch.setattr(xgb, "CHUNK_ROWS", 24)
    pd.testing.assert_frame_equal(xgb.predict(model, NOW, 8), many)


def test_a_fit_is_repeatable_and_blind_to_the_future_and_the_order_of_rows(model):
    late = FEATURES["week"] >= str(WEEK)
    poisoned = FEATURES.assign(quantity=FEATURES["quantity"].where(~late, 1e9)).sample(frac=1, random_state=2)
    future = HISTORY.assign(quantity=HISTORY["quantity"].where(HISTORY["week"] <= str(WEEK), 1e9))
    again = xgb.fit(poisoned, future.sample(frac=1, random_state=3), WEEK, 8, SETTINGS, ("US",))
    pd.testing.assert_frame_equal(xgb.predict(again, NOW, 8), xgb.predict(model, NOW, 8))


def test_a_saved_model_forecasts_the_same(model, tmp_path):
    xgb.save(model, tmp_path / "model")
    assert sorted(f.name for f in (tmp_path / "model").iterdir()) == [
        "mean.ubj",
        "model.json",
        "quantiles.ubj",
    ]
    loaded = xgb.load(tmp_path / "model")
    assert (loaded.week, loaded.countries, loaded.rows) == (model.week, model.countries, model.rows)
    pd.testing.assert_frame_equal(xgb.predict(loaded, NOW, 8), xgb.predict(model, NOW, 8))


def test_a_model_of_other_features_is_refused(model, tmp_path):
    xgb.save(model, tmp_path)
    description = tmp_path / "model.json"
    description.write_text(description.read_text().replace('"adi"', '"other"'))
    with pytest.raises(ValueError, match=r"adi.*other.*fit the model again"):
        xgb.load(tmp_path)


def test_last_year_is_the_target_week_52_weeks_before():
    rows = FEATURES[FEATURES["week"] == str(WEEK)]
    repeated = rows.iloc[np.repeat(np.arange(len(rows)), 8)]
    horizon = np.tile(np.arange(1, 9), len(rows))
    x = xgb.design(repeated, horizon, {c: [] for c in xgb.CATEGORIES}, ())
    last_year = x[:, xgb.FEATURES.index("last_year")] * xgb.order_size(repeated)
    week = repeated["week"] + pd.to_timedelta(7 * (horizon - 52), unit="D")
    keys = repeated[["part_id", "region"]].assign(week=week)
    came = keys.merge(HISTORY, how="left", on=["part_id", "region", "week"])["quantity"].fillna(0).to_numpy()
    existed = ~np.isnan(last_year)
    assert existed.any()
    assert (~existed).any()
    np.testing.assert_allclose(last_year[existed], came[existed], rtol=1e-5)


def test_a_larger_series_of_the_same_shape_has_forecasts_as_much_larger(model):
    units = ["quantity", *[c for c in NOW if c.startswith(("lag_", "mean_", "std_"))]]
    units += ["category_quantity", "category_mean_13", "region_quantity", "region_mean_13"]
    x = [
        xgb.design(t, np.ones(len(t), int), model.categories, ())
        for t in (NOW, NOW.assign(**NOW[units] * 1000))
    ]
    others = [i for i, f in enumerate(xgb.FEATURES) if f != "log_order_size"]
    np.testing.assert_allclose(x[0][:, others], x[1][:, others], rtol=1e-5)


def test_too_little_history_is_said():
    early = FEATURES[FEATURES["week"] <= str(add_weeks(FIRST, 1))]
    with pytest.raises(xgb.NotEnoughHistory, match=r"\d+ closed pairs .* 500 are needed"):
        xgb.fit(early, HISTORY, add_weeks(FIRST, 1), 8, SETTINGS)
    with pytest.raises(xgb.NotEnoughHistory, match="0 closed pairs"):
        xgb.fit(FEATURES[:0], HISTORY[:0], FIRST, 8, SETTINGS)


def test_no_living_series_no_forecasts(model):
    made = xgb.predict(model, NOW[:0], 8)
    assert list(made.columns) == FORECAST_COLUMNS
    assert made.empty


def test_importance_is_a_share_of_each_model(model):
    table = xgb.importance(model)
    assert set(table["feature"]) <= set(xgb.FEATURES)
    np.testing.assert_allclose(table.groupby("model")["gain"].sum(), 1.0)
