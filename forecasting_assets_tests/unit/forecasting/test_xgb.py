import numpy as np
import pandas as pd
import pytest

from devtools.feature_table import features
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.drivers import COVARIATES, DRIVERS, OTHER, forecast_drivers
from forecasting_assets.forecasting.forecast_arrays import FORECAST_COLUMNS, VALUES
from forecasting_assets.forecasting.model import ModelContext, ModelData, NotEnoughHistory
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb import baseline, prediction, training
from forecasting_assets.forecasting.xgb.baseline import SEASON_SHARE
from forecasting_assets.forecasting.xgb.design import EARLIER_YEARS
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market, table_of

HISTORY = market()
TOTALS = GroupTotals.from_history(HISTORY)
FEATURES = features(HISTORY)
DATA = ModelData(FEATURES, HISTORY, TOTALS)
SETTINGS = ForecastingSettings()
WITH_HOLIDAYS = ModelContext(8, SETTINGS, ("US",))
CONTEXT = ModelContext(8, SETTINGS)
WEEK = add_weeks(FIRST, 80)
NOW = FEATURES[FEATURES["week"] >= str(WEEK)]


@pytest.fixture(scope="module")
def model():
    return xgb.fit(DATA, WEEK, WITH_HOLIDAYS)


@pytest.fixture(scope="module")
def base():
    """Return the SARIMAX forecasts of every series as known at WEEK."""
    fitted = sarimax.fit(HISTORY, TOTALS, WEEK, CONTEXT)
    return xgb.Baseline.from_history(fitted, HISTORY, TOTALS, WEEK, SETTINGS, with_earlier_years=True)


def predict(model, rows=NOW):
    return xgb.predict(model, rows, HISTORY, TOTALS, SETTINGS)


def before_week(table):
    return table[table["week"] < str(WEEK)]


def test_pairs_have_closed(base):
    rows = before_week(FEATURES)
    pairs = xgb.closed_pairs(rows, base)
    target = rows["week"].iloc[pairs.row] + pd.to_timedelta(7 * pairs.horizon, unit="D")
    assert target.max() == pd.Timestamp(WEEK)
    column = (target - pd.Timestamp(base.panel.first)) // pd.Timedelta(days=7)
    np.testing.assert_array_equal(pairs.target, column)
    per_horizon = [(rows["week"] <= str(add_weeks(WEEK, -h))).sum() for h in range(1, 9)]
    assert np.bincount(pairs.horizon)[1:].tolist() == per_horizon


def test_a_sample_does_not_depend_on_the_order_of_rows(base):
    rows = before_week(FEATURES)
    shuffled = rows.sample(frac=1, random_state=1, ignore_index=True)

    def sampled(table):
        pairs = xgb.closed_pairs(table, base).sample(300)
        drawn = table.iloc[pairs.row][["part_id", "region", "week"]]
        return set(zip(drawn["part_id"], drawn["region"], drawn["week"], pairs.horizon, strict=True))

    assert len(sampled(rows)) == 300
    assert sampled(rows) == sampled(shuffled)


def test_a_sample_is_distributed_evenly(base):
    pairs = xgb.closed_pairs(before_week(FEATURES), base)
    share = np.bincount(pairs.sample(1000).horizon) / np.maximum(np.bincount(pairs.horizon), 1)
    np.testing.assert_allclose(share[1:], 1000 / len(pairs), rtol=0.25)


