import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.forecasting.forecast_arrays import LEVELS, forecast_table
from forecasting_assets.forecasting.reconciliation import DEVIATIONS, FACTORS, reconcile

HORIZONS = 2
ORIGIN = np.datetime64("2024-01-01")
#: Three series of one market, two of another, and one whose market is not known.
SERIES = pd.DataFrame({"part_category": ["A", "A", "A", "B", "B", None], "region": "x"})
SHAPE = len(SERIES), HORIZONS
NONE_PLANNED, NOTHING_BOOKED = np.zeros(SHAPE, bool), np.zeros(SHAPE)
units = st.floats(1, 1000)


def distribution(mean, deviation):
    """Return forecasts (..., VALUES) of a uniform distribution, whose 80 % interval is `deviation` times 2.563 wide."""
    quantiles = mean[..., None] + (LEVELS - 0.5) / 0.8 * DEVIATIONS * deviation[..., None]
    return np.concatenate([mean[..., None], quantiles], axis=-1)


def market_forecast(mean, deviation, names=("A", "B")):
    series = pd.DataFrame({"part_id": names, "region": "x"})
    values = distribution(np.full((len(names), HORIZONS), mean), np.full((len(names), HORIZONS), deviation))
    table = forecast_table(series, np.full(len(names), ORIGIN), values)
    count = table["part_id"].map(SERIES["part_category"].value_counts())
    return table.rename(columns={"part_id": "part_category"}).assign(series=count)


def reconciled(values, markets, planned=NONE_PLANNED, booked=NOTHING_BOOKED):
    return reconcile(values, SERIES, markets, planned, booked)


@given(
    st.lists(units, min_size=3, max_size=3),
    st.lists(st.floats(0.01, 0.3), min_size=4, max_size=4),
    st.floats(0.8, 1.2),
)
def test_means_are_the_generalised_least_squares_of_series_and_market(means, spreads, times):
    mean = np.array([*means, 50.0, 50.0, 50.0])
    deviation = np.array([*spreads[:3], 0.1, 0.1, 0.1]) * mean
    of_market = times * sum(means), spreads[3] * sum(means)
    values = distribution(np.tile(mean[:, None], (1, HORIZONS)), np.tile(deviation[:, None], (1, HORIZONS)))
    found = reconciled(values, market_forecast(*of_market, ["A"]))[:3, 0, 0]
    # The three series and their sum are observed, each with its own error.
    observed, summing = np.array([*means, of_market[0]]), np.vstack([np.eye(3), np.ones(3)])
    precision = np.diag(1 / np.array([*deviation[:3], of_market[1]]) ** 2)
    expected = np.linalg.solve(summing.T @ precision @ summing, summing.T @ precision @ observed)
    inside = (expected > FACTORS[0] * mean[:3]) & (expected < FACTORS[1] * mean[:3])
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-6)


def example():
    mean = np.tile(np.array([10.0, 20.0, 0.0, 20.0, 20.0, 50.0])[:, None], (1, HORIZONS))
    return distribution(mean, 0.2 * mean)


def test_all_values_of_a_cell_move_together_and_nothing_else_does():
    values = example()
    found = reconciled(values, market_forecast(60.0, 1.0, ["A"]))
    factor = found[:2] / values[:2]
    assert np.ptp(factor, axis=-1) == pytest.approx(0.0, abs=1e-12)
    assert (factor > 1.1).all()
    # Series without expected demand, of a market without forecast or of no market.
    np.testing.assert_array_equal(found[2:], values[2:])
    np.testing.assert_array_equal(reconciled(values, market_forecast(60.0, 1.0, [])), values)


def test_an_uncertain_forecast_of_a_market_moves_nothing_and_a_far_one_is_limited():
    values = example()
    np.testing.assert_allclose(reconciled(values, market_forecast(60.0, 1e9)), values, rtol=1e-6)
    far = reconciled(values, market_forecast(1e6, 0.001))
    assert far[[0, 1, 3, 4]] == pytest.approx(FACTORS[1] * values[[0, 1, 3, 4]])
    none = reconciled(values, market_forecast(0.0, 0.001))
    assert none[[1, 3]] == pytest.approx(FACTORS[0] * values[[1, 3]])


def test_weeks_of_a_market_with_a_plan_stay_as_they_are():
    values, planned = example(), NONE_PLANNED.copy()
    planned[0, 1] = True
    found = reconciled(values, market_forecast(60.0, 1.0), planned)
    np.testing.assert_array_equal(found[:3, 1], values[:3, 1])
    assert (found[:2, 0, 0] > values[:2, 0, 0]).all()
    assert (found[3:5] > values[3:5]).all()


def test_no_value_falls_below_what_is_booked():
    values, booked = example(), NOTHING_BOOKED.copy()
    booked[1] = 19.0
    values = np.maximum(values, booked[..., None])
    found = reconciled(values, market_forecast(5.0, 0.01), booked=booked)
    assert (found[1] >= 19.0).all()
    assert (found[0] < values[0]).all()


def test_series_without_forecast_do_not_count():
    values, markets = example(), market_forecast(60.0, 1.0)
    values[2] = np.nan
    found = reconciled(values, markets.assign(series=2))
    expected = reconciled(example(), markets)
    np.testing.assert_array_equal(found[[0, 1, 3, 4, 5]], expected[[0, 1, 3, 4, 5]])
    assert np.isnan(found[2]).all()


def test_a_market_of_other_series_or_of_one_alone_is_not_used():
    values, markets = example(), market_forecast(60.0, 1.0)
    np.testing.assert_array_equal(reconciled(values, markets.assign(series=4)), values)
    one = SERIES.assign(part_category=["A", "B", "C", "D", "E", "F"])
    np.testing.assert_array_equal(
        reconcile(values, one, markets.assign(series=1), NONE_PLANNED, NOTHING_BOOKED), values
    )


def test_rarely_ordered_series_take_their_part_of_the_gap():
    values = example()
    values[:2] = 0.0
    values[:2, :, 0] = 10.0  # a mean that lies beyond all quantiles
    values[1, :, -2:] = 1e-3
    values[2] = distribution(np.full(HORIZONS, 20.0), np.full(HORIZONS, 30.0))
    found = reconciled(values, market_forecast(50.0, 0.01))
    # All three have the same variance.
    np.testing.assert_allclose(found[:3, :, 0] - values[:3, :, 0], 10 / 3, rtol=1e-3)
