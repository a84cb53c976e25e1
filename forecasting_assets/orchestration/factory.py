"""What all assets share: weekly partitions, range-aware runs, and metadata for each week.

Definitions only: no asset is declared here, and nothing is computed.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from inspect import signature
from typing import Any

import dagster as dg

from forecasting_assets.lake.records import FILES, NETWORK, UNCHECKED
from forecasting_assets.runtime.spark import retry_if_server_lost
from forecasting_assets.settings import Settings
from forecasting_assets.tables import Table

OWNER = "team:planning"
#: The assets that stand for landed files.
FILE_ASSETS = {FILES: "order_files", NETWORK: "network_files"}
#: Runs with an op in it are started one at a time, see dagster.yaml.
SPARK_POOL = "spark"


@dataclass(frozen=True)
class Upstream:
    """An asset whose weeks from `first` to `last` (offsets from the week itself) are read; those of an
    `optional` one as far as they are there.

    An asset may read its own earlier weeks, optionally. Dagster is not told: it would make one week a run.
    """

    asset: str
    first: int = 0
    last: int = 0
    optional: bool = False

    @property
    def dep(self) -> dg.AssetDep:
        if not self.first and not self.last:
            return dg.AssetDep(self.asset)
        mapping = dg.TimeWindowPartitionMapping(
            start_offset=self.first, end_offset=self.last, allow_nonexistent_upstream_partitions=True
        )
        return dg.AssetDep(self.asset, partition_mapping=mapping)


@dataclass(frozen=True)
class Declared:
    """What an asset is made from, upstream assets, landed files and settings (dotted names), and the tables that it
    writes beside its own."""

    table: Table
    upstream: Sequence[Upstream]
    reads: str | None
    settings: Sequence[str]
    companions: Sequence[Table] = ()


@dataclass(frozen=True)
class Weekly:
    """Declares assets of one week a partition, materialized alone or as a range in one run.

    blocking: asset -> its checks that hold back what is downstream
    """

    settings: Settings
    declared: dict[str, Declared] = field(default_factory=dict)
    blocking: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def unchecked(self, table: Table) -> dict[str, str]:
        """What the blocking checks of `table` say of a week that they have not looked at."""
        return dict.fromkeys(self.blocking.get(table.name, ()), UNCHECKED)

    @cached_property
    def partitions(self) -> dg.WeeklyPartitionsDefinition:
        return dg.WeeklyPartitionsDefinition(
            start_date=str(self.settings.calendar.first_week), day_offset=1, timezone="UTC"
        )

    def asset(
        self,
        table: Table,
        *,
        group: str,
        kinds: Iterable[str],
        upstream: Sequence[Upstream | str] = (),
        reads: str | None = None,
        settings: Sequence[str] = (),
        companions: Sequence[Table] = (),
        freshness: dg.FreshnessPolicy | None = None,
    ) -> Callable[[Callable[..., None]], dg.AssetsDefinition]:
        """Decorator: an asset that writes `table`; its docstring is what planners read in the UI.

        The function is called with the context, the weeks to make and its resources, and writes through the
        lake. It may be called again with fewer weeks, if one of them fails. `reads` names the landed files
        it is made from, `settings` the settings that change what it makes, `companions` the tables it writes beside
        its own.
        """
        sources = [source if isinstance(source, Upstream) else Upstream(source) for source in upstream]
        self.declared[table.name] = Declared(table, sources, reads, settings, companions)
        self.groups[table.name] = group
        files = [dg.AssetDep(FILE_ASSETS[reads])] if reads else []

        def declare(function: Callable[..., None]) -> dg.AssetsDefinition:
            from forecasting_assets.orchestration.materialize import WEEKS_MADE, week_by_week

            return dg.asset(
                name=table.name,
                partitions_def=self.partitions,
                backfill_policy=dg.BackfillPolicy.single_run(),
                deps=[*files, *(source.dep for source in sources if source.asset != table.name)],
                group_name=group,
                kinds=set(kinds),
                owners=[OWNER],
                metadata={"dagster/column_schema": column_schema(table), "dagster/table_name": table.name},
                description=_description(function),
                io_manager_key=WEEKS_MADE,
                freshness_policy=freshness,
                pool=SPARK_POOL if "spark" in signature(function).parameters else None,
            )(week_by_week(self, table, retry_if_server_lost(function)))

        return declare


def _description(function: Callable[..., None]) -> str:
    return " ".join((function.__doc__ or "").split())


def column_schema(table: Table) -> dg.TableSchema:
    """The columns of a table as the UI shows them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.type,
                column.description,
                dg.TableColumnConstraints(column.nullable, other=[column.bounds] if column.bounds else []),
            )
            for column in table.columns
        ]
    )


def weeks_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """The weeks this run materializes, in order."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def add_week_metadata(context: dg.AssetExecutionContext, week: date, metadata: Mapping[str, Any]) -> None:
    """Metadata of one week's materialization: in a range run it would otherwise be lost."""
    context.add_asset_metadata(metadata, partition_key=str(week))


def row_counts(context: dg.AssetExecutionContext, rows: Mapping[date, int]) -> None:
    for week, count in rows.items():
        add_week_metadata(context, week, {"dagster/partition_row_count": count})


@dataclass(frozen=True)
class WeekResult:
    """What one week of an asset came to: its rows, its metadata, PNG pictures by name, and a report's path."""

    rows: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    report: str | None = None


def add_week_result(context: dg.AssetExecutionContext, week: date, result: WeekResult) -> None:
    row_counts(context, {week: result.rows})
    add_week_metadata(context, week, result.metadata)
    add_week_metadata(context, week, {name: picture(png, name) for name, png in result.pictures.items()})
    if result.report:
        add_week_metadata(context, week, {"report": dg.MetadataValue.path(result.report)})


def picture(png: bytes, name: str) -> dg.MetadataValue:
    """A PNG that the UI shows in place."""
    return dg.MetadataValue.md(
        f"![{name.replace('_', ' ')}](data:image/png;base64,{b64encode(png).decode()})"
    )
