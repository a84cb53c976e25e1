"""What the graph shows beside the assets: the landed files it begins with, and the tables written beside others."""

from collections.abc import Iterable, Sequence
from datetime import date

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from forecasting_assets.lake.landing import LandedFile, Landing, touching
from forecasting_assets.lake.records import FILES, NETWORK, fingerprint, network_contents
from forecasting_assets.orchestration.factory import FILE_ASSETS, OWNER, Weekly, column_schema
from forecasting_assets.weeks import newest_closed_week
from forecasting_assets.wording import listed


def source_assets(weekly: Weekly) -> list[dg.SourceAsset]:
    """Order files and network files as assets that can be observed, so that the lineage begins with them."""

    @dg.observable_source_asset(
        name=FILE_ASSETS[FILES],
        partitions_def=weekly.partitions,
        group_name="landing",
        description="Order files in the landing zone. A week's data version changes with the files that touch it.",
    )
    def order_files() -> dg.DataVersionsByPartition:
        files = Landing.of(weekly.settings).refresh()
        first, newest = weekly.settings.calendar.first_week, newest_closed_week()
        weeks = {week for file in files for week in file.weeks if first <= week <= newest}
        return dg.DataVersionsByPartition(
            {str(week): _version(touching(files, [week])) for week in sorted(weeks)}
        )

    @dg.observable_source_asset(
        name=FILE_ASSETS[NETWORK],
        group_name="landing",
        description="Network files: manufacturers, capabilities, lanes and capacity overrides.",
    )
    def network_files() -> dg.DataVersion:
        return dg.DataVersion(fingerprint(network_contents(weekly.settings.network_path)))

    return [order_files, network_files]


def companion_specs(weekly: Weekly) -> list[dg.AssetSpec]:
    """The tables that assets write beside their own, as the UI shows them."""
    return [
        dg.AssetSpec(
            table.name,
            deps=[asset],
            description=f"Written by {asset}.",
            group_name=weekly.groups[asset],
            kinds={"parquet"},
            owners=[OWNER],
            partitions_def=weekly.partitions,
            metadata={"dagster/column_schema": column_schema(table), "dagster/table_name": table.name},
        )
        for asset, declared in weekly.declared.items()
        for table in declared.companions
    ]


def observations(files: Sequence[LandedFile], weeks: Iterable[date]) -> list[dg.AssetObservation]:
    """The order files of `weeks` as the landing zone holds them now.

    Recorded before a run reads them, they tell Dagster which version of the files the run has used.
    """
    found = []
    for week in weeks:
        of_week = touching(files, [week])
        names = [file.name for file in of_week]
        found.append(
            dg.AssetObservation(
                FILE_ASSETS[FILES],
                partition=str(week),
                metadata={"files": listed(names, 20)},
                tags={DATA_VERSION_TAG: _version(of_week)},
            )
        )
    return found


def _version(files: Iterable[LandedFile]) -> str:
    return fingerprint({file.name: file.fingerprint for file in files})
