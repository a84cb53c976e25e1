"""The planning folder: rows that planners have entered, as each week knew them, and what identifies them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.planning.covariates import first_known, with_values
from forecasting_assets.planning.files import (
    PlanningFile,
    describe_unrecognised,
    is_unrecognised,
    kind_of,
    read_planning_file,
)
from forecasting_assets.planning.rows import PlanningProblem, PlanningRows, parse_rows
from forecasting_assets.settings import Settings
from forecasting_assets.storage import (
    StoreError,
    content_id,
    is_local,
    list_files,
    open_filesystem,
    store_errors,
)
from forecasting_assets.tables import PLANNING_FILES, Table

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem


#: Rows of each kind of file as last read by this process, with the content of the files, by folder, `fold_case` and
#: kind: each week of a run looks at the folder again, and parsing takes far longer than comparing contents.
_LAST_READ: dict[tuple[str, bool, str], tuple[dict[str, str], PlanningRows]] = {}


@dataclass(frozen=True)
class PlanningFolder:
    """The planning files below `path`, a folder or URL, each kind as it was when it was first read.

    Attributes
    ----------
    path
        The folder; it need not exist.
    fold_case
        Whether parts, categories and regions that differ only by case or inner white space are one.
    """

    path: str
    fold_case: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "PlanningFolder":
        """Return the planning folder that `settings` describe."""
        return cls(settings.planning_path, settings.orders.fold_case)

    @cached_property
    def _storage(self) -> "tuple[FileSystem, str]":
        return open_filesystem(self.path)

    @cached_property
    def _files(self) -> "dict[str, FileInfo]":
        """Name -> file, sorted by name."""
        return list_files(self.path)

    @cached_property
    def _rows(self) -> dict[str, PlanningRows]:
        return {}

    @cached_property
    def _known(self) -> dict[PlanningInput, np.ndarray]:
        return {}

    def unrecognised(self) -> list[str]:
        """Return the names of files that are of no kind."""
        return [name for name in self._files if is_unrecognised(name)]

    def states(self) -> dict[str, str]:
        """Return planning file -> its size and time of change, by which one sees whether it still grows."""
        return {name: f"{info.size}-{info.mtime_ns}" for name, info in self._files.items() if kind_of(name)}

    def contents(self) -> dict[str, str]:
        """Return planning file -> what identifies its content."""
        return {name: self._content(name) for name in self.states()}

    def used_by(self, week: date, of: PlanningInput) -> pd.DataFrame:
        """Return the rows of an input that a week uses, see `PlanningRows.used_by`.

        Raises
        ------
        PlanningFileError
            If a file, or one of these rows, cannot be used.
        """
        rows = self._rows_of(of.kind)
        return rows.used_by(week, of.past, of.weeks, self._since(rows, of))

    def rows_with(self, file: PlanningFile, table: Table) -> PlanningRows:
        """Return the rows of a kind as if `file` were in the folder, in place of one with its name."""
        return self._parse(table, [*self._read_files(table.name, without=file.name), file])

    def versions(self, week: date, inputs: Sequence[PlanningInput]) -> dict[str, str]:
        """Return what identifies the rows that a week uses: kind -> version, without kinds that have no rows.

        A file that cannot be read is identified by its content.
        """
        versions = {of.kind: self._version(week, of) for of in inputs}
        return {kind: version for kind, version in versions.items() if version}

    def describe(self) -> list[str]:
        """Name files that are of no kind, and what is wrong with the others, one line each."""
        problems = [p for kind in PLANNING_FILES for p in self._problems(self._rows_of(kind))]
        return [*describe_unrecognised(self.unrecognised()), *(problem.message for problem in problems)]

    @staticmethod
    def _problems(rows: PlanningRows) -> list[PlanningProblem]:
        return [*rows.file_problems, *(problem for _, problem in rows.problems)]

    def _version(self, week: date, of: PlanningInput) -> str:
        rows = self._rows_of(of.kind)
        version = rows.version(week, of.past, of.weeks, self._since(rows, of))
        broken = sorted({problem.file for problem in rows.file_problems})
        return fingerprint([version, *map(self._content, broken)]) if broken else version

    def _content(self, name: str) -> str:
        """Return what identifies the content of a file; its size and time of change if it cannot be read at all."""
        filesystem, _ = self._storage
        try:
            return content_id(filesystem, self._files[name].path)
        except OSError as error:
            if not is_local(filesystem):  # a store that fails says nothing about the file
                raise StoreError.from_os_error(self.path, error) from None
            return self.states()[name]

    def _rows_of(self, kind: str) -> PlanningRows:
        if kind not in self._rows:
            key, contents = (self.path, self.fold_case, kind), self._contents(kind)
            known, rows = _LAST_READ.get(key, (None, None))
            if rows is None or known != contents:
                rows = self._read(kind)
                # Files that are saved while they are read may hold something else by now.
                if self._contents(kind) == contents:
                    _LAST_READ[key] = contents, rows
            self._rows[kind] = rows
        return self._rows[kind]

    def _contents(self, kind: str) -> dict[str, str]:
        return {name: self._content(name) for name in self._files if kind_of(name) == kind}

    def _read(self, kind: str) -> PlanningRows:
        return self._parse(PLANNING_FILES[kind], self._read_files(kind))

    def _read_files(self, kind: str, without: str = "") -> list[PlanningFile]:
        with store_errors(self.path):
            return [
                read_planning_file(self._storage[0], info.path, name, PLANNING_FILES[kind])
                for name, info in self._files.items()
                if kind_of(name) == kind and name != without
            ]

    def _parse(self, table: Table, files: Sequence[PlanningFile]) -> PlanningRows:
        empty = pd.DataFrame(columns=[*table.names, "file", "row"], dtype=object)
        cells = [file.cells.assign(file=file.name, row=file.cells.index) for file in files if len(file.cells)]
        problems = [problem for file in files for problem in file.problems]
        joined = pd.concat(cells, ignore_index=True) if cells else empty
        return parse_rows(with_values(table, joined), joined.fillna(""), problems, self.fold_case)

    def _since(self, rows: PlanningRows, of: PlanningInput) -> np.ndarray | None:
        """Return the week in which each row becomes known, of an input that reads those of one week."""
        if of.ahead is None or of.since is None:
            return None
        if of not in self._known:
            self._known[of] = first_known(rows.frame, of.ahead, of.since)
        return self._known[of]
