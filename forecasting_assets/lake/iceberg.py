"""The log of an Iceberg table, by pyiceberg."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting_assets.lake.table_log import CommitConflictError, PublishedFile, TableLog
from forecasting_assets.storage import exclusive_lock

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile

#: Iceberg stores dates as days since then.
_EPOCH = date(1970, 1, 1)
_PROPERTIES = {
    # Of two commits to one version the second must fail, as what it adds may be what the first has added.
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "10",
    "write.metadata.delete-after-commit.enabled": "true",
}


def open_catalog(home: Path, location: Mapping[str, str]) -> "Catalog":
    """Open the catalog in `iceberg.db` of a home; `location` is region and endpoint of the lake, if that is in S3."""
    from pyiceberg.catalog import load_catalog

    properties = {f"s3.{name}": value for name, value in location.items()}
    # Of two processes that make the database at the same time, one would fail.
    with exclusive_lock(home, "iceberg"):
        return load_catalog("home", type="sql", uri=f"sqlite:///{home / 'iceberg.db'}", **properties)


@dataclass
class IcebergLog(TableLog):
    """The log of a table of a catalog.

    Attributes
    ----------
    catalog, name
        The catalog, and the name of the table in it: `<namespace>.<table>`.
    uri
        URL of its folder.
    schema
        Its columns; the last is the week, by which it is partitioned.
    """

    catalog: "Catalog"
    name: str
    uri: str
    schema: "pa.Schema"
    _table: Any = field(default=None, init=False)
    _files: "dict[str, DataFile]" = field(default_factory=dict, init=False)

    def read(self) -> list[PublishedFile]:
        """Return the files of the newest version; create the table where needed."""
        with _conflicts():
            if not self.catalog.table_exists(self.name):
                self._create()
            self._table = self.catalog.load_table(self.name)
            if self._table.location() != self.uri:
                raise ValueError(
                    f"{self.name} of the catalog {self.catalog.name} is in {self._table.location()} and not in "
                    f"{self.uri}: set [lake] catalog or namespace to others or, if the lake has moved, drop that table"
                )
            self._add_columns()
        snapshot = self._table.current_snapshot()
        # A scan would leave out the files of weeks without rows.
        files = [
            entry.data_file
            for manifest in (snapshot.manifests(self._table.io) if snapshot else [])
            for entry in manifest.fetch_manifest_entry(self._table.io)
        ]
        self._files = {file.file_path.removeprefix(f"{self.uri}/"): file for file in files}
        return [
            PublishedFile(
                _EPOCH + timedelta(days=file.partition[0]), name, file.record_count, file.file_size_in_bytes
            )
            for name, file in self._files.items()
        ]

    def commit(self, added: Sequence[PublishedFile], removed: Sequence[PublishedFile]) -> None:
        """Make one version of the one that was read."""
        from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
        from pyiceberg.typedef import Record

        with _conflicts(), self._table.transaction() as transaction:
            update = transaction.update_snapshot()
            # Only an append merges the small manifests of many versions.
            with update.overwrite() if removed else update.merge_append() as snapshot:
                for file in added:
                    snapshot.append_data_file(
                        DataFile.from_args(
                            content=DataFileContent.DATA,
                            file_path=f"{self.uri}/{file.name}",
                            file_format=FileFormat.PARQUET,
                            partition=Record((file.week - _EPOCH).days),
                            record_count=file.rows,
                            file_size_in_bytes=file.size,
                            spec_id=self._table.metadata.default_spec_id,
                        )
                    )
                for file in removed:
                    snapshot.delete_data_file(self._files[file.name])

    def _add_columns(self) -> None:
        from pyiceberg.exceptions import ValidationError

        try:
            with self._table.update_schema() as update:
                update.union_by_name(self.schema)
        except ValidationError as error:
            raise ValueError(
                f"{error}: drop {self.name} from its catalog, and its next week publishes all of it anew"
            ) from error

    def _create(self) -> None:
        self.catalog.create_namespace_if_not_exists(self.name.rpartition(".")[0])
        creation = self.catalog.create_table_transaction(self.name, self.schema, location=self.uri)
        with creation.update_spec() as spec:
            spec.add_identity("week")
        # The files have no ids of fields: their columns are found by name.
        names = creation.table_metadata.schema().name_mapping.model_dump_json()
        creation.set_properties(_PROPERTIES | {"schema.name-mapping.default": names})
        creation.commit_transaction()


@contextmanager
def _conflicts() -> Iterator[None]:
    from pyiceberg.exceptions import (
        CommitFailedException,
        NamespaceAlreadyExistsError,
        TableAlreadyExistsError,
        ValidationException,
    )

    try:
        yield
    except (
        CommitFailedException,
        NamespaceAlreadyExistsError,
        TableAlreadyExistsError,
        ValidationException,
    ) as error:
        raise CommitConflictError(str(error)) from error
