"""How values of order files are written: one example of each way, with where it stands and how often it occurs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.orders.reading import inspect_order_file, read_order_file
from forecasting_assets.orders.rows import RowBatch, Source
from forecasting_assets.orders.text import trim

#: Files in which everything is text.
TEXT_FILES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
#: Columns whose values say how dates and numbers are written.
TELLING = ("order_date", "quantity", "unit_price")
#: Dates that are read whatever the format says, and whole numbers without separators: most values, and no evidence.
_SAYS_NOTHING = {
    "order_date": r"^\d{4}-?\d{2}-?\d{2}",
    "quantity": r"^[+-]?\d+$",
    "unit_price": r"^[+-]?\d+$",
}


@dataclass(frozen=True)
class Value:
    """A value that says how it is written, where it stands first, and how many values are written like it."""

    says: str
    text: str
    file: str
    row: int
    count: int

    def __str__(self) -> str:
        return f"{self.text!r} in {self.file} row {self.row:,}"


def telling_values(source: Source, landed_names: Mapping[str, str]) -> Mapping[str, list[Value]]:
    """The values of a file that are evidence of how it is written, one of each way of writing, by column.

    Parameters
    ----------
    source
        The file, with its encoding and delimiter.
    landed_names
        Platform name -> landed name of the columns of an order line.

    Raises
    ------
    OrderFileError, OSError
        As `read_order_file` does.
    """
    columns = {landed_names[column]: column for column in TELLING}
    values: dict[str, dict[str, Value]] = {column: {} for column in TELLING}
    for numbers, texts in _untyped(replace(inspect_order_file(source), columns=list(columns))):
        for landed in texts.keys() & columns.keys():
            column = columns[landed]
            for way, value in _ways_of_writing(texts[landed], numbers, column, file_name(source)):
                known = values[column].setdefault(way, replace(value, count=0))
                values[column][way] = replace(known, count=known.count + value.count)
    return {column: list(found.values()) for column, found in values.items()}


def _untyped(source: Source) -> Iterator[tuple[pa.Array, Mapping[str, pa.Array]]]:
    """Row numbers and, by column, the values of a file that are text; null where they have a type of their own.

    Numbers with a type are written with the decimal separator of the format: what differs with it is not text.
    """
    batches: Iterable[tuple[RowBatch, RowBatch]]
    if source.path.lower().endswith(TEXT_FILES):
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


def _ways_of_writing(
    column: pa.Array, numbers: pa.Array, name: str, file: str
) -> Iterator[tuple[str, Value]]:
    """The first of the values that are written alike, by what they have in common.

    Numbers are if they differ in digits alone (but for a leading zero), dates if they also have the same day.
    """
    text = trim(column)
    telling = pc.invert(pc.match_substring_regex(text, _SAYS_NOTHING[name])).fill_null(False)
    text, numbers = text.filter(telling), numbers.filter(telling)
    if name == "order_date":
        parts = pc.extract_regex(text, r"^(?P<day>\d+[./-]\d+[./-]\d+)(?P<rest>.*)$")
        day, rest = (pc.struct_field(parts, part) for part in ("day", "rest"))
        rest = pc.replace_substring_regex(rest, r"\d", "9")
        key = pc.coalesce(pc.binary_join_element_wise(day, rest, ""), text)
    else:
        key = pc.replace_substring_regex(pc.replace_substring_regex(text, r"^(\D*)0", r"\1Z"), r"\d", "9")
    table = pa.table({"key": key, "text": text, "row": numbers})
    # Only a single thread knows which is the first.
    firsts = table.group_by("key", use_threads=False).aggregate(
        [("text", "first"), ("row", "first"), ("row", "count")]
    )
    for first in firsts.to_pylist():
        yield first["key"], Value("", first["text_first"], file, first["row_first"], first["row_count"])


def file_name(source: Source) -> str:
    """The name of a file without its folders."""
    return source.path.rsplit("/", 1)[-1]
