import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from forecasting_assets.forecasting.metrics import SUMS
from forecasting_assets.forecasting.weights import PRIOR_ORIGINS, TOLERANCE, combination_weights, pairs


def sums(losses, cells):
    """Sums of forecasts with these losses."""
    losses = np.asarray(losses, dtype=float)
    total = np.zeros((*losses.shape, len(SUMS)))
    total[..., SUMS.index("scaled_pinball")] = losses * cells
    total[..., SUMS.index("scaled_quantile_cells")] = cells
    return total


def weights_of(single, pair, cells, prior, origins=1e15):
    return combination_weights(sums(single, cells), sums(pair, cells), origins, prior)


def weight_of(one, other, equal, cells, prior, origins=1e15):
    weights = weights_of([one, other], [equal], cells, prior, origins)
    assert weights.sum() == pytest.approx(1)
    return weights[0]


def test_without_observations_the_weights_are_equal():
    assert weight_of(0, 0, 0, 0, 500) == 0.5
    assert weights_of([0, 0, 0], [0, 0, 0], 0, 500) == pytest.approx([1 / 3] * 3)


def test_a_single_model_has_all_weight():
    assert combination_weights(sums([2.0], 100), np.zeros((0, len(SUMS))), 9, 500) == pytest.approx([1.0])


def test_weights_by_hand():
    # The losses of (2 - 3w)² are 4, 0.25 and 1 at the weights 0, 1/2 and 1; the least is at 2/3.
    assert weight_of(1.0, 4.0, 0.25, 1e12, 500) == pytest.approx(2 / 3)
    # With as many cells as the prior counts for, the loss itself counts and not its square: 4 to the tolerance.
    prior = 4 / (4 + TOLERANCE)
    assert weight_of(1.0, 4.0, 0.25, 500, 500) == pytest.approx((prior + 2 / 3) / 2)
    assert weight_of(1.0, 4.0, 0.25, 500, 500, origins=PRIOR_ORIGINS) == pytest.approx(
        prior + (2 / 3 - prior) / 4
    )
    assert weight_of(1.0, 2.0, 1.5, 10, 0) == pytest.approx(1.0)
    assert weight_of(2.0, 1.0, 1.6, 10, 0) == pytest.approx(0.0)
    assert weight_of(1.0, 2.0, 1.5, 10, 0, origins=0) == pytest.approx(4 / (4 + TOLERANCE**2))
    assert weight_of(1.0, 0.99 * TOLERANCE, 1.1, 10, 0, origins=0) == 0.5
    assert weight_of(0.0, 2.0, 1.0, 10, 0, origins=0) == pytest.approx(1.0, abs=1e-3)
    assert weight_of(0.0, 2.0, 1.0, 3, 500, origins=0) == pytest.approx(0.5, abs=0.03)
    assert weight_of(0.0, 0.0, 0.0, 10, 0) == pytest.approx(0.5)


def test_a_model_that_is_far_worse_hardly_counts_from_the_first_origins_on():
    good, far_worse = 1.0, 5.0
    weights = weights_of([good, good, far_worse], [good, 2.9, 2.9], 1000, 100, origins=1)
    assert weights[:2] == pytest.approx([0.49, 0.49], abs=0.02)
    assert weights[2] < 0.05


def test_weights_keep_the_axes_of_the_sums():
    single = sums(np.arange(1.0, 13).reshape(2, 2, 3), 10)
    pair = sums(np.full((1, 2, 3), 2.0), 10)
    weights = combination_weights(single, pair, np.array([[13.0], [26.0]]), 5)
    assert weights.shape == (2, 2, 3)
    assert weights[:, 1, 2] == pytest.approx(combination_weights(single[:, 1, 2], pair[:, 1, 2], 26, 5))


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 1), st.integers(0, 10**6), st.floats(0, 1e4))
def test_weights_favour_the_smaller_loss_and_add_up_to_one(one, other, share, cells, prior):
    equal = share * (one + other) / 2  # the loss of an average is at most the average loss
    weight = weight_of(one, other, equal, cells, prior)
    mirrored = weight_of(other, one, equal, cells, prior)
    assert 0 <= weight <= 1
    assert weight + mirrored == pytest.approx(1)
    if one < other:
        assert weight >= 0.5 - 1e-9


@given(arrays(float, st.tuples(st.integers(2, 4), st.integers(5, 20)), elements=st.floats(-10, 10)))
def test_weights_are_optimal_for_squared_losses(errors):
    """An independent optimiser finds no better weights, whatever the errors of two to four models."""

    def loss(weights):
        return ((weights @ errors) ** 2).mean()

    n = len(errors)
    alone = [(error**2).mean() for error in errors]
    together = [(((errors[i] + errors[j]) / 2) ** 2).mean() for i, j in pairs(n)]
    weights = weights_of(alone, together, 100, 0)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    found = minimize(
        loss,
        np.full(n, 1 / n),
        bounds=[(0, 1)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
    )
    assert loss(weights) <= loss(found.x / found.x.sum()) + 1e-6 * (1 + max(alone))
