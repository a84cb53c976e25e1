"""The manufacturer network as the lake keeps it for each week, and what identifies its files."""

from datetime import date
from pathlib import Path

import pandas as pd

from forecasting_assets.allocation import Network
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.tables import (
    CAPABILITIES,
    CAPACITY_OVERRIDES_KNOWN,
    LANES,
    MANUFACTURER_NETWORK,
    Table,
)


def network_contents(folder: Path) -> dict[str, str]:
    """Return network file -> what identifies its content."""
    return {file.name: fingerprint(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.csv"))}


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
