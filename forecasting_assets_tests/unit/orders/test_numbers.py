import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.numbers import parse_numbers

ENGLISH = OrderFormat(thousands=",", currency="$")
GERMAN = OrderFormat(decimal=",", thousands=".", currency="€")
FRENCH = OrderFormat(decimal=",", thousands=" ", currency="EUR")


def price(order_format: OrderFormat, text: str | None) -> float | None:
    return parse_numbers(pa.array([text], pa.string()), order_format, prices=True)[0].as_py()


@pytest.mark.parametrize(
    ("order_format", "text", "value"),
    [
        (OrderFormat(), " 2 ", 2.0),
        (OrderFormat(), "+.5", 0.5),
        (OrderFormat(), "1.", 1.0),
        (OrderFormat(), "1e3", 1000.0),
        (OrderFormat(), "007", 7.0),
        (OrderFormat(), "1e-400", 0.0),
        (ENGLISH, "1,234.50", 1234.5),
        (ENGLISH, "1,234,567", 1234567.0),
        (ENGLISH, "$10.00", 10.0),
        (ENGLISH, "-$ 5", -5.0),
        (ENGLISH, "12\u00a0$", 12.0),
        (GERMAN, "1.234,50 €", 1234.5),
        (GERMAN, "10,5", 10.5),
        (FRENCH, "1\u202f234,5 EUR", 1234.5),
        (OrderFormat(thousands="'"), "1\u2019234.5", 1234.5),
    ],
)
def test_numbers_are_read_in_their_format(order_format, text, value):
    assert price(order_format, text) == value


@pytest.mark.parametrize(
    ("order_format", "text"),
    [
        *(
            (OrderFormat(), text)
            for text in (None, "", "1d", "NaN", "Infinity", "-inf", "0x1p3", "1e400", "e5")
        ),
        *(
            (OrderFormat(), text)
            for text in ("1,5", "1,234", "12 pcs", "$10", "10 %", "(5)", "--5", "\u0661")
        ),
        *((ENGLISH, text) for text in ("1,23", "12,34,567", ",123", "1,234,", "€5", "$5$", "1.234,5")),
        *((GERMAN, text) for text in ("1,234.5", "1.23", "$5")),
    ],
)
def test_other_texts_are_not_numbers(order_format, text):
    assert price(order_format, text) is None


def test_quantities_have_no_currency():
    assert parse_numbers(pa.array(["$5"]), ENGLISH, prices=False)[0].as_py() is None


@given(st.integers(-(10**9), 10**9), st.integers(0, 99), st.sampled_from([ENGLISH, GERMAN, FRENCH]))
def test_numbers_are_read_back_as_written(whole, cents, order_format):
    text = f"{whole:,}".replace(",", order_format.thousands) + f"{order_format.decimal}{cents:02}"
    expected = float(f"{whole}.{cents:02}")
    assert price(order_format, text) == expected
