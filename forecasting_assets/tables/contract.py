"""The contract of a table: its columns, its key, and the values that its columns allow."""

import numpy as np
import pandas as pd

from forecasting_assets.findings import Finding
from forecasting_assets.tables.schema import Column, Table
from forecasting_assets.wording import count


def invalid_values(values: pd.Series, column: Column) -> np.ndarray:
    """Return which of the values of a column are not allowed.

    Parameters
    ----------
    values
        Values of the column, (n,).
    column
        The column, whose bounds decide.

    Returns
    -------
    ndarray
        (n,) of bool: True for a missing value where none may be missing, an infinite number, and a value
        outside the column's bounds.
    """
    missing = values.isna().to_numpy()
    wrong = np.zeros(len(values), dtype=bool)
    if column.is_number:
        numbers = values.to_numpy(float, na_value=np.nan)
        wrong = np.isinf(numbers)
        if column.minimum is not None:
            wrong |= numbers <= column.minimum if column.exclusive_minimum else numbers < column.minimum
        if column.maximum is not None:
            wrong |= numbers > column.maximum
    elif column.values:
        wrong = ~missing & ~values.isin(column.values).to_numpy()
    return wrong if column.nullable else wrong | missing


def check_contract(frame: pd.DataFrame, table: Table) -> Finding:
    """Check that all columns are present, their values are allowed, and keys are unique."""
    absent = [name for name in table.names if name not in frame]
    if absent:
        return Finding(False, f"{table.name} has no column {', '.join(absent)}")
    counts = {c.name: int(invalid_values(frame[c.name], c).sum()) for c in table.columns}
    faults = [
        f"{count(counts[c.name], 'bad value')} in {c.name}" + (f" (allowed: {c.bounds})" if c.bounds else "")
        for c in table.columns
        if counts[c.name]
    ]
    repeated = int(frame.duplicated(list(table.key)).sum()) if table.key else 0
    if repeated:
        faults.append(f"{count(repeated, 'row')} with the key of another row ({', '.join(table.key)})")
    metadata = {"rows": len(frame), "bad_values": sum(counts.values()), "repeated_keys": repeated}
    return Finding(not faults, "; ".join(faults) or "all columns and values as declared", metadata)
