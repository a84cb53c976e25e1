"""How a number reads: thousands separators, a true minus sign and a dash for what is missing."""

import math

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 0) -> str:
    """`12345.6` as `12,346`; a dash for None and NaN, ∞ for infinity."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:,.{digits}f}"
    if text.startswith("-") and not text.strip("-0.,"):
        return text[1:]
    return text.replace("-", MINUS)


def signed(value: float, digits: int = 0) -> str:
    """A difference: with its sign, `0` without."""
    return ("+" if round(value, digits) > 0 else "") + number(value, digits)


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as `23.1 %`."""
    text = number(None if share is None else share * 100, digits)
    return text if text == MISSING else f"{text} %"


def counted(n: float, thing: str) -> str:
    """`1 week`, `3 weeks`."""
    return f"{number(n)} {thing}" if n == 1 else f"{number(n)} {thing}s"


def compared(gain: float, better: str = "better", worse: str = "worse", than: str = "") -> str:
    """A relative gain in words: `12 % better`, with `than` `12 % better than …`; `equal` within 0.5 %."""
    if abs(gain) < 0.005:
        return f"equal to {than}" if than else "equal"
    words = f"{percent(abs(gain), 0)} {better if gain > 0 else worse}"
    return f"{words} than {than}" if than else words


def unbroken(text: str) -> str:
    """`text` with no line break between a number and its percent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def shorten(name: object, width: int = 28) -> str:
    """`name` on one line in at most `width` characters, cut in the middle: ids differ at their ends."""
    text = " ".join(str(name).split())
    if len(text) <= width:
        return text
    tail = width // 3
    return f"{text[: width - tail - 1]}…{text[-tail:]}"
