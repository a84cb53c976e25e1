"""Known covariates: what was known when, the effect on demand, and forecasts with and without a plan."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.covariate_effect import MAX_EFFECT, CovariateEffect
from forecasting_assets.forecasting.covariates import (
    KnownCovariates,
    covariate_feature_names,
    covariate_features,
)
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.panel import Panel, known_at
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks

FIRST, HORIZON = date(2024, 1, 1), 4
SETTINGS = ForecastingSettings()


def week(number: int) -> pd.Timestamp:
    return pd.Timestamp(FIRST + timedelta(weeks=int(number)))


def weeks_at(numbers: np.ndarray) -> pd.DatetimeIndex:
    return pd.Timestamp(FIRST) + pd.to_timedelta(7 * numbers, unit="D")


def demand_of(quantity: np.ndarray, first_part: int = 0) -> pd.DataFrame:
    """Return the history of one series a row of `quantity` (series, weeks); parts P0, P1, … in the region EU."""
    series, column = np.nonzero(quantity)
    return pd.DataFrame(
        {
            "part_id": [f"P{first_part + row:03}" for row in series],
            "region": "EU",
            "part_category": "CNC",
            "week": weeks_at(column),
            "quantity": quantity[series, column],
        }
    )


def plan_of(values: np.ndarray, name: str, ahead: int = HORIZON, first_part: int = 0) -> pd.DataFrame:
    """Return one covariate of each series (series, weeks), known `ahead` weeks before; NaN is unknown."""
    series, column = np.nonzero(np.isfinite(values))
    return pd.DataFrame(
        {
            "part_id": [f"P{first_part + row:03}" for row in series],
            "region": "EU",
            "week": weeks_at(column),
            "covariate": name,
            "value": values[series, column],
            "known": weeks_at(np.maximum(column - ahead, 0)),
        }
    )


@st.composite
def plans(draw):
    """Draw rows of covariates of two parts in two regions, some for all parts or regions, known at any time."""
    row = st.tuples(
        st.sampled_from(["P000", "P001", None]),
        st.sampled_from(["EU", "US", None]),
        st.integers(-1, 11),
        st.sampled_from(["unit_price", "promotion"]),
        st.integers(-3, 8),
        st.integers(1, 9),
    )
    rows = draw(st.lists(row, min_size=1, max_size=30, unique_by=lambda r: r[:5]))
    table = pd.DataFrame(rows, columns=[*SERIES, "week", "covariate", "known", "value"])
    return table.assign(
        week=weeks_at(table["week"].to_numpy()),
        known=weeks_at(table["known"].to_numpy()),
        value=table["value"].astype(float),
    )


@settings(max_examples=25)
@given(plans())
def test_what_was_known_of_a_week_is_the_newest_of_the_most_specific_rows(plan):
    n_weeks = 8
    history = pd.concat(
        [demand_of(np.ones((2, n_weeks))).assign(region=region) for region in ("EU", "US")], ignore_index=True
    )
    panel = Panel.from_history(pd.concat([history, plan]), FIRST, week(n_weeks - 1).date())
    known = KnownCovariates.of(panel, HORIZON)
    rows = plan.assign(week=weeks_apart(plan["week"]), known=weeks_apart(plan["known"])).to_dict("records")
    expected = {}
    for s, (part, region) in enumerate(panel.series[SERIES].itertuples(index=False)):
        # The last that is written counts.
        order = sorted(rows, key=lambda r: (r["part_id"] is not None, r["region"] is not None, r["known"]))
        for row in order:
            if row["part_id"] in (part, None) and row["region"] in (region, None):
                for lead in range(HORIZON + 1):
                    if lead <= row["week"] < n_weeks + lead and row["known"] <= row["week"] - lead:
                        expected[lead, s, row["week"], row["covariate"]] = row["value"]
    found = {}
    if known:
        for lead, s, w, j in np.argwhere(np.isfinite(known.values)):
            if lead <= w < n_weeks + lead:
                found[lead, s, w, known.names[j]] = known.values[lead, s, w, j]
    assert found == expected


def weeks_apart(weeks: pd.Series) -> np.ndarray:
    return (weeks - pd.Timestamp(FIRST)).dt.days.to_numpy() // 7


def known_of(panel: Panel) -> KnownCovariates:
    known = KnownCovariates.of(panel, HORIZON)
    assert known is not None
    return known


def noisy_demand(rng: np.random.Generator, series: int, weeks: int) -> np.ndarray:
    return rng.uniform(50, 200, (series, 1)) * rng.lognormal(0, 0.05, (series, weeks))


def test_a_promotion_that_doubles_demand_is_forecast_with_the_plan():
    rng = np.random.default_rng(1)
    weeks, series = 90, 40
    promotion = (rng.random((series, weeks + HORIZON)) < 0.25).astype(float)
    base = noisy_demand(rng, series, weeks + HORIZON)
    demand = np.round(base * 2**promotion)
    history = pd.concat([demand_of(demand[:, :weeks]), plan_of(promotion, "promotion")])
    totals, origin = GroupTotals.from_history(history), week(weeks - 1).date()
    model = sarimax.fit(history, totals, origin, ModelContext(HORIZON, SETTINGS))
    forecast = sarimax.predict(model, history, totals, [origin], SETTINGS)
    expected = (base.mean(axis=1)[:, None] * 2 ** promotion[:, weeks:]).ravel()
    np.testing.assert_allclose(forecast["q50"], expected, rtol=0.1)
    assert model.planned is not None
    assert model.planned.effect is not None
    np.testing.assert_allclose(model.planned.effect.overall, np.log(2), rtol=0.1)
    # Without the plan, a forecast cannot know which week it is.
    blind = sarimax.predict(model, history[history["covariate"].isna()], totals, [origin], SETTINGS)
    assert (np.abs(blind["q50"] / expected - 1) > 0.1).mean() > 0.5


def test_a_price_that_is_new_at_the_origin_has_no_effect():
    rng = np.random.default_rng(3)
    weeks, series = 90, 30
    promotion = (rng.random((series, weeks + HORIZON)) < 0.25).astype(float)
    price = 10 * np.exp(rng.normal(0, 0.2, (series, weeks + HORIZON)))
    demand = noisy_demand(rng, series, weeks) * 2 ** promotion[:, :weeks] * (price[:, :weeks] / 10) ** -1.5
    prices = plan_of(price, "unit_price")
    past = prices["week"] <= week(weeks - 1)
    new = prices["part_id"] == prices["part_id"].iloc[0]
    history = pd.concat([demand_of(demand), plan_of(promotion, "promotion")])
    origin = week(weeks - 1).date()

    def forecast(prices):
        rows = pd.concat([history, prices])
        totals = GroupTotals.from_history(rows)
        model = sarimax.fit(rows, totals, origin, ModelContext(HORIZON, SETTINGS))
        return sarimax.predict(model, rows, totals, [origin], SETTINGS)

    unknown, priced = forecast(prices[~new]), forecast(prices[~(new & past)])
    pd.testing.assert_frame_equal(priced, unknown)


def test_the_elasticity_of_a_price_is_found():
    rng = np.random.default_rng(2)
    price = 10 * np.exp(rng.normal(0, 0.2, (30, 80)))
    demand = noisy_demand(rng, 30, 80) * (price / 10) ** -1.5
    panel = Panel.from_history(
        pd.concat([demand_of(demand), plan_of(price, "unit_price")]), FIRST, week(79).date()
    )
    known = known_of(panel)
    effect = CovariateEffect.fit(panel, known, 79)
    # Demand d is on the scale of log(1 + 10 d), whose slope is 10/11 of that of the logarithm at its mean of 1.
    np.testing.assert_allclose(effect.overall, -1.5 * 10 / 11, rtol=0.05)
    assert CovariateEffect.from_dict(effect.to_dict()).by_category.keys() == {"CNC"}
    cleaned = effect.on(panel, known, 79).removed_from(panel, 79).demand
    assert np.std(np.log(cleaned), axis=1).mean() < 0.3 * np.std(np.log(demand), axis=1).mean()


@pytest.fixture(scope="module")
def market():
    """Provide the history of 30 series whose first 20 have a plan, and their model as of week 85."""
    rng = np.random.default_rng(4)
    promotion = (rng.random((30, 90)) < 0.3).astype(float)
    demand = np.round(noisy_demand(rng, 30, 90) * 1.8**promotion)
    history = pd.concat([demand_of(demand), plan_of(promotion[:20], "promotion")], ignore_index=True)
    return history, fitted(history, 85)


def fitted(history, at):
    return sarimax.fit(
        history, GroupTotals.from_history(history), week(at).date(), ModelContext(HORIZON, SETTINGS)
    )


def forecasts(model, history, *origins):
    weeks = [week(at).date() for at in origins]
    return sarimax.predict(model, history, GroupTotals.from_history(history), weeks, SETTINGS)


def test_a_missing_plan_leaves_forecasts_as_they_were(market):
    history, model = market
    demand = history[history["covariate"].isna()].drop(columns=["covariate", "value", "known"])
    without = forecasts(fitted(demand, 85), demand, 85)
    late = history["week"] >= week(88)
    cut = history[history["covariate"].isna() | ~((history["part_id"] == "P003") & late)]
    planned = forecasts(model, cut, 85)
    as_before = ~planned["part_id"].isin([f"P{i:03}" for i in range(20)])
    as_before |= (planned["part_id"] == "P003") & (planned["target_week"] >= week(88))
    assert as_before.sum() == 10 * HORIZON + 2
    pd.testing.assert_frame_equal(planned[as_before], without[as_before])
    assert (planned.loc[~as_before, "mean"] != without.loc[~as_before, "mean"]).all()
    np.testing.assert_array_equal(planned["without_covariates"], without["q50"].where(~as_before))


def test_what_becomes_known_after_an_origin_changes_nothing(market):
    history, model = market
    poison = plan_of(np.full((20, 90 + HORIZON), 50.0), "promotion", ahead=0)
    poison = poison[poison["known"] > week(85)]
    poison = pd.concat([poison, poison.assign(covariate="unit_price")])
    late = poison.assign(week=poison["known"] - pd.Timedelta(weeks=6))
    poisoned = pd.concat([history, poison, late], ignore_index=True)
    again = fitted(poisoned, 85)
    assert again.to_dict() == model.to_dict()
    pd.testing.assert_frame_equal(forecasts(model, poisoned, 85), forecasts(model, history, 85))
    assert len(known_at(poisoned, week(85).date())) == len(known_at(history, week(85).date()))


def test_a_single_week_has_the_same_forecasts_as_in_a_range(market):
    history, model = market
    ranged = forecasts(model, history, 85, 86, 88)
    for at in (86, 88):
        alone = forecasts(model, known_at(history, week(at).date()), at)
        of_week = ranged[ranged["origin_week"] == week(at)].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, of_week, rtol=1e-9)


def test_the_features_of_a_target_week_follow_from_what_is_known_at_its_origin():
    weeks = 30
    price = np.full((1, weeks + HORIZON), 10.0)
    price[0, 5], price[0, weeks + 1] = 20.0, 5.0
    promotion = np.zeros((1, weeks + HORIZON))
    promotion[0, [20, weeks + 1, weeks + 3]] = 1
    plan = pd.concat([plan_of(price, "unit_price"), plan_of(promotion, "promotion")])
    panel = Panel.from_history(
        pd.concat([demand_of(np.ones((1, weeks))), plan]), FIRST, week(weeks - 1).date()
    )
    known = known_of(panel)
    horizon = np.arange(1, HORIZON + 1)
    at = np.zeros(HORIZON, dtype=int)
    table = pd.DataFrame(
        covariate_features(known, at, at + weeks - 1, horizon), columns=covariate_feature_names(known.names)
    )
    half = np.log(0.5)
    np.testing.assert_allclose(table["plan:unit_price_target"], np.log([10, 5, 10, 10]), rtol=1e-6)
    np.testing.assert_allclose(table["plan:unit_price_to_usual"], [0, half, 0, 0], atol=1e-6)
    np.testing.assert_allclose(table["plan:unit_price_to_week_before"], [0, half, -half, 0], atol=1e-6)
    # The price of 20 in week 5 is 25 weeks ago at the origin: the oldest of the 26 weeks.
    np.testing.assert_allclose(table["plan:unit_price_to_highest"], [half, 2 * half, half, half], atol=1e-6)
    assert table["plan:promotion_target"].tolist() == [0, 1, 0, 1]
    assert table["plan:promotion_weeks_since"].tolist() == [10, 11, 1, 2]
    np.testing.assert_array_equal(table["plan:promotion_weeks_to"], [1, 2, 1, np.nan])


def test_origins_before_the_plan_are_incomplete(market):
    history, _ = market
    panel = Panel.from_history(history, FIRST, week(89).date())
    known = known_of(panel)
    planned = panel.series["part_id"].isin([f"P{i:03}" for i in range(20)]).to_numpy()
    complete = known.complete
    assert not complete[~planned].any()
    assert complete[planned, : 90 - HORIZON].all()
    assert not complete[planned, -1].any()
    assert add_weeks(FIRST, 89) == week(89).date()


def test_a_price_before_the_first_order_and_in_weeks_without_orders_makes_no_demand():
    """Part 0 is first ordered in week 60; part 1 is not in expensive weeks."""
    weeks = 110
    price = np.where(np.arange(weeks) % 2 == 0, 8.0, 12.0)
    quantity = np.vstack([100.0 / price * 10, 100.0 / price * 10])
    quantity[0, :60], quantity[1, 80:90:2] = 0.0, 0.0
    plan = plan_of(np.vstack([price, price]), "unit_price")
    panel = Panel.from_history(pd.concat([demand_of(quantity), plan]), FIRST, week(weeks - 1).date())
    known = known_of(panel)
    regressors = CovariateEffect.fit(panel, known, weeks - 1).on(panel, known, weeks - 1)
    assert np.abs(regressors.past).max() > 0.1
    usual = regressors.removed_from(panel, weeks - 1)
    np.testing.assert_array_equal(usual.demand > 0, panel.demand > 0)
    np.testing.assert_array_equal(usual.first_order, panel.first_order)


def test_an_absurd_value_of_a_plan_has_a_limited_effect():
    weeks = 110
    promotion = np.where(np.arange(weeks + HORIZON) % 3 == 0, 1.0, 0.0)
    quantity = np.where(promotion[:weeks] > 0, 200.0, 100.0)[None]
    promotion[weeks] = 1e6
    panel = Panel.from_history(
        pd.concat([demand_of(quantity), plan_of(promotion[None], "promotion")]), FIRST, week(weeks - 1).date()
    )
    known = known_of(panel)
    effect = CovariateEffect.fit(panel, known, weeks - 1).on(panel, known, weeks - 1).ahead[0, -1]
    assert effect[0] == MAX_EFFECT
    assert np.abs(effect[1:]).max() < 1
