"""The same assets with Dagster's multiprocess executor, which is the usual way: a process and a JVM for each step."""

import dagster as dg

from forecasting_assets.definitions import build_defs

JOB = "usual"


def usual_defs() -> dg.Definitions:
    """Return the code location with a job that uses the multiprocess executor."""
    platform = build_defs()
    return dg.Definitions(
        assets=platform.assets,
        asset_checks=platform.asset_checks,
        resources=platform.resources,
        jobs=[dg.define_asset_job(JOB, dg.AssetSelection.all(), executor_def=dg.multiprocess_executor)],
    )


defs = usual_defs()
