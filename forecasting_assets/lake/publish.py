"""Tables of the lake published as Delta or Iceberg tables, for engines that read these.

The platform reads the file of a week, which is replaced in place. The versions of a published table need files that
never change, so each has a copy of the week under a name of its own. Publishing compares the newest version with
the lake and commits all differences as one version: weeks that are new, replaced or removed.
"""

import os
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date

from forecasting_assets.lake.delta import DeltaLog
from forecasting_assets.lake.files import DamagedWeekError
from forecasting_assets.lake.iceberg import IcebergLog, open_catalog
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.table_log import CommitConflictError, PublishedFile, PublishError, TableLog
from forecasting_assets.lake.week_files import read_columns
from forecasting_assets.settings import Settings
from forecasting_assets.storage import StoreError, remove_file, s3_location, store_errors, without_s3a
from forecasting_assets.tables import Table
from forecasting_assets.tables.arrow import partitioned_schema

#: Commits of other processes after which publishing a table is given up.
_ATTEMPTS = 20


def publish(settings: Settings, lake: Lake, tables: Sequence[Table]) -> None:
    """Bring published tables up to date with the lake, each by one version if it has changed.

    Nothing is done where the format is parquet.

    Parameters
    ----------
    settings
        `[lake]` names the format.
    lake, tables
        What is published, the table of an asset last.

    Raises
    ------
    PublishError, StoreError
        If a table cannot be published. The tables before it are.
    """
    if settings.lake.format == "parquet":
        return
    with _errors(settings, lake, tables[-1]):
        open_log = _log_opener(settings, lake)
    for table in tables:
        with _errors(settings, lake, table):
            _publish(lake, table, f"{settings.lake.format}/{table.name}", open_log(table))


@contextmanager
def _errors(settings: Settings, lake: Lake, table: Table) -> Iterator[None]:
    try:
        with store_errors(lake.path, "written"):
            yield
    except StoreError:
        raise
    except Exception as error:  # the clients of formats and catalogs have no error in common
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PublishError(table.name, settings.lake.format, reason) from error


def _log_opener(settings: Settings, lake: Lake) -> Callable[[Table], TableLog]:
    """Return what opens the log of a published table, in the folder `<format>/<table>` of the lake."""
    root = lake.storage[1] if lake.is_local else without_s3a(lake.path).rstrip("/")
    location = s3_location(lake.storage[0])
    if settings.lake.format == "delta":
        return lambda table: DeltaLog(f"{root}/delta/{table.name}", partitioned_schema(table), location)
    from pyiceberg.catalog import load_catalog

    named = settings.lake.catalog
    catalog = load_catalog(named) if named else open_catalog(settings.home, location)
    url = f"file://{root}" if lake.is_local else root
    return lambda table: IcebergLog(
        catalog,
        f"{settings.lake.namespace}.{table.name}",
        f"{url}/iceberg/{table.name}",
        partitioned_schema(table),
        None if named else settings.home,
    )


def _publish(lake: Lake, table: Table, folder: str, log: TableLog) -> None:
    conflict = None
    for _ in range(_ATTEMPTS):
        try:
            with _unpublished_deleted(lake, folder, log) as written:
                _publish_changes(lake, table, folder, log, written)
            return
        except CommitConflictError as error:
            conflict = error
    raise ValueError(
        f"others have committed {_ATTEMPTS} versions meanwhile, try again (the last time: {conflict})"
    ) from conflict


@contextmanager
def _unpublished_deleted(lake: Lake, folder: str, log: TableLog) -> Iterator[list[PublishedFile]]:
    """Provide a list for the copies that the block writes; if the block fails, delete those that no version has."""
    written: list[PublishedFile] = []
    try:
        yield written
    except Exception:
        with suppress(Exception):  # the error of the block is what matters
            # If only the answer of a commit was lost, its files are those of a version.
            committed = {file.name for file in log.read()} if written else set()
            for file in written:
                if file.name not in committed:
                    remove_file(lake.path, f"{folder}/{file.name}")
        raise


def _publish_changes(
    lake: Lake, table: Table, folder: str, log: TableLog, written: list[PublishedFile]
) -> None:
    # The log is read first: if a week is replaced later, whoever does so commits later, which is a conflict.
    published = log.read()
    wanted = lake.records.content_ids(table)
    current = defaultdict[date, list[str]](list)  # other programs may add a second file
    for file in published:
        current[file.week].append(file.content)
    changed = {week: content for week, content in wanted.items() if current[week] != [content]}

    def copy(week: date, content: str) -> None:
        if file := _copy(lake, table, folder, week, content):
            written.append(file)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(copy, changed, changed.values()):
            pass
    replaced = {file.week for file in written}
    removed = [file for file in published if file.week in replaced or file.week not in wanted]
    if written or removed:
        log.commit(written, removed)


def _copy(lake: Lake, table: Table, folder: str, week: date, content: str) -> PublishedFile | None:
    """Write a copy of a week; one that is damaged is left out, so that it stays as it was published."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = partitioned_schema(table)
    try:
        with lake.damage_as_error(table.name, week), lake.open_parquet(table, week) as file:
            rows = read_columns(file, schema.remove(len(schema) - 1))
    except DamagedWeekError:
        return None
    rows = rows.append_column(schema.field("week"), pa.repeat(pa.scalar(week, pa.date32()), len(rows)))
    stream = pa.BufferOutputStream()
    pq.write_table(rows, stream, compression="zstd", write_page_checksum=True)
    copied = stream.getvalue()
    name = f"week={week}/{content}-{uuid.uuid4().hex}.parquet"
    lake.write_whole(f"{lake.storage[1]}/{folder}/{name}", copied)
    return PublishedFile(week, name, len(rows), copied.size)
