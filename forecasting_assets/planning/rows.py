"""Rows that planners have entered: from text to typed tables, with every problem, and what each week uses of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.errors import PicklableError
from forecasting_assets.orders.text import normalise_ids, normalise_names
from forecasting_assets.tables import KNOWN_ON, LAST_USE, Column, Table
from forecasting_assets.tables.cells import cell_problems, typed_cells

#: Names that orders and planning files have in common.
_PARTS = {"part_id", "successor_id"}
_FOLDED = _PARTS | {"part_category", "region"}
#: A date at midnight, as Excel and Parquet keep days.
_MIDNIGHT = r"[T ]00:00(:00(\.0+)?)?Z?$"
#: Kind -> the columns that a template leaves empty.
_FILLED_IN = {
    "forecast_overrides": ["quantity", "factor", "reason", "author"],
    "locked_allocations": ["quantity", "reason"],
    "stock": ["quantity"],
    "work_in_progress": ["quantity"],
    "demand_corrections": ["action", "reason"],
    "successors": ["successor_id", "reason"],
}
#: Kind -> the two columns of which a row has exactly one.
_EITHER = {"forecast_overrides": ("quantity", "factor"), "locked_allocations": ("part_id", "part_category")}


@dataclass(frozen=True)
class PlanningProblem:
    """One reason why a planning file cannot be used.

    Attributes
    ----------
    kind
        What is wrong, as one word: `missing_column`, `bad_week`, `repeated_key`, …
    message
        File, row, value and remedy, for people.
    table
        Kind of the file.
    file
        Name of the file.
    row
        Row in the file, if one is to blame; the header is row 1.
    column, value
        The column and the value to blame, if there is one.
    """

    kind: str
    message: str
    table: str
    file: str
    row: int | None = None
    column: str = ""
    value: str = ""


class PlanningFileError(PicklableError, ValueError):
    """Planning files that cannot be used; the message lists every problem with its place and remedy.

    Attributes
    ----------
    problems
        All problems, as `PlanningProblem`.
    """

    def __init__(self, problems: Iterable[PlanningProblem]) -> None:
        self.problems = list(problems)
        lines = [f"- {problem.message}" for problem in self.problems]
        super().__init__("\n".join(["The planning files cannot be used:", *lines]))


@dataclass(frozen=True)
class PlanningRows:
    """All rows of one kind, and what each week uses of them.

    Attributes
    ----------
    table
        Table of the kind.
    frame
        Its columns, typed, and `file` and `row`; values that cannot be used are missing, (n,).
    content
        What identifies the content of each row, (n,) of uint64.
    problems
        Problems of single rows, and the label of the row in `frame` of each.
    file_problems
        Problems of files as a whole, which every week has.
    """

    table: Table
    frame: pd.DataFrame
    content: np.ndarray
    problems: Sequence[tuple[int, PlanningProblem]]
    file_problems: Sequence[PlanningProblem]

    def used_by(
        self, week: date, past: bool = False, weeks: int | None = None, since: np.ndarray | None = None
    ) -> pd.DataFrame:
        """Return the rows that a week uses.

        Parameters
        ----------
        week
            The week W.
        past
            If False, the rows known by the end of W that are about later weeks, and those that became known in W.
            If True, all rows known by the end of the week before W.
        weeks
            Number of weeks up to W within which rows became known; None if they may be older.
        since
            The week in which each row becomes known, (n,): only the rows of W are used, and those where it is missing.

        Returns
        -------
        DataFrame
            Rows of `frame`, in the order of files and rows.

        Raises
        ------
        PlanningFileError
            If one of these rows, or a file, cannot be used.
        """
        used = self._uses(week, past, weeks, since)
        problems = [*self.file_problems, *(problem for label, problem in self.problems if used[label])]
        if problems:
            raise PlanningFileError(problems)
        return self.frame[used].reset_index(drop=True)

    def version(
        self, week: date, past: bool = False, weeks: int | None = None, since: np.ndarray | None = None
    ) -> str:
        """Return what identifies the rows of `used_by`; an empty text if there are none.

        The content of files that cannot be read is not part of it.
        """
        used = self.content[self._uses(week, past, weeks, since)]
        return blake2b(used.tobytes(), digest_size=6).hexdigest() if len(used) else ""

    def _uses(self, week: date, past: bool, weeks: int | None, since: np.ndarray | None) -> np.ndarray:
        """Return which rows a week uses; a row without a valid date is used by every week."""
        if since is not None:
            return np.asarray(np.isnat(since) | (since == np.datetime64(week)))
        known = self.frame[KNOWN_ON[self.table.name]]
        before, sunday = (pd.Timestamp(week + timedelta(days=days)) for days in (-1, 6))
        if past:
            return np.asarray(known.isna() | (known <= before))
        uses = known.isna() | (known <= sunday)
        if weeks is not None:
            uses &= known.isna() | (known > sunday - pd.Timedelta(weeks=weeks))
        if column := LAST_USE.get(self.table.name):
            last = self.frame[column]
            uses &= last.isna() | (last > sunday) | (known > before)
        return np.asarray(uses)


def parse_rows(
    table: Table,
    cells: pd.DataFrame,
    file_problems: Sequence[PlanningProblem] = (),
    fold_case: bool = False,
) -> PlanningRows:
    """Convert the rows of one kind to the types of their columns, and name what cannot be used.

    Parameters
    ----------
    table
        Table of the kind.
    cells
        Its columns as text, an empty text where a cell is empty, and `file` and `row` (place of the row), (n,).
    file_problems
        Problems found while the files were read. Those of single rows count for the weeks that use the row.
    fold_case
        Whether parts, categories and regions that differ only by case or inner white space are one, as in the orders.
    """
    place = cells[["file", "row"]]
    text = pd.DataFrame({c.name: _spelled(cells[c.name], c, fold_case) for c in table.columns})
    # A row of a template that nobody has filled in says nothing, like an empty row.
    filled = (text[_FILLED_IN.get(table.name, table.names)] != "").any(axis=1)
    text, place = text[filled].reset_index(drop=True), place[filled].reset_index(drop=True)
    typed = pd.DataFrame({c.name: typed_cells(text[c.name], c) for c in table.columns})
    places = list(zip(place["file"].tolist(), map(int, place["row"]), strict=True))
    labels = {at: label for label, at in enumerate(places)}
    problems = [
        (labels[problem.file, problem.row], problem)
        for problem in file_problems
        if problem.row is not None and (problem.file, problem.row) in labels
    ]
    for column in table.columns:
        for cell in cell_problems(text[column.name], typed[column.name], column):
            file, row = places[cell.row]
            message = f"{file}, row {row}, column {cell.column}: {cell.value!r} {cell.remedy}"
            problem = PlanningProblem(cell.kind, message, table.name, file, row, cell.column, cell.value)
            problems.append((cell.row, problem))
    for label, kind, reason in [
        *_either_or(table, text),
        *_reversed(table, typed),
        *_succeeded(table, typed),
        *_repeated(table, typed),
    ]:
        file, row = places[label]
        message = f"{file}, row {row}: {reason}"
        problems.append((label, PlanningProblem(kind, message, table.name, file, row)))
    content = _content(text, table)
    problems.sort(key=lambda labelled: labelled[0])
    whole = [problem for problem in file_problems if (problem.file, problem.row) not in labels]
    return PlanningRows(table, typed.join(place), content, problems, whole)


def _content(text: pd.DataFrame, table: Table) -> np.ndarray:
    """Return what identifies the content of each row, (n,) of uint64."""
    if not len(text):
        return np.empty(0, np.uint64)
    if not table.open:
        return pd.util.hash_pandas_object(text, index=False).to_numpy()
    # A file with more columns leaves the rows of other files, which have empty cells in them, as they were.
    content = np.zeros(len(text), np.uint64)
    for name, cells in text.items():
        named = (str(name) + "=" + cells).to_numpy(object)
        content += np.where(cells != "", pd.util.hash_array(named), np.uint64(0))
    return content


def _spelled(text: pd.Series, column: Column, fold_case: bool) -> pd.Series:
    """Write names as the orders do, and days without a time."""
    array = pa.array(text, pa.string())
    fold = fold_case and column.name in _FOLDED
    names = normalise_ids(array, fold) if column.name in _PARTS else normalise_names(array, fold)
    spelled = pd.Series(names.to_pylist(), text.index, dtype=object).fillna("")
    if column.type != "date" or not pc.any(pc.match_substring_regex(names, _MIDNIGHT)).as_py():
        return spelled
    return spelled.str.replace(_MIDNIGHT, "", regex=True)


def _either_or(table: Table, text: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    if table.name in _EITHER:
        one, other = _EITHER[table.name]
        both = (text[one] != "").to_numpy() == (text[other] != "").to_numpy()
        for label in np.flatnonzero(both):
            filled = "both are filled" if text[one][label] else "neither is filled"
            yield int(label), "either_or", f"write either {one} or {other}: {filled}"


def _reversed(table: Table, typed: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    if table.name == "forecast_overrides":
        for label in np.flatnonzero(typed["week_to"] < typed["week_from"]):
            yield int(label), "reversed_weeks", "week_to is before week_from: swap them"


def _succeeded(table: Table, typed: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    if table.name == "successors":
        for label in np.flatnonzero(typed["part_id"] == typed["successor_id"]):
            yield int(label), "own_successor", "a part cannot be its own successor: name another part"
        yield from _shared_out(typed)


def narrowest_first(successors: pd.DataFrame, region: str | None) -> pd.DataFrame:
    """Return the rows of successors that are about a region, None for one that no row names.

    Those for the region come first: they take precedence over those for all.
    """
    about = successors["region"].isna() | (successors["region"] == region)
    return successors[about].sort_values("region", na_position="last", kind="stable")


def _shared_out(typed: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    """Find parts whose successors take more than all of its demand, in a region or in all."""
    rows = typed.assign(share=typed["share"].fillna(1.0), label=np.arange(len(typed)))
    rows = rows[rows[["part_id", "successor_id"]].notna().all(axis=1)]
    for part, of_part in rows[rows["part_id"].duplicated(keep=False)].groupby("part_id"):
        for region in [None, *of_part["region"].dropna().unique()]:
            about = narrowest_first(of_part, region)
            taken = about.drop_duplicates("successor_id")["share"].sum()
            if taken > 1 + 1e-9:
                reason = (
                    f"the successors of part {part!r} take {taken:.4g} times its demand: give each a share; together "
                    "they may be at most 1"
                )
                newest = about.sort_values(["entered", "label"]).iloc[-1]
                yield int(newest["label"]), "shares_above_one", reason
                break


def _repeated(table: Table, typed: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    if table.key:
        keys = typed[list(table.key)]
        # An empty cell that is no mistake stands for all, and may be written once.
        optional = [column.name for column in table.columns if column.name in table.key and column.nullable]
        written = keys.drop(columns=optional).notna().all(axis=1)
        for label in np.flatnonzero(keys.duplicated() & written):
            names = ", ".join(f"{name} {_shown(value)}" for name, value in keys.loc[label].items())
            yield int(label), "repeated_key", f"{names} occurs more than once; keep one of the rows"


def _shown(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else repr(value)
