"""Order lines and order files: a valid line, and files that are read as one table."""

from pathlib import Path

import pandas as pd
from pyarrow import fs

from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.reading import inspect_order_file, read_order_file
from forecasting_assets.orders.rows import Source

#: The cells of a valid order line, by the platform's names of the columns.
ORDER = {
    "order_id": "1",
    "order_date": "2024-03-05",
    "part_id": "P1",
    "region": "north",
    "quantity": "2",
    "unit_price": "3.5",
    "part_category": "casting",
    "line_id": "1",
    "due_date": "2024-04-02",
}


def source_of(path: Path, order_format: OrderFormat | None = None, **options) -> Source:
    """Describe a local file as a source of orders."""
    return Source(fs.LocalFileSystem(), str(path), order_format or OrderFormat(), **options)


def read(path: Path, order_format: OrderFormat | None = None, **options) -> pd.DataFrame:
    """Read all rows of a file, in their order, with the additional columns `row`, `problem` and `surplus`."""
    inspected = inspect_order_file(source_of(path, order_format, **options))
    frames = [
        batch.rows.to_pandas().assign(
            row=batch.numbers, problem=batch.problems.to_pandas(), surplus=batch.surplus.to_pandas()
        )
        for batch in read_order_file(inspected)
    ]
    return pd.concat(frames).sort_values("row", ignore_index=True)
