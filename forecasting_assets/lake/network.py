"""The manufacturer network as the lake keeps it for each week, and what identifies its files."""

import io
from contextlib import suppress
from datetime import date
from pathlib import Path

import pandas as pd

from forecasting_assets.allocation import Network
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.storage import list_files, read_file, replace_file
from forecasting_assets.tables import (
    CAPABILITIES,
    CAPACITY_OVERRIDES,
    CAPACITY_OVERRIDES_KNOWN,
    LANES,
    MANUFACTURER_NETWORK,
    NETWORK_TABLES,
    Table,
)
from forecasting_assets.tables.table_files import escape_formulas


def network_contents(folder: str | Path) -> dict[str, str]:
    """Return network file -> what identifies its content, whichever way its lines end.

    A file need not be valid: what is wrong with it is said where its rows are read.
    """
    read = {f"{table.name}.csv" for table in NETWORK_TABLES}
    contents = {name: io.BytesIO(read_file(folder, name)) for name in list_files(folder) if name in read}
    return {
        name: fingerprint(io.TextIOWrapper(content, "utf-8", errors="backslashreplace").read())
        for name, content in contents.items()
    }


def override_capacity(folder: str | Path, rows: pd.DataFrame) -> str:
    """Put rows into capacity_overrides.csv, in place of those of the same manufacturer and week.

    Parameters
    ----------
    folder
        The network folder or URL, whose files are valid.
    rows
        Columns of CAPACITY_OVERRIDES, author and reason.

    Returns
    -------
    str
        Path or URL of the file, which is replaced as a whole; its other rows stay as they are.
    """
    file = f"{CAPACITY_OVERRIDES.name}.csv"
    text = rows.assign(
        week=rows["week"].dt.strftime("%Y-%m-%d"),
        capacity_hours=rows["capacity_hours"].map("{:.12g}".format),
        author=escape_formulas(rows["author"]),
        reason=escape_formulas(rows["reason"]),
    )
    present = pd.DataFrame(columns=CAPACITY_OVERRIDES.names, dtype=str)
    with suppress(FileNotFoundError):
        content = io.BytesIO(read_file(folder, file))
        present = pd.read_csv(content, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        present.columns = present.columns.str.strip()
    key = list(CAPACITY_OVERRIDES.key)
    known = pd.MultiIndex.from_arrays([present[name].str.strip() for name in key])
    replaced = known.isin(pd.MultiIndex.from_frame(text[key]))
    merged = pd.concat([present[~replaced], text], ignore_index=True).fillna("")
    return replace_file(folder, file, merged.to_csv(index=False, lineterminator="\n").encode())


def write_network(lake: Lake, network: Network, week: date) -> None:
    """Store the network as it is known in `week`."""
    overrides = network.capacity_overrides.rename(columns={"week": "capacity_week"})
    lake.write_pandas(network.capabilities, CAPABILITIES, week)
    lake.write_pandas(network.lanes, LANES, week)
    lake.write_pandas(overrides, CAPACITY_OVERRIDES_KNOWN, week)
    lake.write_pandas(network.manufacturers, MANUFACTURER_NETWORK, week)


def read_network(lake: Lake, week: date) -> Network:
    """Read the network as it was known in `week`."""

    def read(table: Table) -> pd.DataFrame:
        return lake.read_pandas(table, [week]).drop(columns="week")

    overrides = read(CAPACITY_OVERRIDES_KNOWN).rename(columns={"capacity_week": "week"})
    return Network(read(MANUFACTURER_NETWORK), read(CAPABILITIES), read(LANES), overrides)
