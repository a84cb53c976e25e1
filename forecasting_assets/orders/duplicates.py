"""Which raw rows of a week say what a newer one says, so that no order line counts twice."""

from typing import TYPE_CHECKING

from forecasting_assets.tables import RAW_ORDERS, ROW

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

#: The columns of `older_duplicates`.
DUPLICATES_DDL = "source_file STRING, source_row BIGINT"
_NEWNESS = ["source_modified", *ROW]


def older_duplicates(raw: "ParquetFile", order_id: str, line_id: str) -> "pa.Table":
    """ROW of those raw rows of a week that repeat a newer one; order_id, line_id: the names of these columns.

    Rows with the same (order_id, line_id) are one order line, whatever else they hold; rows that lack one of the two
    are if they are equal in every landed column. The newest is in the newest file: by time of change, then name,
    then row.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = [_number(raw, order_id), _number(raw, line_id)]
    numbered = pc.and_(*map(pc.is_valid, numbers))
    # What is equal joins to equal text. The few that may be equal are compared for certain below.
    suspect = _repeated(pc.binary_join_element_wise(*numbers, "\n"))
    landed = []
    if not pc.all(numbered).as_py():
        unnumbered = pc.invert(numbered)
        landed = [
            pc.if_else(unnumbered, column, None)
            for column in raw.read().drop_columns(RAW_ORDERS.names).columns
        ]
        said = pc.binary_join_element_wise(
            *landed, pa.scalar(""), "\n", null_handling="replace", null_replacement="\0"
        )
        suspect = pc.or_(suspect, _repeated(pc.if_else(unnumbered, said, None)))
    places = pa.array(np.flatnonzero(suspect.to_numpy()))
    rows = raw.read(_NEWNESS).take(places)
    newest_first = pc.sort_indices(rows, [(name, "descending") for name in _NEWNESS])
    keys = [f"equal_{place}" for place in range(len(numbers) + len(landed))]
    equal = pa.table([column.take(places) for column in (*numbers, *landed)], keys).take(newest_first)
    ranked = equal.append_column("rank", pa.array(np.arange(len(rows))))
    newest = ranked.group_by(keys, use_threads=False).aggregate([("rank", "min")])["rank_min"]
    older = np.delete(newest_first.to_numpy(), newest.to_numpy())
    return rows.select(ROW).take(pa.array(older))


def _number(raw: "ParquetFile", name: str) -> "pa.ChunkedArray":
    """A column of text without the spaces around it; null where there is nothing else, or no such column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name not in raw.schema_arrow.names:
        return pa.chunked_array([pa.nulls(raw.metadata.num_rows, pa.string())])
    trimmed = pc.utf8_trim(raw.read([name]).column(0), " ")
    return pc.if_else(pc.not_equal(trimmed, ""), trimmed, None)


def _repeated(text: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Whether a text stands elsewhere too; not where it is null."""
    import pyarrow.compute as pc

    counts = text.value_counts()
    often = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()
    return pc.is_in(text, often)
