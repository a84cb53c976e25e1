"""Absurd quantities and interruptions are found, and usual demand, rare demand and seasons are not taken for them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.forecasting.cleaning import interruptions, outliers

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