@pytest.mark.parametrize("season_weeks", [10, 104])
def test_training_rows_of_the_mean_are_the_same_in_chunks(monkeypatch, season_weeks):
    """The chunks are those of Spark tasks: whole parts, each chunk with its own baseline."""
    monkeypatch.setattr(baseline, "KNOWN_SEASON_WEEKS", season_weeks)
    settings = ForecastingSettings(fit_series=100, xgb_max_rows=2000)
    plan, base = xgb.plan_training(DATA, WEEK, ModelContext(8, settings))
    whole = plan.mean_rows(FEATURES, base, settings)
    assert len(whole.rank) == plan.rows == 2000
    assert plan.with_earlier_years == (season_weeks == 10)
    pieces = []
    for parts in (plan.parts[::2], plan.parts[1::2]):
        history, rows = (table[table["part_id"].isin(parts)] for table in (HISTORY, FEATURES))
        pieces.append(plan.mean_rows(rows, plan.baseline(history, TOTALS, settings), settings))
    for name in ("x", "target", "weight", "rank"):
        of_all, of_pieces = getattr(whole, name), np.concatenate([getattr(p, name) for p in pieces])
        order = np.argsort(np.concatenate([p.rank for p in pieces]))
        np.testing.assert_allclose(of_pieces[order], of_all[np.argsort(whole.rank)], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("enough", [True, False])
def test_where_enough_weeks_have_a_season_no_others_are_trained_on(monkeypatch, enough):
    pairs_with_season = 1000
    monkeypatch.setattr(training, "MIN_SEASON_PAIRS", pairs_with_season if enough else 10**6)
    plan, base = xgb.plan_training(DATA, WEEK, CONTEXT)
    pairs = xgb.closed_pairs(before_week(FEATURES), base, plan.with_season)
    series, column = base.locate(before_week(FEATURES))
    season = base.rolling.season[series[pairs.row], column[pairs.row], pairs.horizon - 1]
    assert len(pairs) == plan.rows > pairs_with_season
    assert (season != 0).all() == enough


@pytest.mark.parametrize("weeks", [90, 200])
def test_earlier_years_are_features_after_a_long_history_whatever_is_trained_on(weeks):
    history = market(weeks, series=4)
    data = ModelData(features(history), history, GroupTotals.from_history(history))
    settings = ForecastingSettings(xgb_train_weeks=26)
    plan, _ = xgb.plan_training(data, add_weeks(FIRST, weeks - 1), ModelContext(8, settings))
    assert plan.with_earlier_years == (weeks == 200)


@pytest.fixture(scope="module")
def model_with_earlier_years():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baseline, "KNOWN_SEASON_WEEKS", 10)
        return xgb.fit(DATA, WEEK, WITH_HOLIDAYS)


def test_earlier_years_are_used_and_half_of_the_season_is_left_to_the_trees(model, model_with_earlier_years):
    used = [set(xgb.importance(of)["feature"]) for of in (model, model_with_earlier_years)]
    assert used[0].isdisjoint(EARLIER_YEARS)
    assert set(EARLIER_YEARS[:2]) <= used[1]
    without, with_years = (
        of.baseline(HISTORY, TOTALS, WEEK, SETTINGS) for of in (model, model_with_earlier_years)
    )
    season = without.rolling.season[:, :-1, 0]
    known = np.isfinite(without.usual.demand[:, 1:]) & (without.usual.demand[:, 1:] > 0) & (season != 0)
    ratio = with_years.usual.demand[:, 1:][known] / without.usual.demand[:, 1:][known]
    assert known.sum() > 100
    np.testing.assert_allclose(np.log(ratio), (1 - SEASON_SHARE) * season[known])


def test_a_model_with_earlier_years_is_loaded_as_it_was_saved(model_with_earlier_years, tmp_path):
    xgb.save(model_with_earlier_years, tmp_path)
    predicted = predict(model_with_earlier_years)
    pd.testing.assert_frame_equal(predict(xgb.load(tmp_path)), predicted, rtol=0, atol=0)


def test_the_share_of_the_season_that_is_taken_out_is_a_driver(model_with_earlier_years):
    now = NOW[NOW["week"] == str(WEEK)]
    drivers = forecast_drivers(model_with_earlier_years, now, HISTORY, TOTALS, SETTINGS)
    forecast = predict(model_with_earlier_years, now).groupby(["part_id", "region"])["mean"].sum()
    assert drivers["xgb"].to_numpy() == pytest.approx(forecast.to_numpy(), rel=1e-4)
    added = drivers["level"] + drivers[[*DRIVERS, OTHER]].sum(axis=1)
    assert added.to_numpy() == pytest.approx(forecast.to_numpy(), rel=1e-4)
    assert drivers[COVARIATES].to_numpy() == pytest.approx(0.0, abs=1e-6)  # the model knows none


def test_forecasts_are_complete_and_valid(model):
    predicted = predict(model)
    assert list(predicted.columns) == [*FORECAST_COLUMNS, "without_covariates"]
    assert len(predicted) == 8 * len(NOW)
    assert not predicted.duplicated(["part_id", "region", "origin_week", "horizon"]).any()
    values = predicted[VALUES].to_numpy()
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values[:, 1:], axis=1) >= 0).all()


