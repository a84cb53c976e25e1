"""The manufacturing network: who makes what, in which hours, and where it can be sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from forecasting_assets.orders.text import normalise_names
from forecasting_assets.tables import CAPABILITIES, CAPACITY_OVERRIDES, LANES, MANUFACTURERS, Table
from forecasting_assets.weeks import parse_week

#: Files that may be absent, and columns that may be, with the value they then have.
OPTIONAL_FILES = {CAPACITY_OVERRIDES.name}
COLUMN_DEFAULTS = {
    "overtime_hours_per_week": 0.0,
    "overtime_premium": 0.0,
    "on_time_rate": 1.0,
    "activation_cost": 0.0,
}


#: Names that orders and network have in common.
_FOLDED = {"part_category", "region", "from_region", "to_region"}


class NetworkError(ValueError):
    """The network files cannot be used; the message lists every problem with file, line, value and remedy."""

    def __init__(self, problems: Sequence[str]):
        self.problems = list(problems)
        super().__init__(
            "\n".join(["The manufacturer network cannot be used:", *(f"- {p}" for p in problems)])
        )


@dataclass(frozen=True)
class Network:
    """The four network tables with the columns of `tables.py`; weeks are normalised datetime64."""

    manufacturers: pd.DataFrame
    capabilities: pd.DataFrame
    lanes: pd.DataFrame
    capacity_overrides: pd.DataFrame


def load_network(path: Path, fold_case: bool = False) -> Network:
    """Read and validate the CSV files of a network folder, each sorted by its key.

    Parameters
    ----------
    path
        The folder.
    fold_case
        Whether categories and regions that differ only by case or inner white space are one, as in the orders.

    Raises
    ------
    NetworkError
        With all problems of all files at once.
    """
    if not path.is_dir():
        files = ", ".join(f"{t.name}.csv" for t in (MANUFACTURERS, CAPABILITIES, LANES))
        raise NetworkError([f"{path}: no such folder; make it and put {files} there"])
    problems: list[str] = []
    tables = [MANUFACTURERS, CAPABILITIES, LANES, CAPACITY_OVERRIDES]
    frames = {table.name: _read(path, table, problems, fold_case) for table in tables}
    _check_references(frames, problems)
    if problems:
        raise NetworkError(problems)
    return Network(
        **{t.name: frames[t.name].sort_values(list(t.key), ignore_index=True)[t.names] for t in tables}
    )


def check_network(network: Network) -> None:
    """Raise NetworkError for tables made by hand that no file could hold: doubled keys, bad numbers."""
    problems = []
    for table in (MANUFACTURERS, CAPABILITIES, LANES, CAPACITY_OVERRIDES):
        frame = getattr(network, table.name)
        twice = frame[frame.duplicated(list(table.key))]
        problems += [
            f"{table.name}: {', '.join(map(str, key))} is there twice; keep one of the rows"
            for key in twice[list(table.key)].to_numpy().tolist()
        ]
        columns = [c.name for c in table.columns if c.type in ("double", "long")]
        values = np.column_stack([frame[c].to_numpy(float) for c in columns])
        largest = [1.0 if c == "on_time_rate" else np.inf for c in columns]
        bad = ~(np.isfinite(values) & (values >= 0) & (values <= largest))
        bad |= (values == 0) & (np.array(columns) == "hours_per_unit")
        problems += [
            f"{table.name}, {', '.join(map(str, frame.iloc[row][list(table.key)]))}, column {columns[column]}: "
            f"{values[row, column]} cannot be; give a finite number of 0 or more (hours_per_unit above 0, "
            "on_time_rate at most 1)"
            for row, column in np.argwhere(bad).tolist()
        ]
    if problems:
        raise NetworkError(problems)


def servable(network: Network) -> set[tuple[str, str]]:
    """Every (part_category, region) that some manufacturer can make and deliver, whatever the hours."""
    home = dict(zip(network.manufacturers["manufacturer_id"], network.manufacturers["region"], strict=True))
    reached: dict[str, set[str]] = {}
    for origin, region in zip(network.lanes["from_region"], network.lanes["to_region"], strict=True):
        reached.setdefault(origin, set()).add(region)
    capabilities = network.capabilities[["manufacturer_id", "part_category"]].to_numpy()
    made = {(category, home[manufacturer]) for manufacturer, category in capabilities}
    return {(category, region) for category, origin in made for region in reached.get(origin, ())}


def unservable(network: Network, demand: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Demand that no manufacturer can make or deliver, whatever the hours.

    Parameters
    ----------
    network
        The network.
    demand
        part_category, region and quantity; rows without a quantity above 0 ask for nothing.

    Returns
    -------
    dict
        (part_category, region) -> why, with the file to extend; in their order.
    """
    wanted = demand.loc[demand["quantity"] > 0, ["part_category", "region"]].drop_duplicates()
    capable = network.capabilities.merge(network.manufacturers, on="manufacturer_id")
    served = servable(network)
    reasons = {}
    for category, region in sorted(map(tuple, wanted.to_numpy())):
        if (category, region) in served:
            continue
        origins = sorted(capable.loc[capable["part_category"] == category, "region"].unique())
        reasons[category, region] = (
            f"no manufacturer that makes {category} has a lane to {region}: add one from {' or '.join(origins)} to "
            "lanes.csv"
            if origins
            else f"no manufacturer makes {category}: add one that does to capabilities.csv"
        )
    return reasons


