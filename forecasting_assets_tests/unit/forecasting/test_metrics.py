from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from utilsforecast import losses

from forecasting_assets.forecasting.forecast_arrays import LEVELS, VALUES
from forecasting_assets.forecasting.metrics import NaiveErrors, error_sums, metrics, naive_errors

ACTUAL = np.array([[10.0, 0.0], [4.0, 6.0]])
#: Means 12, 1 | 4, 3 and medians 11, 1 | 5, 6; the other quantiles lie evenly around the median.
VALUE = np.stack(
    [
        np.array([[12.0, 1.0], [4.0, 3.0]]),
        *(np.array([[11.0, 1.0], [5.0, 6.0]]) + d for d in (-3, -2, -0.5, 0, 0.5, 2, 3)),
    ],
    axis=-1,
)
MAE1, MSE1 = np.array([2.0, 4.0]), np.array([5.0, 16.0])


def measured(actual=ACTUAL, values=VALUE, mae1=MAE1, mse1=MSE1):
    return {
        k: float(v)
        for k, v in metrics(error_sums(actual, values, NaiveErrors(mae1, mse1)).sum(axis=(0, 1))).items()
    }


def test_metrics_by_hand():
    m = measured()
    assert m["n"] == 4
    assert m["rmse"] == pytest.approx(np.sqrt((4 + 1 + 0 + 9) / 4))
    assert m["mape"] == pytest.approx((1 / 10 + 1 / 4 + 0 / 6) / 3)
    assert m["mape_left_out"] == pytest.approx(1 / 4)
    assert m["wape"] == pytest.approx((1 + 1 + 1 + 0) / 20)
    assert m["mase"] == pytest.approx((1 / 2 + 1 / 2 + 1 / 4 + 0) / 4)
    assert m["rmsse"] == pytest.approx(np.sqrt((4 / 5 + 1 / 5 + 0 + 9 / 16) / 4))
    assert m["bias"] == pytest.approx((2 + 1 + 0 - 3) / 20)
    assert m["coverage_80"] == 1.0


def test_pinball_by_hand():
    values = np.array([[[0.0, 1, 2, 3, 4, 5, 6, 7]]])
    m = measured(np.array([[4.0]]), values, np.array([2.0]), np.array([1.0]))
    gaps = [0.05 * 3, 0.1 * 2, 0.25 * 1, 0, 0.25 * 1, 0.1 * 2, 0.05 * 3]
    assert m["pinball"] == pytest.approx(np.mean(gaps))
    assert m["scaled_pinball"] == pytest.approx(np.mean(gaps) / 2)


def test_coverage_counts_the_bounds_in():
    values = np.array([[[0.0, 1, 2, 3, 4, 5, 6, 7]]])
    seen = [measured(np.array([[y]]), values, np.ones(1), np.ones(1)) for y in (0.9, 1.0, 2.0, 6.0, 6.5, 7.1)]
    assert [m["coverage_80"] for m in seen] == [0, 0, 1, 1, 0, 0]
    assert [m["coverage_90"] for m in seen] == [0, 1, 1, 1, 1, 0]


def test_cells_without_forecast_actual_scale_or_quantiles_are_left_out():
    values, actual = VALUE.copy(), ACTUAL.copy()
    values[0, 0] = np.nan
    actual[0, 1] = np.nan
    values[1, 0, 1] = np.nan
    m = measured(actual, values, np.array([2.0, 0.0]), np.array([5.0, 0.0]))
    assert m["n"] == 2
    assert m["rmse"] == pytest.approx(np.sqrt(9 / 2))
    assert np.isnan(m["mase"])
    assert np.isnan(m["scaled_pinball"])
    error, level = 6.0 - VALUE[1, 1, 1:], LEVELS
    assert m["pinball"] == pytest.approx(np.maximum(level * error, (level - 1) * error).mean())
    assert all(np.isnan(v) for k, v in measured(actual * np.nan).items() if k != "n")


def test_naive_errors_leave_out_the_weeks_before_the_first_order():
    demand = np.array([[0.0, 5.0, 7.0, 4.0], [1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 0.0, 9.0]])
    errors = naive_errors(demand, np.array([1, 0, 3]))
    mae, mse = errors.absolute, errors.squared
    assert mae[:2].tolist() == [2.5, pytest.approx(2 / 3)]
    assert mse[:2].tolist() == [6.5, pytest.approx(4 / 3)]
    assert np.isnan(mae[2])
    assert np.isnan(mse[2])


@given(
    arrays(float, (3, 5, 8), elements=st.floats(0, 1e4)), arrays(float, (3, 5), elements=st.floats(1, 1e4))
)
def test_sums_of_parts_are_the_sum_of_the_whole(values, actual):
    scale, of_one = NaiveErrors(np.ones(3), np.ones(3)), NaiveErrors(np.ones(1), np.ones(1))
    whole = error_sums(actual, values, scale).sum(axis=(0, 1))
    parts = sum(
        error_sums(actual[i : i + 1, j : j + 1], values[i : i + 1, j : j + 1], of_one).sum(axis=(0, 1))
        for i in range(3)
        for j in range(5)
    )
    np.testing.assert_allclose(whole, parts)


def test_against_utilsforecast():
    rng = np.random.default_rng(0)
    train, actual = rng.gamma(2, 10, (1, 60)), rng.gamma(2, 10, (1, 8))
    values = np.sort(rng.gamma(2, 10, (1, 8, len(VALUES))), axis=-1)
    values[..., 0] = values[..., VALUES.index("q50")]
    scale = naive_errors(train, np.array([0]))
    m = measured(actual, values, scale.absolute, scale.squared)
    frame = pd.DataFrame({"unique_id": "a", "ds": range(8), "y": actual[0], "model": values[0, :, 0]})
    quantiles = {f"model-{i}": values[0, :, i] for i in range(1, 8)}
    known = pd.DataFrame({"unique_id": "a", "ds": range(-60, 0), "y": train[0]})
    one: dict[str, Any] = {"df": frame, "models": ["model"]}
    assert m["rmse"] == pytest.approx(losses.rmse(**one)["model"][0])
    assert m["mape"] == pytest.approx(losses.mape(**one)["model"][0])
    assert m["wape"] == pytest.approx(losses.nd(**one)["model"][0])
    assert m["mase"] == pytest.approx(losses.mase(**one, seasonality=1, train_df=known)["model"][0])
    assert m["rmsse"] == pytest.approx(losses.rmsse(**one, seasonality=1, train_df=known)["model"][0])
    frame = frame.assign(**quantiles)
    mean_loss = losses.mqloss(frame, {"model": list(quantiles)}, np.array(LEVELS))["model"][0]
    assert m["pinball"] == pytest.approx(mean_loss)
