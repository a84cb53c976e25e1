"""The same assets run the usual way: Dagster's multiprocess executor, a process and a JVM for each step."""

import dagster as dg

from forecasting_assets.definitions import build_defs

JOB = "usual"
_ours = build_defs()
defs = dg.Definitions(
    assets=_ours.assets,
    asset_checks=_ours.asset_checks,
    resources=_ours.resources,
    jobs=[dg.define_asset_job(JOB, dg.AssetSelection.all(), executor_def=dg.multiprocess_executor)],
)
