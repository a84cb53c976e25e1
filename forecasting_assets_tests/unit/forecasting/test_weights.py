import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting_assets.forecasting.metrics import SUMS
from forecasting_assets.forecasting.weights import TOLERANCE, combination_weights


def sums(losses, cells):
    """Sums of forecasts with these losses."""
    losses = np.asarray(losses, dtype=float)
    total = np.zeros((*losses.shape, len(SUMS)))
    total[..., SUMS.index("scaled_pinball")] = losses * cells
    total[..., SUMS.index("scaled_quantile_cells")] = cells
    return total


def weights_of(losses, cells, prior):
    return combination_weights(sums(losses, cells), prior)


def test_without_observations_the_weights_are_equal():
    assert weights_of([0, 0, 0], 0, 500) == pytest.approx([1 / 3] * 3)


def test_a_single_model_has_all_weight():
    assert weights_of([2.0], 100, 500) == pytest.approx([1.0])


def test_weights_by_hand():
    # With as many cells as the prior counts for, the loss itself counts and not its square: 4 to the tolerance.
    assert weights_of([1.0, 4.0], 500, 500)[0] == pytest.approx(4 / (4 + TOLERANCE))
    assert weights_of([1.0, 4.0], 10, 0)[0] == pytest.approx(16 / (16 + TOLERANCE**2))
    assert weights_of([1.0, 0.99 * TOLERANCE], 10, 0).tolist() == [0.5, 0.5]
    assert weights_of([0.0, 2.0], 10, 0)[0] == pytest.approx(1.0, abs=1e-3)
    assert weights_of([0.0, 2.0], 3, 500)[0] == pytest.approx(0.5, abs=0.03)
    assert weights_of([0.0, 0.0], 10, 0).tolist() == [0.5, 0.5]


def test_a_model_that_is_far_worse_hardly_counts():
    weights = weights_of([1.0, 1.1, 6.0], 1000, 100)
    assert weights[0] == weights[1]
    assert weights[2] < 0.05


def test_the_model_with_the_fewest_forecasts_says_how_far_losses_are_trusted():
    few, many = sums([1.0, 4.0], 50), sums([1.0, 4.0], 5000)
    unequal = np.stack([many[0], few[1]])
    assert combination_weights(unequal, 500) == pytest.approx(combination_weights(few, 500))


def test_a_model_that_cannot_be_judged_yet_hardly_counts():
    judged, unjudged = sums([1.0, 4.0], 500), sums([0.0], 0)
    weights = combination_weights(np.concatenate([judged, unjudged]), 500)
    assert 0 < weights[2] < 1e-5
    assert weights[:2] == pytest.approx(combination_weights(judged, 500), abs=1e-5)


def test_weights_keep_the_axes_of_the_sums():
    of_models = sums(np.arange(1.0, 13).reshape(2, 2, 3), 10)
    weights = combination_weights(of_models, 5)
    assert weights.shape == (2, 2, 3)
    assert weights[:, 1, 2] == pytest.approx(combination_weights(of_models[:, 1, 2], 5))


@given(arrays(float, st.integers(1, 4), elements=st.floats(0, 100)), st.integers(0, 10**6), st.floats(0, 1e4))
def test_weights_favour_smaller_losses_and_add_up_to_one(losses, cells, prior):
    weights = weights_of(losses, cells, prior)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert (np.diff(weights[np.argsort(losses)]) <= 1e-12).all()
