"""Jobs: named selections of assets that people and automation run."""

from typing import Any

import dagster as dg

WEEKLY_PLAN = "weekly_plan"


def weekly_plan() -> Any:
    """Return the job of all assets, for a week or a range of weeks."""
    return dg.define_asset_job(
        WEEKLY_PLAN,
        dg.AssetSelection.all(),
        description="From landed order files to the capacity plan of the week.",
    )
