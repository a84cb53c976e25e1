"""Planning files: which kind a file is, and its rows as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.orders.csv_files import lines_of_rows
from forecasting_assets.orders.file_names import is_ignored
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.reading import inspect_order_file, read_order_file
from forecasting_assets.orders.rows import OrderFileError, Source
from forecasting_assets.planning.rows import PlanningProblem
from forecasting_assets.storage import is_local
from forecasting_assets.tables import PLANNING_FILES, Table
from forecasting_assets.tables.table_files import separator_hint, unescape_formulas

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: Endings of planning files, in lower case.
ENDINGS = (".csv", ".csv.gz", ".parquet", ".xlsx")
_TEXT_ENDINGS = (".csv", ".csv.gz")
_HEADER_ROWS = 1
#: Columns that tables made from an open kind add to its own, so that none can be a covariate.
_RESERVED = {"covariate", "file", "known", "row", "target_week", "value"}


@dataclass(frozen=True)
class PlanningFile:
    """The content of one planning file.

    Attributes
    ----------
    name
        Name of the file within the planning folder.
    cells
        Its rows as text in the columns of the kind, indexed by row of the sheet or line of the file (the header is in
        the first); an empty text where a cell is empty.
    problems
        Why the file as a whole, or a row as a whole, cannot be used.
    """

    name: str
    cells: pd.DataFrame
    problems: tuple[PlanningProblem, ...] = ()


def kind_of(name: str) -> str | None:
    """Return the kind of a planning file by its name, None if it is of no kind."""
    base = name.lower().rsplit("/", maxsplit=1)[-1]
    if not base.endswith(ENDINGS) or is_ignored(name):
        return None
    return next((kind for kind in PLANNING_FILES if base.startswith(kind)), None)


def is_unrecognised(name: str) -> bool:
    """Return whether a file of the planning folder is read by nothing although it looks like a planning file."""
    return kind_of(name) is None and not is_ignored(name)


def describe_unrecognised(names: Sequence[str]) -> list[str]:
    """Say of each file that is of no kind what to do about it."""
    remedy = (
        f"rename it to one of {', '.join(f'{kind}*.csv' for kind in PLANNING_FILES)}, or move it elsewhere"
    )
    return [f"planning file {name}: {remedy}" for name in names]


def read_planning_file(filesystem: "FileSystem", path: str, name: str, table: Table) -> PlanningFile:
    """Read a planning file.

    Parameters
    ----------
    filesystem, path
        Where the file is.
    name
        Its name for people.
    table
        The table of its kind. Other columns are ignored, unless the table is open; optional ones may be absent.

    Returns
    -------
    PlanningFile
        Its rows; of a file that cannot be read, none and the reason.

    Raises
    ------
    OSError
        If the store of the file fails.
    """
    try:
        source = inspect_order_file(Source(filesystem, path, OrderFormat(), required=_required(table)))
        if source.fault:
            raise source.fault
        batches = list(read_order_file(source))
    except OrderFileError as error:
        return _unusable(name, table, "unreadable_file", f"{error.reason}; save it again as CSV (UTF-8)")
    except OSError as error:
        if not is_local(filesystem):  # a store that fails says nothing about the file
            raise
        return _unusable(name, table, "unreadable_file", f"it cannot be opened ({error}); allow to read it")
    found = batches[0].rows.schema.names
    if missing := [column for column in _required(table) if column not in found]:
        names = ", ".join(found) + separator_hint(found, missing)
        reason = f"column {', '.join(missing)} is missing; the file has {names}"
        return _unusable(name, table, "missing_column", reason, missing[0])
    is_text = name.lower().endswith(_TEXT_ENDINGS)
    lines = lines_of_rows(source) if is_text else None
    parts = [
        batch.rows.to_pandas()
        .assign(_=batch.problems.to_pylist())
        .set_index(batch.numbers + _HEADER_ROWS if lines is None else lines[batch.numbers])
        for batch in batches
    ]
    rows = pd.concat(parts).sort_index()
    others = [c for c in found if c not in table.names] if table.open else []
    if reserved := sorted(_RESERVED.intersection(others)):
        reason = f"column {', '.join(reserved)} cannot be a covariate, as tables have columns of this name: rename it"
        return _unusable(name, table, "reserved_column", reason, reserved[0])
    cells = rows.reindex(columns=[*table.names, *others]).fillna("").astype(object)
    if is_text:
        cells = cells.apply(unescape_formulas)
    surplus = rows["_"][rows["_"].notna()]
    return PlanningFile(name, cells, tuple(_misshapen(name, table, row) for row in surplus.index))


def _required(table: Table) -> list[str]:
    return [column.name for column in table.columns if not column.nullable]


def _unusable(name: str, table: Table, kind: str, reason: str, column: str = "") -> PlanningFile:
    problem = PlanningProblem(kind, f"{name}: {reason}", table.name, name, column=column)
    return PlanningFile(name, pd.DataFrame(columns=table.names, dtype=object), (problem,))


def _misshapen(name: str, table: Table, row: int) -> PlanningProblem:
    remedy = "has more or fewer cells than the header; put texts with commas in quotes"
    return PlanningProblem("cells", f"{name}, row {row}: {remedy}", table.name, name, row)