def test_a_single_origin_has_the_same_forecasts_as_among_many(model, monkeypatch):
    many = predict(model)
    origin = pd.Timestamp(add_weeks(WEEK, 3))
    alone = predict(model, NOW[NOW["week"] == origin].sample(frac=1, random_state=0))
    expected = many[many["origin_week"] == origin].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected, rtol=1e-9)
    monkeypatch.setattr(prediction, "CHUNK_ROWS", 24)
    pd.testing.assert_frame_equal(predict(model), many, rtol=1e-9)


def test_a_fit_is_reproducible_and_ignores_the_future_and_the_order_of_rows(model):
    late = FEATURES["week"] >= str(WEEK)
    poisoned = FEATURES.assign(quantity=FEATURES["quantity"].where(~late, 1e9)).sample(frac=1, random_state=2)
    future = HISTORY.assign(quantity=HISTORY["quantity"].where(HISTORY["week"] <= str(WEEK), 1e9))
    shuffled = future.sample(frac=1, random_state=3)
    again = xgb.fit(
        ModelData(poisoned, shuffled, GroupTotals.from_history(future)),
        WEEK,
        WITH_HOLIDAYS,
    )
    pd.testing.assert_frame_equal(predict(again), predict(model), rtol=1e-9)


def test_a_saved_model_forecasts_the_same(model, tmp_path):
    xgb.save(model, tmp_path / "model")
    assert sorted(f.name for f in (tmp_path / "model").iterdir()) == [
        "mean.ubj",
        "model.json",
        "quantiles.ubj",
    ]
    loaded = xgb.load(tmp_path / "model")
    assert (loaded.week, loaded.countries, loaded.rows) == (model.week, model.countries, model.rows)
    pd.testing.assert_frame_equal(predict(loaded), predict(model), rtol=0, atol=0)


def test_a_model_of_other_features_is_rejected(model, tmp_path):
    xgb.save(model, tmp_path)
    description = tmp_path / "model.json"
    description.write_text(description.read_text().replace('"adi"', '"other"'))
    with pytest.raises(ValueError, match=r"adi.*other.*fit the model again"):
        xgb.load(tmp_path)


def test_demand_and_earlier_years_are_distances_from_the_level_in_volatilities(base):
    rows = FEATURES[FEATURES["week"] == str(WEEK)]
    repeated = rows.iloc[np.repeat(np.arange(len(rows)), 8)]
    horizon = np.tile(np.arange(1, 9), len(rows))
    x = xgb.design(repeated, base.cells(repeated, horizon), base, {c: [] for c in xgb.CATEGORIES}, ())
    series, column = base.locate(repeated)
    level, volatility = base.usual.level[series, column], base.usual.volatility[series, column]
    demand = base.usual.demand
    lag = (x[:, xgb.FEATURES.index("lag_3")] * volatility + 1) * level
    np.testing.assert_allclose(lag, demand[series, column - 3], rtol=1e-4, atol=1e-3)
    begun = base.panel.first_order[series] <= column - 52
    assert 0 < begun.sum() < len(begun)
    names = xgb.feature_names(with_earlier_years=True, with_book=False)
    last_year = (x[:, names.index("last_year")] * volatility + 1) * base.usual.level[series, column - 52]
    came = demand[series, column + horizon - 52]
    np.testing.assert_allclose(last_year[begun], came[begun], rtol=1e-4, atol=1e-3)
    assert np.isnan(last_year[~begun]).all()


def test_a_larger_market_of_the_same_shape_has_forecasts_as_much_larger():
    units = ["quantity", *[c for c in NOW if str(c).startswith(("lag_", "mean_", "std_"))]]
    units += ["category_quantity", "category_mean_13", "region_quantity", "region_mean_13"]
    x = []
    for factor in (1, 1000):
        history = HISTORY.assign(quantity=HISTORY["quantity"] * factor)
        totals = GroupTotals.from_history(history)
        fitted = sarimax.fit(history, totals, WEEK, CONTEXT)
        last = add_weeks(FIRST, 89)
        base = xgb.Baseline.from_history(fitted, history, totals, last, SETTINGS, with_earlier_years=True)
        rows = NOW.assign(**NOW[units] * factor)
        x.append(
            xgb.design(
                rows, base.cells(rows, np.ones(len(rows), int)), base, {c: [] for c in xgb.CATEGORIES}, ()
            )
        )
    np.testing.assert_allclose(x[0], x[1], rtol=1e-4, atol=1e-4)