def weekly_capacity(network: Network, weeks: Sequence[date]) -> pd.DataFrame:
    """Hours on offer: manufacturer_id, production_week, capacity_hours, overtime_capacity_hours.

    One row for each manufacturer and week, sorted; an override replaces the regular hours of its week.
    """
    makers = network.manufacturers.sort_values("manufacturer_id")
    every_week = pd.to_datetime(sorted(weeks)).astype("datetime64[ns]")
    slots = pd.MultiIndex.from_product([makers["manufacturer_id"], every_week])
    usual, overtime = (
        np.repeat(makers[column].to_numpy(float), len(every_week))
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


def _read(path: Path, table: Table, problems: list[str], fold_case: bool) -> pd.DataFrame:
    """The table of one file, typed; unusable values become NaN/NaT and a problem each.

    The index is the line in the file, so that later checks can name it.
    """
    file = f"{table.name}.csv"
    required = [name for name in table.names if name not in COLUMN_DEFAULTS]
    empty = pd.DataFrame({c.name: _typed(pd.Series([], dtype=str), c.type) for c in table.columns})
    if not (path / file).is_file():
        if table.name not in OPTIONAL_FILES:
            problems.append(f"{file}: not in {path}; it must hold the columns {', '.join(required)}")
        return empty
    try:
        # Blank lines are kept until the line numbers are known.
        raw = pd.read_csv(
            path / file, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except (ValueError, UnicodeError) as error:  # pandas' parser errors are ValueErrors
        problems.append(
            f"{file}: no readable CSV ({error}); save it as UTF-8 with the columns {', '.join(required)}"
        )
        return empty
    raw.columns = raw.columns.str.strip()
    raw.index = pd.RangeIndex(2, len(raw) + 2)
    # Spelled as the orders are, whose names they must meet.
    raw = raw.fillna("").apply(lambda column: _spelled(column, fold_case and column.name in _FOLDED))
    raw = raw[(raw != "").any(axis=1)]
    missing = [name for name in required if name not in raw]
    if missing:
        problems.append(f"{file}: column {', '.join(missing)} is missing; it has {', '.join(raw.columns)}")
        return empty
    if raw.empty and table.name not in OPTIONAL_FILES:
        problems.append(f"{file}: holds no row; write one for each {' and '.join(table.key)}")
    for name in table.names:
        if name not in raw:
            raw[name] = str(COLUMN_DEFAULTS[name])

    def report(bad: pd.Series, column: str, remedy: str) -> None:
        for line, value in raw.loc[bad, column].items():
            problems.append(f"{file}, line {line}, column {column}: {value!r} {remedy}")

    typed = pd.DataFrame({c.name: _typed(raw[c.name], c.type) for c in table.columns})
    for c in table.columns:
        values = typed[c.name]
        if c.type == "string":
            report(values == "", c.name, "is empty; write a name")
        elif c.type == "date":
            for line, text in raw[c.name].items():
                try:
                    parse_week(text)
                except ValueError as error:
                    problems.append(f"{file}, line {line}, column {c.name}: {error}")
        else:
            finite = pd.Series(np.isfinite(values), index=values.index)
            report(~finite, c.name, "is not a number; write one with a decimal point and no unit")
            report(finite & (values < 0), c.name, "is negative; write 0 or more")
            if c.type == "long":
                report(finite & (values % 1 != 0), c.name, "is not a whole number; write whole weeks")
            if c.name == "on_time_rate":
                report(finite & (values > 1), c.name, "is above 1; write a share from 0 to 1")
            if c.name == "hours_per_unit":
                report(values == 0, c.name, "would make any quantity in no time; write hours above 0")
    for line, key in raw.loc[raw.duplicated(list(table.key)), list(table.key)].iterrows():
        names = ", ".join(f"{name} {value!r}" for name, value in key.items())
        problems.append(f"{file}, line {line}: {names} is there twice; keep one of the lines")
    return typed


def _spelled(text: pd.Series, fold_case: bool) -> pd.Series:
    names = normalise_names(pa.array(text, pa.string()), fold_case).fill_null("")
    return pd.Series(names.to_pylist(), text.index, dtype=object)


def _typed(text: pd.Series, kind: str) -> pd.Series:
    if kind == "string":
        return text.astype(object)
    if kind == "date":
        return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype("datetime64[ns]")
    return pd.to_numeric(text, errors="coerce").astype(float)


def _check_references(frames: dict[str, pd.DataFrame], problems: list[str]) -> None:
    """What one file says about another; a file that could not be read is not blamed on the others."""
    manufacturers = frames["manufacturers"]
    if manufacturers.empty:
        return
    for name in ("capabilities", "capacity_overrides"):
        unknown = frames[name][~frames[name]["manufacturer_id"].isin(manufacturers["manufacturer_id"])]
        problems += [
            f"{name}.csv, line {line}, column manufacturer_id: {value!r} is not in manufacturers.csv; "
            "add it there or remove the line"
            for line, value in unknown["manufacturer_id"].items()
        ]
    for name, column, key, remedy in (
        (
            "capabilities",
            "manufacturer_id",
            "manufacturer_id",
            "cannot make anything; add its part categories to",
        ),
        ("lanes", "region", "from_region", "is a region no lane leaves from; add its lanes to"),
    ):
        if frames[name].empty:
            continue
        lonely = manufacturers[~manufacturers[column].isin([*frames[name][key], ""])]
        problems += [
            f"manufacturers.csv, line {line}, column {column}: {value!r} {remedy} {name}.csv"
            for line, value in lonely[column].items()
        ]
