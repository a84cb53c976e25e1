"""Jobs: named selections of assets that people and automation run."""

import dagster as dg

from forecasting_assets.orchestration.factory import Weekly

WEEKLY_PLAN = "weekly_plan"


def jobs(weekly: Weekly) -> list:
    """The one job of the platform: every asset, for a week or a range of weeks."""
    return [
        dg.define_asset_job(
            WEEKLY_PLAN,
            dg.AssetSelection.all(),
            description="From landed order files to the capacity plan of the week.",
        )
    ]
