"""Text for counts and long lists."""

from collections.abc import Sequence


def count(n: float, noun: str) -> str:
    """Format a count with its noun: `1 week`, `1,200 weeks`."""
    number = f"{n:,.0f}"
    return f"{number} {noun}" + ("" if number == "1" else "s")


def listed(items: Sequence[str], most: int, separator: str = ", ") -> str:
    """Join at most `most` items and count the others: `a, b and 3 more`."""
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return separator.join(items[:most]) + more
