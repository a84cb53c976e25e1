"""Forecasts start from what is booked: never below it, better with it, and unchanged where nothing is booked."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devtools.feature_table import features
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.book import MEMORY, PRIOR_WEEKS, OrderBook
from forecasting_assets.forecasting.forecast_arrays import VALUES, SeriesIndex
from forecasting_assets.forecasting.metrics import pinball_loss
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.panel import ForecastDataError, Panel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market

SETTINGS = ForecastingSettings()
WEEKS, HORIZON = 90, 6
CONTEXT = ModelContext(HORIZON, SETTINGS)
#: Share of the units of a week that is ordered at least so many weeks ahead.
SHARES = [0.8, 0.5, 0.3, 0.1]
FITTED = add_weeks(FIRST, 75)
ORIGINS = [add_weeks(FITTED, n) for n in range(4)]
DEMAND = market(WEEKS)


def booked_ahead(demand: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """Return the order book of each week: of the units of a week, a random part is ordered one to four weeks ahead."""
    rng, tables = np.random.default_rng(seed), []
    left = demand["quantity"].to_numpy(np.int64)
    for ahead, share in enumerate(SHARES, start=1):
        left = rng.binomial(left, share / ([1.0, *SHARES][ahead - 1]))
        week = demand["week"] - pd.Timedelta(weeks=ahead)
        tables.append(demand.assign(week=week, due_week=demand["week"], quantity=left.astype(float)))
    book = pd.concat(tables, ignore_index=True)
    return book[book["quantity"] > 0].astype({"week": "datetime64[ns]", "due_week": "datetime64[ns]"})


BOOK = booked_ahead(DEMAND)
HISTORY = pd.concat([DEMAND, BOOK], ignore_index=True)
TABLE = features(DEMAND, HORIZON)


def forecast(history: pd.DataFrame) -> pd.DataFrame:
    totals = GroupTotals.from_history(history)
    known = history[history["week"] <= pd.Timestamp(FITTED)]
    model = sarimax.fit(known, totals, FITTED, CONTEXT)
    return sarimax.predict(model, history, totals, ORIGINS, SETTINGS)


@pytest.fixture(scope="module")
def predicted() -> pd.DataFrame:
    return forecast(HISTORY)


@pytest.fixture(scope="module")
def trees() -> tuple[xgb.XgbModel, pd.DataFrame]:
    """XGBoost fitted with the book, and its forecasts."""
    totals = GroupTotals.from_history(HISTORY)
    data = ModelData(TABLE, HISTORY[HISTORY["week"] <= pd.Timestamp(FITTED)], totals)
    model = xgb.fit(data, FITTED, CONTEXT)
    now = TABLE[TABLE["week"].isin([pd.Timestamp(origin) for origin in ORIGINS])]
    return model, xgb.predict(model, now, HISTORY, totals, SETTINGS)


def with_book_and_demand(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Join what was booked for each forecast week at its origin, and what was wanted in the end."""
    booked = BOOK.rename(columns={"week": "origin_week", "due_week": "target_week", "quantity": "booked"})
    came = DEMAND.rename(columns={"week": "target_week", "quantity": "came"})
    joined = forecasts.merge(booked, "left", [*SERIES, "origin_week", "target_week"])
    return joined.merge(came, "left", [*SERIES, "target_week"]).fillna({"booked": 0.0, "came": 0.0})


def loss(forecasts: pd.DataFrame) -> float:
    """Return the pinball loss relative to the mean demand of each series."""
    rows = with_book_and_demand(forecasts)
    scale = DEMAND.groupby(SERIES)["quantity"].mean().rename("scale").reset_index()
    rows = rows.merge(scale, on=SERIES)
    losses = pinball_loss(rows["came"].to_numpy(), rows[VALUES[1:]].to_numpy())
    return float((losses / rows["scale"]).mean())


