"""The weeks of a Dagster run, by its tags."""

from collections.abc import Mapping
from datetime import date

from forecasting_assets.weeks import parse_week, weeks_between

#: Run tags by which Dagster names the weeks of a run: one, or a range.
PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
#: Tag by which people read the weeks of a run in the list of runs.
WEEKS_TAG = "weeks"


def tags_of_weeks(first: date, last: date) -> dict[str, str]:
    """Return the tags of a run that makes the weeks from `first` to `last`."""
    return {PARTITION: str(first)} if first == last else {RANGE_START: str(first), RANGE_END: str(last)}


def weeks_of_run(tags: Mapping[str, str]) -> list[date]:
    """Return the weeks that a run with these tags makes."""
    if PARTITION in tags:
        return [parse_week(tags[PARTITION])]
    if RANGE_START in tags:
        return weeks_between(parse_week(tags[RANGE_START]), parse_week(tags[RANGE_END]))
    return []
