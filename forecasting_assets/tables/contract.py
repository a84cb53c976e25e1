"""The contract of a table: its columns, its key, and values that are there and finite."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecasting_assets.findings import Finding
from forecasting_assets.tables import Table


def check_contract(frame: pd.DataFrame, table: Table, positive: Sequence[str] = ()) -> Finding:
    """All columns present, no missing or infinite value where none may be, keys unique, `positive` ones > 0."""
    absent = [name for name in table.names if name not in frame]
    if absent:
        return Finding(False, f"{table.name} lacks the columns {', '.join(absent)}")
    faults = {}
    for column in table.columns:
        values = frame[column.name]
        bad = values.isna() if not column.nullable else pd.Series(False, values.index)
        if column.type == "double":
            bad = bad | np.isinf(values)
        if column.name in positive:
            bad = bad | ~(values > 0)
        if bad.any():
            faults[column.name] = int(bad.sum())
    repeated = int(frame.duplicated(list(table.key)).sum()) if table.key else 0
    said = [f"{n} bad values in {name}" for name, n in faults.items()]
    said += [f"{repeated} rows repeat a key ({', '.join(table.key)})"] if repeated else []
    metadata = {"rows": len(frame), "bad_values": sum(faults.values()), "repeated_keys": repeated}
    return Finding(not said, "; ".join(said) or "as declared", metadata)
