"""Order dates: the moments and weeks that texts stand for, as Arrow arrays."""

import re
from contextlib import suppress

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.orders.formats import DateOrder
from forecasting_assets.orders.text import trim

MOMENT = pa.timestamp("us", "UTC")
_DAY = 10
#: No order is dated outside these years; ERP systems write 0001-01-01 or 9999-12-31 for "no date".
_FIRST, _LAST = (pa.scalar(pd.Timestamp(year, 1, 1, tz="UTC"), MOMENT) for year in (1900, 2200))
#: The form that nearly all dates have: its first ten characters are the day, in UTC.
_PLAIN = r"^\d{4}-\d{2}-\d{2}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?Z?)?$"
_ZONE = r"(?:\s?(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
#: Forms of ISO 8601 and of databases that write it loosely, with and without separators.
_ISO = [
    r"^(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    r"(?:[Tt ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    rf"(?P<half>){_ZONE})?$",
    r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[Tt ](?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    rf"(?P<half>){_ZONE})?$",
]
_CLOCK = (
    r"(?:,?\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    rf"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?{_ZONE})?$"
)
_NUMBER = r"(?P<{}>\d{{1,2}})"
_YEAR = r"(?P<year>\d{4}|\d{2})"
#: Two-digit years up to this one are of this century, as POSIX has it.
_LAST_SHORT_YEAR = 68
_PARTS = ["year", "month", "day", "hour", "minute", "second", "fraction", "half", "zone"]


def parse_moments(text: pa.Array | pa.ChunkedArray, order: DateOrder) -> pa.Array:
    """The moments that texts stand for.

    Parameters
    ----------
    text
        Dates or timestamps as landed. ISO 8601 is read whatever the order; a time without a zone is UTC.
    order
        Which number of `3/4/2024` is the day. `iso` reads no such date. Two-digit years are 1969 to 2068.

    Returns
    -------
    pa.Array
        timestamp[us, UTC]; null where a text is not a date in one of these forms, or not of the years 1900 to 2199.
    """
    trimmed = trim(text)
    plain = pc.match_substring_regex(trimmed, _PLAIN).fill_null(False)
    moments = _plain_moments(pc.if_else(plain, trimmed, None))
    rest = pc.and_(pc.invert(plain), trimmed.is_valid())
    if not pc.any(rest).as_py():
        return moments
    return pc.replace_with_mask(moments, rest, _other_moments(trimmed.filter(rest), order))


def weeks_of_moments(moments: pa.Array) -> pa.Array:
    """The Monday of each moment (date32), in UTC; null where there is none."""
    return pc.floor_temporal(moments.cast(pa.timestamp("us")), unit="week").cast(pa.date32())


def weeks_of_dates(text: pa.Array | pa.ChunkedArray, order: DateOrder) -> pa.Array:
    """The Monday of each date or timestamp (date32), in UTC; null where `parse_moments` reads none."""
    trimmed = trim(text)
    plain = pc.match_substring_regex(trimmed, _PLAIN).fill_null(False)
    days = pc.utf8_slice_codeunits(pc.if_else(plain, trimmed, None), 0, _DAY).dictionary_encode()
    weeks = weeks_of_moments(_plain_moments(days.dictionary)).take(days.indices)
    rest = pc.and_(pc.invert(plain), trimmed.is_valid())
    if not pc.any(rest).as_py():
        return weeks
    return pc.replace_with_mask(weeks, rest, weeks_of_moments(_other_moments(trimmed.filter(rest), order)))


def _plain_moments(text: pa.Array) -> pa.Array:
    """Moments of texts in the plain form; null where a day does not exist, as 30 February."""
    unzoned = pc.utf8_rtrim(text, "Z")
    with suppress(pa.ArrowInvalid):
        return _within_years(unzoned.cast(pa.timestamp("us")).cast(MOMENT))
    parsed = pd.to_datetime(unzoned.to_pandas(), format="ISO8601", errors="coerce", utc=True)
    return _within_years(pa.Array.from_pandas(parsed).cast(MOMENT, safe=False))


def _other_moments(text: pa.Array, order: DateOrder) -> pa.Array:
    """Moments of texts in any other form that is read."""
    dates = text.dictionary_encode()
    parsed = _parse(dates.dictionary.to_pandas(), order)
    return _within_years(pa.Array.from_pandas(parsed).cast(MOMENT, safe=False)).take(dates.indices)


def _within_years(moments: pa.Array) -> pa.Array:
    within = pc.and_(pc.greater_equal(moments, _FIRST), pc.less(moments, _LAST))
    return pc.if_else(within, moments, None)


def _parse(text: pd.Series, order: DateOrder) -> pd.Series:
    """`text` as datetime64[ns, UTC]; NaT where it is not read."""
    parts = pd.DataFrame(index=text.index, columns=_PARTS, dtype=object)
    for pattern in [*_ISO, *_numeric_forms(order)]:
        found = text.str.extract(pattern, flags=re.ASCII).reindex(columns=_PARTS)
        parts = parts.where(parts["day"].notna(), found)
    parts = parts.fillna({"hour": "0", "minute": "0", "second": "0", "fraction": "0"})
    year = parts["year"].where(parts["year"].str.len() != 2, _long_year(parts["year"]))
    hour = _hour_of_day(parts["hour"], parts["half"])
    written = (
        year + "-" + parts["month"].str.zfill(2) + "-" + parts["day"].str.zfill(2) + "T" + hour.str.zfill(2)
        + ":" + parts["minute"] + ":" + parts["second"] + "." + parts["fraction"]
    )  # fmt: skip
    moments = pd.to_datetime(written, format="ISO8601", errors="coerce", utc=True)
    return moments - _offsets(parts["zone"])


def _numeric_forms(order: DateOrder) -> list[str]:
    if order == "iso":
        return []
    first, second = ("day", "month") if order == "day_first" else ("month", "day")
    # The two separators are the same sign, which the regular expressions here cannot ask for otherwise.
    return [
        rf"^{_NUMBER.format(first)}{sign}{_NUMBER.format(second)}{sign}{_YEAR}{_CLOCK}"
        for sign in ("/", r"\.", "-")
    ]


def _long_year(short: pd.Series) -> pd.Series:
    number = pd.to_numeric(short)
    return ("20" + short).where(number <= _LAST_SHORT_YEAR, "19" + short)


def _hour_of_day(hour: pd.Series, half: pd.Series) -> pd.Series:
    """Hours of 24; NA where an hour of 12 is none."""
    number, half = pd.to_numeric(hour), half.str.lower()
    halved = half.isin(["a", "p"])
    of_day = number.where(~halved, number % 12 + 12 * (half == "p"))
    return of_day.where(~halved | number.between(1, 12)).astype("Int64").astype("string").astype(object)


def _offsets(zone: pd.Series) -> pd.Series:
    """How far a zone is ahead of UTC; NaT for one that does not exist."""
    digits = zone.str.extract(r"^(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?$")
    hours, minutes = (pd.to_numeric(digits[name]).fillna(0) for name in ("hours", "minutes"))
    exists = (hours <= 23) & (minutes <= 59)
    sign = digits["sign"].map({"+": 1, "-": -1}).fillna(0)
    return pd.to_timedelta((sign * (hours * 60 + minutes)).where(exists), unit="min")
