"""Formatting of numbers for people."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.reporting.formats import MINUS, compared, number, percent, shorten
from forecasting_assets.wording import count


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (1234567.8, 0, "1,234,568"),
        (0.25, 2, "0.25"),
        (-1234.5, 1, f"{MINUS}1,234.5"),
        (-0.0001, 1, "0.0"),
        (None, 0, "\u2013"),
        (math.nan, 0, "\u2013"),
        (math.inf, 0, "∞"),
        (-math.inf, 0, f"{MINUS}∞"),
    ],
)
def test_number(value: float | None, digits: int, expected: str) -> None:
    assert number(value, digits) == expected


@given(st.floats(-1e12, 1e12), st.integers(0, 3))
def test_number_reads_back_as_the_rounded_value(value: float, digits: int) -> None:
    text = number(value, digits)
    assert float(text.replace(",", "").replace(MINUS, "-")) == pytest.approx(value, abs=0.51 * 10**-digits)


def test_percent_and_counts() -> None:
    assert percent(0.2314) == "23.1 %"
    assert percent(None) == percent(math.nan) == "\u2013"
    assert count(1, "week") == "1 week"
    assert count(1200, "week") == "1,200 weeks"


def test_compared() -> None:
    assert compared(0.12) == "12 % better"
    assert compared(-0.034, "cheaper", "more expensive") == "3 % more expensive"
    assert compared(0.004, than="naive") == "equal to naive"
    assert compared(0.12, than="naive") == "12 % better than naive"


@given(st.text(), st.integers(8, 60))
def test_shortened_names_fit_on_one_line_and_keep_their_ends(name: str, width: int) -> None:
    short, whole = shorten(name, width), " ".join(name.split())
    assert len(short) <= width
    assert short == whole or (whole.startswith(short.split("…")[0]) and whole[-1] == short[-1])
