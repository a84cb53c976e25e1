"""Order dates: parse texts to moments and weeks, as Arrow arrays."""

import re
from contextlib import suppress

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.orders.formats import DateOrder
from forecasting_assets.orders.text import trim

MOMENT = pa.timestamp("us", "UTC")
_DAY_LENGTH = len("2024-03-04")
#: Earliest moment accepted, and the first that is too late: ERP systems write 0001-01-01 or 9999-12-31 for "no date".
_EARLIEST, _TOO_LATE = (pa.scalar(pd.Timestamp(year, 1, 1, tz="UTC"), MOMENT) for year in (1900, 2200))
#: Start of a date in ISO 8601, with or without separators (Arrow syntax).
ISO_START = r"^\d{4}-?\d{2}-?\d{2}"
#: The form of nearly all dates: the first ten characters are the day in UTC (Arrow syntax).
_PLAIN = r"^\d{4}-\d{2}-\d{2}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?Z?)?$"
_SECOND = r"(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?"
_ZONE = r"(?:\s?(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
_CLOCK = (
    rf"(?:,?\s+(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::{_SECOND})?"
    rf"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?{_ZONE})?$"
)
_NUMBER = r"(?P<{}>\d{{1,2}})"
_YEAR = r"(?P<year>\d{4}|\d{2})"
#: Two-digit years up to this one belong to this century, as in POSIX.
_LAST_SHORT_YEAR = 68
_PARTS = ["year", "month", "day", "hour", "minute", "second", "fraction", "half", "zone"]
_ANY_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}|\b(19|20)\d{6}\b")


def _iso_form(dash: str, colon: str) -> str:
    """Build the pattern of ISO 8601, also as databases write it loosely, for given separators."""
    return (
        rf"^(?P<year>\d{{4}}){dash}(?P<month>\d{{2}}){dash}(?P<day>\d{{2}})"
        rf"(?:[Tt ](?P<hour>\d{{2}}){colon}(?P<minute>\d{{2}})(?:{colon}{_SECOND})?"
        rf"(?P<half>){_ZONE})?$"
    )


_ISO = [_iso_form("-", ":"), _iso_form("", ":?")]


def contains_date(text: str) -> bool:
    """Return whether a text contains something like a date, in any form."""
    return _ANY_DATE.search(text) is not None


def parse_moments(text: pa.Array | pa.ChunkedArray, order: DateOrder) -> pa.Array:
    """Parse dates and timestamps.

    Parameters
    ----------
    text
        Dates or timestamps as landed. ISO 8601 is always read; a time without a zone is UTC.
    order
        Whether the day or the month comes first in `3/4/2024`; with `iso` such dates are not read. Two-digit years
        are 1969 to 2068.

    Returns
    -------
    pa.Array
        timestamp[us, UTC]; null where a text is not a date in one of these forms, or is outside 1900 to 2199.
    """
    trimmed = trim(text)
    plain = pc.match_substring_regex(trimmed, _PLAIN).fill_null(False)
    moments = _plain_moments(pc.if_else(plain, trimmed, None))
    rest = pc.and_(pc.invert(plain), trimmed.is_valid())
    if not pc.any(rest).as_py():
        return moments
    return pc.replace_with_mask(moments, rest, _other_moments(trimmed.filter(rest), order))


def weeks_of_moments(moments: pa.Array) -> pa.Array:
    """Return the Monday of each moment in UTC (date32); null where the moment is null."""
    return pc.floor_temporal(moments.cast(pa.timestamp("us")), unit="week").cast(pa.date32())


def weeks_of_dates(text: pa.Array | pa.ChunkedArray, order: DateOrder) -> pa.Array:
    """Parse dates and timestamps to the Monday of their week in UTC (date32); null where `parse_moments` is null."""
    trimmed = trim(text)
    plain = pc.match_substring_regex(trimmed, _PLAIN).fill_null(False)
    days = pc.utf8_slice_codeunits(pc.if_else(plain, trimmed, None), 0, _DAY_LENGTH).dictionary_encode()
    weeks = weeks_of_moments(_plain_moments(days.dictionary)).take(days.indices)
    rest = pc.and_(pc.invert(plain), trimmed.is_valid())
    if not pc.any(rest).as_py():
        return weeks
    return pc.replace_with_mask(weeks, rest, weeks_of_moments(_other_moments(trimmed.filter(rest), order)))


