"""Order files for the tests: written to a folder, read as one table."""

from pathlib import Path

import pandas as pd
from pyarrow import fs

from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.reading import inspect_order_file, read_order_file
from forecasting_assets.orders.rows import Source


def source_of(path: Path, order_format: OrderFormat | None = None, **options) -> Source:
    """A file of this machine as a source."""
    return Source(fs.LocalFileSystem(), str(path), order_format or OrderFormat(), **options)


def read(path: Path, order_format: OrderFormat | None = None, **options) -> pd.DataFrame:
    """Every row of a file, with the columns `row`, `problem` and `surplus`, in the order of rows."""
    inspected = inspect_order_file(source_of(path, order_format, **options))
    frames = [
        batch.rows.to_pandas().assign(
            row=batch.numbers, problem=batch.problems.to_pandas(), surplus=batch.surplus.to_pandas()
        )
        for batch in read_order_file(inspected)
    ]
    return pd.concat(frames).sort_values("row", ignore_index=True)
