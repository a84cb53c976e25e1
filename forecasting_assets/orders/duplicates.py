"""Find raw rows that repeat a newer one, so that no order line counts twice."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.tables import ROW

#: Columns that determine the newest of equal rows.
_NEWNESS = ["source_modified", *ROW]


def newest_equal(
    raw: pa.Table, order_ids: pa.Array, line_ids: pa.Array, landed: Sequence[str], preferred: pa.Array
) -> pa.Array:
    """Find the newer row that replaces each row.

    Rows with the same order and line number are one order line, whatever their other values; rows without one of the
    two numbers are one order line if they are equal in every landed column. The newest row is that of the file that
    was modified last, then the last by file name, then by row. A row that is not preferred replaces only rows that are
    not either: so a correction that cannot be read leaves the line as it was.

    Parameters
    ----------
    raw
        Raw rows of a week.
    order_ids, line_ids
        Normalised numbers of the rows; null where missing.
    landed
        Names of the landed columns of `raw`.
    preferred
        Whether a row is preferred to older and newer ones that are not, such as one whose values can be used.

    Returns
    -------
    pa.Array
        Position in `raw` of the newest preferred equal row (int64); null for a row that no newer one replaces.
    """
    numbered = pc.and_(pc.is_valid(order_ids), pc.is_valid(line_ids))
    # Equal rows have equal joined texts, but so may others: the few candidates are compared exactly below.
    candidate = _repeated(pc.binary_join_element_wise(order_ids, line_ids, "\n"))
    keys = [order_ids, line_ids]
    if not pc.all(numbered).as_py():
        unnumbered = pc.invert(numbered)
        cells = [pc.if_else(unnumbered, raw[name].combine_chunks(), None) for name in landed]
        joined = pc.binary_join_element_wise(
            *cells, pa.scalar(""), "\n", null_handling="replace", null_replacement="\0"
        )
        candidate = pc.or_(candidate, _repeated(pc.if_else(unnumbered, joined, None)))
        # Rows with only one of the two numbers are compared by their cells alone.
        keys = [*(pc.if_else(numbered, key, None) for key in keys), *cells]
    places = np.flatnonzero(candidate.to_numpy(zero_copy_only=False))
    newest_first = places[
        pc.sort_indices(
            raw.select(_NEWNESS).take(pa.array(places)), [(name, "descending") for name in _NEWNESS]
        ).to_numpy()
    ]
    is_preferred = preferred.to_numpy(zero_copy_only=False)[newest_first]
    equal = pd.DataFrame(
        {position: key.take(pa.array(newest_first)).to_pandas() for position, key in enumerate(keys)}
    )
    groups = equal.groupby(list(equal), dropna=False, sort=False).ngroup().to_numpy()
    preferred_first = np.argsort(~is_preferred, kind="stable")
    _, first = np.unique(groups[preferred_first], return_index=True)
    newest = preferred_first[first][groups]
    repeats = np.full(len(raw), -1)
    repeats[newest_first] = np.where(newest < np.arange(len(newest)), newest_first[newest], -1)
    return pa.array(repeats, mask=repeats < 0)


def _repeated(text: pa.Array) -> pa.Array:
    """Return where a text occurs more than once; false where it is null."""
    counts = text.value_counts()
    often = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()
    return pc.is_in(text, often)
