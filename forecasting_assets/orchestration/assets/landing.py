"""The landed files that the graph begins with, as assets that can be observed."""

from collections.abc import Iterable, Sequence
from datetime import date

import dagster as dg

from forecasting_assets.graph import NETWORK_FILES, ORDER_FILES, PLANNING_FILES
from forecasting_assets.lake.home import Home
from forecasting_assets.lake.landed_files import LandedFile, files_by_week
from forecasting_assets.lake.network import network_contents
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.orchestration.dagster_internals import DATA_VERSION_TAG
from forecasting_assets.orchestration.shared import FILE_ASSETS, weekly_partitions
from forecasting_assets.weeks import newest_closed_week
from forecasting_assets.wording import listed

#: Files that an observation names.
_FILES_NAMED = 20


def file_assets(home: Home) -> list[dg.SourceAsset]:
    """Return order, network and planning files as assets, so that the lineage begins with them."""

    @dg.observable_source_asset(
        name=FILE_ASSETS[ORDER_FILES],
        partitions_def=weekly_partitions(home.settings),
        group_name="landing",
        description="Order files in the landing zone. A week's data version changes with the files that touch it.",
    )
    def order_files() -> dg.DataVersionsByPartition:
        return dg.DataVersionsByPartition(order_file_versions(home))

    @dg.observable_source_asset(
        name=FILE_ASSETS[NETWORK_FILES],
        group_name="landing",
        description="Network files: manufacturers, capabilities, lanes and capacity overrides.",
    )
    def network_files() -> dg.DataVersion:
        return dg.DataVersion(fingerprint(network_contents(home.settings.network_path)))

    @dg.observable_source_asset(
        name=FILE_ASSETS[PLANNING_FILES],
        group_name="landing",
        description="Planning files: forecast overrides, locked allocations, stock, work in progress and promises.",
    )
    def planning_files() -> dg.DataVersion:
        return dg.DataVersion(fingerprint(PlanningFolder.of(home.settings).contents()))

    return [order_files, network_files, planning_files]


def order_file_versions(home: Home) -> dict[str, str]:
    """Return partition key -> version of the files with orders of that week, of all closed weeks."""
    files = home.landing.refresh()
    first, newest = home.settings.calendar.first_week, newest_closed_week()
    by_week = files_by_week(files)
    return {str(week): _version(by_week[week]) for week in sorted(by_week) if first <= week <= newest}


def observations(files: Sequence[LandedFile], weeks: Iterable[date]) -> list[dg.AssetObservation]:
    """Return the order files of `weeks` as they are now.

    Recorded before a run reads them, they tell Dagster which version of the files the run has used.
    """
    found, by_week = [], files_by_week(files)
    for week in weeks:
        of_week = by_week.get(week, [])
        names = [file.name for file in of_week]
        found.append(
            dg.AssetObservation(
                FILE_ASSETS[ORDER_FILES],
                partition=str(week),
                metadata={"files": listed(names, _FILES_NAMED)},
                tags={DATA_VERSION_TAG: _version(of_week)},
            )
        )
    return found


def _version(files: Iterable[LandedFile]) -> str:
    return fingerprint({file.name: file.fingerprint for file in files})
