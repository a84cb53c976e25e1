"""How order files are written: encoding, delimiter, dates, numbers and currency, found from all of them.

What the files decide is taken; what they contradict each other in, or leave open, is asked for. A sign is evidence
only if it can be read in one way: 25/3/2024 says that the day comes first, 3/4/2024 says nothing.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from forecasting_assets.orders.dates import parse_moments
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.landing import required_columns
from forecasting_assets.orders.rows import OrderFileError, Source, decoded_blocks, open_text
from forecasting_assets.orders.text import WHITE_SPACE
from forecasting_assets.orders.written_values import TELLING, TEXT_FILES, Value, file_name, telling_values

_TABBED = (".tsv", ".tsv.gz")
#: What a value says that can be read in either way.
_EITHER = "either"
_DELIMITERS = (",", ";", "\t", "|")
#: A file in which this share of the evidence points elsewhere has typing errors, not another convention.
_ERRORS = 0.01
_CURRENCIES = {"kr", "kr.", "zł", "Kč", "Fr.", "Fr", "Ft", "lei"}
_PRICE = re.compile(
    r"^(?P<before>[^\d\s.,'\u2019+-]{1,3})?\s*(?P<number>[+-]?[\d.,'\u2019\s]*\d)\s*(?P<after>[^\d\s,'\u2019]{1,3})?$"
)
_SEPARATORS = {".": "a point", ",": "a comma", " ": "a space", "'": "an apostrophe"}
_WAYS_OF_DATES = {"iso": "in ISO 8601", "day_first": "day first", "month_first": "month first"}


class FormatQuestion(ValueError):
    """Something about how the files are written that they do not decide.

    Attributes
    ----------
    field
        The field of OrderFormat that has to be given.
    """

    def __init__(self, field: str, problem: str, answers: Iterable[str]) -> None:
        options = " or ".join(f"--format {field}={answer}" for answer in answers)
        super().__init__(
            f"{problem}: say which it is, with {options}" if options else f"{problem}: land all files alike"
        )
        self.field = field


@dataclass(frozen=True)
class Detected:
    """The format of the files.

    Attributes
    ----------
    order_format
        The format.
    evidence
        Field -> what it was found from, for fields that differ from the default.
    """

    order_format: OrderFormat
    evidence: Mapping[str, str]


def detect_format(
    sources: Sequence[Source], landed_names: Mapping[str, str], given: Mapping[str, str]
) -> Detected:
    """Find out how order files are written.

    Parameters
    ----------
    sources
        The files.
    landed_names
        Platform name -> landed name of the columns of an order line.
    given
        Fields of OrderFormat that are known already.

    Raises
    ------
    FormatQuestion
        If the files do not decide a field, or contradict each other.
    """
    detector = _Detector(sources, landed_names, dict(given))
    for find in (detector.find_encoding, detector.find_delimiter, detector.find_dates, detector.find_numbers):
        find()
    return Detected(OrderFormat(**detector.fields), detector.evidence)


class _Detector:
    """The fields found so far, each from the files as the fields before have them read."""

    def __init__(
        self, sources: Sequence[Source], landed_names: Mapping[str, str], fields: dict[str, str]
    ) -> None:
        self.fields = fields
        self.evidence: dict[str, str] = {}
        self._given = frozenset(fields)
        self._sources = sources
        self._names = landed_names

    def _open(self, source: Source) -> Source:
        known = OrderFormat(
            **{name: value for name, value in self.fields.items() if name in ("encoding", "delimiter")}
        )
        return replace(source, order_format=known)

    def _keep(self, field: str, value: str, evidence: str) -> None:
        self.fields[field] = value
        if value != OrderFormat.model_fields[field].default:
            self.evidence[field] = evidence

    # ------------------------------------------------------------------ encoding and delimiter

    def find_encoding(self) -> None:
        if "encoding" in self._given:
            return
        others: list[Source] = []
        unicode_text: Source | None = None
        for source in self._text_files():
            try:
                beyond_ascii = any(not block.isascii() for block in decoded_blocks(self._open(source)))
            except OrderFileError:
                others.append(source)
            else:
                unicode_text = source if beyond_ascii else unicode_text
        if not others:
            return
        western = replace(others[0], order_format=OrderFormat(encoding="cp1252"))
        if unicode_text is not None:
            raise FormatQuestion(
                "encoding",
                f"{file_name(unicode_text)} is text in UTF-8 and {file_name(others[0])} is not",
                [],
            )
        try:
            for source in others:
                for _ in decoded_blocks(replace(source, order_format=western.order_format)):
                    pass
        except OrderFileError as error:
            raise FormatQuestion(
                "encoding",
                f"{error.path} is neither UTF-8 nor Western European text (cp1252)",
                ["latin-1", "cp1250"],
            ) from None
        self._keep(
            "encoding",
            "cp1252",
            f"Text is not UTF-8: read as cp1252 (Western European), as {_first_beyond_ascii(western)!r} in "
            f"{file_name(western)}",
        )

    def find_delimiter(self) -> None:
        if "delimiter" in self._given:
            return
        required = set(required_columns(self._names))
        signs: dict[str, Source] = {}
        for source in self._text_files():
            if source.path.lower().endswith(_TABBED):
                continue
            with open_text(self._open(source)) as text:
                header = next((line for line in text if line.strip()), "").rstrip("\r\n")
            fitting = [sign for sign in _DELIMITERS if required <= _cells(header, sign)]
            if fitting:
                signs.setdefault(fitting[0], source)
        if len(signs) > 1:
            (one, first), (two, second), *_ = signs.items()
            raise FormatQuestion(
                "delimiter",
                f"{file_name(first)} is delimited by {one!r} and {file_name(second)} by {two!r}",
                [],
            )
        for sign, source in signs.items():
            self._keep("delimiter", sign, f"Cells are separated by {sign!r}, as in {file_name(source)}")

    # ------------------------------------------------------------------ dates

    def find_dates(self) -> None:
        if "date" in self._given:
            return
        by_file = [_date_signs(values["order_date"]) for values in self._values]
        decided = _decide("date", by_file, _WAYS_OF_DATES)
        if decided:
            self._keep(
                "date", decided.says, f"Dates are written {_WAYS_OF_DATES[decided.says]}, as {decided}"
            )

    # ------------------------------------------------------------------ numbers

    def find_numbers(self) -> None:
        by_file = [_numbers([*values["quantity"], *values["unit_price"]]) for values in self._values]
        self._find_currency(by_file)
        if "thousands" not in self._given:
            self._find_thousands(by_file)
        if "decimal" not in self._given:
            self._find_decimal(by_file)
        if "thousands" not in self.fields:
            self._settle_thousands(by_file)

    def _find_thousands(self, by_file: list[list[Value]]) -> None:
        certain = _reread(by_file, _thousands_of, lambda sign: sign.says not in ("", _EITHER))
        if decided := _decide("thousands", certain, _SEPARATORS):
            self._keep(
                "thousands",
                decided.says,
                f"Thousands are separated by {_SEPARATORS[decided.says]}, as {decided}",
            )

    def _find_decimal(self, by_file: list[list[Value]]) -> None:
        thousands = self.fields.get("thousands", "")

        def counts(sign: Value) -> bool:
            settled = sign.says == _EITHER and bool(thousands) and thousands in sign.text
            return bool(sign.says) and not settled

        if decided := _decide("decimal", _reread(by_file, _decimal_of, counts), _SEPARATORS):
            self._keep("decimal", decided.says, f"Decimals follow {_SEPARATORS[decided.says]}, as {decided}")
        elif thousands == ".":
            self._keep("decimal", ",", "Decimals follow a comma, as points separate thousands")

    def _settle_thousands(self, by_file: list[list[Value]]) -> None:
        """Where `1,234` was open, the decimal separator decides it."""
        decimal = self.fields.get("decimal", ".")
        for signs in _reread(by_file, _thousands_of, lambda sign: sign.says == _EITHER):
            for sign in signs:
                separator = "," if "," in sign.text else "."
                if separator != decimal:
                    self._keep(
                        "thousands",
                        separator,
                        f"Thousands are separated by {_SEPARATORS[separator]}, as {sign}",
                    )
                    return

    def _find_currency(self, by_file: list[list[Value]]) -> None:
        if "currency" in self._given:
            return
        used = {sign.says: sign for signs in by_file for sign in signs if sign.says}
        if len(used) > 1:
            one, two, *_ = used.items()
            raise FormatQuestion(
                "currency", f"Prices are in {one[0]}, as {one[1]}, and in {two[0]}, as {two[1]}", sorted(used)
            )
        for symbol, sign in used.items():
            self._keep(
                "currency", symbol, f"Prices are written with {symbol}, as in {sign.file} row {sign.row:,}"
            )

    # ------------------------------------------------------------------ files

    def _text_files(self) -> Iterator[Source]:
        return (source for source in self._sources if source.path.lower().endswith(TEXT_FILES))

    @cached_property
    def _values(self) -> list[Mapping[str, list[Value]]]:
        """For each file, by column, the values that are evidence."""

        def look(source: Source) -> Mapping[str, list[Value]]:
            try:
                return telling_values(self._open(source), self._names)
            except OrderFileError:  # it is refused when the files are indexed, with its reason
                return {column: [] for column in TELLING}

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(look, self._sources))


def _date_signs(values: list[Value]) -> list[Value]:
    """What dates say of which of their numbers is the day."""
    text = pa.array([value.text for value in values], pa.string())
    moments = {order: parse_moments(text, order).to_pylist() for order in ("iso", "day_first", "month_first")}
    signs = []
    for value, iso, day_first, month_first in zip(values, *moments.values(), strict=True):
        if iso is not None or (day_first is None and month_first is None):
            continue
        # 5/5/2024 is one day either way, but it is none before it is known that dates are written like this.
        both = day_first is not None and month_first is not None
        says = _EITHER if both else "month_first" if day_first is None else "day_first"
        signs.append(replace(value, says=says))
    return signs


def _numbers(values: list[Value]) -> list[Value]:
    """Quantities and prices; `says` is the currency, `text` the number without it."""
    numbers = []
    for value in values:
        found = _PRICE.match(value.text)
        symbol = ((found["before"] or found["after"] or "") if found else "").strip()
        if found and (not symbol or _is_currency(symbol)):
            numbers.append(replace(value, says=symbol, text=found["number"]))
    return numbers


def _decide(field: str, by_file: list[list[Value]], ways: Mapping[str, str]) -> Value | None:
    """The sign that decides a field; None if nothing is written in more than one way.

    Raises
    ------
    FormatQuestion
        If files contradict each other, or values can be read in either way and none decides.
    """
    decisive: dict[str, Value] = {}
    for signs in by_file:
        counts: dict[str, list[Value]] = {}
        for sign in signs:
            if sign.says != _EITHER:
                counts.setdefault(sign.says, []).append(sign)
        total = sum(sign.count for found in counts.values() for sign in found)
        for says, found in counts.items():
            if sum(sign.count for sign in found) > _ERRORS * total:
                decisive.setdefault(says, found[0])
    if len(decisive) > 1:
        one, two, *_ = decisive.items()
        raise FormatQuestion(
            field,
            f"{one[1]} is written {_way(field, one[0], ways)}, {two[1]} {_way(field, two[0], ways)}",
            sorted(decisive),
        )
    if decisive:
        return next(iter(decisive.values()))
    undecided = next((sign for signs in by_file for sign in signs), None)
    if undecided is not None:
        answers = ["day_first", "month_first"] if field == "date" else [".", ","]
        raise FormatQuestion(field, f"{undecided} and all values like it can be read in two ways", answers)
    return None


def _way(field: str, says: str, ways: Mapping[str, str]) -> str:
    return ways[says] if field == "date" else f"with {ways[says]} as {field} separator"


def _reread(
    by_file: list[list[Value]], says: Callable[[str], str], counts: Callable[[Value], bool]
) -> list[list[Value]]:
    """The signs as evidence of something else, as far as they count."""
    read = ([replace(sign, says=says(sign.text)) for sign in signs] for signs in by_file)
    return [[sign for sign in signs if counts(sign)] for signs in read]


def _decimal_of(number: str) -> str:
    """The decimal separator of a number, or `either` if its one separator may be one of thousands; empty without."""
    point, comma = number.count("."), number.count(",")
    if point and comma:
        return "." if number.rindex(".") > number.rindex(",") else ","
    if point + comma != 1:
        return ""
    separator = "." if point else ","
    before, after = number.lstrip("+-").split(separator)
    may_be_thousands = len(after) == 3 and before.isdigit() and 1 <= len(before) <= 3 and before[0] != "0"
    return _EITHER if may_be_thousands else separator


def _thousands_of(number: str) -> str:
    """The thousands separator of a number, or `either` if its one separator may be a decimal one; empty without."""
    if re.search(r"\d[\s\u00a0\u2009\u202f]\d{3}(?!\d)", number):
        return " "
    if re.search(r"\d['\u2019]\d{3}(?!\d)", number):
        return "'"
    point, comma = number.count("."), number.count(",")
    if point and comma:
        return "," if number.rindex(".") > number.rindex(",") else "."
    if point > 1 or comma > 1:
        return "." if point else ","
    return _EITHER if _decimal_of(number) == _EITHER else ""


def _is_currency(symbol: str) -> bool:
    return (
        any(unicodedata.category(character) == "Sc" for character in symbol)
        or bool(re.fullmatch("[A-Z]{3}", symbol))
        or symbol in _CURRENCIES
    )


def _cells(header: str, delimiter: str) -> set[str]:
    return {cell.strip(WHITE_SPACE + '"') for cell in header.split(delimiter)}


def _first_beyond_ascii(source: Source) -> str:
    with open_text(source) as text:
        words = (word for line in text for word in re.split(r"[\s,;|\"]+", line))
        return next(word for word in words if not word.isascii())
