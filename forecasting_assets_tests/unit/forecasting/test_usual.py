import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.forecasting.xgb.usual import (
    MAX_RATIO,
    MIN_VOLATILITY,
    PRIOR_VOLATILITY,
    PRIOR_WEEKS,
    UsualDemand,
    trailing_mean,
)

WEEKS = 130
RNG = np.random.default_rng(0)
DEMAND = RNG.gamma(2.0, 5.0, (3, WEEKS))
DEMAND[1, :40] = np.nan
DEMAND[2, [70, 100]] = np.nan


def test_level_and_volatility_are_those_of_pandas():
    usual = UsualDemand.of(DEMAND)
    for series, demand in enumerate(DEMAND):
        values = pd.Series(demand)
        level = values.rolling(26, min_periods=1).mean()
        begun = level.notna()
        np.testing.assert_allclose(usual.level[series][begun], level[begun])
        changes = [values.diff(lag).abs().rolling(52, min_periods=1) for lag in (1, 4)]
        weeks = sum(change.count() for change in changes) / 2
        mean = sum(change.mean().fillna(0.0) for change in changes) / 2
        raw = (mean / level).clip(MIN_VOLATILITY, 3.0)
        logs = weeks * np.log(raw) + PRIOR_WEEKS * np.log(PRIOR_VOLATILITY)
        expected = np.exp(logs / (weeks + PRIOR_WEEKS))
        np.testing.assert_allclose(usual.volatility[series][begun], expected[begun])


def test_no_later_week_changes_what_the_trees_see_of_demand():
    late = DEMAND.copy()
    late[:, 120:] = 1e9
    before, after = UsualDemand.of(DEMAND), UsualDemand.of(late)
    np.testing.assert_array_equal(before.level[:, :120], after.level[:, :120])
    np.testing.assert_array_equal(before.volatility[:, :120], after.volatility[:, :120])
    series, column, horizon = (i.ravel() for i in np.indices((3, 120, 26)))
    years = [usual.earlier_years(series, column, horizon + 1) for usual in (before, after)]
    for known, poisoned in zip(*years, strict=True):
        np.testing.assert_array_equal(known, poisoned)
    for weeks in (4, 13):
        known, poisoned = (usual.cycle(weeks, series, column, horizon + 1) for usual in (before, after))
        np.testing.assert_array_equal(known, poisoned)


@pytest.mark.parametrize("weeks", [4, 13])
@pytest.mark.parametrize("horizon", [1, 4, 5, 13, 14])
@pytest.mark.parametrize("origin", [0, 2, 20, 100])
def test_a_cycle_is_the_mean_of_the_last_weeks_at_the_same_point(weeks, horizon, origin):
    known = [k for k in range(origin + horizon, -1, -weeks) if k <= origin][:3]
    expected = pd.DataFrame(DEMAND[:, known]).mean(axis=1)
    cycle = UsualDemand.of(DEMAND).cycle(weeks, np.arange(3), np.full(3, origin), np.full(3, horizon))
    np.testing.assert_allclose(cycle, expected)


def test_a_part_that_was_not_ordered_for_half_a_year_has_the_level_of_the_year():
    demand = np.zeros((1, 60))
    demand[0, 10] = 52.0
    assert UsualDemand.of(demand).level[0, 45] == pytest.approx(52 / 46)


@given(st.floats(0, 1e6), st.integers(0, 2), st.integers(60, WEEKS - 1))
def test_units_return_from_relative_values(units, series, column):
    usual = UsualDemand.of(DEMAND)
    at = np.array([series]), np.array([column])
    returned = usual.in_units(usual.relative(np.array([units]), *at), *at)
    assert returned[0] == pytest.approx(units, abs=1e-6)


def test_an_earlier_year_is_seen_relative_to_the_level_at_its_origin():
    """Demand doubles each year and has one peak of three times the level."""
    weeks = np.arange(WEEKS)
    demand = (np.where(weeks % 52 == 30, 3.0, 1.0) * 2.0 ** (weeks // 52))[None]
    usual = UsualDemand.of(demand)
    column = np.array([52 + 26])
    last_year, by_year = usual.earlier_years(np.array([0]), column, np.array([4]))
    volatility = usual.volatility[0, column[0]]
    assert last_year[0] * volatility == pytest.approx(3 - 1)
    assert by_year[0, 0] * volatility == pytest.approx((1 + 3 + 1) / 3 - 1)
    assert np.isnan(by_year[1:]).all()


def test_an_earlier_year_without_demand_is_unknown():
    demand = np.ones((1, 120))
    demand[0, 10:56] = 0.0
    usual = UsualDemand.of(demand)
    last_year, _ = usual.earlier_years(np.array([0, 0]), np.array([52 + 48, 52 + 60]), np.array([2, 2]))
    assert np.isnan(last_year[0])
    assert last_year[1] == pytest.approx((26 / 5 - 1) / usual.volatility[0, 112])


def test_an_earlier_year_counts_no_more_than_the_limit():
    demand = np.ones((1, 120))
    demand[0, 54] = 1000.0
    usual = UsualDemand.of(demand)
    last_year, _ = usual.earlier_years(np.array([0]), np.array([104]), np.array([2]))
    assert last_year[0] == pytest.approx((MAX_RATIO - 1) / usual.volatility[0, 104])


def test_the_mean_is_weighted_by_the_root_of_the_level_whatever_the_unit():
    usual, larger = UsualDemand.of(DEMAND), UsualDemand.of(1000 * DEMAND)
    at = np.full(2, 0), np.array([60, 120])
    weight = usual.mean_weight(*at) / np.minimum(usual.volatility[at], 1.0)
    assert weight[1] / weight[0] == pytest.approx(np.sqrt(usual.level[0, 120] / usual.level[0, 60]))
    np.testing.assert_allclose(larger.mean_weight(*at), usual.mean_weight(*at))
    stopped = np.zeros((1, 120))
    stopped[0, :20] = 5.0
    assert UsualDemand.of(stopped).mean_weight(np.array([0]), np.array([110])) <= 1


def test_means_leave_out_unknown_weeks():
    values = np.array([[1.0, np.nan, 3.0, np.nan, np.nan]])
    mean, known = trailing_mean(values, 2)
    np.testing.assert_array_equal(mean, [[1.0, 1.0, 3.0, 3.0, np.nan]])
    np.testing.assert_array_equal(known, [[1, 1, 1, 1, 0]])


@pytest.mark.parametrize("weeks", [30, 60])
def test_the_level_before_weeks_that_do_not_count_is_kept(weeks):
    demand = np.tile([20.0, 0.0], (1, 60))
    unknown = np.concatenate([demand, np.full((1, weeks), np.nan)], axis=1)
    level = UsualDemand.of(unknown).level[0]
    assert level[119] == level[-1] == 10.0
    assert level[119:].min() > 5.0
    nothing_ordered = np.concatenate([demand, np.zeros((1, 60))], axis=1)
    assert UsualDemand.of(nothing_ordered).level[0, -1] == 1.0
