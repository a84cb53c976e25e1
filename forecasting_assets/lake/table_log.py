"""The log of a table that other engines read: which files are its newest version."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from forecasting_assets.errors import PicklableError


class CommitConflictError(Exception):
    """Another process has committed a version since the log was read."""


class PublishError(PicklableError, ValueError):
    """A table that cannot be published in the format of the settings.

    Attributes
    ----------
    table
        Its name.
    format
        delta or iceberg.
    reason
        Why.
    """

    def __init__(self, table: str, format: str, reason: str) -> None:
        super().__init__(f"{table} cannot be published as a table of the format {format}: {reason}")
        self.table, self.format, self.reason = table, format, reason


@dataclass(frozen=True)
class PublishedFile:
    """The file of a week in a version of a table; it never changes.

    Attributes
    ----------
    week
        Its week.
    name
        Path within the folder of the table: `week=YYYY-MM-DD/<content id>-<unique>.parquet`.
    rows, size
        Number of rows, and of bytes.
    """

    week: date
    name: str
    rows: int
    size: int

    @property
    def content(self) -> str:
        """Content id of the week of the lake that the file is a copy of."""
        return self.name.rpartition("/")[2].rpartition("-")[0]


class TableLog(ABC):
    """The log of one table."""

    #: What `_newest` returned of the version that was read.
    _version: object = None

    @abstractmethod
    def read(self) -> list[PublishedFile]:
        """Return the files of the newest version; create the table, or add columns to it, where needed.

        Raises
        ------
        CommitConflictError
            If another process does so at the same time.
        ValueError
            If the table cannot hold the columns.
        """

    @abstractmethod
    def commit(self, added: Sequence[PublishedFile], removed: Sequence[PublishedFile]) -> None:
        """Make one version of the one that was read.

        Raises
        ------
        CommitConflictError
            If that is no longer the newest: nothing was committed, unless the answer of a commit was lost.
        """

    @abstractmethod
    def _newest(self) -> object:
        """Return what names the newest version; None if there is no table."""

    @contextmanager
    def _conflicts(self, *errors: type[Exception]) -> Iterator[None]:
        """Raise errors of commits as conflicts if there is a newer version, else as they are: a retry cannot help."""
        try:
            yield
        except errors as error:
            if self._newest() == self._version:
                raise
            raise CommitConflictError(str(error)) from error
