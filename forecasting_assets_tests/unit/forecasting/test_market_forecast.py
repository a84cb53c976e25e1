import numpy as np
import pandas as pd
import pytest

from forecasting_assets.features.window import ACTIVE_WEEKS
from forecasting_assets.forecasting.cleaned_points import cleaned_points
from forecasting_assets.forecasting.cleaning import Corrections
from forecasting_assets.forecasting.market_demand import active_shares, add_up, market_demand
from forecasting_assets.forecasting.market_forecast import forecast_markets
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import MARKET, MARKET_FORECAST
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market

WEEKS = 120
HISTORY = market(WEEKS)
LAST = add_weeks(FIRST, WEEKS - 1)
FITTED = add_weeks(LAST, -3)
CONTEXT = ModelContext(6, ForecastingSettings())
KEY = [*MARKET, "origin_week", "horizon"]


def demand_of(history, last=LAST, category=None):
    panel = Panel.from_history(history, FIRST, last)
    names = panel.series["part_category"] if category is None else category
    return market_demand(panel, names, panel.column(FITTED), CONTEXT.horizon)


def forecasts(history, origins, last=LAST):
    return forecast_markets(demand_of(history, last), FITTED, origins, CONTEXT).sort_values(
        KEY, ignore_index=True
    )


def sums(rows):
    return rows.groupby([*MARKET, "week"])["quantity"].sum().sort_index()


def test_demand_of_markets_is_that_of_their_series():
    pd.testing.assert_series_equal(sums(demand_of(HISTORY)), sums(HISTORY))


def test_a_market_holds_the_series_of_its_category_today():
    panel = Panel.from_history(HISTORY, FIRST, LAST)
    moved = panel.series["part_category"].where(panel.series["part_id"] != "P00", "new")
    found = sums(demand_of(HISTORY, category=moved))
    of_part = HISTORY[HISTORY["part_id"] == "P00"].groupby(["region", "week"])["quantity"].sum()
    pd.testing.assert_series_equal(found["new"], of_part)


def test_an_absurd_quantity_counts_as_usual_demand():
    of_series = HISTORY["part_id"].eq("P00") & HISTORY["region"].eq("R0")
    at = of_series & HISTORY["week"].eq(str(add_weeks(FIRST, 60)))
    assert at.sum() == 1
    absurd = HISTORY.assign(quantity=HISTORY["quantity"].where(~at, 1e9))
    found, before = sums(demand_of(absurd)), sums(demand_of(HISTORY))
    cell = tuple(HISTORY.loc[at, [*MARKET, "week"]].iloc[0])
    usual = HISTORY.loc[of_series & ~at & (HISTORY["week"] <= str(FITTED)), "quantity"]
    assert found[cell] - before[cell] == pytest.approx(usual.mean() - HISTORY.loc[at, "quantity"].iloc[0])
    pd.testing.assert_series_equal(found.drop(cell), before.drop(cell))


def booked(week, due_week, quantity, history=HISTORY):
    """Return a history in which every series that is ordered in a week also has a booking."""
    of_week = history[history["week"] == str(week)]
    bookings = of_week.assign(due_week=pd.Timestamp(due_week), quantity=quantity)
    return pd.concat([history, bookings], ignore_index=True)


def test_what_is_booked_is_added_up_by_due_week():
    rows = demand_of(booked(LAST, add_weeks(LAST, 2), 5.0))
    found = rows[rows["due_week"].notna()]
    assert found["quantity"].sum() == 5.0 * (HISTORY["week"] == str(LAST)).sum()
    assert set(found["due_week"]) == {pd.Timestamp(add_weeks(LAST, 2))}
    assert set(found["week"]) == {pd.Timestamp(LAST)}
    # Nothing below what is booked is forecast.
    many = rows.assign(quantity=rows["quantity"].where(rows["due_week"].isna(), 1e4))
    forecast = forecast_markets(many, FITTED, [LAST], CONTEXT)
    named = forecast.merge(found[MARKET].drop_duplicates(), on=MARKET)
    assert (named.loc[named["horizon"] == 2, "q05"] >= 1e4).all()
    assert (named.loc[named["horizon"] != 2, "mean"] < 1e4).all()


