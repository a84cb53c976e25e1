"""Splitting classes over parts: everything adds up, in whole units."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.allocation.split import split


def shared(needs, amounts):
    """The table (flows, parts) of one class whose parts need `needs`."""
    needs = np.array(needs, float)
    parts = pd.DataFrame({"class": 0, "share": needs / needs.sum()}, index=range(len(needs)))
    flows = pd.DataFrame({"class": 0, "amount": np.array(amounts, float)})
    table = np.zeros((len(amounts), len(needs)))
    rows = split(parts, flows)
    table[rows["flow"], rows["part"]] = rows["quantity"]
    return table


def test_largest_remainder_by_hand():
    # Shares of 10 are 4.9, 3.1 and 2.0; the unit left over goes to the largest remainder.
    assert shared([49, 31, 20], [10, 90])[0].tolist() == [5, 3, 2]


def test_what_is_no_whole_unit_stays_a_fraction():
    table = shared([2.5, 1.5], [4.0])
    np.testing.assert_allclose(table, [[2.5, 1.5]])


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=8),
    st.lists(st.integers(1, 100), min_size=1, max_size=6),
)
def test_whole_needs_and_whole_flows_are_split_into_whole_units(needs, weights):
    # Cut the total into whole flows.
    cuts = np.floor(np.cumsum([0, *weights]) / sum(weights) * sum(needs))
    amounts = np.diff(cuts)[np.diff(cuts) > 0]
    table = shared(needs, amounts)
    np.testing.assert_allclose(table, np.round(table), atol=1e-6)
    np.testing.assert_allclose(table.sum(axis=1), amounts, rtol=1e-9)
    np.testing.assert_allclose(table.sum(axis=0), needs, rtol=1e-9)


@given(
    st.lists(st.floats(0.01, 1e4), min_size=1, max_size=8),
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6),
)
def test_every_flow_and_every_part_adds_up_and_no_part_strays_a_unit_from_its_share(needs, weights):
    amounts = np.array(weights) / sum(weights) * sum(needs)
    table = shared(needs, amounts)
    assert (table >= 0).all()
    np.testing.assert_allclose(table.sum(axis=1), amounts, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(table.sum(axis=0), needs, rtol=1e-7, atol=1e-9)
    fair = amounts[0] * np.array(needs) / sum(needs)
    assert (np.abs(table[0] - fair) <= 1 + 1e-6).all()
