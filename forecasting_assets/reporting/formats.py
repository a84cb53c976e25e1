"""Format numbers for people: thousands separators, a true minus sign and a dash for missing values."""

import math
from dataclasses import dataclass

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 0) -> str:
    """Format `12345.6` as `12,346`; a dash for None and NaN, ∞ for infinity."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:,.{digits}f}"
    if text.startswith("-") and not text.strip("-0.,"):
        return text[1:]
    return text.replace("-", MINUS)


def signed(value: float, digits: int = 0) -> str:
    """Format a difference with its sign; no difference is `0` without a sign."""
    return ("+" if round(value, digits) > 0 else "") + number(value, digits)


def percent(share: float | None, digits: int = 1) -> str:
    """Format a share of 1 as `23.1 %`."""
    text = number(None if share is None else share * 100, digits)
    return text if text == MISSING else f"{text} %"


def compared(gain: float, better: str = "better", worse: str = "worse", than: str = "") -> str:
    """Express a relative gain in words.

    Parameters
    ----------
    gain
        Relative gain: 0.12 is 12 % better.
    better, worse
        Words for a gain and a loss.
    than
        What is compared with, if the words are to name it.

    Returns
    -------
    str
        `12 % better`, or with `than` `12 % better than …`; `equal` within 0.5 %.
    """
    if abs(gain) < 0.005:
        return f"equal to {than}" if than else "equal"
    words = f"{percent(abs(gain), 0)} {better if gain > 0 else worse}"
    return f"{words} than {than}" if than else words


def unbroken(text: str) -> str:
    """Prevent line breaks between numbers and their percent signs."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def shorten(name: object, width: int = 28) -> str:
    """Fit a name on one line of at most `width` characters; it is cut in the middle, as ids differ at their ends."""
    text = " ".join(str(name).split())
    if len(text) <= width:
        return text
    tail = width // 3
    return f"{text[: width - tail - 1]}…{text[-tail:]}"


@dataclass(frozen=True)
class Money:
    """How amounts of money are written.

    Attributes
    ----------
    currency
        Code that follows the amounts, as EUR; empty if the settings do not name it, as it is never guessed.
    """

    currency: str = ""

    def amount(self, value: float | None, digits: int = 0) -> str:
        """Format `1234.5` as `1,235 EUR`."""
        text = number(value, digits)
        return f"{text} {self.currency}" if self.currency and text != MISSING else text

    def change(self, value: float) -> str:
        """Format a difference of amounts with its sign: `+412 EUR`."""
        return ("+" if round(value) > 0 else "") + self.amount(value)

    def heading(self, text: str) -> str:
        """Name the unit in the heading of a column of amounts: `Cost, EUR`."""
        return f"{text}, {self.currency}" if self.currency else text

    @property
    def note(self) -> str:
        """The currency of all amounts of a page, as a sentence."""
        if self.currency:
            return f"Costs are in {self.currency}."
        return "Costs are in the currency of the network files, which [reports] currency can name."