def test_bookings_for_weeks_that_are_left_out_or_of_dormant_series_do_not_count():
    of_series = HISTORY["part_id"].eq("P00") & HISTORY["region"].eq("R0")
    week, due_week = add_weeks(LAST, -10), add_weeks(LAST, -8)
    history = booked(week, due_week, 7.0)
    absurd = of_series & HISTORY["week"].eq(str(due_week))
    assert absurd.sum() == 1
    history.loc[absurd[absurd].index, "quantity"] = 1e9
    series = (HISTORY["week"] == str(week)).sum()
    assert demand_of(history).query("due_week.notna()")["quantity"].sum() == 7.0 * (series - 1)

    gone = history[
        ~of_series.reindex(history.index, fill_value=False) | (history["week"] < str(add_weeks(week, -60)))
    ]
    assert demand_of(gone).query("due_week.notna()")["quantity"].sum() == 7.0 * (series - 1)


def test_the_demand_of_series_that_were_active_some_weeks_earlier_is_known():
    rows = demand_of(HISTORY)
    rows = rows.set_index([*MARKET, "week"])
    cell = ("C1", "R1", pd.Timestamp(add_weeks(LAST, -2)))
    of_market = HISTORY[(HISTORY["part_category"] == cell[0]) & (HISTORY["region"] == cell[1])]
    now = of_market[of_market["week"] == cell[2]]
    for h in (1, 6):
        begin, end = (str(add_weeks(LAST, -2 - h - n)) for n in (ACTIVE_WEEKS - 1, 0))
        active = of_market.loc[of_market["week"].between(begin, end), "part_id"].unique()
        assert rows.loc[cell, f"ahead_{h}"] == now.loc[now["part_id"].isin(active), "quantity"].sum()
    recent = of_market[of_market["week"].between(str(add_weeks(LAST, -2 - ACTIVE_WEEKS + 1)), str(cell[2]))]
    assert rows.loc[cell, "series"] == recent["part_id"].nunique()


