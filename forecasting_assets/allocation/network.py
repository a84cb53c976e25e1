"""The manufacturer network: who can make what, in which hours, and where it can be delivered."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.tables import NETWORK_TABLES, Table
from forecasting_assets.tables.contract import invalid_values


@dataclass(frozen=True)
class NetworkProblem:
    """One reason why a network cannot be used.

    Attributes
    ----------
    kind
        What is wrong, as one word: `missing_file`, `out_of_bounds`, `repeated_key`, …
    message
        Place, value and remedy, for people.
    table
        Name of the table; its file is `<table>.csv`. Empty if the whole folder is meant.
    line
        Line in the file, if one is to blame.
    column, value
        The column and the value to blame, if there is one.
    """

    kind: str
    message: str
    table: str = ""
    line: Hashable = None
    column: str = ""
    value: object = None


class NetworkError(PicklableError, ValueError):
    """The manufacturer network cannot be used; the message lists every problem with its place and remedy.

    Attributes
    ----------
    problems
        All problems, as `NetworkProblem`.
    """

    def __init__(self, problems: Iterable[NetworkProblem]):
        """List the problems."""
        self.problems = list(problems)
        lines = [f"- {problem.message}" for problem in self.problems]
        super().__init__("\n".join(["The manufacturer network cannot be used:", *lines]))


@dataclass(frozen=True)
class Network:
    """The four network tables (`tables.NETWORK_TABLES`); weeks are normalised datetime64.

    Attributes
    ----------
    manufacturers, capabilities, lanes, capacity_overrides
        A row for each key of the table.
    """

    manufacturers: pd.DataFrame
    capabilities: pd.DataFrame
    lanes: pd.DataFrame
    capacity_overrides: pd.DataFrame


def check_network(network: Network) -> None:
    """Check tables that were not read from files: unique keys, and numbers within their bounds.

    Raises
    ------
    NetworkError
        With all problems at once.
    """
    problems = [
        problem
        for table in NETWORK_TABLES
        for problem in _table_problems(table, getattr(network, table.name))
    ]
    if problems:
        raise NetworkError(problems)


def _table_problems(table: Table, frame: pd.DataFrame) -> Iterator[NetworkProblem]:
    keys = frame[list(table.key)]
    for repeated in keys[keys.duplicated()].to_numpy().tolist():
        message = f"{table.name}: {', '.join(map(str, repeated))} occurs more than once; keep one of the rows"
        yield NetworkProblem("repeated_key", message, table.name)
    columns = [c for c in table.columns if c.is_number]
    invalid = np.column_stack([invalid_values(frame[c.name], c) for c in columns])
    for row, number in np.argwhere(invalid).tolist():
        column, key = columns[number], ", ".join(map(str, keys.iloc[row]))
        value = frame[column.name].iloc[row]
        message = (
            f"{table.name}, {key}, column {column.name}: {value} is not allowed; use a finite number, "
            f"{column.bounds}"
        )
        yield NetworkProblem("out_of_bounds", message, table.name, column=column.name, value=value)


def servable(network: Network) -> set[tuple[str, str]]:
    """Return every (part_category, region) that some manufacturer can make and deliver, regardless of hours."""
    home = dict(zip(network.manufacturers["manufacturer_id"], network.manufacturers["region"], strict=True))
    reached: dict[str, set[str]] = {}
    for origin, region in zip(network.lanes["from_region"], network.lanes["to_region"], strict=True):
        reached.setdefault(origin, set()).add(region)
    capabilities = network.capabilities[["manufacturer_id", "part_category"]].to_numpy()
    produced = {(category, home[manufacturer]) for manufacturer, category in capabilities}
    return {(category, region) for category, origin in produced for region in reached.get(origin, ())}


def unservable(network: Network, demand: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Explain demand that no manufacturer can make or deliver, regardless of hours.

    Parameters
    ----------
    network
        The network.
    demand
        part_category, region and quantity; rows without a quantity above 0 are ignored.

    Returns
    -------
    dict
        (part_category, region) -> reason, with the file to extend; sorted by key.
    """
    pairs = demand.loc[demand["quantity"] > 0, ["part_category", "region"]].drop_duplicates()
    capable = network.capabilities.merge(network.manufacturers, on="manufacturer_id")
    served = servable(network)
    reasons = {}
    for category, region in sorted(map(tuple, pairs.to_numpy())):
        if (category, region) in served:
            continue
        origins = sorted(capable.loc[capable["part_category"] == category, "region"].unique())
        reasons[category, region] = (
            f"no manufacturer that makes {category} has a lane to {region}; add a lane from "
            f"{' or '.join(origins)} to lanes.csv"
            if origins
            else f"no manufacturer makes {category}; add one to capabilities.csv"
        )
    return reasons


def weekly_capacity(network: Network, weeks: Sequence[date]) -> pd.DataFrame:
    """Return the available hours of each manufacturer in each week, sorted.

    Returns
    -------
    DataFrame
        manufacturer_id, production_week, capacity_hours, overtime_capacity_hours. An override replaces the
        regular hours of its week.
    """
    manufacturers = network.manufacturers.sort_values("manufacturer_id")
    every_week = pd.to_datetime(sorted(weeks)).astype("datetime64[ns]")
    slots = pd.MultiIndex.from_product([manufacturers["manufacturer_id"], every_week])
    usual, overtime = (
        np.repeat(manufacturers[column].to_numpy(float), len(every_week))
        for column in ("capacity_hours_per_week", "overtime_hours_per_week")
    )
    overrides = network.capacity_overrides.set_index(["manufacturer_id", "week"])["capacity_hours"]
    hours = overrides.reindex(slots).to_numpy() if len(overrides) else np.nan
    return pd.DataFrame(
        {
            "manufacturer_id": slots.get_level_values(0),
            "production_week": slots.get_level_values(1),
            "capacity_hours": np.where(np.isnan(hours), usual, hours),
            "overtime_capacity_hours": overtime,
        }
    )
