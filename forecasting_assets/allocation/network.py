"""The manufacturer network: who can make what, in which hours, and where it can be delivered."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.arguments import NUMBER_KINDS
from forecasting_assets.errors import PicklableError
from forecasting_assets.tables import CAPABILITIES, CAPACITY_OVERRIDES, NETWORK_TABLES, Table
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
        Line in the file, or index of the row in a table that was not read from a file, if one is to blame.
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
    """Check tables that were not read from files: columns, unique keys, Mondays, and numbers within their bounds.

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
    if not problems:
        problems = list(_unknown_manufacturers(network))
    if problems:
        raise NetworkError(problems)


def _table_problems(table: Table, frame: pd.DataFrame) -> Iterator[NetworkProblem]:
    missing = [name for name in table.names if name not in frame]
    for name in missing:
        message = f"{table.name} has no column {name}; it has {', '.join(map(str, frame.columns)) or 'none'}"
        yield NetworkProblem("missing_column", message, table.name, column=name)
    if not missing:
        yield from _row_problems(table, frame)


def _row_problems(table: Table, frame: pd.DataFrame) -> Iterator[NetworkProblem]:
    """Yield empty names, bad weeks, repeated keys, and numbers that are none or out of bounds."""
    for column in (c for c in table.columns if not c.is_number):
        values = frame[column.name]
        if column.type == "string":
            yield from _value_problems("empty", table, values, values.isna(), "is empty; write a name")
        else:
            is_date = pd.api.types.is_datetime64_dtype(values)
            wrong = values.dt.dayofweek.ne(0) if is_date else pd.Series(True, values.index)
            remedy = "is not a Monday of type datetime64; convert it with pandas.to_datetime"
            yield from _value_problems("bad_week", table, values, wrong, remedy)
    keys = frame[list(table.key)]
    for repeated in keys[keys.duplicated()].to_numpy().tolist():
        message = f"{table.name}: {', '.join(map(str, repeated))} occurs more than once; keep one of the rows"
        yield NetworkProblem("repeated_key", message, table.name)
    for column in (c for c in table.columns if c.is_number):
        values = frame[column.name]
        if pd.api.types.infer_dtype(values, skipna=True) in NUMBER_KINDS:
            remedy = f"is not allowed; use a finite number, {column.bounds}"
            yield from _value_problems("out_of_bounds", table, values, invalid_values(values, column), remedy)
        else:
            message = f"{table.name}: {column.name} is of type {values.dtype}; convert it to numbers"
            yield NetworkProblem("not_a_number", message, table.name, column=column.name)


def _value_problems(
    kind: str, table: Table, values: pd.Series, wrong: pd.Series | np.ndarray, remedy: str
) -> Iterator[NetworkProblem]:
    for row in np.flatnonzero(wrong).tolist():
        value = values.iloc[row]
        message = f"{table.name}, row {values.index[row]}, column {values.name}: {value} {remedy}"
        yield NetworkProblem(kind, message, table.name, values.index[row], str(values.name), value)


def _unknown_manufacturers(network: Network) -> Iterator[NetworkProblem]:
    for table in (CAPABILITIES, CAPACITY_OVERRIDES):
        named = getattr(network, table.name)["manufacturer_id"]
        unknown = ~named.isin(network.manufacturers["manufacturer_id"])
        yield from _value_problems(
            "unknown_manufacturer", table, named, unknown, "is not among the manufacturers"
        )


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


def unused_manufacturers(network: Network) -> dict[str, str]:
    """Explain which manufacturers can serve no demand: manufacturer_id -> reason, with the file to extend; sorted."""
    manufacturers = network.manufacturers.sort_values("manufacturer_id")
    names = manufacturers["manufacturer_id"].to_numpy()
    capable = np.isin(names.astype(str), network.capabilities["manufacturer_id"].to_numpy(str))
    connected = manufacturers["region"].isin(network.lanes["from_region"]).to_numpy()
    return {
        name: (
            f"no lane leaves its region {region}; add one to lanes.csv"
            if makes
            else "it makes no part category; add one to capabilities.csv"
        )
        for name, region, makes, delivers in zip(
            names, manufacturers["region"], capable, connected, strict=True
        )
        if not (makes and delivers)
    }


def usual_hours(network: Network) -> pd.Series:
    """Return the hours of a usual week and of all exceptional weeks together, by manufacturer_id."""
    manufacturers = network.manufacturers.set_index("manufacturer_id")
    usual = manufacturers["capacity_hours_per_week"] + manufacturers["overtime_hours_per_week"]
    exceptional = network.capacity_overrides.groupby("manufacturer_id")["capacity_hours"].sum()
    return usual.add(exceptional, fill_value=0.0)


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
