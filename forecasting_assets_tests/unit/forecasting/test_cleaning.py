"""Absurd quantities and interruptions are found, and usual demand, rare demand and seasons are not taken for them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.forecasting.cleaning import (
    MAX_SHIFT,
    OUTLIER_FACTOR,
    SHIFT_WEEKS,
    CategoryLimits,
    Corrections,
    interruptions,
    outliers,
)
from forecasting_assets_tests.support.market import FIRST

WEEKS = 120
LAST = WEEKS - 1
RNG = np.random.default_rng(5)
STEADY = RNG.uniform(50, 150, (3, WEEKS))


def test_an_absurd_quantity_is_an_outlier_and_no_other_week_is():
    demand = STEADY.copy()
    demand[1, 60] = 2e9
    found = outliers(demand, LAST)
    assert found[1, 60]
    assert found.sum() == 1


def test_two_absurd_weeks_in_a_short_history_are_both_outliers():
    demand = np.where(np.arange(WEEKS) < 98, 0.0, STEADY)
    demand[0, [100, 110]] = 1e6
    assert np.argwhere(outliers(demand, LAST)).tolist() == [[0, 100], [0, 110]]


def test_orders_of_very_different_sizes_are_not_outliers():
    lumpy = RNG.lognormal(0, 1.0, (200, WEEKS)) * (RNG.random((200, WEEKS)) < 0.3)
    assert outliers(lumpy, LAST).sum() < 0.005 * (lumpy > 0).sum()


def test_few_orders_show_no_usual_size():
    demand = np.zeros((1, WEEKS))
    demand[0, ::15] = 1.0
    demand[0, 60] = 1e6
    assert not outliers(demand, LAST).any()


def test_a_closed_shop_is_an_interruption():
    demand = STEADY.copy()
    demand[0, 40:60] = 0
    found = interruptions(demand, LAST)
    assert found[0, 40:60].all()
    assert found.sum() == 20


@pytest.mark.parametrize("weeks", [slice(100, WEEKS), slice(0, 20), slice(50, 53)])
def test_an_end_a_late_beginning_and_a_short_gap_are_not_interruptions(weeks):
    demand = STEADY.copy()
    demand[:, weeks] = 0
    assert not interruptions(demand, LAST).any()


def test_a_pause_every_year_is_a_season():
    demand = STEADY * (np.arange(WEEKS) % 52 < 40)
    assert not interruptions(demand, LAST).any()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5])
def test_rare_demand_has_no_interruptions(share):
    demand = np.random.default_rng(7).random((50, WEEKS)) < share
    assert not interruptions(demand.astype(float), LAST).any()


@settings(max_examples=25)
@given(known=st.integers(30, WEEKS - 2), quantity=st.sampled_from([0.0, 1.0, 1e9]), seed=st.integers(0, 99))
def test_weeks_after_the_last_known_one_change_nothing(known, quantity, seed):
    rng = np.random.default_rng(seed)
    demand = rng.lognormal(3, 1, (4, WEEKS)) * (rng.random((4, WEEKS)) < 0.95)
    demand[0, known // 2 : known // 2 + 8] = 0
    changed = demand.copy()
    changed[:, known + 1 :] = quantity
    before = slice(known + 1)
    np.testing.assert_array_equal(outliers(demand, known)[:, before], outliers(changed, known)[:, before])
    np.testing.assert_array_equal(interruptions(demand, known), interruptions(changed, known))


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize(("high_weeks", "is_level"), [(SHIFT_WEEKS - 1, False), (SHIFT_WEEKS, True)])
def test_high_weeks_running_are_a_new_level(every, high_weeks, is_level):
    ordered = np.arange(WEEKS) % every == 0
    demand = STEADY * ordered
    begin = np.flatnonzero(ordered)[-high_weeks]
    demand[1, begin:] *= 30
    found = outliers(demand, LAST)
    assert found[1].sum() == (0 if is_level else high_weeks)
    assert not found[[0, 2]].any()


def test_an_ordinary_week_ends_a_run_and_mistaken_units_are_no_level():
    demand = STEADY.copy()
    demand[0, [100, 101, 103, 104]] *= 30
    demand[1, 100:110] *= 10 * MAX_SHIFT
    found = outliers(demand, LAST)
    assert np.flatnonzero(found[0]).tolist() == [100, 101, 103, 104]
    assert np.flatnonzero(found[1]).tolist() == list(range(100, 110))


@pytest.mark.parametrize(("known", "is_level"), [(103, True), (102, False)])
def test_a_run_is_long_enough_by_the_last_known_week_and_goes_on_after_it(known, is_level):
    demand = STEADY.copy()
    demand[0, 100:110] *= 30
    assert outliers(demand, known)[0, 100:110].tolist() == [not is_level] * 10


def test_a_series_with_few_orders_is_compared_with_its_category():
    totals = np.stack([STEADY.sum(axis=0), STEADY[0] / 100])
    totals[0, 50] = 2e9
    totals[1, :-5] = 0.0
    limits = CategoryLimits.of(FIRST, ["bolts", "late"], totals)
    assert OUTLIER_FACTOR * 300 < limits.by_category["bolts"] < OUTLIER_FACTOR * 450
    # A category that has begun late, and one that is not known, have the limit of all together.
    assert (
        limits.by_category["late"] == limits.of_others == pytest.approx(limits.by_category["bolts"], rel=0.05)
    )
    demand = np.zeros((5, WEEKS))
    demand[:, [20, 60, 90]] = 5.0
    demand[0, 60] = 2e9
    demand[1, 60] = 1000.0
    demand[2, 60:70] = 5.0
    demand[2, 80] = 2e9
    demand[3, 100:] = 10_000.0
    demand[4, 100 : 99 + SHIFT_WEEKS] = 10_000.0
    found = limits.exceeded(demand, ["bolts", "bolts", "bolts", "late", "other"], LAST)
    assert np.argwhere(found).tolist() == [[0, 60], *[[4, 100 + week] for week in range(SHIFT_WEEKS - 1)]]
    # With a size of its own, the third series is judged by that.
    assert outliers(demand, LAST)[2, 80]


def test_without_demand_nothing_is_absurd():
    limits = CategoryLimits.of(FIRST, [], np.empty((0, 0)))
    assert not limits.exceeded(STEADY, ["bolts"] * 3, LAST).any()


def test_an_excluded_week_before_a_series_begins_is_no_end_of_an_interruption():
    demand, excluded = STEADY.copy(), np.zeros(STEADY.shape, dtype=bool)
    demand[0, :60], excluded[0, 38] = 0.0, True
    demand[1, :80], excluded[1, 0] = 0.0, True
    demand[1, 95:102] = 0.0
    found = interruptions(demand, LAST, Corrections(excluded, np.zeros_like(excluded)))
    assert not found[0].any()
    assert np.flatnonzero(found[1]).tolist() == list(range(95, 102))
