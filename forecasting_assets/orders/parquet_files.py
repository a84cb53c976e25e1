"""Parquet files: check every page, read columns as text."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from forecasting_assets.orders.rows import OrderFileError, RowBatch, Source, column_names
from forecasting_assets.orders.typed_text import as_text, is_bytes


def inspect_parquet(source: Source) -> Source:
    """Read every page of a file, so that a damaged page is found before its rows are needed.

    Raises
    ------
    OrderFileError
        If a required column does not hold one value per row.
    """
    with pq.ParquetFile(source.path, filesystem=source.filesystem, page_checksum_verification=True) as file:
        needed = [field for field in file.schema_arrow if field.name in source.required]
        for field in needed:
            if pa.types.is_nested(field.type):
                raise OrderFileError(
                    source.path,
                    f"column {field.name} is nested ({field.type})",
                    "Land one value per row in it",
                    kind="nested_column",
                    columns=[field.name],
                )
        for batch in file.iter_batches():
            for field in needed:
                if is_bytes(field.type):
                    batch.column(field.name).cast(pa.string())  # fails if it is not text
    return source


def read_parquet(source: Source) -> Iterator[RowBatch]:
    """Yield the rows of a Parquet file, see `reading.read_order_file`."""
    number = 0
    with pq.ParquetFile(source.path, filesystem=source.filesystem, page_checksum_verification=True) as file:
        landed = file.schema_arrow.names
        names = dict(zip(column_names(source.path, landed), landed, strict=True))
        yield RowBatch.without_rows(names)
        chosen = source.chosen(names)
        for batch in file.iter_batches(columns=[names[name] for name in chosen]):
            texts = [as_text(batch.column(names[name]), source.order_format.decimal) for name in chosen]
            rows = pa.RecordBatch.from_arrays(texts, chosen)
            yield RowBatch.regular(np.arange(number + 1, number + batch.num_rows + 1), rows)
            number += batch.num_rows
