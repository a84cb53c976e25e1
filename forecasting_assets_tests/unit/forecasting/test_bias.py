from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.forecasting.bias import group_bias, sign_test, tracking_limit, tracking_signal
from forecasting_assets.forecasting.checks import check_unbiased
from forecasting_assets.tables import FORECAST_ERRORS
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST


def errors(by_group, model="combined", horizon=1):
    """Build FORECAST_ERRORS with 100 units of demand each week, and errors by group."""
    rows = [
        (pd.Timestamp(add_weeks(FIRST, week)), *group, model, horizon, 1, 100.0 + error, 100.0, abs(error))
        for group, of_group in by_group.items()
        for week, error in enumerate(of_group)
    ]
    return pd.DataFrame(rows, columns=FORECAST_ERRORS.names)


TOTAL, PRESS, NORTH = ("total", ""), ("part_category", "press"), ("region", "north")
ONE_SIDED, EVEN = [-8.0] * 10 + [5.0], [3.0, -4.0] * 5 + [1.0]


@given(st.integers(0, 30), st.integers(0, 30))
def test_sign_test_counts_the_splits_that_are_at_least_as_uneven(below, above):
    n = below + above
    uneven = sum(comb(n, k) for k in range(n + 1) if abs(2 * k - n) >= abs(below - above)) / 2**n
    assert sign_test(np.array([below]), np.array([above]))[0] == pytest.approx(uneven)


def test_ten_of_eleven_totals_below_actual_are_a_warning():
    finding = check_unbiased(errors({TOTAL: ONE_SIDED, PRESS: EVEN, NORTH: EVEN}))
    assert not finding.passed
    assert "10 of 11" in finding.description
    assert "below" in finding.description
    assert finding.metadata["groups_off"] == 1
    assert finding.metadata["bias_of_total"] == pytest.approx(-75 / 1100)


def test_errors_to_both_sides_pass():
    finding = check_unbiased(errors({TOTAL: EVEN, PRESS: EVEN}))
    assert finding.passed
    assert finding.metadata["groups_off"] == 0


def test_a_group_needs_stronger_evidence_than_the_total():
    categories = {("part_category", f"c{i}"): EVEN for i in range(8)}
    assert check_unbiased(errors({TOTAL: EVEN, PRESS: ONE_SIDED, **categories})).passed
    always = check_unbiased(errors({TOTAL: EVEN, PRESS: [9.0] * 11, **categories}))
    assert "category press: 11 of 11 one-week forecasts above" in always.description


def test_false_alarms_are_as_rare_as_stated():
    rng = np.random.default_rng(0)
    groups = [
        TOTAL,
        *(("part_category", f"c{i}") for i in range(5)),
        *(("region", f"r{i}") for i in range(4)),
    ]
    alarms = [not check_unbiased(errors({g: rng.normal(size=13) for g in groups})).passed for _ in range(60)]
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


def test_other_models_horizons_and_groups_do_not_count():
    others = [
        errors({TOTAL: ONE_SIDED}, model="xgb"),
        errors({TOTAL: ONE_SIDED}, horizon=2),
        errors({("value_class", "A"): ONE_SIDED}),
        errors({TOTAL: EVEN}),
    ]
    assert check_unbiased(pd.concat(others)).passed
    assert check_unbiased(errors({})).passed


def test_a_forecast_that_is_exact_counts_for_neither_side():
    table = group_bias(errors({TOTAL: [0.0, 0.0, -1.0]}), ("total",))
    assert table[["origins", "below", "above"]].iloc[0].tolist() == [3, 1, 0]


def test_tracking_signal_is_the_sum_of_errors_over_their_mean_size():
    error = np.array([[1.0, -3.0, np.nan, -2.0], [0.0, 0.0, 0.0, 0.0]])
    assert tracking_signal(error).tolist() == pytest.approx([-4 / 2, 0.0])
    assert tracking_signal(np.full((1, 9), 7.0))[0] == 9


def test_limit_of_the_tracking_signal_holds_for_normal_errors():
    error = np.random.default_rng(1).normal(size=(4000, 26))
    outside = (np.abs(tracking_signal(error)) > tracking_limit(26)).mean()
    assert 0.03 < outside < 0.07
