"""The same assets with Dagster's multiprocess executor, which is the usual way: a process and a JVM for each step."""

import dagster as dg

from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.settings import load_settings

JOB = "usual"


def usual_defs() -> dg.Definitions:
    """Return the code location with a job that uses the multiprocess executor."""
    platform = build_defs(load_settings())
    return dg.Definitions(
        assets=platform.assets,
        asset_checks=platform.asset_checks,
        resources=platform.resources,
        jobs=[dg.define_asset_job(JOB, dg.AssetSelection.all(), executor_def=dg.multiprocess_executor)],
    )


defs = usual_defs()
