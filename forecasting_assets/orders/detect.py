"""Detect the format of order files: encoding, delimiter, dates, numbers and currency.

A field that the files decide is set; the user must choose where they contradict each other or remain ambiguous. Only
an unambiguous value is evidence: 25/3/2024 shows that the day comes first, 3/4/2024 shows nothing.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import pyarrow as pa

from forecasting_assets.errors import PicklableError
from forecasting_assets.orders.csv_files import is_csv, is_tab_separated
from forecasting_assets.orders.dates import parse_moments
from forecasting_assets.orders.format_evidence import COLUMNS, DATES, Example, collect_examples, file_name
from forecasting_assets.orders.formats import DateOrder, Delimiter, OrderFormat
from forecasting_assets.orders.landing import required_columns
from forecasting_assets.orders.number_notation import (
    EITHER,
    decimal_separator,
    split_currency,
    thousands_separator,
)
from forecasting_assets.orders.rows import OrderFileError, Source, decoded_blocks, open_text
from forecasting_assets.orders.text import WHITE_SPACE

#: Up to this share of the evidence in a file may be typing errors; a larger share is another notation.
_ERRORS = 0.01
_SEPARATORS = {".": "a point", ",": "a comma", " ": "a space", "'": "an apostrophe"}
_DATE_ORDERS = {"day_first": "day first", "month_first": "month first"}


class UndecidedFormatError(PicklableError, ValueError):
    """The order files do not decide a field of their format.

    Attributes
    ----------
    field
        Field of OrderFormat that must be set.
    kind
        `ambiguous` if all values can be read in several ways, `contradictory` if files or values differ, `unknown`
        if no known format fits.
    answers
        Possible values of the field; empty if the files themselves must be changed.
    """

    def __init__(
        self,
        field: str,
        kind: Literal["ambiguous", "contradictory", "unknown"],
        problem: str,
        answers: Collection[str] = (),
    ) -> None:
        options = " or ".join(f"--format {field}={answer}" for answer in answers)
        remedy = f"Choose with {options}" if options else "Land all files in the same format"
        super().__init__(f"{problem}. {remedy}")
        self.field, self.kind, self.answers = field, kind, tuple(answers)


@dataclass(frozen=True)
class DetectedFormat:
    """The format of the files.

    Attributes
    ----------
    order_format
        The format.
    evidence
        Field -> sentence with the evidence, for fields that differ from the default.
    """

    order_format: OrderFormat
    evidence: Mapping[str, str]


def detect_format(
    sources: Sequence[Source], landed_names: Mapping[str, str], given: Mapping[str, str]
) -> DetectedFormat:
    """Detect the format of order files.

    Parameters
    ----------
    sources
        The files.
    landed_names
        Platform name -> landed name of the columns of an order line.
    given
        Fields of OrderFormat that are already known.

    Raises
    ------
    UndecidedFormatError
        If the files do not decide a field, or contradict each other.
    """
    detector = _Detector(sources, landed_names, dict(given))
    detector.detect_encoding()
    detector.detect_delimiter()
    detector.detect_dates()
    detector.detect_numbers()
    return DetectedFormat(OrderFormat(**detector.fields), detector.evidence)


class _Detector:
    """Fields detected so far; each is detected from the files as read with the fields before it."""

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

    def _set(self, field: str, value: str, evidence: str) -> None:
        self.fields[field] = value
        if value != OrderFormat.model_fields[field].default:
            self.evidence[field] = evidence

    def detect_encoding(self) -> None:
        if "encoding" in self._given:
            return
        others: list[Source] = []
        utf8: Source | None = None
        for source in self._csv_files():
            try:
                beyond_ascii = any(not block.isascii() for block in decoded_blocks(self._open(source)))
            except OrderFileError:
                others.append(source)
            else:
                utf8 = source if beyond_ascii else utf8
        if not others:
            return
        if utf8 is not None:
            problem = f"{file_name(utf8)} is text in UTF-8 and {file_name(others[0])} is not"
            raise UndecidedFormatError("encoding", "contradictory", problem)
        western = [replace(source, order_format=OrderFormat(encoding="cp1252")) for source in others]
        try:
            for source in western:
                for _ in decoded_blocks(source):
                    pass
        except OrderFileError as error:
            problem = f"{error.path} is neither UTF-8 nor Western European text (cp1252)"
            raise UndecidedFormatError("encoding", "unknown", problem, ["latin-1", "cp1250"]) from None
        self._set(
            "encoding",
            "cp1252",
            f"Text is not UTF-8 and is read as cp1252 (Western European), such as {_first_beyond_ascii(western[0])!r} "
            f"in {file_name(western[0])}",
        )

    def detect_delimiter(self) -> None:
        if "delimiter" in self._given:
            return
        required = set(required_columns(self._names))
        used: dict[str, Source] = {}
        for source in self._csv_files():
            if is_tab_separated(source.path):
                continue
            with open_text(self._open(source)) as text:
                header = next((line for line in text if line.strip()), "").rstrip("\r\n")
            fitting = [
                delimiter for delimiter in get_args(Delimiter) if required <= _cells(header, delimiter)
            ]
            if fitting:
                used.setdefault(fitting[0], source)
        if len(used) > 1:
            (one, first), (two, second), *_ = used.items()
            problem = f"{file_name(first)} is delimited by {one!r} and {file_name(second)} by {two!r}"
            raise UndecidedFormatError("delimiter", "contradictory", problem)
        for delimiter, source in used.items():
            self._set("delimiter", delimiter, f"Cells are separated by {delimiter!r} in {file_name(source)}")

    def detect_dates(self) -> None:
        if "date" in self._given:
            return
        by_file = [
            _date_orders([example for column in DATES for example in examples[column]])
            for examples in self._examples
        ]
        if decisive := _decisive("date", by_file, _DATE_ORDERS):
            order = _DATE_ORDERS[decisive.notation]
            self._set("date", decisive.notation, f"Dates are written {order}, such as {decisive}")

    def detect_numbers(self) -> None:
        by_file = [_numbers([*found["quantity"], *found["unit_price"]]) for found in self._examples]
        self._detect_currency(by_file)
        if "thousands" not in self._given:
            self._detect_thousands(by_file)
        if "decimal" not in self._given:
            self._detect_decimal(by_file)
        if "thousands" not in self.fields:
            self._settle_thousands(by_file)
        self._require_two_separators()

    def _detect_thousands(self, by_file: list[list[Example]]) -> None:
        unambiguous = _reread(
            by_file, thousands_separator, lambda example: example.notation not in ("", EITHER)
        )
        if decisive := _decisive("thousands", unambiguous, _SEPARATORS):
            self._set_thousands(decisive)

    def _set_thousands(self, example: Example) -> None:
        evidence = f"Thousands are separated by {_SEPARATORS[example.notation]}, such as {example}"
        self._set("thousands", example.notation, evidence)

    def _detect_decimal(self, by_file: list[list[Example]]) -> None:
        thousands = self.fields.get("thousands", "")

        def counts(example: Example) -> bool:
            settled = example.notation == EITHER and bool(thousands) and thousands in example.text
            return bool(example.notation) and not settled

        if decisive := _decisive("decimal", _reread(by_file, decimal_separator, counts), _SEPARATORS):
            evidence = f"Decimals follow {_SEPARATORS[decisive.notation]}, such as {decisive}"
            self._set("decimal", decisive.notation, evidence)
        elif thousands == ".":
            self._set("decimal", ",", "Decimals follow a comma, as points separate thousands")

    def _require_two_separators(self) -> None:
        """Refuse a given separator that the files use for the other purpose."""
        if self.fields.get("decimal", ".") != self.fields.get("thousands", ""):
            return
        given, other = ("decimal", "thousands") if "decimal" in self._given else ("thousands", "decimal")
        problem = f"--format {given}={self.fields[given]} contradicts the files. {self.evidence[other]}"
        answers = ("," if self.fields[given] == "." else ".",) if given == "decimal" else ("",)
        raise UndecidedFormatError(given, "contradictory", problem, answers)

    def _settle_thousands(self, by_file: list[list[Example]]) -> None:
        """Use the decimal separator to decide what separates thousands where `1,234` was ambiguous."""
        decimal = self.fields.get("decimal", ".")
        for examples in _reread(by_file, thousands_separator, lambda example: example.notation == EITHER):
            for example in examples:
                separator = "," if "," in example.text else "."
                if separator != decimal:
                    self._set_thousands(replace(example, notation=separator))
                    return

    def _detect_currency(self, by_file: list[list[Example]]) -> None:
        if "currency" in self._given:
            return
        used = {example.notation: example for examples in by_file for example in examples if example.notation}
        if len(used) > 1:
            (one, first), (two, second), *_ = used.items()
            problem = f"Prices are in {one}, such as {first}, and in {two}, such as {second}"
            raise UndecidedFormatError("currency", "contradictory", problem, sorted(used))
        for symbol, example in used.items():
            evidence = f"Prices are written with {symbol} in {example.file} row {example.row:,}"
            self._set("currency", symbol, evidence)

    def _csv_files(self) -> Iterator[Source]:
        return (source for source in self._sources if is_csv(source.path))

    @cached_property
    def _examples(self) -> list[Mapping[str, list[Example]]]:
        """Examples of every notation, for each file by column."""

        def collect(source: Source) -> Mapping[str, list[Example]]:
            try:
                return collect_examples(self._open(source), self._names)
            except OrderFileError:  # reported when the files are indexed
                return {column: [] for column in COLUMNS}

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(collect, self._sources))


def _date_orders(examples: list[Example]) -> list[Example]:
    """Set the notation of dates: whether the day or the month comes first."""
    text = pa.array([example.text for example in examples], pa.string())
    moments = {order: parse_moments(text, order).to_pylist() for order in get_args(DateOrder)}
    evidence = []
    for example, iso, day_first, month_first in zip(examples, *moments.values(), strict=True):
        if iso is not None or (day_first is None and month_first is None):
            continue
        # 5/5/2024 is the same day in both orders, but it still needs an order other than ISO 8601 to be read.
        both = day_first is not None and month_first is not None
        order = EITHER if both else "month_first" if day_first is None else "day_first"
        evidence.append(replace(example, notation=order))
    return evidence


def _numbers(examples: list[Example]) -> list[Example]:
    """Keep the numbers: `notation` is the currency, `text` the number without it."""
    split = ((example, split_currency(example.text)) for example in examples)
    return [replace(example, notation=parts[0], text=parts[1]) for example, parts in split if parts]


def _decisive(field: str, by_file: list[list[Example]], words: Mapping[str, str]) -> Example | None:
    """Find an example that decides a field; None if there is no evidence.

    Raises
    ------
    UndecidedFormatError
        If files contradict each other, or all values are ambiguous.
    """
    decisive: dict[str, Example] = {}
    for examples in by_file:
        by_notation: dict[str, list[Example]] = {}
        for example in examples:
            if example.notation != EITHER:
                by_notation.setdefault(example.notation, []).append(example)
        total = sum(example.count for same in by_notation.values() for example in same)
        for notation, same in by_notation.items():
            if sum(example.count for example in same) > _ERRORS * total:
                decisive.setdefault(notation, same[0])
    if len(decisive) > 1:
        (one, first), (two, second), *_ = decisive.items()
        problem = f"{first} is written {_written(field, one, words)}, {second} {_written(field, two, words)}"
        raise UndecidedFormatError(field, "contradictory", problem, sorted(decisive))
    if decisive:
        return next(iter(decisive.values()))
    ambiguous = next((example for examples in by_file for example in examples), None)
    if ambiguous is not None:
        answers = ["day_first", "month_first"] if field == "date" else [".", ","]
        problem = f"{ambiguous} and all similar values can be read in two ways"
        raise UndecidedFormatError(field, "ambiguous", problem, answers)
    return None


def _written(field: str, notation: str, words: Mapping[str, str]) -> str:
    return words[notation] if field == "date" else f"with {words[notation]} as {field} separator"


def _reread(
    by_file: list[list[Example]], notation: Callable[[str], str], counts: Callable[[Example], bool]
) -> list[list[Example]]:
    """Set another notation of all examples, and keep those that count as evidence of it."""
    reread = (
        [replace(example, notation=notation(example.text)) for example in examples] for examples in by_file
    )
    return [[example for example in examples if counts(example)] for examples in reread]


def _cells(header: str, delimiter: str) -> set[str]:
    return {cell.strip(WHITE_SPACE + '"') for cell in header.split(delimiter)}


def _first_beyond_ascii(source: Source) -> str:
    with open_text(source) as text:
        words = (word for line in text for word in re.split(r"[\s,;|\"]+", line))
        return next(word for word in words if not word.isascii())
