"""Parse quantities and prices in the number format of the order files."""

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.orders.text import trim

if TYPE_CHECKING:
    from forecasting_assets.orders.formats import OrderFormat

_EXPONENT = r"([eE][+-]?\d+)?"
#: Characters accepted for a separator: also non-breaking and thin spaces, and the typographic apostrophe.
_VARIANTS = {" ": " \u00a0\u2009\u202f", "'": "'\u2019"}


def parse_numbers(text: pa.Array | pa.ChunkedArray, order_format: "OrderFormat", prices: bool) -> pa.Array:
    """Parse numbers.

    Parameters
    ----------
    text
        Texts as landed.
    order_format
        Format with the decimal and thousands separators, and the currency that may precede or follow a price.
    prices
        Whether the numbers are prices.

    Returns
    -------
    pa.Array
        float64; null where a text is not a finite number in this format. A number has thousands separators between
        all its groups of three digits, or none.
    """
    trimmed = trim(text)
    if prices and order_format.currency:
        trimmed = _without_currency(trimmed, order_format.currency)
    number = pc.match_substring_regex(trimmed, _pattern(order_format.decimal, order_format.thousands))
    digits = pc.if_else(number, trimmed, None)
    if order_format.thousands:
        digits = pc.replace_substring_regex(digits, _any_of(order_format.thousands), "")
    if order_format.decimal != ".":
        digits = pc.replace_substring(digits, order_format.decimal, ".")
    values = digits.cast(pa.float64())
    return pc.if_else(pc.is_finite(values), values, None)


def _pattern(decimal: str, thousands: str) -> str:
    whole = r"\d+"
    if thousands:
        whole = rf"(\d+|\d{{1,3}}({_any_of(thousands)}\d{{3}})+)"
    point = re.escape(decimal)
    return rf"^[+-]?({whole}({point}\d*)?|{point}\d+){_EXPONENT}$"


def _any_of(separator: str) -> str:
    return f"[{re.escape(_VARIANTS.get(separator, separator))}]"


def _without_currency(text: pa.Array, currency: str) -> pa.Array:
    symbol = re.escape(currency)
    before = pc.replace_substring_regex(text, rf"^([+-]?)\s*{symbol}\s*", r"\1")
    after = pc.replace_substring_regex(text, rf"\s*{symbol}$", "")
    # Only one side is removed: a price with a currency on both sides is invalid.
    return trim(pc.if_else(pc.not_equal(before, text), before, after))