def _plain_moments(text: pa.Array) -> pa.Array:
    """Parse texts in the plain form; null where a day does not exist, such as 30 February."""
    unzoned = pc.utf8_rtrim(text, "Z")
    with suppress(pa.ArrowInvalid):
        return _within_years(unzoned.cast(pa.timestamp("us")).cast(MOMENT))
    return _moments_of(pd.to_datetime(unzoned.to_pandas(), format="ISO8601", errors="coerce", utc=True))


def _other_moments(text: pa.Array, order: DateOrder) -> pa.Array:
    """Parse texts in any other supported form."""
    dates = text.dictionary_encode()
    return _moments_of(_parse(dates.dictionary.to_pandas(), order)).take(dates.indices)


def _moments_of(parsed: pd.Series) -> pa.Array:
    """Convert datetime64[ns, UTC] to timestamp[us, UTC], null outside the accepted years."""
    return _within_years(pa.Array.from_pandas(parsed).cast(MOMENT, safe=False))


def _within_years(moments: pa.Array) -> pa.Array:
    within = pc.and_(pc.greater_equal(moments, _EARLIEST), pc.less(moments, _TOO_LATE))
    return pc.if_else(within, moments, None)


def _parse(text: pd.Series, order: DateOrder) -> pd.Series:
    """Parse `text` to datetime64[ns, UTC]; NaT where it is not a date."""
    parts = pd.DataFrame(index=text.index, columns=_PARTS, dtype=object)
    for pattern in [*_ISO, *_numeric_forms(order)]:
        extracted = text.str.extract(pattern, flags=re.ASCII).reindex(columns=_PARTS)
        parts = parts.where(parts["day"].notna(), extracted)
    parts = parts.fillna({"hour": "0", "minute": "0", "second": "0", "fraction": "0"})
    year = parts["year"].where(parts["year"].str.len() != 2, _long_year(parts["year"]))
    hour = _hour_of_day(parts["hour"], parts["half"])
    iso = (
        year + "-" + parts["month"].str.zfill(2) + "-" + parts["day"].str.zfill(2) + "T" + hour.str.zfill(2)
        + ":" + parts["minute"] + ":" + parts["second"] + "." + parts["fraction"]
    )  # fmt: skip
    moments = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True)
    return moments - _offsets(parts["zone"])


def _numeric_forms(order: DateOrder) -> list[str]:
    if order == "iso":
        return []
    first, second = ("day", "month") if order == "day_first" else ("month", "day")
    # One pattern for each separator, so that the two separators of a date are the same.
    return [
        rf"^{_NUMBER.format(first)}{separator}{_NUMBER.format(second)}{separator}{_YEAR}{_CLOCK}"
        for separator in ("/", r"\.", "-")
    ]


def _long_year(short: pd.Series) -> pd.Series:
    number = pd.to_numeric(short)
    return ("20" + short).where(number <= _LAST_SHORT_YEAR, "19" + short)


def _hour_of_day(hour: pd.Series, half: pd.Series) -> pd.Series:
    """Convert to the 24-hour clock; NA where an hour with am or pm is not 1 to 12."""
    number, half = pd.to_numeric(hour), half.str.lower()
    halved = half.isin(["a", "p"])
    of_day = number.where(~halved, number % 12 + 12 * (half == "p"))
    return of_day.where(~halved | number.between(1, 12)).astype("Int64").astype("string").astype(object)


def _offsets(zone: pd.Series) -> pd.Series:
    """Return how far each zone is ahead of UTC; NaT for a zone that does not exist."""
    digits = zone.str.extract(r"^(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?$")
    hours, minutes = (pd.to_numeric(digits[name]).fillna(0) for name in ("hours", "minutes"))
    exists = (hours <= 23) & (minutes <= 59)
    sign = digits["sign"].map({"+": 1, "-": -1}).fillna(0)
    return pd.to_timedelta((sign * (hours * 60 + minutes)).where(exists), unit="min")
