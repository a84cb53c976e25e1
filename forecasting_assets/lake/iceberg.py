"""The log of an Iceberg table, by pyiceberg."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting_assets.lake.table_log import PublishedFile, TableLog
from forecasting_assets.storage import exclusive_lock

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

#: Iceberg stores dates as days since then.
_EPOCH = date(1970, 1, 1)
_DROP = (
    "drop it from its catalog (see 'Drop a table from a catalog' in the documentation), and the next run publishes all "
    "weeks again"
)
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
    from sqlalchemy import URL

    uri = URL.create("sqlite", database=str(home / "iceberg.db")).render_as_string()
    properties = {f"s3.{name}": value for name, value in location.items()}
    # Of two processes that make the database at the same time, one would fail.
    with exclusive_lock(home, "iceberg"):
        return load_catalog("home", type="sql", uri=uri, **properties)


class MisplacedTableError(ValueError):
    """A table that the catalog has in another folder, or whose metadata file is missing."""


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
    home
        Home whose own catalog it is; None if it is one that others may use too.
    """

    catalog: "Catalog"
    name: str
    uri: str
    schema: "pa.Schema"
    home: Path | None
    _table: Any = field(default=None, init=False)
    _files: "dict[str, DataFile]" = field(default_factory=dict, init=False)

    def read(self) -> list[PublishedFile]:
        """Return the files of the newest version; create the table where needed."""
        self._version = None
        with self._conflicts(*_commit_errors()):
            self._table = self._open()
            self._version = self._table.metadata_location
            self._add_columns()
            self._version = self._table.metadata_location
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

        with self._conflicts(*_commit_errors()), self._table.transaction() as transaction:
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

    def _newest(self) -> str | None:
        table = self._load()
        return table.metadata_location if table else None

    def _load(self) -> "Table | None":
        from pyiceberg.exceptions import NoSuchTableError

        known = f"{self.name} of the catalog {self.catalog.name}"
        try:
            table = self.catalog.load_table(self.name)
        except NoSuchTableError:
            return None
        except FileNotFoundError as error:
            raise MisplacedTableError(
                f"the metadata file of {known} is missing ({error}): if its folder was removed, {_DROP}"
            ) from error
        if table.location() != self.uri:
            raise MisplacedTableError(
                f"{known} is in {table.location()} and not in {self.uri}: set [lake] catalog or namespace to "
                f"others or, if the lake has moved, {_DROP}"
            )
        return table

    def _open(self) -> "Table":
        # Two processes that find the table misplaced would each drop it, the second that which the first has made.
        with exclusive_lock(self.home, "iceberg") if self.home else nullcontext():
            try:
                table = self._load()
            except MisplacedTableError:
                if not self.home:
                    raise
                # The home was moved, copied or restored, or the folder was removed: what was published is a copy.
                self.catalog.drop_table(self.name)
                table = None
            if not table:
                self._create()
        return table or self.catalog.load_table(self.name)

    def _add_columns(self) -> None:
        from pyiceberg.exceptions import ValidationError

        try:
            with self._table.update_schema() as update:
                update.union_by_name(self.schema)
        except ValidationError as error:
            raise ValueError(f"{error}: if {self.name} may lose its older versions, {_DROP}") from error

    def _create(self) -> None:
        from sqlalchemy.exc import IntegrityError

        # If another process makes the namespace at this moment, pyiceberg's SQL catalog passes on its database's error.
        with suppress(IntegrityError):
            self.catalog.create_namespace_if_not_exists(self.name.rpartition(".")[0])
        creation = self.catalog.create_table_transaction(self.name, self.schema, location=self.uri)
        with creation.update_spec() as spec:
            spec.add_identity("week")
        # The files have no ids of fields: their columns are found by name.
        names = creation.table_metadata.schema().name_mapping.model_dump_json()
        creation.set_properties(_PROPERTIES | {"schema.name-mapping.default": names})
        creation.commit_transaction()


def _commit_errors() -> tuple[type[Exception], ...]:
    from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError, ValidationException

    return CommitFailedException, TableAlreadyExistsError, ValidationException