def test_the_mean_of_rarely_ordered_series_is_not_biased():
    forecast, expected = 0.0, 0.0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        size = rng.lognormal(1.5, 1.0, (200, 1))
        quantity = size * rng.lognormal(0, 1.0, (200, 96)) * (rng.random((200, 96)) < 0.2)
        series, week = np.nonzero(quantity)
        history = pd.DataFrame(
            {
                "part_id": [f"P{i:03}" for i in series],
                "part_category": "C",
                "region": "R",
                "week": pd.to_datetime([add_weeks(FIRST, int(w)) for w in week]).astype("datetime64[ns]"),
                "quantity": quantity[series, week],
            }
        )
        table, totals, last = features(history), GroupTotals.from_history(history), add_weeks(FIRST, 95)
        fitted = xgb.fit(ModelData(table, history, totals), last, CONTEXT)
        now = table[table["week"] == str(last)]
        forecast += xgb.predict(fitted, now, history, totals, SETTINGS)["mean"].sum()
        expected += 8 * 0.2 * np.exp(0.5) * size.sum()
    assert forecast == pytest.approx(expected, rel=0.04)


def test_too_little_history_is_reported():
    early = FEATURES[FEATURES["week"] <= str(add_weeks(FIRST, 1))]
    with pytest.raises(NotEnoughHistory, match="xgb_min_rows needs 500"):
        xgb.fit(ModelData(early, HISTORY, TOTALS), add_weeks(FIRST, 1), CONTEXT)
    one = HISTORY[HISTORY["part_id"] == HISTORY["part_id"].iloc[0]]
    one = one[one["region"] == one["region"].iloc[0]]
    with pytest.raises(NotEnoughHistory, match="1 series"):
        xgb.fit(ModelData(features(one), one, GroupTotals.from_history(one)), WEEK, CONTEXT)
    with pytest.raises(NotEnoughHistory, match="0 series") as caught:
        xgb.fit(ModelData(FEATURES[:0], HISTORY[:0], TOTALS), FIRST, CONTEXT)
    assert caught.value.week == FIRST


@pytest.mark.parametrize(("weeks", "tolerance"), [(2, 0.1), (4, 0.1), (13, 0.25)])
def test_orders_every_few_weeks_go_on(weeks, tolerance):
    rng = np.random.default_rng(1)
    demand = np.zeros((60, 130))
    for row in demand:
        row[rng.integers(weeks) :: weeks] = 100.0
    demand *= rng.lognormal(0, 0.1, demand.shape)
    history = table_of(demand[:, :122])
    week, table = history["week"].max().date(), features(history)
    data = ModelData(table, history, GroupTotals.from_history(history))
    model = xgb.fit(data, week, CONTEXT)
    now = table[table["week"] == str(week)]
    predicted = xgb.predict(model, now, history, data.totals, SETTINGS).set_index(["part_id", "horizon"])
    ordered = demand[:, 122:] > 0
    mean, median = (predicted[name].unstack().to_numpy() for name in ("mean", "q50"))
    assert median[ordered].mean() > 80
    assert median[~ordered].mean() < 5
    assert mean.mean() == pytest.approx(demand[:, 122:].mean(), rel=tolerance)


def test_no_active_series_no_forecasts(model):
    predicted = predict(model, NOW[:0])
    assert list(predicted.columns) == [*FORECAST_COLUMNS, "without_covariates"]
    assert predicted.empty


def test_importance_is_a_share_of_each_model(model):
    table = xgb.importance(model)
    assert set(table["feature"]) <= set(xgb.FEATURES)
    np.testing.assert_allclose(table.groupby("model")["gain"].sum(), 1.0)


def test_drivers_add_up_from_the_level_to_the_forecast(model):
    now = FEATURES[FEATURES["week"] == str(WEEK)]
    table = forecast_drivers(model, now, HISTORY, TOTALS, SETTINGS).set_index(["part_id", "region"])
    forecast = predict(model, now).groupby(["part_id", "region"])["mean"].sum()
    assert table["xgb"].to_numpy() == pytest.approx(forecast.loc[table.index].to_numpy(), rel=1e-4)
    units = table[[*DRIVERS, OTHER]]
    assert (table["level"] + units.sum(axis=1)).to_numpy() == pytest.approx(table["xgb"].to_numpy())
    assert units["order book"].eq(0).all()  # the model has none
    assert units[["recent orders", "season"]].ne(0).any().all()
    assert {feature for group in DRIVERS.values() for feature in group} <= set(
        xgb.feature_names(True, True, ("unit_price",))
    )