def turnover(lifetime, category, parts=30):
    """Generate a market of which every part lives for some weeks and then is replaced by another one."""
    rng = np.random.default_rng(0)
    rows = []
    for slot in range(parts):
        for t in range(WEEKS):
            generation = (t + slot * lifetime // parts) // lifetime
            name = f"{category}{slot:02}-{generation}"
            rows.append((name, category, "R", add_weeks(FIRST, t), float(rng.poisson(50))))
    table = pd.DataFrame(rows, columns=["part_id", "part_category", "region", "week", "quantity"])
    return table.assign(week=table["week"].astype("datetime64[ns]"))


def test_demand_of_parts_that_begin_later_is_not_in_the_forecast():
    history = pd.concat([turnover(40, "fashion"), turnover(10 * WEEKS, "stable")])
    shares = active_shares(demand_of(history), LAST, CONTEXT.horizon)
    shares = shares.pivot(index="horizon", columns="part_category", values="share")
    np.testing.assert_allclose(shares["fashion"], 1 - np.arange(1, CONTEXT.horizon + 1) / 40, atol=0.03)
    assert (shares["stable"] > 0.98).all()
    found = forecasts(history, [LAST]).pivot(index="horizon", columns="part_category", values="mean")
    np.testing.assert_allclose(found, 30 * 50 * shares, rtol=0.05)


def test_a_large_first_order_of_a_part_lowers_no_forecast_of_its_market():
    category, region = HISTORY[["part_category", "region"]].iloc[0]
    in_market = (HISTORY["part_category"] == category) & (HISTORY["region"] == region)
    weekly = HISTORY[in_market].groupby("week")["quantity"].sum().mean()
    order = {
        "part_id": "new",
        "region": region,
        "part_category": category,
        "week": pd.Timestamp(add_weeks(FITTED, -3)),
    }
    launched = pd.concat([HISTORY, pd.DataFrame([order | {"quantity": 40 * weekly}])], ignore_index=True)
    means = [
        rows[(rows["part_category"] == category) & (rows["region"] == region)]["mean"].mean()
        for rows in (forecasts(HISTORY, [FITTED]), forecasts(launched, [FITTED]))
    ]
    assert means[1] > 0.9 * means[0]


def test_there_is_no_forecast_before_it_is_known_which_parts_are_new():
    for weeks, horizons in ((ACTIVE_WEEKS, 0), (ACTIVE_WEEKS + 3, 3), (ACTIVE_WEEKS + 6, 6)):
        history = HISTORY[HISTORY["week"] <= str(add_weeks(FIRST, weeks - 1))]
        # One market had no orders lately.
        lately = history["week"] > str(add_weeks(FIRST, 20))
        history = history[~lately | (history["part_category"] + history["region"] != "C1R1")]
        shares = active_shares(demand_of(history), add_weeks(FIRST, weeks - 1), CONTEXT.horizon)
        assert shares["horizon"].unique().tolist() == list(range(1, horizons + 1))
        assert len(shares) == horizons * history.groupby(MARKET).ngroups
        assert shares["share"].between(0, 1).all()


def test_the_usual_demand_of_a_successor_is_that_since_it_began():
    inherited, orders = np.full((1, WEEKS), 50.0), np.full((1, WEEKS), 50.0)
    orders[0, :90] = 0.0
    inherited[0, 100] = orders[0, 100] = 5000.0
    series = pd.DataFrame({"part_id": ["new"], "region": "R", "part_category": "C"})
    panel = Panel(series, FIRST, inherited, orders=orders)
    found = market_demand(panel, series["part_category"], WEEKS - 1, CONTEXT.horizon)
    assert found["quantity"].tolist() == [50.0] * 30


def test_a_week_that_is_excluded_of_a_part_and_so_of_its_successor_counts_once():
    inherited, orders = np.full((2, WEEKS), 100.0), np.full((2, WEEKS), 100.0)
    begun = WEEKS - 5
    orders[0, begun:], orders[1, :begun] = 0.0, 0.0
    orders[0, 60] = 0.0
    inherited[0] = np.where(np.arange(WEEKS) < begun, 1.0, 0.0)
    excluded = np.zeros((2, WEEKS), dtype=bool)
    excluded[:, 60] = True
    series = pd.DataFrame({"part_id": ["old", "new"], "region": "R", "part_category": "C"})
    corrections = Corrections(excluded, np.zeros_like(excluded))
    panel = Panel(series, FIRST, inherited, corrections=corrections, orders=orders)
    found = market_demand(panel, series["part_category"], WEEKS - 1, CONTEXT.horizon)
    quantity = found.set_index("week")["quantity"]
    assert quantity[pd.Timestamp(add_weeks(FIRST, 60))] == pytest.approx(100.0, abs=5)
    points = cleaned_points(panel, WEEKS - 1)
    assert points["part_id"].tolist() == ["old"]


def test_parts_of_the_series_are_added_up_to_the_same():
    parts = [
        demand_of(HISTORY[HISTORY["part_id"].isin(some)])
        for some in (["P03", "P01"], ["P05", "P00", "P02", "P04"])
    ]
    pd.testing.assert_frame_equal(add_up(parts), demand_of(HISTORY))


def test_markets_are_forecast_from_their_own_demand():
    found = forecasts(HISTORY, [LAST])
    assert found.columns.tolist() == MARKET_FORECAST.names
    assert len(found) == HISTORY.groupby(MARKET).ngroups * CONTEXT.horizon
    recent = HISTORY[HISTORY["week"] > str(add_weeks(LAST, -13))].groupby(MARKET)["quantity"].sum() / 13
    level = found.groupby(MARKET)["mean"].mean()
    np.testing.assert_allclose(level, recent.reindex(level.index), rtol=0.4)


def test_a_range_holds_the_same_as_its_weeks_and_knows_nothing_later():
    origins = [FITTED, add_weeks(LAST, -1)]
    history = booked(FITTED, LAST, 30.0)
    later = history["week"] > str(origins[-1])
    poisoned = history.assign(quantity=history["quantity"].where(~later, 1e6))
    together = forecasts(poisoned, [*origins, LAST])
    for origin in origins:
        alone = forecasts(history[history["week"] <= str(origin)], [origin], origin)
        of_week = together[together["origin_week"] == str(origin)].reset_index(drop=True)
        pd.testing.assert_frame_equal(of_week, alone, rtol=1e-9)


def test_categories_forecast_in_several_groups_are_the_same(monkeypatch):
    at_once = forecasts(HISTORY, [LAST])
    monkeypatch.setattr("forecasting_assets.forecasting.market_forecast.CATEGORIES_AT_ONCE", 1)
    pd.testing.assert_frame_equal(forecasts(HISTORY, [LAST]), at_once, rtol=1e-9)


def test_without_demand_there_are_no_forecasts():
    nothing = HISTORY[:0]
    assert forecasts(nothing, [LAST]).empty
    # The first order comes after the week of the fit.
    late = HISTORY[HISTORY["week"] > str(FITTED)]
    assert forecasts(late, [FITTED, LAST]).empty
