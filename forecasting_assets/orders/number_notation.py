"""Recognise how a number is written: its currency, decimal separator and thousands separator."""

import re
import unicodedata

#: Result for a separator that can be read as decimal or thousands separator.
EITHER = "either"
_CURRENCIES = {"kr", "kr.", "zł", "Kč", "Fr.", "Fr", "Ft", "lei"}
_PRICE = re.compile(
    r"^(?P<before>[^\d\s.,'\u2019+-]{1,3})?\s*(?P<number>[+-]?[\d.,'\u2019\s]*\d)\s*(?P<after>[^\d\s,'\u2019]{1,3})?$"
)


def split_currency(text: str) -> tuple[str, str] | None:
    """Split a quantity or price into its currency (may be empty) and its number; None if it is not a number."""
    match = _PRICE.match(text)
    if match is None:
        return None
    symbol = (match["before"] or match["after"] or "").strip()
    return (symbol, match["number"]) if not symbol or _is_currency(symbol) else None


def _is_currency(symbol: str) -> bool:
    return (
        any(unicodedata.category(character) == "Sc" for character in symbol)
        or bool(re.fullmatch("[A-Z]{3}", symbol))
        or symbol in _CURRENCIES
    )


def decimal_separator(number: str) -> str:
    """Return the decimal separator of a number: empty if it has none, EITHER if it may separate thousands."""
    point, comma = number.count("."), number.count(",")
    if point and comma:
        return "." if number.rindex(".") > number.rindex(",") else ","
    if point + comma != 1:
        return ""
    separator = "." if point else ","
    before, after = number.lstrip("+-").split(separator)
    may_be_thousands = len(after) == 3 and before.isdigit() and 1 <= len(before) <= 3 and before[0] != "0"
    return EITHER if may_be_thousands else separator


def thousands_separator(number: str) -> str:
    """Return the thousands separator of a number: empty if it has none, EITHER if it may separate decimals."""
    if re.search(r"\d[\s\u00a0\u2009\u202f]\d{3}(?!\d)", number):
        return " "
    if re.search(r"\d['\u2019]\d{3}(?!\d)", number):
        return "'"
    point, comma = number.count("."), number.count(",")
    if point and comma:
        return "," if number.rindex(".") > number.rindex(",") else "."
    if point > 1 or comma > 1:
        return "." if point else ","
    return EITHER if decimal_separator(number) == EITHER else ""
