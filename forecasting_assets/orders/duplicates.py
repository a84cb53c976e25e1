"""Which raw rows of a week say what a newer one says, so that no order line counts twice."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from forecasting_assets.orders.raw import raw_name
from forecasting_assets.tables import RAW_ORDERS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

#: What tells a row from all others.
ROW = ["source_file", "source_row"]
#: The columns of `older_duplicates`.
DUPLICATES = "source_file STRING, source_row BIGINT"
_NEWNESS = ["source_modified", *ROW]


def older_duplicates(raw: "ParquetFile", landed_names: Mapping[str, str]) -> "pa.Table":
    """ROW of those raw rows of a week that repeat a newer one; `landed_names` maps platform names to landed ones.

    Rows with the same (order_id, line_id) are one order line, whatever else they hold; rows that lack one of the two
    are if they are equal in every landed column. The newest is in the newest file: by time of change, then name,
    then row.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    order, line = (_number(raw, raw_name(landed_names[name])) for name in ("order_id", "line_id"))
    numbered = pc.and_(pc.is_valid(order), pc.is_valid(line)).to_numpy()
    suspects = pa.array(np.flatnonzero(~numbered | _repeated(pc.binary_join_element_wise(order, line, "\n"))))
    equal = [order.take(suspects), line.take(suspects)]
    if not numbered.all():
        unnumbered = pc.invert(pa.array(numbered).take(suspects))
        landed = raw.read().drop_columns(RAW_ORDERS.names).take(suspects)
        equal += [pc.if_else(unnumbered, column, None) for column in landed.columns]
    rows = raw.read(_NEWNESS).take(suspects)
    newest_first = pc.sort_indices(rows, [(name, "descending") for name in _NEWNESS])
    keys = [f"equal_{place}" for place in range(len(equal))]
    ranked = pa.table(equal, keys).take(newest_first).append_column("rank", pa.array(np.arange(len(rows))))
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


def _repeated(text: "pa.ChunkedArray") -> "np.ndarray":
    """Where a text stands that stands elsewhere too; nowhere where it is null."""
    import pyarrow.compute as pc

    counts = text.value_counts()
    often = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()
    return pc.is_in(text, often).to_numpy()