def test_no_forecast_is_below_what_is_booked(predicted, trees):
    for forecasts in (predicted, trees[1]):
        rows = with_book_and_demand(forecasts)
        assert (rows["booked"] > 0).sum() > 50
        assert (rows[VALUES].min(axis=1) >= rows["booked"]).all()


def test_the_book_lowers_the_loss(predicted):
    without = forecast(DEMAND)
    assert loss(predicted) < 0.9 * loss(without)
    ahead = [predicted["horizon"] == 1, without["horizon"] == 1]
    assert loss(predicted[ahead[0]]) < 0.7 * loss(without[ahead[1]])


def test_trees_use_the_book(trees):
    model, forecasts = trees
    assert model.features == [*xgb.FEATURES, *xgb.BOOK_FEATURES]
    assert set(xgb.importance(model)["feature"]) & set(xgb.BOOK_FEATURES)
    assert loss(forecasts) < 0.9 * loss(forecast(DEMAND))


def test_a_saved_model_keeps_the_features_of_the_book(trees, tmp_path):
    model, forecasts = trees
    xgb.save(model, tmp_path)
    read = xgb.load(tmp_path)
    assert read.features == model.features
    now = TABLE[TABLE["week"].isin([pd.Timestamp(origin) for origin in ORIGINS])]
    again = xgb.predict(read, now, HISTORY, GroupTotals.from_history(HISTORY), SETTINGS)
    pd.testing.assert_frame_equal(again, forecasts)


def test_without_bookings_every_number_is_the_same():
    empty = DEMAND.assign(due_week=pd.Series(pd.NaT, DEMAND.index))
    pd.testing.assert_frame_equal(forecast(empty), forecast(DEMAND), check_exact=True)
    totals = GroupTotals.from_history(empty)
    plan, base = xgb.plan_training(ModelData(TABLE, empty, totals), FITTED, CONTEXT)
    assert base.rolling.booked is None
    assert plan.mean_rows(TABLE, base, SETTINGS).x.shape[1] == len(xgb.FEATURES)


def test_a_model_without_the_book_forecasts_where_orders_begin_to_have_due_dates():
    """Due dates may begin between the fit of a model and the origin of a forecast."""
    totals = GroupTotals.from_history(HISTORY)
    model = xgb.fit(ModelData(TABLE, DEMAND, GroupTotals.from_history(DEMAND)), FITTED, CONTEXT)
    assert model.features == xgb.FEATURES
    now = TABLE[TABLE["week"] == pd.Timestamp(FITTED)]
    rows = with_book_and_demand(xgb.predict(model, now, HISTORY, totals, SETTINGS))
    assert (rows[VALUES].min(axis=1) >= rows["booked"]).all()


def test_no_forecast_depends_on_bookings_after_its_origin(predicted):
    later = HISTORY["due_week"].notna() & (HISTORY["week"] > pd.Timestamp(ORIGINS[0]))
    poisoned = HISTORY.assign(quantity=HISTORY["quantity"].where(~later, 1e6))
    first = forecast(poisoned).query("origin_week == @ORIGINS[0]").reset_index(drop=True)
    expected = predicted.query("origin_week == @ORIGINS[0]").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, expected, rtol=1e-12)


def test_parts_by_themselves_have_the_forecasts_of_the_whole_market(predicted):
    totals = GroupTotals.from_history(HISTORY)
    known = HISTORY[HISTORY["week"] <= pd.Timestamp(FITTED)]
    model = sarimax.fit(known, totals, FITTED, CONTEXT)
    some = HISTORY[HISTORY["part_id"].isin(["P01", "P03"])]
    alone = sarimax.predict(model, some, totals, ORIGINS, SETTINGS)
    expected = predicted.merge(alone[[*SERIES, "origin_week", "horizon"]])
    pd.testing.assert_frame_equal(alone, expected, rtol=1e-9, check_dtype=False)


PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["P1", "P2"]),
        st.integers(0, 7),  # week of the book
        st.integers(1, 4),  # weeks ahead
        st.integers(1, 9),  # units
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(PAIRS, st.lists(st.integers(0, 20), min_size=16, max_size=16))
def test_shares_and_expectations_follow_their_definition(bookings, units):
    """Compare with the sums of the definition, cell by cell."""
    n_weeks, horizon = 8, 3
    weeks = [pd.Timestamp(add_weeks(FIRST, w)) for w in range(n_weeks + 4)]
    demand = np.array(units, float).reshape(2, n_weeks)
    rows = [
        {"part_id": f"P{s + 1}", "week": weeks[w], "quantity": demand[s, w]}
        for s in range(2)
        for w in range(n_weeks)
        if demand[s, w]
    ]
    rows += [
        {"part_id": p, "week": weeks[w], "due_week": weeks[w + a], "quantity": float(q)}
        for p, w, a, q in bookings
    ]
    if not any("due_week" not in row for row in rows) or not any("due_week" in row for row in rows):
        return
    history = pd.DataFrame(rows).assign(region="R", part_category="C")
    panel = Panel.from_history(history, FIRST, add_weeks(FIRST, n_weeks - 1))
    totals, scale = GroupTotals.from_history(history), np.arange(1.0, 1.0 + len(panel.demand))
    book = OrderBook.of(panel, totals, scale, horizon)
    assert book is not None
    names = panel.series["part_id"].tolist()
    booked = np.zeros((2, n_weeks, horizon + 1))
    for part, week, ahead, quantity in bookings:
        if ahead <= horizon:
            booked[int(part[1]) - 1, week, ahead] += quantity
    for s, name in enumerate(names):
        row = int(name[1]) - 1
        for t in range(n_weeks):
            for h in range(1, horizon + 1):
                assert book.booked[s, t, h - 1] == booked[row, t, h]
                begun = [u for u in range(n_weeks) if booked[:, u, h].any()]
                closed = [u for u in range(n_weeks) if begun and min(begun) <= u <= t - h]
                weight = {u: MEMORY ** (t - h - u) for u in closed}
                total = sum(weight[u] * demand[:, u + h].sum() for u in closed)
                if not total:
                    assert np.isnan(book.share[s, t, h - 1])
                    continue
                usual = sum(weight[u] * booked[:, u, h].sum() for u in closed) / total
                own = sum(weight[u] * booked[row, u, h] for u in closed)
                of = sum(weight[u] * demand[row, u + h] for u in closed)
                share = (own + PRIOR_WEEKS * scale[s] * usual) / (of + PRIOR_WEEKS * scale[s])
                assert book.share[s, t, h - 1] == pytest.approx(min(share, 1.0))
    expected = book.expected(np.full(book.booked.shape, 5.0))
    p, b = book.share, book.booked
    both = b + (1 - p) * (p * np.divide(b, p, out=np.zeros_like(b), where=p > 0) + (1 - p) * 5.0)
    known = np.isfinite(p) & (p > 0)
    np.testing.assert_allclose(expected[known], both[known])
    np.testing.assert_allclose(expected[np.isnan(p)], np.maximum(b, 5.0)[np.isnan(p)])


def test_a_due_week_that_is_no_monday_is_an_error():
    wrong = HISTORY.assign(due_week=HISTORY["due_week"] + pd.Timedelta(days=1))
    with pytest.raises(ForecastDataError, match="Monday"):
        Panel.from_history(wrong, FIRST, FITTED)


def test_bookings_of_series_without_demand_are_left_out():
    stranger = BOOK.iloc[[0]].assign(part_id="unknown")
    panel = Panel.from_history(pd.concat([HISTORY, stranger]), FIRST, FITTED)
    assert SeriesIndex(panel.series).rows(stranger).tolist() == [-1]
    assert panel.booked(HORIZON).sum() == Panel.from_history(HISTORY, FIRST, FITTED).booked(HORIZON).sum()
