"""Dagster assets from the graph: weekly partitions, and runs that cover a range of weeks."""

from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from forecasting_assets.graph import PLANNING_FILES, Upstream, WeeklyAsset
from forecasting_assets.lake.home import Home
from forecasting_assets.orchestration.materialize import WeekFunction, materialize_weeks
from forecasting_assets.orchestration.resources import WEEKS_MADE
from forecasting_assets.orchestration.shared import (
    FILE_ASSETS,
    OWNER,
    SPARK_POOL,
    resource_names,
    table_metadata,
    weekly_partitions,
)
from forecasting_assets.workflows.week_result import WeekResults


@dataclass(frozen=True)
class AssetFunction:
    """How an asset is made.

    Attributes
    ----------
    function
        Called with the weeks to make, and with resources by name. It may be called again with fewer weeks, if one of
        them fails. Its docstring is the description in the UI.
    kinds
        What it is made with, as the UI shows it.
    freshness
        When a new week is due.
    """

    function: Callable[..., WeekResults]
    kinds: frozenset[str]
    freshness: dg.FreshnessPolicy | None = None


def weekly_asset(home: Home, asset: WeeklyAsset, how: AssetFunction) -> dg.AssetsDefinition:
    """Return the Dagster asset of a node of the graph.

    Parameters
    ----------
    home
        The home that its weeks are made in.
    asset
        The node.
    how
        The function that makes its weeks.
    """
    resources = resource_names(how.function)
    make = materialize_weeks(home, asset, WeekFunction(how.function, resources))
    return dg.asset(
        name=asset.name,
        partitions_def=weekly_partitions(home.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=_deps(asset),
        group_name=asset.group,
        kinds=set(how.kinds),
        owners=[OWNER],
        metadata=table_metadata(asset.table),
        description=" ".join((how.function.__doc__ or "").split()),
        io_manager_key=WEEKS_MADE,
        freshness_policy=how.freshness,
        pool=SPARK_POOL if "spark" in resources else None,
        required_resource_keys=resources,
    )(make)


def companion_specs(home: Home, asset: WeeklyAsset) -> list[dg.AssetSpec]:
    """Return the tables that an asset writes beside its own, as the UI shows them."""
    return [
        dg.AssetSpec(
            table.name,
            deps=[asset.name],
            description=f"Written by {asset.name}.",
            group_name=asset.group,
            kinds={"parquet"},
            owners=[OWNER],
            partitions_def=weekly_partitions(home.settings),
            metadata=table_metadata(table),
        )
        for table in asset.also_writes
    ]


def _deps(asset: WeeklyAsset) -> list[dg.AssetDep]:
    """Return the dependencies of an asset as Dagster knows them.

    Earlier weeks of the asset itself are left out: with them Dagster would make one week a run.
    """
    kinds = [asset.files, PLANNING_FILES if asset.planning else None]
    files = [dg.AssetDep(FILE_ASSETS[kind]) for kind in kinds if kind]
    return [*files, *(_dep(source) for source in asset.upstream if source.asset != asset.name)]


def _dep(source: Upstream) -> dg.AssetDep:
    if not source.first and not source.last:
        return dg.AssetDep(source.asset)
    mapping = dg.TimeWindowPartitionMapping(
        start_offset=source.first, end_offset=source.last, allow_nonexistent_upstream_partitions=True
    )
    return dg.AssetDep(source.asset, partition_mapping=mapping)
