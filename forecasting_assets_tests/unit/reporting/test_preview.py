"""First rows of tables as the UI shows them."""

import math
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.reporting.preview import first_rows, rounded


def test_numbers_are_rounded_and_weeks_are_dates():
    text = first_rows(
        {"part_id": ["p-1"], "week": [date(2026, 1, 5)], "cost": [1234.5678], "share": [0.012341]}
    )
    assert text.splitlines()[2] == "|p-1|2026-01-05|1,235|0.01234|"


def test_a_wide_table_ends_before_it_would_be_folded():
    text = first_rows({f"a_long_name_of_a_column_{i}": [float(i)] * 5 for i in range(40)})
    assert len(text) < 1000
    assert text.endswith("… and more columns")


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=9), st.lists(st.text(max_size=50), min_size=3, max_size=3), min_size=1
    )
)
def test_names_that_mean_harm_stay_text(columns):
    columns = {f"c{i}": values for i, values in enumerate(columns.values())}
    text = first_rows(columns)
    assert not set("<>`*[]()\\") & set(text)
    if text:
        assert {line.count("|") for line in text.split("\n\n")[0].splitlines()} == {
            text.split("\n")[0].count("|")
        }


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_keeps_four_digits(value):
    assert math.isclose(rounded(value), value, rel_tol=1e-3)
