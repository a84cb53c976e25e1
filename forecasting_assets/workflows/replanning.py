"""Which assets of a week change with the planning files, and whether these can be used."""

from collections.abc import Iterable, Mapping
from datetime import date

from forecasting_assets.graph import PLANNING_FILES
from forecasting_assets.lake.freshness import Freshness
from forecasting_assets.planning.rows import PlanningFileError


def planning_versions(freshness: Freshness, week: date) -> dict[str, Mapping[str, str]]:
    """Return what identifies the rows of planning files that a week is made from, by asset."""
    return {
        f"{PLANNING_FILES} of {asset}": versions
        for asset, node in freshness.pipeline.items()
        if (versions := freshness.planning.versions(week, node.planning))
    }


def changed_by_planning(freshness: Freshness, week: date) -> list[str]:
    """Return the assets of a week that would be made from other rows of planning files now."""
    return [
        asset
        for asset, node in freshness.pipeline.items()
        if node.planning
        and (record := freshness.record(asset, week)).data
        and record.inputs.get(PLANNING_FILES, {}) != freshness.planning.versions(week, node.planning)
    ]


def planning_problems(freshness: Freshness, week: date, assets: Iterable[str]) -> list[str]:
    """Say what is wrong with the planning files that `assets` read, which would only fail."""
    try:
        for asset in assets:
            for rows in freshness.pipeline[asset].planning:
                freshness.planning.used_by(week, rows)
    except PlanningFileError as error:
        return str(error).splitlines()
    return []


def same_week_downstream(freshness: Freshness, week: date, assets: Iterable[str]) -> tuple[str, ...]:
    """Return `assets` and all that exist of the same week downstream of them, in the order of the graph."""
    changed = set(assets)
    for asset, node in freshness.pipeline.items():
        reads = {source.asset for source in node.upstream if source.first <= 0 <= source.last}
        if reads & changed and freshness.record(asset, week).data:
            changed.add(asset)
    return tuple(asset for asset in freshness.pipeline if asset in changed)
