"""The same assets run the usual way: Dagster's multiprocess executor, a process and a JVM for each step."""

import dagster as dg

from forecasting_assets.definitions import build_defs

JOB = "usual"


def usual_defs() -> dg.Definitions:
    ours = build_defs()
    return dg.Definitions(
        assets=ours.assets,
        asset_checks=ours.asset_checks,
        resources=ours.resources,
        jobs=[dg.define_asset_job(JOB, dg.AssetSelection.all(), executor_def=dg.multiprocess_executor)],
    )


defs = usual_defs()
