"""Collect evidence of the format of order files: one example of each notation, with its place and frequency."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.orders.csv_files import is_csv
from forecasting_assets.orders.dates import ISO_START
from forecasting_assets.orders.reading import inspect_order_file, read_order_file
from forecasting_assets.orders.rows import RowBatch, Source
from forecasting_assets.orders.text import trim

#: Columns whose values show how dates and numbers are written.
DATES = ("order_date", "due_date")
COLUMNS = (*DATES, "quantity", "unit_price")
_WHOLE_NUMBER = r"^[+-]?\d+$"
#: Values that any format can read, which are the most frequent: ISO dates, and whole numbers without separators.
_IN_ANY_FORMAT = {
    **dict.fromkeys(DATES, ISO_START),
    "quantity": _WHOLE_NUMBER,
    "unit_price": _WHOLE_NUMBER,
}


@dataclass(frozen=True)
class Example:
    """The first value of a file that is written in some notation.

    Attributes
    ----------
    notation
        What the value shows: an order of day and month, a separator or a currency; empty if not yet known.
    text
        The value.
    file, row
        Name of the file, and number of the row.
    count
        Number of values in the file with this notation.
    """

    notation: str
    text: str
    file: str
    row: int
    count: int

    def __str__(self) -> str:
        """Describe the value with its place, for messages."""
        return f"{self.text!r} in {self.file} row {self.row:,}"


def collect_examples(source: Source, landed_names: Mapping[str, str]) -> Mapping[str, list[Example]]:
    """Collect for each of COLUMNS an example of every notation in a file.

    Parameters
    ----------
    source
        The file, with its encoding and delimiter.
    landed_names
        Platform name -> landed name of the columns of an order line.

    Raises
    ------
    OrderFileError, OSError
        See `read_order_file`.
    """
    columns = {landed_names[column]: column for column in COLUMNS}
    examples: dict[str, dict[str, Example]] = {column: {} for column in COLUMNS}
    for numbers, texts in _untyped(replace(inspect_order_file(source), columns=list(columns))):
        for landed in texts.keys() & columns.keys():
            column = columns[landed]
            for key, example in _notations(texts[landed], numbers, column, file_name(source)):
                first = examples[column].setdefault(key, replace(example, count=0))
                examples[column][key] = replace(first, count=first.count + example.count)
    return {column: list(by_notation.values()) for column, by_notation in examples.items()}


def _untyped(source: Source) -> Iterator[tuple[pa.Array, Mapping[str, pa.Array]]]:
    """Yield row numbers and, by column, the values that are text in the file; null where they are typed.

    Typed numbers are converted with the decimal separator of the order format, so a value that changes with the
    separator is typed.
    """
    batches: Iterable[tuple[RowBatch, RowBatch]]
    if is_csv(source.path):
        batches = ((batch, batch) for batch in read_order_file(source))
    else:
        comma = replace(source, order_format=source.order_format.model_copy(update={"decimal": ","}))
        batches = zip(read_order_file(source), read_order_file(comma), strict=True)
    for batch, other in batches:
        columns = zip(batch.rows.schema.names, batch.rows.columns, other.rows.columns, strict=True)
        yield (
            pa.array(batch.numbers),
            {name: pc.if_else(pc.equal(text, differing), text, None) for name, text, differing in columns},
        )


def _notations(column: pa.Array, numbers: pa.Array, name: str, file: str) -> Iterator[tuple[str, Example]]:
    """Yield a key for each notation in a column, and its first value.

    Numbers have the same notation if they differ only in their digits (except a leading zero), dates if they also
    have the same day.
    """
    text = trim(column)
    informative = pc.invert(pc.match_substring_regex(text, _IN_ANY_FORMAT[name])).fill_null(False)
    text, numbers = text.filter(informative), numbers.filter(informative)
    if name in DATES:
        parts = pc.extract_regex(text, r"^(?P<day>\d+[./-]\d+[./-]\d+)(?P<rest>.*)$")
        day, rest = (pc.struct_field(parts, part) for part in ("day", "rest"))
        rest = pc.replace_substring_regex(rest, r"\d", "9")
        key = pc.coalesce(pc.binary_join_element_wise(day, rest, ""), text)
    else:
        key = pc.replace_substring_regex(pc.replace_substring_regex(text, r"^(\D*)0", r"\1Z"), r"\d", "9")
    table = pa.table({"key": key, "text": text, "row": numbers})
    # "first" needs the order of rows, which several threads do not keep.
    firsts = table.group_by("key", use_threads=False).aggregate(
        [("text", "first"), ("row", "first"), ("row", "count")]
    )
    for first in firsts.to_pylist():
        yield first["key"], Example("", first["text_first"], file, first["row_first"], first["row_count"])


def file_name(source: Source) -> str:
    """Return the name of a file without its folders."""
    return source.path.rsplit("/", 1)[-1]
