"""Read the manufacturer network from the CSV files of its folder, and name every problem in them."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from forecasting_assets.allocation.network import Network, NetworkError, NetworkProblem
from forecasting_assets.orders.text import normalise_names
from forecasting_assets.storage import folder_exists, read_file
from forecasting_assets.tables import CAPABILITIES, LANES, MANUFACTURERS, NETWORK_TABLES, Column, Table
from forecasting_assets.tables.cells import cell_problems, typed_cells
from forecasting_assets.tables.table_files import separator_hint

#: Names that orders and network have in common.
_FOLDED = {"part_category", "region", "from_region", "to_region"}


def load_network(path: str | Path, fold_case: bool = False) -> Network:
    """Read and validate the CSV files of a network folder, each sorted by its key.

    Parameters
    ----------
    path
        The folder, or a URL.
    fold_case
        Whether categories and regions that differ only by case or inner white space are one, as in the orders.

    Raises
    ------
    NetworkError
        With all problems of all files at once.
    StoreError
        If the files cannot be read, whatever is in them.
    """
    if not folder_exists(path):
        files = ", ".join(f"{t.name}.csv" for t in (MANUFACTURERS, CAPABILITIES, LANES))
        raise NetworkError(
            [NetworkProblem("missing_folder", f"{path}: folder not found; create it and put {files} there")]
        )
    files_read = [_read(path, table, fold_case) for table in NETWORK_TABLES]
    frames = {file.table.name: file.frame for file in files_read}
    problems = [problem for file in files_read for problem in file.problems]
    problems += _unknown_manufacturers(frames)
    if problems:
        raise NetworkError(problems)
    return Network(
        **{
            t.name: frames[t.name].sort_values(list(t.key), ignore_index=True)[t.names]
            for t in NETWORK_TABLES
        }
    )


@dataclass(frozen=True)
class _NetworkFile:
    """The typed rows of one file and its problems; unusable values are NaN or NaT.

    The index of `frame` is the line in the file, so that later checks can name it.
    """

    table: Table
    frame: pd.DataFrame
    problems: list[NetworkProblem]


def _read(path: str | Path, table: Table, fold_case: bool) -> _NetworkFile:
    """Read the file of one table."""
    raw, problem = _read_text(path, table)
    if problem:
        empty = pd.DataFrame({c.name: typed_cells(pd.Series([], dtype=str), c) for c in table.columns})
        return _NetworkFile(table, empty, [problem])
    # Names are spelled as in the orders, which refer to them.
    raw = raw.fillna("").apply(lambda column: _spelled(column, fold_case and column.name in _FOLDED))
    raw = raw[(raw != "").any(axis=1)]
    problems = []
    if raw.empty and not table.optional:
        text = f"{table.name}.csv has no rows; write one for each {' and '.join(table.key)}"
        problems.append(NetworkProblem("no_rows", text, table.name))
    for column in table.columns:
        if column.name not in raw:
            raw[column.name] = str(column.default)
    typed = pd.DataFrame({c.name: typed_cells(raw[c.name], c) for c in table.columns})
    for column in table.columns:
        problems += _column_problems(table, column, raw[column.name], typed[column.name])
    return _NetworkFile(table, typed, [*problems, *_repeated_keys(table, raw)])


def _read_text(path: str | Path, table: Table) -> tuple[pd.DataFrame, NetworkProblem | None]:
    """Read the cells of a file as text, indexed by line, or say why that is impossible.

    An absent optional file has no rows.
    """
    file = f"{table.name}.csv"
    required = [c.name for c in table.columns if c.default is None]
    empty = pd.DataFrame(columns=required, dtype=str)
    try:
        content = io.BytesIO(read_file(path, file))
    except FileNotFoundError:
        if table.optional:
            return empty, None
        text = f"{file}: not found in {path}; create it with the columns {', '.join(required)}"
        return empty, NetworkProblem("missing_file", text, table.name)
    try:
        # Blank lines are kept until the line numbers are known.
        raw = pd.read_csv(
            content, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except (ValueError, UnicodeError) as error:  # pandas' parser errors are ValueErrors
        text = f"{file}: not a readable CSV file ({error}); save it as UTF-8 with the columns {', '.join(required)}"
        return empty, NetworkProblem("unreadable_file", text, table.name)
    raw.columns = raw.columns.str.strip()
    raw.index = pd.RangeIndex(2, len(raw) + 2)
    missing = [name for name in required if name not in raw]
    if missing:
        found = ", ".join(raw.columns) + separator_hint(raw.columns, missing)
        text = f"{file}: column {', '.join(missing)} is missing; the file has {found}"
        return empty, NetworkProblem("missing_column", text, table.name, column=missing[0])
    return raw, None


def _column_problems(
    table: Table, column: Column, text: pd.Series, typed: pd.Series
) -> Iterator[NetworkProblem]:
    """Yield the values of a column that cannot be used."""
    for cell in cell_problems(text, typed, column):
        place = f"{table.name}.csv, line {cell.row}, column {cell.column}"
        message = f"{place}: {cell.value!r} {cell.remedy}"
        yield NetworkProblem(cell.kind, message, table.name, cell.row, cell.column, cell.value)


def _value_problems(kind: str, table: Table, text: pd.Series, remedy: str) -> Iterator[NetworkProblem]:
    """Yield one problem for each of these values, which are indexed by line."""
    for line, value in text.items():
        message = f"{table.name}.csv, line {line}, column {text.name}: {value!r} {remedy}"
        yield NetworkProblem(kind, message, table.name, line, str(text.name), value)


def _repeated_keys(table: Table, text: pd.DataFrame) -> Iterator[NetworkProblem]:
    keys = text[list(table.key)]
    for line, key in keys[keys.duplicated()].iterrows():
        names = ", ".join(f"{name} {value!r}" for name, value in key.items())
        message = f"{table.name}.csv, line {line}: {names} occurs more than once; keep one of the lines"
        yield NetworkProblem("repeated_key", message, table.name, line)


def _unknown_manufacturers(frames: dict[str, pd.DataFrame]) -> Iterator[NetworkProblem]:
    """Yield manufacturers that other files name, but manufacturers.csv does not have."""
    known = frames["manufacturers"]["manufacturer_id"]
    if known.empty:  # a file that could not be read is not blamed on the others
        return
    for table in NETWORK_TABLES[1:]:
        if "manufacturer_id" in table.names:
            names = frames[table.name]["manufacturer_id"]
            remedy = "is not in manufacturers.csv; add it there or remove the line"
            yield from _value_problems("unknown_manufacturer", table, names[~names.isin(known)], remedy)


def _spelled(text: pd.Series, fold_case: bool) -> pd.Series:
    names = normalise_names(pa.array(text, pa.string()), fold_case).fill_null("")
    return pd.Series(names.to_pylist(), text.index, dtype=object)
