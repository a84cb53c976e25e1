"""What the ETL peers (etl_duckdb.py, etl_polars.py) share: their task, the landed columns and the landed files.

The peers go from landed order files to features as a user of DuckDB or Polars would, table by table, with the same
rules and columns as the platform: every row is clean or rejected for the first rule it breaks, the newest of equal
lines counts, and features are those of `features/window.py`. Each table is written as Parquet by week, and the next
one reads it from there. They do none of the platform's other work (records, checks, metadata, atomic publication).
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

LANDED = [
    "order_id",
    "order_date",
    "part_id",
    "part_category",
    "region",
    "quantity",
    "unit_price",
    "line_id",
    "customer_note",
    "sales_channel",
]
ISO_8601 = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
#: Weeks of rolling means and of rolling standard deviations.
MEANS, DEVIATIONS = (4, 13, 26, 52), (13, 52)


@dataclass(frozen=True)
class PeerTask:
    """What a peer is to do.

    Attributes
    ----------
    orders, out
        Folder of the order files, and folder for the tables.
    weeks
        All weeks of the history.
    horizon
        Weeks to forecast, which determine the lags.
    countries
        Countries whose holidays count.
    memory
        Memory limit, such as `6GB`.
    """

    orders: Path
    out: Path
    weeks: list[date]
    horizon: int
    countries: tuple[str, ...]
    memory: str


def order_files(folder: Path) -> dict[str, list[Path]]:
    """Return the order files by format."""
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            files.setdefault(file.name.rpartition(".")[2], []).append(file)
    return files


def modified(files: dict[str, list[Path]]) -> pd.DataFrame:
    """Return the time of change of every file: columns file and modified."""
    paths = [path for of_format in files.values() for path in of_format]
    return pd.DataFrame({"file": [str(p) for p in paths], "modified": [p.stat().st_mtime_ns for p in paths]})
