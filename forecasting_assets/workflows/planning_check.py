"""Check a planning file before it is put into the planning folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path

import pandas as pd
from pyarrow import fs

from forecasting_assets.errors import PicklableError
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.planning.covariates import ambiguous_values
from forecasting_assets.planning.files import describe_unrecognised, kind_of, read_planning_file
from forecasting_assets.planning.rows import PlanningProblem
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    COVARIATE_FILE,
    DEMAND_CORRECTIONS,
    DEMAND_PLAN,
    LAST_USE,
    MANUFACTURER_NETWORK,
    PLANNING_FILES,
    SUCCESSORS,
    WEEKLY_DEMAND,
)

#: Names of one column that a result lists at most; a file with another spelling throughout has thousands.
_MOST_NAMED = 20
#: Kinds of files whose rows are about past demand.
_ABOUT_THE_PAST = (DEMAND_CORRECTIONS.name, SUCCESSORS.name, COVARIATE_FILE.name)


class PlanningFileNameError(PicklableError, ValueError):
    """A file that cannot be checked because it does not exist or its name names no kind; `file` is its name."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(reason)
        self.file = file


@dataclass(frozen=True)
class FileCheck:
    """What a planning file would do in the planning folder.

    Attributes
    ----------
    file, kind
        Name of the file and its kind.
    rows
        Number of rows that say something.
    unfilled
        Number of rows that say nothing, as those of a template that are not filled in.
    problems
        Why it cannot be used, with row and column.
    warnings
        Rows that can be read but will change nothing, one sentence each.
    """

    file: str
    kind: str
    rows: int
    unfilled: int
    problems: list[PlanningProblem]
    warnings: list[str]


def check_planning_file(folder: PlanningFolder, lake: Lake, path: Path) -> FileCheck:
    """Check a planning file together with the files that are already in the folder.

    Parameters
    ----------
    folder
        The planning folder. A file in it with the same name counts as replaced.
    lake
        The tables; parts, regions and manufacturers of the newest plan are known.
    path
        The file. Its name begins with its kind, as in the folder.

    Raises
    ------
    PlanningFileNameError
        If the file does not exist, or its name does not begin with a kind.
    """
    name = path.name
    kind = kind_of(name)
    if kind is None:
        raise PlanningFileNameError(name, describe_unrecognised([name])[0])
    table = PLANNING_FILES[kind]
    if not path.is_file():
        raise PlanningFileNameError(name, f"{path}: there is no such file")
    file = read_planning_file(fs.LocalFileSystem(), str(path.absolute()), name, table)
    parsed = folder.rows_with(file, table)
    own = parsed.frame[parsed.frame["file"] == name]
    problems = [
        *(problem for problem in parsed.file_problems if problem.file == name),
        *(problem for _, problem in parsed.problems if problem.file == name),
    ]
    if kind == COVARIATE_FILE.name:
        problems += ambiguous_values(parsed.frame, name)
    weeks = lake.existing_weeks(ALLOCATION_PLAN)
    warnings = list(_without_effect(own, table.name, lake, weeks[-1])) if weeks else []
    return FileCheck(name, table.name, len(own), len(file.cells) - len(own), problems, warnings)


def _without_effect(rows: pd.DataFrame, kind: str, lake: Lake, week: date) -> Iterator[str]:
    """Say which rows name what the newest plan does not know, or weeks that it has passed.

    Rows about the past may also name parts and regions that were ordered then.
    """
    columns = ["part_id", "part_category", "region"]
    plan = lake.read_pandas(DEMAND_PLAN, [week], columns)
    known = {name: set(plan[name]) for name in columns}
    if kind in _ABOUT_THE_PAST:
        for batch in lake.batches(WEEKLY_DEMAND, lake.existing_weeks(WEEKLY_DEMAND), columns):
            for name in columns:
                known[name].update(batch[name].unique())
    manufacturers = lake.read_pandas(MANUFACTURER_NETWORK, [week], ["manufacturer_id"])
    known["manufacturer_id"] = set(manufacturers["manufacturer_id"])
    for name, names in known.items():
        yield from _unknown_names(rows, name, names)
    if column := LAST_USE.get(kind):
        for row in rows.loc[rows[column] <= pd.Timestamp(week), "row"]:
            yield f"row {row}, column {column}: the newest plan begins after {week}, so the row changes nothing"


def _unknown_names(rows: pd.DataFrame, column: str, known: set[str]) -> Iterator[str]:
    if column not in rows:
        return
    unknown = rows[rows[column].notna() & ~rows[column].isin(known)]
    first = unknown.drop_duplicates(column)
    names = sorted(known)
    for row, name in first[["row", column]].head(_MOST_NAMED).itertuples(index=False):
        near = get_close_matches(str(name), names, n=1)
        place = "manufacturers.csv" if column == "manufacturer_id" else "the orders"
        remedy = f"did you mean {near[0]!r}?" if near else f"write it as in {place}"
        yield f"row {row}, column {column}: {name!r} is not known; {remedy}"
    if len(first) > _MOST_NAMED:
        yield f"column {column}: {len(first) - _MOST_NAMED:,} more names are not known"
