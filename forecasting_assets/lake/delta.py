"""The log of a Delta table, by delta-rs."""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from forecasting_assets.lake.table_log import PublishedFile, TableLog

if TYPE_CHECKING:
    import pyarrow as pa

#: Every commit of the platform counts this application's transactions, so that two from one version exclude each other.
_APPLICATION = "forecasting-assets"
#: Colours and arrows in the messages of delta-rs.
_DECORATION = re.compile("\x1b\\[[0-9;]*m|↳ ?")


@dataclass
class DeltaLog(TableLog):
    """The log of the table in a folder.

    Attributes
    ----------
    uri
        Folder or URL of the table.
    schema
        Its columns; the last is the week, by which it is partitioned.
    location
        Region and endpoint of its store, if that is S3.
    """

    uri: str
    schema: "pa.Schema"
    location: Mapping[str, str]
    _table: Any = field(default=None, init=False)

    def read(self) -> list[PublishedFile]:
        """Return the files of the newest version; create the table, or add columns to it, where needed."""
        import pyarrow as pa
        from deltalake import CommitProperties, DeltaTable
        from deltalake.exceptions import CommitFailedError

        self._version = None
        with _plain_errors(), self._conflicts(CommitFailedError):
            if self._newest() is None:
                DeltaTable.create(
                    self.uri,
                    self.schema,
                    mode="ignore",
                    partition_by=["week"],
                    storage_options=self._options,
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
            self._table = DeltaTable(self.uri, storage_options=self._options)
            self._version = self._table.version()
            self._add_columns()
            self._version = self._table.version()
        names = {"partition.week": "week", "path": "name", "num_records": "rows", "size_bytes": "size"}
        actions = pa.table(self._table.get_add_actions(flatten=True)).select(list(names))
        return [PublishedFile(**row) for row in actions.rename_columns(list(names.values())).to_pylist()]

    def commit(self, added: Sequence[PublishedFile], removed: Sequence[PublishedFile]) -> None:
        """Make one version of the one that was read."""
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError
        from deltalake.transaction import AddAction, RemoveAction

        now = time.time_ns() // 1_000_000
        actions: list[AddAction | RemoveAction] = [
            AddAction(
                file.name,
                file.size,
                {"week": str(file.week)},
                now,
                True,
                json.dumps({"numRecords": file.rows}),
            )
            for file in added
        ]
        actions += [
            RemoveAction(file.name, True, now, file.size, {"week": str(file.week)}) for file in removed
        ]
        count = self._table.transaction_version(_APPLICATION) or 0
        properties = CommitProperties(
            max_commit_retries=0, app_transactions=[Transaction(_APPLICATION, count + 1)]
        )
        with _plain_errors(), self._conflicts(CommitFailedError):
            self._table.create_write_transaction(
                actions, "append", self.schema, ["week"], commit_properties=properties
            )

    @property
    def _options(self) -> dict[str, str]:
        return {"allow_http": "true"} | {f"aws_{name}": value for name, value in self.location.items()}

    def _newest(self) -> int | None:
        from deltalake import DeltaTable

        if not DeltaTable.is_deltatable(self.uri, self._options):
            return None
        return DeltaTable(self.uri, storage_options=self._options).version()

    def _add_columns(self) -> None:
        from deltalake import Schema

        stored = {column.name: column.type for column in self._table.schema().fields}
        wanted = Schema.from_arrow(self.schema).fields
        for column in wanted:
            if stored.get(column.name, column.type) != column.type:
                raise ValueError(
                    f"its column {column.name} was {stored[column.name]} and now is {column.type}: remove "
                    f"{self.uri}, and the next run publishes all weeks again"
                )
        if new := [column for column in wanted if column.name not in stored]:
            self._table.alter.add_columns(new)


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(_DECORATION.sub("", str(error))) from error
